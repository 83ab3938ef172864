/** Random programs run on the official unit-test mock and on the engine must give the same results, ids and times aside. */
import { afterAll, expect, it } from 'vitest'
import { createDifferential, type Program } from './fixtures/differential.ts'
import { searchDifference } from './fixtures/search-difference.ts'

// The long version: test/proof/differential.ts
const RUNS = { any: 80, world: 150 }
/**
 * How often, per 1,000 programs, what a generator is for must really have happened: a quarter of what 5,000 programs had, and
 * once at least (1) where that would be a matter of luck.
 */
const FLOORS: Record<string, number> = {
  'arguments: accepted': 79,
  'arguments: refused': 81,
  'break: refused': 1,
  'break: rows by an index': 1,
  'cancel: done': 1,
  'collect: refused': 1,
  'collect: rows by an index': 68,
  'delete: done': 76,
  'file: deleted': 1,
  'file: read': 1,
  'file: stored': 203,
  'filter: left rows': 72,
  'first: refused': 1,
  'first: rows by an index': 1,
  'get with the wrong table: refused': 54,
  'get: found': 253,
  'identity: known': 93,
  'insert: done': 1_736,
  'insert: refused': 384,
  'job: pending': 1,
  'job: success': 1,
  'nested mutation: ConvexError caught': 76,
  'nested mutation: refused': 76,
  'nested query: ConvexError caught': 58,
  'nested query: refused': 57,
  'normalize: known': 1,
  'normalize: unknown': 126,
  'page: with a cursor': 52,
  'parallel: done': 138,
  'patch with the wrong table: refused': 1,
  'patch: done': 123,
  'patch: refused': 129,
  'patch: with a field to remove': 1,
  'replace: done': 1,
  'replace: refused': 1,
  'return value: refused': 1,
  'schedule: action': 68,
  'schedule: mutation': 69,
  'take: refused': 1,
  'take: rows by an index': 1,
  'unique: refused': 1,
  'unique: rows by an index': 1,
}

const both = createDifferential()
afterAll(() => both[Symbol.asyncDispose]())

it(`${RUNS.any} random programs over documents of any shape agree with convex-test`, { timeout: 120_000 }, async () => {
  await agree('any')
})

it(
  `${RUNS.world} random programs over a schema agree with convex-test, and do what they are for`,
  { timeout: 120_000 },
  async () => {
    const effects = await agree('world')
    const blind = Object.entries(FLOORS).filter(([effect, floor]) => ((effects[effect] ?? 0) * 1_000) / RUNS.world < floor)
    expect(blind).toEqual([])
  },
)

async function agree(kind: Program['kind']): Promise<Record<string, number>> {
  const { effects, difference, again } = await searchDifference(both, { kind, runs: RUNS[kind] })
  if (difference !== null) expect.fail(`Again: node packages/embedded/test/proof/differential.ts ${again}\n${difference}`)
  return effects
}
