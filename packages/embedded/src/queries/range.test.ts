/* eslint-disable @typescript-eslint/no-explicit-any -- ranges over documents without a data model */
/** Ranges of indexes. Production: crates/common/src/query.rs (IndexRange::compile and its errors), indexing/index_registry.rs. */
import { defineSchema, defineTable } from 'convex/server'
import { v } from 'convex/values'
import { expect, it } from 'vitest'
import { inMemory } from '../../test/fixtures/backend.ts'

const schema = defineSchema({ items: defineTable(v.any()).index('by_ab', ['a', 'b']).index('by_a', ['a']) })

async function select(range: (q: any) => unknown, index = 'by_ab'): Promise<[unknown, unknown][]> {
  const backend = await inMemory({ functions: { schema, modules: {} } })
  return backend.run(async (ctx) => {
    for (const a of [1, 2]) for (const b of [1, 2, 3]) await ctx.db.insert('items', { a, b })
    await ctx.db.insert('items', { a: 2 })
    await ctx.db.insert('items', { a: 2, b: null })
    const found = await ctx.db.query('items').withIndex(index, range).collect()
    return found.map((row: any) => [row.a, 'b' in row ? row.b : 'absent'])
  })
}

it.each<[string, (q: any) => unknown, unknown[]]>([
  ['equalities in any order', (q) => q.eq('b', 2).eq('a', 1), [[1, 2]]],
  [
    'a bound before the equality',
    (q) => q.gt('b', 1).eq('a', 1),
    [
      [1, 2],
      [1, 3],
    ],
  ],
  ['an equality with nothing', (q) => q.eq('a', 2).eq('b', undefined), [[2, 'absent']]],
  ['null is not absent', (q) => q.eq('a', 2).eq('b', null), [[2, null]]],
  [
    'from null on: what is absent is left out',
    (q) => q.eq('a', 2).gte('b', null),
    [
      [2, null],
      [2, 1],
      [2, 2],
      [2, 3],
    ],
  ],
  [
    'above null',
    (q) => q.eq('a', 2).gt('b', null).lt('b', 3),
    [
      [2, 1],
      [2, 2],
    ],
  ],
  ['an empty interval', (q) => q.eq('a', 1).gt('b', 2).lt('b', 2), []],
  ['the creation time goes on behind the fields', (q) => q.eq('a', 1).eq('b', 1).gt('_creationTime', 0), [[1, 1]]],
])('%s', async (_name, range, expected) => {
  expect(await select(range)).toEqual(expected)
})

it.each<[string, (q: any) => unknown, string]>([
  [
    'a field the index does not have',
    (q) => q.eq('wrong', 1),
    'The index range included a comparison with "wrong", but items.by_ab with fields ["a", "b", "_creationTime"] doesn\'t index this field. For more information see https://docs.convex.dev/using/indexes.',
  ],
  [
    'a field before its turn',
    (q) => q.eq('b', 1),
    'Tried to query index items.by_ab but the query didn\'t use the index fields in order.\nIndex fields: ["a", "b", "_creationTime"]\nQuery fields: ["b"]\nFirst incorrect field: "b"\nFor more information see https://docs.convex.dev/using/indexes.',
  ],
  ['an equality behind a bound', (q) => q.gt('a', 1).eq('b', 2), 'Query fields: ["b", "a"]\nFirst incorrect field: "b"'],
  ['a second equality', (q) => q.eq('a', 1).eq('a', 2), 'Already defined equality bound in index range. Can\'t add "a" == 1.0.'],
  ['a second lower bound', (q) => q.gt('a', 1).gte('a', 2), 'Already defined lower bound in index range. Can\'t add "a" >= 2.0.'],
  [
    'a second upper bound',
    (q) => q.lt('a', 1).lte('a', 'x'),
    'Already defined upper bound in index range. Can\'t add "a" <= "x".',
  ],
  [
    'an equality and a bound',
    (q) => q.eq('a', 1).gt('a', 0),
    'Already defined inequality bound in index range. Can\'t add "a" == 1.0.',
  ],
  [
    'bounds on two fields',
    (q) => q.eq('a', 1).gt('b', 1).lt('_creationTime', 5),
    'Upper and lower bounds in `range` can only be applied to a single index field. This query against index items.by_ab attempted to set a range bound on both "b" and "_creationTime". Consider using `filter` instead. See https://docs.convex.dev/using/indexes for more info.',
  ],
])('%s is refused', async (_name, range, expected) => {
  await expect(select(range)).rejects.toThrow(expected)
})

it('an index that is not there is refused by its name', async () => {
  await expect(select((q) => q, 'by_nothing')).rejects.toThrow('Index items.by_nothing not found.')
})

it('the built-in indexes are there', async () => {
  expect(await select((q) => q.gt('_creationTime', 0), 'by_creation_time')).toHaveLength(8)
  expect(await select((q) => q, 'by_id')).toHaveLength(8)
})

it('256 operators are taken, one more is not', async () => {
  const backend = await inMemory({ functions: { schema, modules: {} } })
  const chain = (count: number) =>
    backend.run(async (ctx) => {
      let query = ctx.db.query('items')
      for (let at = 0; at < count; at++) query = query.filter(() => true)
      return query.first()
    })
  expect(await chain(255)).toBeNull() // `first` is an operator too
  await expect(chain(256)).rejects.toThrow('Invalid argument `query` for `queryStream`: Query has too many operators: 257')
  await expect(chain(257)).rejects.toThrow("Can't construct query with more than 256 operators")
})
