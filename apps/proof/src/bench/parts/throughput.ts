/**
 * How fast a backlog is worked off with a gateway that answers at once. Backend, gateway and runtime are a process each, so that two cores
 * are used as they would be. Every settle is a mutation over HTTP of its own, and at most `CONCURRENCY` of them are under way at once.
 */
import { api } from '@mission-control/backend/convex/_generated/api'
import { loadOfMachine, processorMs } from '@mission-control/host/numbers'
import { untilAborted } from '@mission-control/host/until-aborted'
import { startBuilt } from '@mission-control/runtime/stack/scene'
import type { BenchContext } from '../context.ts'
import type { BenchReport } from '../report.ts'
import { createAccount } from '../stage/account.ts'
import { openStage } from '../stage/stage.ts'
import { countAnswers } from './answers.ts'

/** Turns at a time. A slow model would need them; here they are what keeps the backend busy. */
export const CONCURRENCY = 51
const AGENTS = 200
const PER_MESSAGE = 20 // mentions: as many as one transaction tells

interface Plan {
  readonly warmUp: number
  readonly deliveries: number
  readonly rounds: number
}
const FULL: Plan = { warmUp: 1_000, deliveries: 3_000, rounds: 3 }
const QUICK: Plan = { warmUp: 100, deliveries: 300, rounds: 1 }

export async function measureThroughput(context: BenchContext): Promise<NonNullable<BenchReport['throughput']>> {
  const { clock, note, signal } = context
  const plan = context.quick ? QUICK : FULL
  const largest = Math.max(plan.warmUp, plan.deliveries)
  await using stage = await openStage({
    functions: context.functions,
    fill: (backend) => createAccount(backend, { agents: AGENTS, tasks: Math.ceil(largest / AGENTS) }),
  })
  const { backend, gateway, filled: account } = stage
  const { accountId, slugs, taskIds } = account
  await using runtime = await startBuilt(
    context.runtime,
    await stage.runtimeEnv(account, { DELIVERY_CONCURRENCY: String(CONCURRENCY) }),
  )
  await runtime.ready
  const answered = countAnswers(runtime)
  const setPaused = (paused: boolean) =>
    backend.owner.mutation(api.accounts.setPaused, { accountId, paused }, { skipQueue: true })

  /** Each delivery has a lane of its own. @returns seconds */
  async function workOff(deliveries: number): Promise<number> {
    await setPaused(true) // nothing is claimed until all of it is there
    for (let first = 0; first < deliveries; first += PER_MESSAGE) {
      signal.throwIfAborted()
      const taskId = taskIds[Math.floor(first / slugs.length)]
      if (taskId === undefined) throw new Error('There are too few tasks.')
      const told = slugs.slice(first % slugs.length, (first % slugs.length) + PER_MESSAGE)
      const content = `${told.map((slug) => `@${slug}`).join(' ')} please`
      await backend.owner.mutation(api.messages.post, { accountId, taskId, content }, { skipQueue: true })
    }
    const turns = gateway.accepted()
    const done = answered.more(deliveries)
    const pids = { runtime: runtime.pid, backend: backend.pid, gateway: gateway.pid }
    const used = () => Object.entries(pids).map(([name, pid]) => ({ name, ms: processorMs(pid) }))
    const before = used()
    const from = clock.monotonic()
    await setPaused(false)
    await untilAborted(done, signal)
    const seconds = (clock.monotonic() - from) / 1_000
    const each = used().map(({ name, ms }, n) => `${name} ${((ms - (before[n]?.ms ?? 0)) / deliveries).toFixed(2)}`)
    if (gateway.accepted() - turns !== deliveries)
      throw new Error(`${deliveries} deliveries were settled with ${gateway.accepted() - turns} turns.`)
    note(
      `${deliveries} deliveries in ${seconds.toFixed(2)} s, ${CONCURRENCY} at once; processor time each, ms: ${each.join(', ')}; ${loadOfMachine()}`,
    )
    return seconds
  }

  await workOff(plan.warmUp)
  let seconds = 0
  for (let round = 0; round < plan.rounds; round += 1) seconds += await workOff(plan.deliveries)
  return { settledPerSecond: (plan.rounds * plan.deliveries) / seconds }
}
