/**
 * The life of one claimed item: prompt, turn, verdict, and telling the backend until it has answered. Owns nothing but this item;
 * a failure here never touches another. The item counts as held until this settles, so the lease covers a reply that cannot be
 * delivered because the backend is away.
 */
import type { Clock, Random } from '@mission-control/shared/clock'
import type { DeliveryState } from '@mission-control/shared/enums'
import type { ClaimedItem, RunReport, RunUsage } from '@mission-control/shared/service-contract'
import { GatewayError, isGatewayError, isTakenForDeleted } from '@mission-control/openclaw/errors'
import type { AgentSync } from '../agent-sync/run.ts'
import type { Brain, ObservedBrain } from '../brain/brain.ts'
import { isRefusal, toBrainError } from '../brain/errors.ts'
import type { Log } from '../log.ts'
import type { Redactor } from '../redact.ts'
import { service } from '../service.ts'
import type { Turns } from '../turns.ts'
import { PROMPT_VERSION } from '../agent-texts/rules.ts'
import { untilAnswered } from '../until-answered.ts'
import { turnPrompt } from './prompt.ts'
import type { Verdict } from './verdict.ts'
import { Interrupt, REFUSED_CODE, verdictOfError, verdictOfRefusal, verdictOfReply } from './verdict.ts'

export interface ItemDeps {
  readonly brain: ObservedBrain
  readonly turns: Turns
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly redactor: Pick<Redactor, 'redact'>
  readonly turnTimeoutMs: number
  /** Resolves when the gateway knows the agent, or cannot be made to. */
  readonly ensureAgent: AgentSync['ensure']
}

export interface ItemResult {
  readonly verdict: Verdict
  /** What the backend made of it; `null` when it was told nothing or refused it as stale. */
  readonly state: DeliveryState | null
  readonly report: RunReport
}

/** A verdict and what the backend answered to it. */
type Told = Pick<ItemResult, 'verdict' | 'state'>

const NO_REPORT: RunReport = { sentAfterMs: null, acceptedAfterMs: null, repliedAfterMs: null, usage: null }

/** A turn that is only to be ended takes its own time for that; it never gets to this. */
const END_MS = 1_000

/** Leaves room to report before the backend's own deadline of the claim. */
const DEADLINE_MARGIN_MS = 15_000

export interface DeliverOptions {
  /** Aborts with an `Interrupt` to end the turn. */
  readonly interrupt: AbortSignal
  /** Aborts when nobody may wait for the backend any longer. */
  readonly giveUp: AbortSignal
  /** Aborts when a result that has not been taken yet need not be told again. */
  readonly untold: AbortSignal
  /** The gateway has taken the turn. */
  onAccepted: (afterMs: number) => void
  /** The turn has ended; its result is told next. */
  onEnded: () => void
}

/** Runs one claimed item to its end. Never rejects because of the turn or the backend. */
export async function deliverItem(
  item: ClaimedItem,
  deps: ItemDeps,
  { interrupt, giveUp, untold, onAccepted, onEnded }: DeliverOptions,
): Promise<ItemResult> {
  const { clock, log } = deps
  const claimed = clock.monotonic()
  const since = () => Math.round(clock.monotonic() - claimed)
  const report = { sentAfterMs: null, acceptedAfterMs: null, repliedAfterMs: null, usage: null } as {
    -readonly [K in keyof RunReport]: RunReport[K]
  }
  const ran = await runTurn(item, deps, interrupt, {
    sent: () => (report.sentAfterMs ??= since()),
    accepted: () => {
      report.acceptedAfterMs ??= since()
      onAccepted(report.acceptedAfterMs)
    },
    replied: (usage) => {
      report.repliedAfterMs = since()
      report.usage = usage
    },
    spent: (usage) => (report.usage = usage),
  })
  const found = redacted(ran, deps.redactor)
  onEnded()
  const { verdict, state } = await tell(item, found, report, deps, { giveUp, untold })
  const fields = {
    delivery: item.id,
    type: item.type,
    agent: item.agent.slug,
    turn: item.turnKey,
    fence: item.fence,
    attempt: item.attempt,
    prompt: PROMPT_VERSION,
  }
  const outcome = verdict.kind === 'settle' ? verdict.outcome : verdict.kind
  const why =
    verdict.kind === 'fail' || verdict.kind === 'release'
      ? { code: verdict.code, reason: verdict.reason, ended: verdict.ended }
      : {}
  const line = { ...fields, outcome, state, ms: since(), acceptedMs: report.acceptedAfterMs, reconcile: item.reconcile, ...why }
  if (verdict.kind === 'fail' && verdict.code !== 'STOPPED') log.warn(line, 'delivery failed')
  else log.info(line, 'delivery')
  return { verdict, state, report }
}

/** A reason is what the gateway or the provider said, who may repeat a key. It goes to the backend, and so to people. */
const redacted = (verdict: Verdict, { redact }: Pick<Redactor, 'redact'>): Verdict =>
  'reason' in verdict ? { ...verdict, reason: redact(verdict.reason) } : verdict

interface Marks {
  sent(): void
  accepted(): void
  replied(usage: RunUsage | null): void
  spent(usage: RunUsage): void
}

/**
 * Ends the turn of an item that is no longer ours, where it still runs. Resolves when the gateway has confirmed its end or could
 * not; never rejects.
 */
export async function endTurn(item: ClaimedItem, { turns, log }: Pick<ItemDeps, 'turns' | 'log'>): Promise<void> {
  const nothing = () => undefined
  const request = { ...turnOf(item), reconcile: true, timeoutMs: END_MS, onSent: nothing, onAccepted: nothing, onSpent: nothing }
  const fields = { delivery: item.id, turn: item.turnKey, fence: item.fence }
  try {
    await turns.run(request, AbortSignal.abort(new Interrupt('stopped')))
  } catch (error) {
    if (isGatewayError(error) && error.ended) log.info(fields, 'ended a turn that another runtime has taken over')
    else log.warn({ ...fields, error: String(error) }, 'a turn that another runtime has taken over may still run here')
  }
}

