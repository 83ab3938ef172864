/** Random programs run on the official unit-test mock and on the engine must give the same results, ids and times aside. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { createDifferential } from './fixtures/differential.ts'
import { program } from './fixtures/programs.ts'

const RUNS = 200 // the long version: test/proof/differential.ts

it(`${RUNS} random programs agree with convex-test`, { timeout: 60_000 }, async () => {
  await using both = createDifferential()
  await fc.assert(
    fc.asyncProperty(program, async (steps) => {
      const { mock, engine } = await both.play(steps)
      expect(engine).toEqual(mock)
    }),
    { numRuns: RUNS },
  )
})
