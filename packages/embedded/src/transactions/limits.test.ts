/* eslint-disable @typescript-eslint/no-explicit-any -- documents without a data model */
/** The caps of one function, each passed by one. Production: database/src/reads.rs, writes.rs; the numbers: common/src/knobs.rs. */
import { defineSchema, defineTable } from 'convex/server'
import { v } from 'convex/values'
import { expect, it } from 'vitest'
import { inMemory } from '../../test/fixtures/backend.ts'

const schema = defineSchema({ items: defineTable(v.any()) })
const start = () => inMemory({ functions: { schema, modules: {} }, deadlines: { transactionMs: 60_000 } })
const HELP =
  'Consider using smaller limits in your queries, paginating your queries, or using indexed queries with a selective index range expressions.'
const slow = { timeout: 60_000 }

async function insertMany(ctx: any, count: number, document: object = {}): Promise<string[]> {
  const ids: string[] = []
  for (let at = 0; at < count; at++) ids.push(await ctx.db.insert('items', document))
  return ids
}

it('4,096 gets and queries', slow, async () => {
  const backend = await start()
  const [id] = await backend.run((ctx) => insertMany(ctx, 1))
  const read = (gets: number, queries: number) =>
    backend.run(async (ctx) => {
      for (let at = 0; at < gets; at++) await ctx.db.get(id)
      for (let at = 0; at < queries; at++) await ctx.db.query('items').first()
    })
  await read(4_000, 96)
  await expect(read(4_000, 97)).rejects.toThrow(`Too many reads in a single function execution (limit: 4096). ${HELP}`)
})

it('32,000 documents read, those that are filtered out included', slow, async () => {
  const backend = await start()
  for (const count of [16_000, 16_000]) await backend.run((ctx) => insertMany(ctx, count).then(() => null))
  const none = (ctx: any) =>
    ctx.db
      .query('items')
      .filter((q: any) => q.eq(1, 2))
      .first()
  expect(await backend.run(none)).toBeNull()
  await backend.run((ctx) => insertMany(ctx, 1))
  await expect(backend.run(none)).rejects.toThrow(
    `Too many documents read in a single function execution (limit: 32000). ${HELP}`,
  )
})

it('16,000 documents written, deletes included', slow, async () => {
  const backend = await start()
  const write = (inserts: number, deletes: number) =>
    backend.run(async (ctx) => {
      const ids = await insertMany(ctx, inserts)
      for (const id of ids.slice(0, deletes)) await ctx.db.delete(id)
    })
  await write(14_000, 2_000)
  await expect(write(14_000, 2_001)).rejects.toThrow('Too many writes in a single function execution (limit: 16000)')
})

it('16 MiB written, and read', slow, async () => {
  const backend = await start()
  const large = { text: 'x'.repeat(1024 * 1024 - 100) } // below the mebibyte a document may have
  const write = (count: number) => backend.run((ctx) => insertMany(ctx, count, large).then(() => null))
  await write(15)
  await expect(write(17)).rejects.toThrow('Too many bytes written in a single function execution (limit: 16777216 bytes)')
  await write(2)
  const read = (count: number) => backend.run(async (ctx) => (await ctx.db.query('items').take(count)).length)
  expect(await read(15)).toBe(15)
  await expect(read(17)).rejects.toThrow(`Too many bytes read in a single function execution (limit: 16777216 bytes). ${HELP}`)
})

it('what passed a cap leaves nothing behind', slow, async () => {
  const backend = await start()
  await expect(backend.run((ctx) => insertMany(ctx, 16_001))).rejects.toThrow('Too many writes')
  expect(await backend.run((ctx) => ctx.db.query('items').collect())).toEqual([])
})
