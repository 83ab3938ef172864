import { defineSchema, defineTable } from 'convex/server'
import { v } from 'convex/values'
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { onDisk, temporaryFolder } from '../../test/fixtures/backend.ts'

const open = (dataDir: string, schema: ReturnType<typeof defineSchema>) =>
  onDisk({ dataDir, functions: { schema, modules: {} }, autoSchedule: false })

const plain = defineSchema({ items: defineTable({ name: v.string(), rank: v.number() }) })
const indexed = defineSchema({ items: defineTable({ name: v.string(), rank: v.number() }).index('by_rank', ['rank']) })
const stricter = defineSchema({ items: defineTable({ name: v.string(), rank: v.number(), added: v.boolean() }) })
const wider = defineSchema({
  items: defineTable({ name: v.string(), rank: v.union(v.number(), v.null()) }),
  extra: defineTable({}),
})

describe('a schema that changes', () => {
  it('fills new indexes, drops old ones, keeps ids valid', async () => {
    const dataDir = await temporaryFolder()
    const first = await open(dataDir, plain)
    const id = await first.run(async (ctx) => {
      for (const rank of [3, 1, 2]) await ctx.db.insert('items', { name: `n${rank}`, rank })
      return (await ctx.db.query('items').first())._id as string
    })
    await first.close()
    const second = await open(dataDir, indexed)
    const ranks = await second.run(async (ctx) =>
      (await ctx.db.query('items').withIndex('by_rank').collect()).map((row: { rank: number }) => row.rank),
    )
    expect(ranks).toEqual([1, 2, 3])
    expect(await second.run((ctx) => ctx.db.get('items', id))).toMatchObject({ rank: 3 })
    await second.close()
    const third = await open(dataDir, wider)
    await expect(third.run((ctx) => ctx.db.query('items').withIndex('by_rank').collect())).rejects.toThrow(
      'Index items.by_rank not found',
    )
    await third.run((ctx) => ctx.db.insert('items', { name: 'x', rank: null }))
  })

  it('is refused when stored documents do not match it, and nothing is changed', async () => {
    const dataDir = await temporaryFolder()
    const first = await open(dataDir, plain)
    await first.run((ctx) => ctx.db.insert('items', { name: 'a', rank: 1 }))
    await first.close()
    await expect(open(dataDir, stricter)).rejects.toThrow(
      /Schema validation failed: 1 stored document does not match[^]*table "items", id \w+, field "added": Object is missing the required field `added`/,
    )
    const again = await open(dataDir, plain)
    expect(await again.run((ctx) => ctx.db.query('items').collect())).toHaveLength(1)
  })
})

describe('a data folder', () => {
  it('has one owner, named by pid, and is free again after close', async () => {
    const dataDir = await temporaryFolder()
    const owner = await open(dataDir, plain)
    await expect(open(dataDir, plain)).rejects.toThrow(`in use by another backend (pid ${process.pid})`)
    await owner.close()
    await (await open(dataDir, plain)).close()
  })

  it('is readable by its owner only', async () => {
    const dataDir = await temporaryFolder()
    const backend = await open(dataDir, plain)
    for (const file of ['admin-key', 'convex.sqlite', 'convex.sqlite-wal'])
      expect(statSync(join(dataDir, file)).mode & 0o777).toBe(0o600)
    expect(readFileSync(join(dataDir, 'admin-key'), 'utf8').trim()).toBe(backend.adminKey)
    await backend.close()
    expect((await open(dataDir, plain)).adminKey).toBe(backend.adminKey)
  })

  it('keeps its log bounded under load and empties it at close', async () => {
    const dataDir = await temporaryFolder()
    const backend = await open(dataDir, plain)
    const wal = join(dataDir, 'convex.sqlite-wal')
    let largest = 0
    for (let round = 0; round < 60; round++) {
      await backend.run(async (ctx) => {
        for (let i = 0; i < 10; i++) await ctx.db.insert('items', { name: 'x'.repeat(50_000), rank: i })
      })
      largest = Math.max(largest, statSync(wal).size)
    }
    expect(largest).toBeLessThan(12 * 1024 * 1024) // 30 MB were written
    await backend.close()
    expect(statSync(wal, { throwIfNoEntry: false })?.size ?? 0).toBe(0)
  })
})
