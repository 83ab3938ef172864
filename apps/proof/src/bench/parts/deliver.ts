/**
 * From the commit of a message to the gateway's acceptance: our delivery and the plain design in turns, on the same backend and the same
 * gateway, each on an account of its own. The clock starts when the sender knows of the commit: its mutation has resolved.
 *
 * Ours gets one message after the other, with a random pause in between, so that no rhythm of the machine fits. The plain design gets its
 * messages at random moments of its poll interval, as people write; sent one after the other they would all come right after a poll.
 */
import { api } from '@mission-control/backend/convex/_generated/api'
import { loadOfMachine } from '@mission-control/host/numbers'
import { untilAborted } from '@mission-control/host/until-aborted'
import { startBuilt } from '@mission-control/runtime/stack/scene'
import type { BenchContext } from '../context.ts'
import { PLAIN_POLL_MS, PLAIN_PRESENCE_MS } from '../plain/plain.ts'
import { startPlain } from '../plain/process.ts'
import type { BenchReport } from '../report.ts'
import { latencyOf, latencyText } from '../report.ts'
import type { BenchAccount } from '../stage/account.ts'
import { createAccount } from '../stage/account.ts'
import { machineMs } from '../stage/machine-clock.ts'
import { messageOf } from '../stage/messages.ts'
import type { Stage } from '../stage/stage.ts'
import { openStage } from '../stage/stage.ts'

const AGENTS = 20
const TASKS = 10
const PAUSE_MS = 20 // at most, between two of our messages

interface Plan {
  readonly warmUp: number
  readonly rounds: number
  /** Messages of a round. */
  readonly ours: number
  readonly plain: number
  /** Poll intervals over which the plain design's messages of a round are spread. */
  readonly polls: number
}
const FULL: Plan = { warmUp: 50, rounds: 5, ours: 400, plain: 40, polls: 3 }
const QUICK: Plan = { warmUp: 20, rounds: 1, ours: 60, plain: 12, polls: 1 }

/** All times of a run, in ms: the plot needs them. */
export interface DeliverTimes {
  readonly ours: readonly number[]
  readonly plain: readonly number[]
}

interface Accounts {
  readonly ours: BenchAccount
  readonly plain: BenchAccount
}

export async function measureDeliver(
  context: BenchContext,
): Promise<{ found: NonNullable<BenchReport['deliver']>; times: DeliverTimes }> {
  const { clock, random, note, signal, quick } = context
  const plan = quick ? QUICK : FULL
  await using stage = await openStage({
    functions: context.functions,
    gatewayAgents: Array.from({ length: AGENTS }, (_, n) => `plain-${n}`),
    fill: async (backend): Promise<Accounts> => ({
      ours: await createAccount(backend, { agents: AGENTS, tasks: TASKS }),
      plain: await createAccount(backend, { agents: AGENTS, tasks: TASKS, prefix: 'plain' }),
    }),
  })
  const accounts = stage.filled
  await using runtime = await startBuilt(context.runtime, await stage.runtimeEnv(accounts.ours))
  await runtime.ready
  await using plain = await startPlain({
    convexUrl: stage.backend.url,
    accountId: accounts.plain.accountId,
    serviceToken: accounts.plain.token,
    gateway: stage.gateway,
    pollMs: PLAIN_POLL_MS,
    presenceMs: PLAIN_PRESENCE_MS,
  })
  const times = { ours: [] as number[], plain: [] as number[] }
  let sent = { ours: 0, plain: 0 }

  async function sendOurs(count: number): Promise<number[]> {
    const found: number[] = []
    for (let n = 0; n < count; n += 1) {
      signal.throwIfAborted()
      found.push(await toAcceptance(stage, accounts.ours, 'ours', sent.ours, signal))
      sent = { ...sent, ours: sent.ours + 1 }
      while (runtime.ended() < sent.ours) await clock.sleep(1, signal)
      await clock.sleep(random.next() * PAUSE_MS, signal)
    }
    return found
  }

  async function sendPlain(): Promise<number[]> {
    const first = sent.plain
    sent = { ...sent, plain: first + plan.plain }
    const found = await Promise.all(
      Array.from({ length: plan.plain }, async (_, n) => {
        // One in each stretch of the window, somewhere in it: as even as a small sample gets, in step with nothing.
        await clock.sleep(((n + random.next()) / plan.plain) * plan.polls * PLAIN_POLL_MS, signal)
        return toAcceptance(stage, accounts.plain, 'plain', first + n, signal)
      }),
    )
    await untilAborted(plain.untilDelivered(sent.plain), signal)
    return found
  }

  await sendOurs(plan.warmUp)
  for (let round = 0; round < plan.rounds; round += 1) {
    times.ours.push(...(await sendOurs(plan.ours)))
    times.plain.push(...(await sendPlain()))
    const [ours, theirs] = [latencyOf(times.ours), latencyOf(times.plain)]
    note(
      `round ${round + 1} of ${plan.rounds}: ours ${latencyText(ours)}; plain design ${latencyText(theirs)}; ${loadOfMachine()}`,
    )
  }
  await checkAnswered(stage, accounts.ours, sent.ours)
  await checkAnswered(stage, accounts.plain, sent.plain)
  const [ours, theirs] = [latencyOf(times.ours), latencyOf(times.plain)]
  return { found: { ours, plain: theirs, ratioP50: theirs.p50 / ours.p50 }, times }
}

/** Posts message `n` of the account and resolves with the time from its commit to its acceptance. */
async function toAcceptance(
  { backend, gateway }: Stage<Accounts>,
  account: BenchAccount,
  name: string,
  n: number,
  signal: AbortSignal,
): Promise<number> {
  const { accountId, slugs, taskIds } = account
  const key = `${name}-${n}`
  // Agents and tasks turn at different speeds, so that messages in flight at the same time are in different lanes.
  const slug = slugs[n % slugs.length] ?? ''
  const taskId = taskIds[Math.floor(n / slugs.length) % taskIds.length]
  if (taskId === undefined) throw new Error('The account has no task.')
  const arrival = gateway.acceptanceOf(key)
  await backend.owner.mutation(api.messages.post, { accountId, taskId, content: messageOf(slug, key) }, { skipQueue: true })
  const committed = machineMs()
  return (await untilAborted(arrival, signal)) - committed
}

/** A design that is fast because it loses something is not fast. */
async function checkAnswered({ backend }: Stage<Accounts>, { accountId, taskIds }: BenchAccount, sent: number): Promise<void> {
  let answers = 0
  for (const taskId of taskIds) {
    let cursor: string | null = null
    for (;;) {
      const page: { page: { author: { type: string } }[]; isDone: boolean; continueCursor: string } = await backend.owner.query(
        api.messages.list,
        { accountId, taskId, paginationOpts: { numItems: 100, cursor } },
      )
      answers += page.page.filter(({ author }) => author.type === 'agent').length
      if (page.isDone) break
      cursor = page.continueCursor
    }
  }
  if (answers !== sent) throw new Error(`${sent} messages were sent and ${answers} answered.`)
}
