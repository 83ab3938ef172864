/* eslint-disable @typescript-eslint/no-explicit-any -- pages of documents without a data model */
/**
 * Pages beyond the ordinary ones in queries.test.ts. Production: isolate/src/environment/udf/async_syscall.rs (query_page), database/src/
 * query/mod.rs and index_range.rs. The one difference: there, a page that ends exactly at the end is followed by an empty one.
 */
import { defineSchema, defineTable, paginationOptsValidator, queryGeneric } from 'convex/server'
import { ConvexError, v } from 'convex/values'
import { describe, expect, it } from 'vitest'
import { inMemory } from '../../test/fixtures/backend.ts'

type Page = {
  page: { k: number }[]
  isDone: boolean
  continueCursor: string
  splitCursor: string | null
  pageStatus: string | null
}
const schema = defineSchema({
  items: defineTable({ k: v.number(), owner: v.optional(v.string()), text: v.optional(v.string()) })
    .index('by_k', ['k'])
    .index('by_owner', ['owner', 'k']),
})
const ks = ({ page }: Page) => page.map(({ k }) => k)

const list = queryGeneric({
  args: { paginationOpts: paginationOptsValidator },
  handler: (ctx, { paginationOpts }) => ctx.db.query('items').paginate(paginationOpts),
})

async function withItems(count: number, of: (k: number) => object = () => ({})) {
  const backend = await inMemory({ functions: { schema, modules: { items: { list } } } })
  await backend.run(async (ctx) => {
    for (let k = 0; k < count; k++) await ctx.db.insert('items', { k, ...of(k) })
  })
  const page = (options: object, query: (db: any) => any = (db) => db.query('items').withIndex('by_k')): Promise<Page> =>
    backend.run((ctx) => query(ctx.db).paginate({ cursor: null, ...options }))
  return { backend, page }
}

describe('arguments', () => {
  it.each<[string, object, string]>([
    ['no documents', { numItems: 0 }, 'Must request at least 1 document while paginating'],
    ['fewer than none', { numItems: -1 }, '`options.numItems` must be a positive number. Received `-1`.'],
    [
      'half a document',
      { numItems: 1.5 },
      'Invalid arguments for `queryPage`: invalid type: floating point `1.5`, expected usize',
    ],
    ['NaN documents', { numItems: NaN }, 'Invalid arguments for `queryPage`: invalid type: null, expected usize'],
    ['no rows', { numItems: 1, maximumRowsRead: 0 }, 'maximumRowsRead and maximumBytesRead must be greater than 0'],
    ['fewer rows than none', { numItems: 1, maximumRowsRead: -1 }, 'invalid value: integer `-1`, expected usize'],
    ['no bytes', { numItems: 1, maximumBytesRead: 0 }, 'maximumRowsRead and maximumBytesRead must be greater than 0'],
    ['a cursor that is a number', { numItems: 1, cursor: 5 }, 'invalid type: integer `5`, expected a string'],
    ['a cursor that is none', { numItems: 1, cursor: 'zz' }, 'InvalidCursor: Failed to parse cursor'],
  ])('%s is refused', async (_name, options, expected) => {
    const { page } = await withItems(1)
    await expect(page(options)).rejects.toThrow(expected)
  })

  it('a huge number of documents is a page of what there is', async () => {
    const { page } = await withItems(3)
    expect(await page({ numItems: 1e9 })).toMatchObject({ isDone: true, pageStatus: null })
  })

  it('no cursor at all is the beginning', async () => {
    const { page } = await withItems(2)
    expect(ks(await page({ numItems: 5, cursor: undefined }))).toEqual([0, 1])
  })
})

describe('cursors', () => {
  const refusal = { data: { isConvexSystemError: true, paginationError: 'InvalidCursor' } }

  it('of another query are refused in the way clients recognise', async () => {
    const { page } = await withItems(4)
    const { continueCursor: cursor } = await page({ numItems: 2 })
    const others: ((db: any) => any)[] = [
      (db) => db.query('items'),
      (db) => db.query('items').withIndex('by_k').order('desc'),
      (db) => db.query('items').withIndex('by_k', (q: any) => q.gt('k', 0)),
      (db) =>
        db
          .query('items')
          .withIndex('by_k')
          .filter((q: any) => q.gt(q.field('k'), 0)),
    ]
    for (const other of others) {
      const error = await page({ numItems: 2, cursor }, other).catch((thrown: unknown) => thrown)
      expect(error).toBeInstanceOf(ConvexError)
      expect(error).toMatchObject(refusal)
    }
  })

  it('of another query are refused over the wire in the words clients look for', async () => {
    const { backend, page } = await withItems(4)
    const { continueCursor: cursor } = await page({ numItems: 2 })
    const { url } = await backend.listen()
    const args = { paginationOpts: { numItems: 2, cursor } }
    const answer = await fetch(`${url}/api/query`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ path: 'items:list', args, format: 'json' }),
    })
    expect(await answer.json()).toMatchObject({
      status: 'error',
      errorMessage: expect.stringContaining('Uncaught ConvexError: InvalidCursor: Tried to run a query starting from a cursor'),
      errorData: refusal.data,
    })
  })

  it('of an index that has other fields now are refused', async () => {
    const { page } = await withItems(4)
    const { continueCursor: cursor } = await page({ numItems: 2 })
    const changed = defineSchema({ items: defineTable(v.any()).index('by_k', ['k', 'owner']) })
    const other = await inMemory({ functions: { schema: changed, modules: {} } })
    await expect(
      other.run((ctx) => ctx.db.query('items').withIndex('by_k').paginate({ cursor, numItems: 2 })),
    ).rejects.toMatchObject(refusal)
  })

  it('that are made up reach nothing outside the range of their query', async () => {
    const { page } = await withItems(6, (k) => ({ owner: k < 3 ? 'a' : 'b' }))
    const ofB = (order: 'asc' | 'desc') => (db: any) =>
      db
        .query('items')
        .withIndex('by_owner', (q: any) => q.eq('owner', 'b'))
        .order(order)
    for (const order of ['asc', 'desc'] as const) {
      const { continueCursor } = await page({ numItems: 1 }, ofB(order))
      const fingerprint = Buffer.from(continueCursor, 'base64url').subarray(0, 9)
      const outside = Buffer.concat([fingerprint, Buffer.from([order === 'asc' ? 0 : 0xff])]).toString('base64url')
      for (const options of [{ cursor: outside }, { endCursor: outside }, { cursor: outside, endCursor: outside }])
        for (const k of ks(await page({ numItems: 10, ...options }, ofB(order)))) expect(k).toBeGreaterThanOrEqual(3)
    }
  })

  it('go on behind rows that were deleted, up to the last one', async () => {
    const { backend, page } = await withItems(5)
    const first = await page({ numItems: 2 })
    await backend.run(async (ctx) => {
      for (const row of await ctx.db.query('items').collect()) if (row.k > 0) await ctx.db.delete(row._id)
    })
    expect(await page({ numItems: 2, cursor: first.continueCursor })).toMatchObject({ page: [], isDone: true })
  })

  it('of the end stay at the end: rows that come later need a new beginning', async () => {
    const { backend, page } = await withItems(2)
    const all = await page({ numItems: 2 })
    expect(all.isDone).toBe(true)
    await backend.run((ctx) => ctx.db.insert('items', { k: 9 }))
    expect(await page({ numItems: 2, cursor: all.continueCursor })).toMatchObject({ page: [], isDone: true })
  })
})

