import { withFunctions } from '../src/simulate/functions.ts'
import { runSeeds } from '../src/simulate/pool.ts'
const [from, to, steps] = process.argv.slice(2).map(Number)
const t = performance.now()
let total = 0
const met: Record<string, number> = {}
await withFunctions(null, (bundle) =>
  runSeeds({
    bundle,
    seeds: Array.from({ length: to - from + 1 }, (_, i) => i + from),
    steps: steps ?? 300,
    threads: 2,
    onResult(r) {
      total += r.steps
      for (const [k, v] of Object.entries(r.met)) met[k] = (met[k] ?? 0) + v
      if (r.touched.length) console.log('TOUCHED', r.touched.slice(0, 3))
      if (r.violation) console.log(r.seed, r.steps, r.violation.step, r.violation.invariant.slice(0, 150))
      return true
    },
  }),
)
console.log(
  to - from + 1,
  'seeds',
  total,
  'steps',
  Math.round((total / (performance.now() - t)) * 1000),
  'steps/s',
  Math.round(performance.now() - t),
)

console.log(met)
