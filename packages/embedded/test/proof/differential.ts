/**
 * `node packages/embedded/test/proof/differential.ts [--runs 10000] [--seed n] [--kind world|any]`
 * Random programs on convex-test and on the engine; half of them of each kind unless told otherwise. A difference is shrunk to a
 * minimal program, printed with both stories and the command that finds it again, and ends with exit code 1.
 */
import fc from 'fast-check'
import { inspect, isDeepStrictEqual } from 'node:util'
import { createDifferential, type Stage } from '../fixtures/differential.ts'
import { program as any } from '../fixtures/programs.ts'
import { program as world } from '../fixtures/world/generate.ts'
import { option } from './numbers.ts'

const RUNS = option('runs', 10_000)
const SEED = option('seed', Math.floor(Math.random() * 2 ** 31))
const PROGRESS = 1_000
const asked = process.argv.indexOf('--kind')
const kinds = (asked < 0 ? ['world', 'any'] : [process.argv[asked + 1]]) as Stage['kind'][]
const stages = {
  world: world.map((steps): Stage => ({ kind: 'world', steps })),
  any: any.map((steps): Stage => ({ kind: 'any', steps })),
}

await using both = createDifferential()
for (const kind of kinds) {
  let played = 0
  const effects: Record<string, number> = {}
  const start = performance.now()
  const seconds = () => `${Math.round((performance.now() - start) / 1_000)} s`
  const details = await fc.check(
    fc.asyncProperty(stages[kind], async (stage) => {
      const { mock, engine, effects: found } = await both.play(stage)
      for (const [effect, count] of Object.entries(found)) effects[effect] = (effects[effect] ?? 0) + count
      if (++played % PROGRESS === 0) console.log(`${kind}: ${played} programs, ${seconds()}`)
      return isDeepStrictEqual(engine, mock)
    }),
    { numRuns: Math.ceil(RUNS / kinds.length), seed: SEED },
  )
  if (details.failed) {
    const [stage] = details.counterexample!
    const { mock, engine } = await both.play(stage)
    console.log(`A difference after ${details.numRuns} programs, seed ${SEED}, shrunk ${details.numShrinks} times, ${seconds()}.`)
    console.log(inspect({ steps: stage.steps, mock, engine }, { depth: null, colors: false }))
    console.log(
      `Again: node packages/embedded/test/proof/differential.ts --kind ${kind} --seed ${SEED} --runs ${details.numRuns * kinds.length}`,
    )
    process.exitCode = 1
  } else {
    console.log(`${kind}: ${details.numRuns} programs, 0 differences, seed ${SEED}, ${seconds()}`)
    const each = Object.entries(effects).sort(([a], [b]) => a.localeCompare(b))
    for (const [effect, count] of each)
      console.log(`  ${effect}: ${Math.round((count * 1_000) / details.numRuns)} per 1,000 programs`)
  }
}