const turnOf = (item: ClaimedItem) => ({
  sessionKey: item.sessionKey,
  turnKey: item.turnKey,
  message: turnPrompt(item),
})

async function runTurn(item: ClaimedItem, deps: ItemDeps, interrupt: AbortSignal, marks: Marks): Promise<Verdict> {
  const { slug } = item.agent
  await deps.ensureAgent(slug, interrupt)
  try {
    const reply = await attempt(item, deps, interrupt, marks).catch(async (error: unknown) => {
      if (!isGatewayError(error) || error.code !== 'UNKNOWN_AGENT' || !error.ended || interrupt.aborted) throw error
      // Somebody took the agent out of the gateway, or has deleted one of its name there before. Nothing has run: it is put back, and
      // the same turn is sent once more.
      await deps.ensureAgent(slug, interrupt, isTakenForDeleted(error) ? 'deleted' : 'unknown')
      return attempt(item, deps, interrupt, marks)
    })
    marks.replied(reply.usage)
    return verdictOfReply(reply, interruptedBy(interrupt))
  } catch (error) {
    return verdictOfError(error, interruptedBy(interrupt), deps.turns.state().up)
  }
}

async function attempt(item: ClaimedItem, { turns, turnTimeoutMs }: ItemDeps, interrupt: AbortSignal, marks: Marks) {
  // Interrupted before anything was sent by this attempt; an earlier one may have.
  if (interrupt.aborted) throw new GatewayError('TURN_ABORTED', 'nothing was sent', { ended: !item.reconcile })
  return turns.run(
    {
      ...turnOf(item),
      reconcile: item.reconcile,
      timeoutMs: Math.max(1_000, Math.min(turnTimeoutMs, item.deadlineInMs - DEADLINE_MARGIN_MS)),
      onSent: () => marks.sent(),
      onAccepted: () => marks.accepted(),
      onSpent: (usage) => marks.spent(usage),
    },
    interrupt,
  )
}

const interruptedBy = (signal: AbortSignal) => (signal.reason instanceof Interrupt ? signal.reason.why : null)

/** Tells the backend until it has answered. A result that it refuses for good is replaced, once, by a plain failure. */
async function tell(
  item: ClaimedItem,
  verdict: Verdict,
  run: RunReport,
  deps: ItemDeps,
  until: Pick<DeliverOptions, 'giveUp' | 'untold'>,
): Promise<Told> {
  const { log } = deps
  // A call on its way is let through: its answer is worth having, and it may be the one that made telling pointless.
  const noMore = AbortSignal.any([until.giveUp, until.untold])
  const fields = { delivery: item.id, fence: item.fence, verdict: verdict.kind }
  const onRetry = (error: Error, tries: number) =>
    log.warn({ ...fields, tries, error: error.message }, 'the backend has not taken a result yet; it is kept and sent again')
  try {
    const call = () => sendVerdict(item, verdict, run, deps.brain, until.giveUp)
    const state = await untilAnswered(call, { ...deps, onRetry }, noMore)
    // The other two carry it themselves.
    if (verdict.kind === 'release') await reportSpent(item, run, deps, until.giveUp)
    return { verdict, state }
  } catch (thrown) {
    if (noMore.aborted) {
      log.warn(fields, 'a result could not be handed over; if the item is claimed again, the session is searched for it')
      return { verdict, state: null }
    }
    const error = toBrainError(thrown)
    // A stale fence: the item ended, or belongs to another claim. A repeated fail or release answers so too: it is done.
    if (isRefusal(error, 'STALE_FENCE')) {
      await reportSpent(item, run, deps, until.giveUp)
      return { verdict, state: null }
    }
    log.error({ ...fields, code: error.code, error: error.message }, 'the backend refused a result')
    const instead = verdict.kind === 'fail' && verdict.code === REFUSED_CODE ? null : verdictOfRefusal(verdict, error.message)
    return instead === null ? { verdict, state: null } : tell(item, instead, NO_REPORT, deps, until)
  }
}

/** The result is not taken, or there is none, but its tokens are spent: budgets count them. Told once; a report that is lost is only a count. */
async function reportSpent(
  { id, fence }: ClaimedItem,
  run: RunReport,
  { brain, log }: ItemDeps,
  signal: AbortSignal,
): Promise<void> {
  if (run.usage === null) return
  try {
    await brain.mutate(service.reportUsage, { id, fence, run }, signal)
  } catch (error) {
    log.warn({ delivery: id, fence, error: toBrainError(error).message }, 'what a lost turn used could not be reported')
  }
}

async function sendVerdict(
  { id, fence }: ClaimedItem,
  verdict: Verdict,
  run: RunReport,
  brain: Brain,
  signal: AbortSignal,
): Promise<DeliveryState | null> {
  switch (verdict.kind) {
    case 'settle': {
      const { outcome, reply } = verdict
      return (await brain.mutate(service.settle, { id, fence, outcome, reply, run }, signal)).state
    }
    case 'fail': {
      const { code, reason, ended, retryAfterMs } = verdict
      const args = { id, fence, class: verdict.class, code, reason, ended, retryAfterMs, run }
      return (await brain.mutate(service.fail, args, signal)).state
    }
    case 'release':
      await brain.mutate(service.release, { id, fence, ended: verdict.ended }, signal)
      return 'ready'
    case 'drop':
      return null
  }
}