describe('the end of a page', () => {
  it('is exact: a page that takes the last row is the last page', async () => {
    const { page } = await withItems(4)
    const first = await page({ numItems: 2 })
    expect(first.isDone).toBe(false)
    expect(await page({ numItems: 2, cursor: first.continueCursor })).toMatchObject({ isDone: true })
  })

  it('an end cursor holds it in place: inserts before it are in, those behind it are not', async () => {
    const { backend, page } = await withItems(4)
    const first = await page({ numItems: 2 })
    await backend.run(async (ctx) => {
      for (const k of [0.5, 1.5]) await ctx.db.insert('items', { k })
    })
    const again = await page({ numItems: 2, endCursor: first.continueCursor })
    expect([ks(again), again.continueCursor, again.isDone]).toEqual([[0, 0.5, 1], first.continueCursor, false])
    expect(ks(await page({ numItems: 5, cursor: first.continueCursor }))).toEqual([1.5, 2, 3])
  })

  it('with an end cursor no maximum shortens it', async () => {
    const { page } = await withItems(6)
    const { continueCursor: endCursor } = await page({ numItems: 5 })
    expect(await page({ numItems: 1, endCursor, maximumRowsRead: 2 })).toMatchObject({ pageStatus: 'SplitRecommended' })
    expect(ks(await page({ numItems: 1, endCursor, maximumRowsRead: 2 }))).toEqual([0, 1, 2, 3, 4])
  })

  it.each<[string, object, number, string | null]>([
    ['the rows the caller allows', { numItems: 5, maximumRowsRead: 3 }, 3, 'SplitRequired'],
    ['a page that is full at the same time', { numItems: 3, maximumRowsRead: 3 }, 3, 'SplitRecommended'],
    ['the bytes the caller allows, passed by one row', { numItems: 5, maximumBytesRead: 1 }, 1, 'SplitRequired'],
    ['more than there is', { numItems: 50, maximumRowsRead: 40 }, 10, null],
  ])('%s', async (_name, options, rows, pageStatus) => {
    const { page } = await withItems(10)
    expect(await page(options)).toMatchObject({ page: { length: rows }, pageStatus })
  })

  it('a filter that lets nothing through ends at the maximum, and goes on from there', async () => {
    const { page } = await withItems(6)
    const last = (db: any) =>
      db
        .query('items')
        .withIndex('by_k')
        .filter((q: any) => q.eq(q.field('k'), 5))
    const first = await page({ numItems: 1, maximumRowsRead: 4 }, last)
    expect(first).toMatchObject({ page: [], isDone: false, pageStatus: 'SplitRequired' })
    expect(await page({ numItems: 1, cursor: first.continueCursor }, last)).toMatchObject({ page: [{ k: 5 }], isDone: true })
  })

  it('the split cursor is in the middle: both halves together are the page', async () => {
    const { page } = await withItems(7)
    const whole = await page({ numItems: 7 })
    const left = await page({ numItems: 7, endCursor: whole.splitCursor })
    const right = await page({ numItems: 7, cursor: whole.splitCursor, endCursor: whole.continueCursor })
    expect([...ks(left), ...ks(right)]).toEqual(ks(whole))
    expect([ks(left).length, ks(right).length]).toEqual([4, 3])
    expect((await page({ numItems: 2 })).splitCursor).toBeNull()
  })

  it('at the cap of what one function may read the page ends and says so', { timeout: 20_000 }, async () => {
    const { backend, page } = await withItems(9, () => ({ text: 'x'.repeat(1_000_000) }))
    await backend.run(async (ctx) => {
      for (let k = 9; k < 18; k++) await ctx.db.insert('items', { k, text: 'x'.repeat(1_000_000) })
    })
    const first = await page({ numItems: 18 })
    expect(first).toMatchObject({ isDone: false, pageStatus: 'SplitRequired', page: { length: 16 } })
    expect(ks(await page({ numItems: 18, cursor: first.continueCursor }))).toEqual([16, 17])
  })
})
