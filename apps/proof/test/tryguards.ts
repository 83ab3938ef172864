import { GUARDS } from '../src/simulate/guards.ts'
import { withFunctions } from '../src/simulate/functions.ts'
import { runSeeds } from '../src/simulate/pool.ts'
const only = process.argv[2]
const until = performance.now() + Number(process.argv[3] ?? 1e9)
for (const guard of GUARDS.filter((g) => !only || only === 'all' || g.name === only)) {
  const t = performance.now()
  let found: unknown = null,
    ran = 0
  await withFunctions(guard, (bundle) =>
    runSeeds({
      bundle,
      seeds: Array.from({ length: 300 }, (_, i) => i + 1),
      steps: 300,
      threads: 2,
      guard,
      onResult(r) {
        ran++
        if (performance.now() > until) return false
        if (r.touched.length) console.log('TOUCHED', r.touched.slice(0, 3))
        if (r.violation) {
          found = [r.seed, r.violation.step, r.violation.invariant]
          return false
        }
        return true
      },
    }),
  )
  console.log(guard.name, found, ran, Math.round(performance.now() - t))
}
