/** How long the runtime takes to be ready, to say its version, and how long Node alone takes to do nothing. All of them the whole process. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { loadOfMachine, median } from '@mission-control/host/numbers'
import { untilAborted } from '@mission-control/host/until-aborted'
import { startBuilt } from '@mission-control/runtime/stack/scene'
import type { BenchContext } from '../context.ts'
import type { BenchReport } from '../report.ts'
import { createAccount } from '../stage/account.ts'
import { openStage } from '../stage/stage.ts'

const STARTS = { full: 9, quick: 1 }
const RUNS = { full: 31, quick: 5 }

export async function measureStartup(context: BenchContext): Promise<NonNullable<BenchReport['startup']>> {
  const { clock, note, signal, quick } = context
  await using stage = await openStage({
    functions: context.functions,
    fill: (backend) => createAccount(backend, { agents: 1, tasks: 1 }),
  })
  const ready: number[] = []
  for (let n = 0; n < (quick ? STARTS.quick : STARTS.full); n += 1) {
    await using runtime = await startBuilt(context.runtime, await stage.runtimeEnv(stage.filled))
    ready.push(await untilAborted(runtime.ready, signal))
  }
  const run = async (args: string[]): Promise<number> => {
    signal.throwIfAborted()
    const from = clock.monotonic()
    const child = spawn(process.execPath, args, { stdio: 'ignore', env: { NODE_ENV: 'production' } })
    const [code] = (await once(child, 'exit')) as [number | null]
    if (code !== 0) throw new Error(`node ${args.join(' ')} ended with ${code}.`)
    return clock.monotonic() - from
  }
  // In turns, so that a busy moment hits both.
  const times: { version: number[]; bare: number[] } = { version: [], bare: [] }
  for (let n = 0; n < (quick ? RUNS.quick : RUNS.full); n += 1) {
    times.version.push(await run([context.runtime.program, '--version']))
    times.bare.push(await run(['--eval', '0']))
  }
  const found = { readyMs: median(ready), versionMs: median(times.version), bareNodeMs: median(times.bare) }
  note(`medians of ${ready.length} starts and ${times.version.length} runs; ${loadOfMachine()}`)
  return found
}
