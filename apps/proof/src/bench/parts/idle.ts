/**
 * What a day without work costs: both designs stand beside each other over the same backend, each behind a proxy that counts its calls. A
 * rate is taken from presence call to presence call, so that where the window lies does not change it.
 */
import { loadOfMachine } from '@mission-control/host/numbers'
import { untilAborted } from '@mission-control/host/until-aborted'
import { startBuilt } from '@mission-control/runtime/stack/scene'
import type { BenchContext } from '../context.ts'
import { PLAIN_POLL_MS, PLAIN_PRESENCE_MS } from '../plain/plain.ts'
import { startPlain } from '../plain/process.ts'
import type { BenchReport } from '../report.ts'
import { createAccount } from '../stage/account.ts'
import { startCountingProxy } from '../stage/counting-proxy.ts'
import { openStage } from '../stage/stage.ts'
import { countCalls } from './count-calls.ts'

const AGENTS = 10

/** Presence calls that a window holds, and how much shorter than in life every interval is. */
interface Plan {
  readonly presences: number
  readonly scale: number
}
const FULL: Plan = { presences: 5, scale: 1 }
const QUICK: Plan = { presences: 2, scale: 12 } // 5 s, the shortest the runtime takes

export async function measureIdle(context: BenchContext): Promise<NonNullable<BenchReport['idle']>> {
  const { clock, note, signal } = context
  const { presences, scale } = context.quick ? QUICK : FULL
  if (scale !== 1) note(`every interval is ${scale} times shorter than in life, and the figures are divided by it`)
  await using stage = await openStage({
    functions: context.functions,
    gatewayAgents: Array.from({ length: AGENTS }, (_, n) => `plain-${n}`),
    fill: async (backend) => ({
      ours: await createAccount(backend, { agents: AGENTS, tasks: 1, heartbeatMinutes: 15 }),
      plain: await createAccount(backend, { agents: AGENTS, tasks: 1, heartbeatMinutes: 15, prefix: 'plain' }),
    }),
  })
  const { ours, plain } = stage.filled
  const counts = { ours: countCalls(clock, presences), plain: countCalls(clock, presences) }
  await using ourProxy = await startCountingProxy(stage.backend.url, counts.ours.onCall)
  await using plainProxy = await startCountingProxy(stage.backend.url, counts.plain.onCall)
  const intervals = { HEALTH_CHECK_INTERVAL: String(60_000 / scale), AGENT_SYNC_INTERVAL: String(60_000 / scale) }
  await using runtime = await startBuilt(
    context.runtime,
    await stage.runtimeEnv(ours, { CONVEX_URL: ourProxy.url, ...(scale === 1 ? {} : intervals) }),
  )
  await runtime.ready
  await using _ = await startPlain({
    convexUrl: plainProxy.url,
    accountId: plain.accountId,
    serviceToken: plain.token,
    gateway: stage.gateway,
    pollMs: PLAIN_POLL_MS / scale,
    presenceMs: PLAIN_PRESENCE_MS / scale,
  })
  counts.ours.begin()
  counts.plain.begin()
  const gone = runtime.process.ended.then((how) => {
    throw new Error(`The runtime ended (${how}): ${runtime.process.errors()}`)
  })
  const rates = Promise.all([counts.ours.perDay, counts.plain.perDay])
  const [ourRate, plainRate] = await untilAborted(Promise.race([rates, gone]), signal)
  if (stage.gateway.accepted() > 0) throw new Error(`${stage.gateway.accepted()} turns ran on an idle day.`)
  note(
    `${AGENTS} agents without work, ours: ${counts.ours.summary()}; plain design: ${counts.plain.summary()}; ${loadOfMachine()}`,
  )
  return { callsPerDay: ourRate / scale, plainCallsPerDay: plainRate / scale }
}
