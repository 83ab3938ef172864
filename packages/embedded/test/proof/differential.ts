/**
 * `node packages/embedded/test/proof/differential.ts [--runs 10000] [--seed n]`
 * Random programs on convex-test and on the engine. A difference is shrunk to a minimal program, printed with both stories and
 * the seed that finds it again, and ends with exit code 1.
 */
import fc from 'fast-check'
import { inspect, isDeepStrictEqual } from 'node:util'
import { createDifferential } from '../fixtures/differential.ts'
import { program } from '../fixtures/programs.ts'
import { option } from './numbers.ts'

const RUNS = option('runs', 10_000)
const SEED = option('seed', Math.floor(Math.random() * 2 ** 31))
const PROGRESS = 1_000

await using both = createDifferential()
let played = 0
const start = performance.now()
const details = await fc.check(
  fc.asyncProperty(program, async (steps) => {
    const { mock, engine } = await both.play(steps)
    if (++played % PROGRESS === 0) console.log(`${played} programs, ${Math.round((performance.now() - start) / 1_000)} s`)
    return isDeepStrictEqual(engine, mock)
  }),
  { numRuns: RUNS, seed: SEED },
)
if (details.failed) {
  const steps = details.counterexample![0]
  console.log(`A difference after ${details.numRuns} programs, seed ${SEED}, shrunk ${details.numShrinks} times:`)
  console.log(inspect({ steps, ...(await both.play(steps)) }, { depth: null, colors: false }))
} else console.log(`${details.numRuns} programs, 0 differences, seed ${SEED}`)
process.exitCode = details.failed ? 1 : 0
