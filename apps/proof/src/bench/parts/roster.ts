/** What agents cost: the first meeting with a roster of 1,000, a restart that finds nothing changed, and the memory of both sizes. */
import { loadOfMachine, processorMs, residentMiB } from '@mission-control/host/numbers'
import { untilAborted } from '@mission-control/host/until-aborted'
import { startBuilt } from '@mission-control/runtime/stack/scene'
import type { BenchContext } from '../context.ts'
import type { BenchReport } from '../report.ts'
import { createAccount } from '../stage/account.ts'
import { openStage } from '../stage/stage.ts'

const AGENTS = { full: 1_000, quick: 100 }
/** Memory is read after this, when what the first sync needed is given back. */
const SETTLE_MS = { full: 20_000, quick: 1_000 }

interface Met {
  readonly firstMs: number
  readonly unchangedMs: number
  readonly rssMb: number
}

export interface Roster {
  readonly memory: NonNullable<BenchReport['memory']>
  readonly agentSync: NonNullable<BenchReport['agentSync']>
  /** Resident, with a single agent. */
  readonly rssMbOfOne: number
}

export async function measureRoster(context: BenchContext): Promise<Roster> {
  const agents = context.quick ? AGENTS.quick : AGENTS.full
  const one = await meet(context, 1)
  const many = await meet(context, agents)
  context.note(`resident with 1 agent ${one.rssMb.toFixed(1)} MiB, with ${agents} ${many.rssMb.toFixed(1)} MiB`)
  return {
    memory: { rssMb: many.rssMb, agents },
    agentSync: { agents, firstMs: many.firstMs, unchangedMs: many.unchangedMs },
    rssMbOfOne: one.rssMb,
  }
}

async function meet(context: BenchContext, agents: number): Promise<Met> {
  const { clock, note, signal, quick } = context
  await using stage = await openStage({
    functions: context.functions,
    fill: (backend) => createAccount(backend, { agents, tasks: 1, heartbeatMinutes: 15 }),
  })
  const env = await stage.runtimeEnv(stage.filled)

  /** From the moment it is the active runtime to the end of its first sync. The log's times have whole milliseconds. */
  async function sync(expected: 'added' | 'unchanged') {
    const runtime = await startBuilt(context.runtime, env)
    await using onError = new AsyncDisposableStack()
    onError.use(runtime)
    const active = runtime.process.line((line) => line['msg'] === 'active')
    const synced = runtime.process.line((line) => line['msg'] === 'agent sync' && line['lastError'] === undefined)
    const [from, to] = await untilAborted(Promise.all([active, synced]), signal)
    await untilAborted(runtime.ready, signal)
    if (to[expected] !== agents)
      throw new Error(`A sync of ${agents} agents that should all be ${expected} says ${JSON.stringify(to)}.`)
    onError.move()
    return { runtime, ms: Date.parse(String(to['time'])) - Date.parse(String(from['time'])) }
  }

  const first = await sync('added')
  let rssMb: number
  {
    await using runtime = first.runtime
    note(
      `${agents} agents: first sync ${first.ms} ms, ${processorMs(runtime.pid)} ms of processor time since its start; ${loadOfMachine()}`,
    )
    await clock.sleep(quick ? SETTLE_MS.quick : SETTLE_MS.full, signal)
    rssMb = residentMiB(runtime.pid)
  }
  const second = await sync('unchanged')
  await second.runtime[Symbol.asyncDispose]()
  note(`${agents} agents, nothing changed: ${second.ms} ms; ${loadOfMachine()}`)
  return { firstMs: first.ms, unchangedMs: second.ms, rssMb }
}
