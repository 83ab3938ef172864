import fc from 'fast-check'
import { expect, it, vi } from 'vitest'
import { inMemory } from '../../test/fixtures/backend.ts'
import type { IndexInfo } from '../storage/catalog.ts'
import { addRange, createReadSet, intersects, type ReadSet, type Write } from '../transactions/footprint.ts'
import { createWatches } from './watches.ts'

const indexes: IndexInfo[] = [1, 2].map((id) => ({ id, name: `t.i${id}`, table: 't', fields: [] }))
const key = fc.uint8Array({ maxLength: 2, max: 3 }).map((bytes) => Buffer.from(bytes))
const index = fc.constantFrom(...indexes)
const id = fc.constantFrom('a', 'b', 'c')
const reads = fc
  .tuple(fc.array(id, { maxLength: 1 }), fc.array(fc.record({ index, low: key, high: key }), { maxLength: 4 }))
  .map(([ids, ranges]): ReadSet => {
    const set = createReadSet()
    for (const one of ids) set.ids.add(one)
    for (const range of ranges) addRange(set, range)
    return set
  })
const write: fc.Arbitrary<Write> = fc
  .tuple(id, fc.array(fc.record({ index, before: fc.option(key), after: fc.option(key) }), { maxLength: 2 }))
  .map(([of, keys]) => ({
    table: 't',
    id: of,
    keys: keys.map(({ index, before, after }) => ({ index, ...(before && { before }), ...(after && { after }) })),
  }))
const change = fc.record({ owner: fc.nat(30), reads: fc.option(reads, { freq: 4 }) })

it('finds exactly the read sets that a commit intersects, whatever came and went before', () => {
  fc.assert(
    fc.property(fc.array(change, { maxLength: 60 }), fc.array(write, { maxLength: 3 }), (changes, writes) => {
      const watches = createWatches<number>()
      const truth = new Map<number, ReadSet>()
      for (const { owner, reads } of changes) {
        if (reads) {
          truth.set(owner, reads)
          watches.set(owner, reads)
        } else {
          truth.delete(owner)
          watches.drop(owner)
        }
      }
      const expected = [...truth].filter(([, reads]) => intersects(reads, writes)).map(([owner]) => owner)
      expect([...watches.affected(writes)].toSorted((a, b) => a - b)).toEqual(expected.toSorted((a, b) => a - b))
      for (const owner of truth.keys()) watches.drop(owner)
      expect(watches.sizes()).toEqual({ owners: 0, ids: 0, indexes: 0 })
    }),
    { numRuns: 1_000 },
  )
})

it('keeps nothing of a subscription that ended, not even while its query runs', async () => {
  const backend = await inMemory()
  const calls: unknown[] = []
  const first = backend.onUpdate('messages:bodies', { channel: 'a' }, (value) => calls.push(value))
  await vi.waitFor(() => expect(calls).toHaveLength(1))
  expect(backend.engine.live.watching()).toMatchObject({ owners: 1 })
  backend.onUpdate('messages:bodies', { channel: 'b' }, () => {})() // ended before its first result
  await backend.mutation('messages:send', { channel: 'c', body: 'x' })
  first()
  await backend.query('messages:bodies', { channel: 'a' })
  expect(backend.engine.live.watching()).toEqual({ owners: 0, ids: 0, indexes: 0 })
  expect(backend.engine.live.count()).toBe(0)
})
