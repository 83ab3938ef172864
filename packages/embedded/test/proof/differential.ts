/**
 * `node packages/embedded/test/proof/differential.ts [--runs 10000] [--seed n] [--kind world|any]`
 * Random programs on convex-test and on the engine; half of them of each kind unless told otherwise. A difference is made as small
 * as it gets, printed with both stories and the command that finds it again, and ends with exit code 1.
 */
import { createDifferential, type Program } from '../fixtures/differential.ts'
import { searchDifference } from '../fixtures/search-difference.ts'
import { option } from '@mission-control/host/numbers'

const RUNS = option('runs', 10_000)
const SEED = option('seed', Math.floor(Math.random() * 2 ** 31))
const PROGRESS = 1_000
const asked = process.argv.indexOf('--kind')
const kinds = asked < 0 ? ['world', 'any'] : [process.argv[asked + 1]]

await using both = createDifferential()
for (const kind of kinds) {
  if (kind !== 'world' && kind !== 'any') throw new Error(`--kind is world or any, not ${kind}.`)
  await search(kind)
}

async function search(kind: Program['kind']): Promise<void> {
  const start = performance.now()
  const seconds = () => `${Math.round((performance.now() - start) / 1_000)} s`
  let played = 0
  const { programs, effects, difference, again } = await searchDifference(both, {
    kind,
    runs: Math.ceil(RUNS / kinds.length),
    seed: SEED,
    onProgram() {
      if (++played % PROGRESS === 0) console.log(`${kind}: ${played} programs, ${seconds()}`)
    },
  })
  if (difference !== null) {
    console.log(`${kind}: a difference after ${programs} programs, seed ${SEED}, ${seconds()}`)
    console.log(difference)
    console.log(`Again: node packages/embedded/test/proof/differential.ts ${again}`)
    process.exitCode = 1
    return
  }
  console.log(`${kind}: ${programs} programs, 0 differences, seed ${SEED}, ${seconds()}`)
  for (const [effect, count] of Object.entries(effects).sort(([a], [b]) => a.localeCompare(b)))
    console.log(`  ${effect}: ${Math.round((count * 1_000) / programs)} per 1,000 programs`)
}
