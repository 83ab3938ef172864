import { buildFunctions } from '@mission-control/backend/harness/embedded'
import { createParamsCheck } from '@mission-control/openclaw/testing/fake/params'
import { runSeed } from '../src/simulate/run-seed.ts'
const t0 = performance.now()
const functions = await buildFunctions()
console.error('built', performance.now() - t0)
const check = createParamsCheck()
process.on('unhandledRejection', (e) => console.error('UNHANDLED', e))
let total = 0
const from = Number(process.argv[2] ?? 1),
  to = Number(process.argv[3] ?? from),
  steps = Number(process.argv[4] ?? 300)
for (let seed = from; seed <= to; seed++) {
  const t = performance.now()
  const r = await runSeed({ seed, steps, functions, check })
  total += r.steps
  if (process.argv[5] === 'v' || r.violation) console.error(r.trace.join('\n').slice(-12000))
  console.log(
    seed,
    r.steps,
    r.hash.slice(0, 8),
    r.violation?.step,
    r.violation?.invariant,
    Math.round(performance.now() - t),
    'ms',
  )
  if (r.violation && process.argv[5] !== 'go') break
}
console.log(total, Math.round(total / ((performance.now() - t0) / 1000)), 'steps/s')
