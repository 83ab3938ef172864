/** Random programs run on the official unit-test mock and on the engine must give the same results, ids and times aside. */
import { afterAll, expect, it } from 'vitest'
import { createDifferential, type Program } from './fixtures/differential.ts'
import { searchDifference } from './fixtures/search-difference.ts'

// The long version: test/proof/differential.ts
const RUNS = { any: 120, world: 200 }
/** How often, per 1,000 programs, what a generator is for must really have happened. About a quarter of what was measured. */
const FLOORS: Record<string, number> = {
  'insert: done': 2_000,
  'insert: refused': 300,
  'patch: done': 100,
  'patch: refused': 80,
  'patch: with a field to remove': 10,
  'replace: done': 35,
  'delete: done': 70,
  'get: found': 200,
  'collect: rows by an index': 70,
  'take: rows by an index': 25,
  'first: rows by an index': 25,
  'break: rows by an index': 30,
  'unique: rows by an index': 20,
  'filter: left rows': 60,
  'normalize: known': 25,
  'arguments: accepted': 120,
  'arguments: refused': 60,
  'return value: refused': 20,
  'nested mutation: ConvexError caught': 60,
  'nested mutation: refused': 40,
  'nested query: ConvexError caught': 50,
  'nested action: ConvexError caught': 10,
  'patch with the wrong table: refused': 40,
  'parallel: done': 100,
  'schedule: mutation': 50,
  'schedule: action': 50,
  'job: pending': 30,
  'job: success': 20,
  'job: failed': 20,
  'cancel: done': 10,
  'file: stored': 200,
  'file: read': 40,
  'file: deleted': 15,
  'identity: known': 90,
  'page: with a cursor': 30,
}

const both = createDifferential()
afterAll(() => both[Symbol.asyncDispose]())

it(`${RUNS.any} random programs over documents of any shape agree with convex-test`, { timeout: 60_000 }, async () => {
  await agree('any')
})

it(
  `${RUNS.world} random programs over a schema agree with convex-test, and do what they are for`,
  { timeout: 60_000 },
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
