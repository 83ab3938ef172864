import { systemClock } from '@mission-control/host/clock'
import { startStage } from './stage/stage.ts'
import { FAULTS } from './faults/faults.ts'
import { STEPS } from './faults/steps.ts'
import { AGENTS, runRound } from './faults/round.ts'
const kind = process.argv[2] ?? 'runtime killed'
const fault = FAULTS.find((f) => f.name === kind)!
const t0 = systemClock.monotonic()
const stage = await startStage({ clock: systemClock, scale: 10, agents: AGENTS, standby: fault.needs === 'standby', ...(fault.needs === 'small disk' ? { diskMiB: 32 } : {}) })
console.log('stage', systemClock.monotonic() - t0)
let n = 0
try {
for (const step of process.argv[3] ? [process.argv[3] as never] : STEPS) for (let round = 0; round < 2; round += 1) {
  const t = systemClock.monotonic()
  console.log(step, JSON.stringify(await runRound(stage, fault, step, `r${String(n++).padStart(4, '0')}`, round, systemClock.timeout(30000))), Math.round(systemClock.monotonic() - t))
}
} catch (e) { console.log(e); for (const p of [stage.backend, stage.gateway, ...stage.runtimes.map(r=>r.program)]) console.log('==', p.name, p.lastWords()) }
await stage[Symbol.asyncDispose]()
