/* eslint-disable @typescript-eslint/no-explicit-any -- documents without a data model */
import { expect, describe, it } from 'vitest'
import { conflicts } from '../index.ts'
import { inMemory } from '../../test/fixtures/backend.ts'

type Row = { k: number; _id: string }
type Page = { page: Row[]; isDone: boolean; continueCursor: string }

async function withNumbers(count: number) {
  const backend = await inMemory()
  await backend.run(async (ctx) => {
    for (let k = 0; k < count; k++) await ctx.db.insert('anything', { k, even: k % 2 === 0 })
  })
  const read = (query: (db: any) => Promise<any>): Promise<any> => backend.run((ctx) => query(ctx.db))
  return { backend, read }
}
const ks = (rows: Row[]) => rows.map((row) => row.k)

describe('index ranges', () => {
  it.each([
    ['eq', (q: any) => q.eq('k', 3), [3]],
    ['gt', (q: any) => q.gt('k', 3), [4, 5]],
    ['gte', (q: any) => q.gte('k', 3), [3, 4, 5]],
    ['lt', (q: any) => q.lt('k', 2), [0, 1]],
    ['lte', (q: any) => q.lte('k', 2), [0, 1, 2]],
    ['both', (q: any) => q.gt('k', 1).lte('k', 4), [2, 3, 4]],
    ['empty', (q: any) => q.gt('k', 4).lt('k', 2), []],
    ['absent', (q: any) => q.eq('k', undefined), []],
  ])('%s', async (_name, range, expected) => {
    const { read } = await withNumbers(6)
    expect(ks(await read((db) => db.query('anything').withIndex('by_k', range).collect()))).toEqual(expected)
    const reversed = await read((db) => db.query('anything').withIndex('by_k', range).order('desc').collect())
    expect(ks(reversed)).toEqual(expected.toReversed())
  })

  it('refuse fields out of order and unknown indexes', async () => {
    const { read } = await withNumbers(0)
    await expect(
      read((db) =>
        db
          .query('anything')
          .withIndex('by_k', (q: any) => q.eq('other', 1))
          .collect(),
      ),
    ).rejects.toThrow("doesn't index this field")
    await expect(read((db) => db.query('anything').withIndex('nope').collect())).rejects.toThrow('Index anything.nope not found.')
    await expect(read((db) => db.query('nowhere').collect())).rejects.toThrow('not supported by the embedded backend: a table')
    await expect(
      read((db) =>
        db
          .query('anything')
          .withSearchIndex('s', (q: any) => q.search('k', 'x'))
          .collect(),
      ),
    ).rejects.toThrow('Index anything.s not found.')
  })
})

describe('operators', () => {
  it('filter, take, first, unique and async iteration', async () => {
    const { read } = await withNumbers(6)
    const even = (db: any) => db.query('anything').filter((q: any) => q.eq(q.field('even'), true))
    expect(ks(await read((db) => even(db).collect()))).toEqual([0, 2, 4])
    expect(ks(await read((db) => even(db).take(2)))).toEqual([0, 2])
    expect((await read((db) => even(db).first())).k).toBe(0)
    expect(
      await read((db) =>
        db
          .query('anything')
          .filter((q: any) => q.gt(q.field('k'), 10))
          .first(),
      ),
    ).toBeNull()
    await expect(read((db) => even(db).unique())).rejects.toThrow('unique() query returned more than one result')
    expect(
      (
        await read((db) =>
          db
            .query('anything')
            .withIndex('by_k', (q: any) => q.eq('k', 5))
            .unique(),
        )
      ).k,
    ).toBe(5)
    const seen = await read(async (db) => {
      const found: number[] = []
      for await (const row of db.query('anything').order('desc')) {
        found.push(row.k)
        if (found.length === 3) break
      }
      return found
    })
    expect(seen).toEqual([5, 4, 3])
  })

  it.each([
    ['arithmetic', (q: any) => q.eq(q.mod(q.add(q.field('k'), 1), 3), 0), [2, 5]],
    ['logic', (q: any) => q.or(q.not(q.gte(q.field('k'), 1)), q.and(q.lt(q.field('k'), 4), q.neq(q.field('k'), 2))), [0, 1, 3]],
    ['absent field', (q: any) => q.eq(q.field('missing'), undefined), [0, 1, 2, 3, 4, 5]],
    ['order across types', (q: any) => q.lt(q.field('k'), true), [0, 1, 2, 3, 4, 5]],
  ])('filter expressions: %s', async (_name, predicate, expected) => {
    const { read } = await withNumbers(6)
    expect(ks(await read((db) => db.query('anything').filter(predicate).collect()))).toEqual(expected)
  })

  it('rows read ahead are read again after a write', async () => {
    const { read } = await withNumbers(4)
    const seen = await read(async (db) => {
      const rows: Row[] = await db.query('anything').withIndex('by_k').collect()
      const found: number[] = []
      for await (const row of db.query('anything').withIndex('by_k')) {
        found.push(row.k)
        if (row.k === 0) {
          await db.delete(rows[1]!._id)
          await db.insert('anything', { k: 0.5 })
          await db.patch(rows[3]!._id, { k: 9 })
        }
      }
      return found
    })
    expect(seen).toEqual([0, 0.5, 2, 9])
  })

  it('a cursor sees what its own mutation writes while it runs', async () => {
    const { read } = await withNumbers(3)
    const seen = await read(async (db) => {
      const found: number[] = []
      for await (const row of db.query('anything').withIndex('by_k')) {
        found.push(row.k)
        if (row.k < 5) await db.insert('anything', { k: row.k + 3 })
      }
      return found
    })
    expect(seen).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
  })
})

