/* eslint-disable @typescript-eslint/no-explicit-any -- the data model of these schemas is not typed */
/** A new schema on existing data: all of it or nothing of it. */
import { defineSchema, defineTable } from 'convex/server'
import { v } from 'convex/values'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { DatabaseSync } from 'node:sqlite'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { check } from '../src/operations/check.ts'
import { onDisk, temporaryFolder } from './fixtures/backend.ts'

const item = { name: v.string(), rank: v.number() }
const old = defineSchema({ items: defineTable(item).index('by_name', ['name']), notes: defineTable({ text: v.string() }) })
const open = (dataDir: string, schema: typeof old) => onDisk({ dataDir, functions: { schema, modules: {} }, autoSchedule: false })
const any = (schema: unknown) => schema as typeof old

async function fill(dataDir: string, count: number): Promise<void> {
  const backend = await open(dataDir, old)
  await backend.run(async (ctx) => {
    for (let rank = 0; rank < count; rank++) await ctx.db.insert('items', { name: `n${rank % 7}`, rank })
    await ctx.db.insert('notes', { text: 'kept' })
  })
  await backend.close()
}
/** Everything the database holds, and how it is described. */
function state(dataDir: string): unknown {
  const db = new DatabaseSync(join(dataDir, 'convex.sqlite'))
  const rows = ['tables', 'indexes', 'documents', 'entries', 'meta'].map((table) => db.prepare(`SELECT * FROM ${table}`).all())
  db.close()
  return rows
}
const failures = async (dataDir: string) => (await check(dataDir)).filter(({ status }) => status === 'fail')

it('documents that break it are all named by table, id and field; the backend does not start and nothing is applied', async () => {
  const dataDir = await temporaryFolder()
  await fill(dataDir, 30)
  const before = state(dataDir)
  const broken = any(
    defineSchema({
      items: defineTable({ name: v.string(), rank: v.string() }).index('by_rank', ['rank']), // a new index, by_name gone
      notes: defineTable({}),
      more: defineTable({}),
    }),
  )
  const refusal = await open(dataDir, broken).then(
    () => '',
    (error: Error) => error.message,
  )
  expect(refusal).toContain('31 stored documents do not match the schema')
  expect(refusal).toMatch(
    /table "items", id \w+, field "rank": Value does not match validator\. Value: 0\.0, expected: v\.string\(\)/,
  )
  expect(refusal.match(/table "items", id/g)).toHaveLength(20)
  expect(refusal).toContain('and 11 more')
  expect(state(dataDir)).toEqual(before)
  await open(dataDir, old)
})

it('a changed, a dropped and a returning index hold exactly the documents', async () => {
  const dataDir = await temporaryFolder()
  await fill(dataDir, 20)
  const changed = any(
    defineSchema({
      items: defineTable(item).index('by_name', ['name', 'rank']).index('by_rank', ['rank']),
      notes: old.tables.notes,
    }),
  )
  const second = await open(dataDir, changed)
  const found = await second.run<{ rank: number }[]>((ctx) =>
    ctx.db
      .query('items')
      .withIndex('by_name', (q: any) => q.eq('name', 'n1').gt('rank', 5))
      .collect(),
  )
  expect(found.map(({ rank }) => rank)).toEqual([8, 15])
  await second.run((ctx) => ctx.db.insert('items', { name: 'n1', rank: 99 }))
  await second.close()
  expect(await failures(dataDir)).toEqual([])
  const back = await open(dataDir, old)
  const named = await back.run((ctx) =>
    ctx.db
      .query('items')
      .withIndex('by_name', (q: any) => q.eq('name', 'n1'))
      .collect(),
  )
  expect(named).toHaveLength(4)
  await back.close()
  expect(await failures(dataDir)).toEqual([])
})

it('a table that leaves the schema keeps its documents and is whole when it returns', async () => {
  const dataDir = await temporaryFolder()
  await fill(dataDir, 3)
  await (await open(dataDir, any(defineSchema({ notes: defineTable({ text: v.string() }) })))).close()
  const returned = await open(dataDir, old)
  expect(
    await returned.run((ctx) =>
      ctx.db
        .query('items')
        .withIndex('by_name', (q: any) => q.eq('name', 'n2'))
        .collect(),
    ),
  ).toHaveLength(1)
  await returned.close()
  expect(await failures(dataDir)).toEqual([])
})

it('a kill in the middle of a backfill leaves the old state', { timeout: 30_000 }, async () => {
  const dataDir = await temporaryFolder()
  await fill(dataDir, 400)
  const before = state(dataDir)
  const url = (path: string) => JSON.stringify(new URL(path, import.meta.url).href)
  const source = `
    import { createEmbeddedConvex } from ${url('../src/index.ts')}
    import { defineSchema, defineTable } from 'convex/server'
    import { v } from 'convex/values'
    let filled = 0
    const schema = defineSchema({
      items: defineTable({ name: v.string(), rank: v.number() }).index('by_rank', ['rank']),
      notes: defineTable({ text: v.string() }),
    })
    await createEmbeddedConvex({
      functions: { schema, modules: {} },
      dataDir: ${JSON.stringify(dataDir)},
      wrapConnection: (connection) => ({
        ...connection,
        addEntry(...args) {
          connection.addEntry(...args)
          if (++filled === 200) {
            process.stdout.write('in the middle')
            process.kill(process.pid, 'SIGKILL')
          }
        },
      }),
    })`
  const child = spawn(process.execPath, ['--input-type=module', '-e', source], {
    stdio: ['ignore', 'pipe', 'inherit'],
    cwd: import.meta.dirname,
  })
  let printed = ''
  child.stdout.on('data', (chunk: Buffer) => (printed += chunk.toString()))
  const [, signal] = (await once(child, 'close')) as [number | null, string]
  expect([printed, signal]).toEqual(['in the middle', 'SIGKILL'])
  expect(state(dataDir)).toEqual(before)
  expect(await failures(dataDir)).toEqual([])
  await open(dataDir, old)
})
