/** A restart must not cost more because there is more data: stored documents are read only when their schema changed. */
import { defineSchema, defineTable } from 'convex/server'
import { v } from 'convex/values'
import { expect, it } from 'vitest'
import { onDisk, temporaryFolder } from '../../test/fixtures/backend.ts'
import type { Connection } from './connection.ts'

const schema = defineSchema({ items: defineTable({ rank: v.number() }).index('by_rank', ['rank']) })
const changed = defineSchema({ items: defineTable({ rank: v.union(v.number(), v.null()) }).index('by_rank', ['rank']) })

it('reads stored documents at a restart only when the schema changed', async () => {
  const dataDir = await temporaryFolder()
  const first = await onDisk({ dataDir, functions: { schema, modules: {} }, autoSchedule: false })
  await first.run((ctx) => ctx.db.insert('items', { rank: 1 }))
  await first.close()

  async function documentReads(of: typeof schema | typeof changed): Promise<string[]> {
    const seen: string[] = []
    const watch = <F extends (sql: string, ...args: never[]) => unknown>(read: F) =>
      ((sql: string, ...args: never[]) => {
        if (sql.includes('FROM documents')) seen.push(sql)
        return read(sql, ...args)
      }) as F
    const wrapConnection = (connection: Connection): Connection => ({
      ...connection,
      all: watch(connection.all),
      iterate: watch(connection.iterate),
    })
    const functions = { schema: of, modules: {} }
    await (await onDisk({ dataDir, functions, autoSchedule: false, wrapConnection })).close()
    return seen
  }
  expect(await documentReads(schema)).toEqual([])
  expect(await documentReads(changed)).not.toEqual([])
  expect(await documentReads(changed)).toEqual([])
})