describe('pagination', () => {
  const pageOf = (db: any, cursor: string | null, numItems: number, order: 'asc' | 'desc' = 'asc'): Promise<Page> =>
    db.query('anything').withIndex('by_k').order(order).paginate({ cursor, numItems })

  it.each([
    [6, 2, 'asc'],
    [6, 4, 'asc'],
    [5, 5, 'desc'],
    [0, 3, 'asc'],
  ] as const)('%d rows in pages of %d, %s: every row once, isDone exact', async (rows, size, order) => {
    const { read } = await withNumbers(rows)
    const found: number[] = []
    let pages = 0
    for (let cursor: string | null = null; ;) {
      const page: Page = await read((db) => pageOf(db, cursor, size, order))
      pages++
      found.push(...ks(page.page))
      expect(page.isDone).toBe(found.length === rows)
      if (page.isDone) break
      cursor = page.continueCursor
    }
    expect(pages).toBe(Math.max(1, Math.ceil(rows / size)))
    expect(found).toEqual([...Array(rows).keys()].sort((a, b) => (order === 'asc' ? a - b : b - a)))
  })

  it('rows inserted behind the cursor are not repeated, rows ahead appear', async () => {
    const { read } = await withNumbers(4)
    const first: Page = await read((db) => pageOf(db, null, 2))
    await read((db) => db.insert('anything', { k: 0.5 }))
    await read((db) => db.insert('anything', { k: 2.5 }))
    const second: Page = await read((db) => pageOf(db, first.continueCursor, 10))
    expect([ks(first.page), ks(second.page), second.isDone]).toEqual([[0, 1], [2, 2.5, 3], true])
  })

  it('a deleted cursor row does not lose the place', async () => {
    const { read } = await withNumbers(4)
    const first: Page = await read((db) => pageOf(db, null, 2))
    await read((db) => db.delete(first.page[1]!._id))
    expect(ks(((await read((db) => pageOf(db, first.continueCursor, 10))) as Page).page)).toEqual([2, 3])
  })

  it('refuses cursors of other queries, broken cursors and a second page in one function', async () => {
    const { read } = await withNumbers(4)
    const first: Page = await read((db) => pageOf(db, null, 2))
    await expect(read((db) => pageOf(db, first.continueCursor, 2, 'desc'))).rejects.toThrow('InvalidCursor')
    await expect(read((db) => pageOf(db, '!!', 2))).rejects.toThrow('InvalidCursor')
    await expect(
      read(async (db) => {
        await pageOf(db, null, 1)
        return pageOf(db, null, 1)
      }),
    ).rejects.toThrow('single paginated query')
  })

  it('maximumRowsRead ends a page early and says so', async () => {
    const { read } = await withNumbers(6)
    const page = await read((db) =>
      db
        .query('anything')
        .filter((q: any) => q.eq(q.field('k'), 5))
        .paginate({ cursor: null, numItems: 2, maximumRowsRead: 4 }),
    )
    expect([page.page, page.isDone, page.pageStatus, typeof page.splitCursor]).toEqual([[], false, 'SplitRequired', 'string'])
  })
})

describe('read sets', () => {
  const listTwo = { channel: 'c', limit: 2 }
  const send = (score?: number) => ({ channel: 'c', body: 'x', ...(score !== undefined && { score }) })

  it('a limit that was reached leaves what lies behind it out', async () => {
    const backend = await inMemory()
    for (let i = 0; i < 3; i++) await backend.mutation('messages:send', send())
    const before = await backend.trace('messages:list', listTwo) // newest first: the oldest was not read
    const oldest = (await backend.query('messages:list', { channel: 'c' })) as { _id: string }[]
    expect(conflicts(await backend.trace('messages:edit', { id: oldest[2]!._id, body: 'y' }), before)).toBe(false)
    expect(conflicts(await backend.trace('messages:edit', { id: oldest[1]!._id, body: 'y' }), before)).toBe(true)
    expect(conflicts(await backend.trace('messages:send', send()), before)).toBe(true)
  })

  it('an empty range and a limit that was not reached cover the whole range', async () => {
    const backend = await inMemory()
    const empty = await backend.trace('messages:list', listTwo)
    const elsewhere = await backend.trace('messages:send', { channel: 'other', body: 'x' })
    expect(conflicts(elsewhere, empty)).toBe(false)
    const first = await backend.trace('messages:send', send())
    expect(conflicts(first, empty)).toBe(true)
    const notReached = await backend.trace('messages:list', listTwo)
    expect(conflicts(await backend.trace('messages:send', send()), notReached)).toBe(true)
  })

  it('a get of a missing document is read too, and reads are readable', async () => {
    const backend = await inMemory()
    const id = (await backend.mutation('messages:send', send())) as string
    const read = await backend.trace('messages:get', { id })
    expect(read.reads).toEqual([{ table: 'messages', id }])
    const removed = await backend.trace('messages:remove', { id })
    expect(conflicts(removed, read)).toBe(true)
    expect(removed.writes).toMatchObject([{ table: 'messages', id, kind: 'delete' }])
    expect((await backend.trace('messages:list', listTwo)).reads).toEqual([
      { table: 'messages', index: 'by_channel', from: '("c")', to: expect.stringContaining('"c') },
    ])
  })
})
