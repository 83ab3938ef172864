/**
 * Runs one turn to its end: an answer, a receipt, or an error that says whether the key is spent (`ended`).
 *
 *   fresh ──> send ──> wait ──ok──> answer
 *               │        ├─ error, limit ──> error, ended
 *   reconcile ──┼─> look ┤
 *               │   ▲    └─ wait expired, connection lost, another boot ─> look
 *               └───┘
 *   deadline or signal, anywhere: abort, confirm (abort.ts)
 *
 * The fresh path is one request before acceptance and nothing else: that moment is the product's headline figure.
 * What a look means is decided in decide.ts; this file only performs effects.
 */
import type { Clock } from '@mission-control/shared/clock'
import { untilAborted } from '@mission-control/host/until-aborted'
import { GatewayError, isGatewayError } from '../errors.ts'
import type { Gateway, SendAnswer, SendRequest, TurnUsage, WaitAnswer } from '../gateway.ts'
import { confirmEnded } from './abort.ts'
import { isDraining, isOvertaken, runError } from './classify.ts'
import type { Action } from './decide.ts'
import { decide, turnUsage } from './decide.ts'
import type { TurnRequest, TurnResult } from './types.ts'
import { stopMode } from './types.ts'

export interface TurnDeps {
  readonly gateway: Gateway
  readonly clock: Clock
}

/** One wait request. Short enough to notice by looking when a run got lost, long enough to cost nothing. */
const WAIT_CHUNK_MS = 30_000

/** How long the wait is asked about a key whose row stands without an answer. */
const PROBE_MS = 2000

/** Pause before looking again when the gateway is between two states (a recovery starting, a row about to be written). */
const SETTLE_PAUSE_MS = 250

/** The gateway restarts interrupted recoveries one after the other; each takes a whole turn. */
const RECOVERY_PAUSE_MS = 1000

/** The gateway's own limit is this much shorter than ours, so that a slow turn ends there, cleanly, and not by our abort. */
const GATEWAY_LIMIT_LEAD_MS = 2000

/** Reading the usage must not hold up an answer. */
const USAGE_READ_MS = 3000

/** What one run of the loop knows. */
interface Progress {
  /** Something may have reached the gateway under this key. */
  mayHaveBeenSent: boolean
  acceptedAt: number | null
  recovered: boolean
}

/**
 * Resolves with the turn's answer or receipt. Throws `GatewayError`; its `ended` is true only when the key is certain never to
 * run again, so that the next attempt needs a new one.
 */
export async function runTurn(deps: TurnDeps, request: TurnRequest): Promise<TurnResult> {
  const { clock } = deps
  const progress: Progress = { mayHaveBeenSent: request.reconcile === true, acceptedAt: null, recovered: false }
  const deadline = clock.timeout(request.timeoutMs)
  const signal = request.signal === undefined ? deadline : AbortSignal.any([request.signal, deadline])
  try {
    signal.throwIfAborted()
    return await drive(deps, request, progress, signal)
  } catch (error) {
    if (!signal.aborted) throw await withUsage(deps, request, progress, known(error))
    return endEarly(deps, request, progress, error)
  }
}

/** Tokens are spent whether or not they led to an answer. Only asked where a run has ended: what goes on is counted at its end. */
async function withUsage(deps: TurnDeps, request: TurnRequest, progress: Progress, error: GatewayError): Promise<GatewayError> {
  if (!progress.mayHaveBeenSent || !error.ended || !error.code.startsWith('TURN_')) return error
  return error.withUsage(await usageOf(deps, request))
}

/** Deadline or signal: nothing was sent, or the turn is aborted and its end confirmed. */
async function endEarly(deps: TurnDeps, request: TurnRequest, progress: Progress, thrown: unknown): Promise<TurnResult> {
  const stopped = request.signal?.aborted === true
  const mode = stopped ? stopMode(request.signal.reason) : 'abort'
  const error = stopped
    ? new GatewayError('TURN_ABORTED', `the turn was stopped (${mode})`, { cause: thrown })
    : new GatewayError('TURN_TIMEOUT', `the turn did not end within ${request.timeoutMs} ms`, { cause: thrown })
  // Never sent: at a deadline the reason is worth more than the lapse of time.
  if (!progress.mayHaveBeenSent) throw (!stopped && isGatewayError(thrown) ? thrown : error).withEnded(true)
  if (mode === 'detach') throw error
  const end = await confirmEnded(deps, sendRequest(request), request.endBudgetMs)
  if (end.kind === 'answer' && mode !== 'discard') return result(deps, progress, end.text, end.usage)
  if (end.kind === 'stuck') throw new GatewayError('TURN_STUCK', `${error.message}; ${end.message}`, { cause: error })
  throw await withUsage(deps, request, progress, error.withEnded(true))
}

async function drive(deps: TurnDeps, request: TurnRequest, progress: Progress, signal: AbortSignal): Promise<TurnResult> {
  let action: Action = request.reconcile === true ? await lookOrAnswer(deps, request, false, signal) : { kind: 'send' }
  for (;;) {
    switch (action.kind) {
      case 'send':
        action = await send(deps, request, progress, signal)
        break
      case 'wait':
        accept(deps, request, progress, 'known', '')
        action = await waitFor(deps, request, action.runId, signal)
        break
      case 'probe':
        action = await probe(deps, request, signal)
        break
      case 'pause':
        await deps.clock.sleep(RECOVERY_PAUSE_MS, signal)
        action = await look(deps, request, true, signal)
        break
      case 'settle':
        return result(deps, progress, action.text, action.usage ?? (await usageOf(deps, request)))
      case 'spent':
        throw new GatewayError('TURN_KEY_SPENT', `the gateway lost the input before it ran (${action.state})`, { ended: true })
      case 'failed':
        throw runError(action.message, null)
    }
  }
}

async function send(deps: TurnDeps, request: TurnRequest, progress: Progress, signal: AbortSignal): Promise<Action> {
  const sentBefore = progress.mayHaveBeenSent
  progress.mayHaveBeenSent = true
  let answer: SendAnswer
  try {
    answer = await deps.gateway.send(sendRequest(request), signal)
  } catch (error) {
    if (!isGatewayError(error) || error.code === 'TURN_KEY_SPENT') throw error
    if (error.code === 'GATEWAY_DISCONNECTED') return look(deps, request, false, signal)
    if (error.code === 'UNKNOWN_AGENT' && sentBefore) return agentGone(deps, request, error, signal)
    // A refusal says that this request did nothing; an earlier one may still be at work.
    progress.mayHaveBeenSent = sentBefore || !error.ended
    throw error.withEnded(!progress.mayHaveBeenSent)
  }
  if (answer.status !== 'ended') {
    accept(deps, request, progress, answer.status === 'accepted' ? 'accepted' : 'known', answer.bootId)
    return { kind: 'wait', runId: request.turnKey }
  }
  const found = await look(deps, request, true, signal)
  if (found.kind !== 'send') return found
  throw new GatewayError('TURN_ABORTED', 'this key was aborted earlier', { ended: true })
}

async function waitFor(deps: TurnDeps, request: TurnRequest, runId: string, signal: AbortSignal): Promise<Action> {
  const answer = await ask(deps, runId, WAIT_CHUNK_MS, signal)
  if (runId === request.turnKey) return judge(deps, request, answer, signal)
  // Another run recovers our turn. Its rows say what became of it; give the last one a moment to be written.
  if (answer.status !== 'pending' && answer.status !== 'lost') await deps.clock.sleep(SETTLE_PAUSE_MS, signal)
  return look(deps, request, false, signal)
}

async function probe(deps: TurnDeps, request: TurnRequest, signal: AbortSignal): Promise<Action> {
  return judge(deps, request, await ask(deps, request.turnKey, PROBE_MS, signal), signal)
}

/** What the end of our own run means. */
async function judge(deps: TurnDeps, request: TurnRequest, answer: WaitAnswer | Lost, signal: AbortSignal): Promise<Action> {
  switch (answer.status) {
    case 'ok':
      return { kind: 'settle', text: answer.text, usage: null }
    case 'timeout':
      throw new GatewayError('TURN_TIMEOUT', answer.message, { ended: true })
    case 'error':
      if (isOvertaken(answer.message) || isDraining(answer.message)) {
        await deps.clock.sleep(SETTLE_PAUSE_MS, signal)
        return look(deps, request, false, signal)
      }
      return unlessAnswered(deps, request, runError(answer.message, answer.stopReason), signal)
    case 'pending':
      return lookOrAnswer(deps, request, true, signal)
    case 'lost':
      return lookOrAnswer(deps, request, false, signal)
  }
}

/**
 * A look that does not keep a known answer waiting. Readers of a session wait while the gateway tidies its database (half a minute and
 * more on a loaded machine, again and again), and a look that is cut off and asked anew may never get through, long after the turn has
 * ended. The wait is answered from memory: what it calls a good end needs no rows. Any other end is the look's to explain.
 */
async function lookOrAnswer(deps: TurnDeps, request: TurnRequest, probed: boolean, signal: AbortSignal): Promise<Action> {
  const decided = new AbortController()
  const both = AbortSignal.any([signal, decided.signal])
  try {
    return await Promise.race([look(deps, request, probed, both), answerOf(deps, request, both)])
  } finally {
    decided.abort(new Error('the other question was answered first'))
  }
}

/** Resolves when the wait has a good end to tell; otherwise rejects when the signal aborts. */
async function answerOf(deps: TurnDeps, request: TurnRequest, signal: AbortSignal): Promise<Action> {
  for (;;) {
    const end = await ask(deps, request.turnKey, WAIT_CHUNK_MS, signal).catch(() => null)
    if (end?.status === 'ok') return { kind: 'settle', text: end.text, usage: null }
    // Refused for good, or an end that is not the last word: the look says what is true.
    if (end?.status !== 'pending' && end?.status !== 'lost') return untilAborted(new Promise<never>(() => undefined), signal)
    await deps.clock.sleep(SETTLE_PAUSE_MS, signal)
  }
}

/** An error can be the echo of a key sent twice: a good answer that stands in the transcript is the truth. */
async function unlessAnswered(deps: TurnDeps, request: TurnRequest, error: GatewayError, signal: AbortSignal): Promise<Action> {
  const found = await look(deps, request, true, signal)
  if (found.kind === 'settle') return found
  throw error
}

interface Lost {
  readonly status: 'lost'
}

/**
 * The wait, with a lost connection as an answer instead of an error: the run goes on without us. A refusal of the wait is about the
 * wait alone and never ends the turn, whatever `ended` says about that request.
 */
async function ask(deps: TurnDeps, runId: string, waitMs: number, signal: AbortSignal): Promise<WaitAnswer | Lost> {
  try {
    return await deps.gateway.wait(runId, waitMs, signal)
  } catch (error) {
    if (!isGatewayError(error)) throw error
    if (error.class === 'retryable') return { status: 'lost' }
    throw error.withEnded(false)
  }
}

/**
 * Reads the transcript until it answers: while the gateway restarts there is nothing better to do than to ask again. Only called
 * about a key that may have been sent, so a refused look leaves the turn open: the next attempt looks again.
 */
async function look(deps: TurnDeps, request: TurnRequest, probed: boolean, signal: AbortSignal): Promise<Action> {
  for (;;) {
    try {
      return decide(await deps.gateway.history(request.sessionKey, [request.turnKey], signal), request.turnKey, probed)
    } catch (error) {
      if (!isGatewayError(error)) throw error
      if (error.code === 'UNKNOWN_AGENT') return agentGone(deps, request, error, signal)
      if (error.class !== 'retryable') throw error.withEnded(false)
      await deps.clock.sleep(error.retryAfterMs ?? SETTLE_PAUSE_MS, signal)
    }
  }
}

/**
 * A turn that may have been sent, of an agent the gateway no longer has: removed, or renamed, since session keys name the slug. The
 * removal leaves a live run alone, so that is aborted here and the wait asked for its end; an answer from before counts.
 * Without an end to report the turn is over all the same: nothing of it is live, and a gateway that refuses the agent starts neither
 * this key nor another. Left open, the item would be tried for ever under a name that no longer exists; ended, its next turn gets
 * the lane's present session key. The price: an agent that only went missing from the configuration and comes back with its
 * sessions can be asked again for what it answered in an earlier life of the gateway.
 */
async function agentGone(deps: TurnDeps, request: TurnRequest, error: GatewayError, signal: AbortSignal): Promise<Action> {
  try {
    await deps.gateway.abort(request.sessionKey, signal)
  } catch (refusal) {
    // It aborts the run of a removed agent and answers UNAVAILABLE. What came of it, the wait says.
    if (!isGatewayError(refusal)) throw refusal
  }
  const end = await ask(deps, request.turnKey, PROBE_MS, signal)
  switch (end.status) {
    case 'ok':
      return { kind: 'settle', text: end.text, usage: null }
    case 'timeout':
      throw new GatewayError('TURN_TIMEOUT', end.message, { ended: true })
    case 'error':
      throw runError(end.message, end.stopReason)
    case 'pending':
      throw error.withEnded(true)
    case 'lost':
      return { kind: 'pause' } // another gateway may know better
  }
}

function accept(deps: TurnDeps, request: TurnRequest, progress: Progress, how: 'accepted' | 'known', bootId: string): void {
  if (how === 'known' && progress.acceptedAt === null) progress.recovered = true
  if (progress.acceptedAt !== null) return
  const at = deps.clock.now()
  progress.acceptedAt = at
  request.onAccepted?.({ at, how, bootId })
}

async function usageOf({ gateway, clock }: TurnDeps, request: TurnRequest): Promise<TurnUsage | null> {
  try {
    return turnUsage(await gateway.history(request.sessionKey, [request.turnKey], clock.timeout(USAGE_READ_MS)), request.turnKey)
  } catch {
    return null // the answer is what matters; null says "unknown"
  }
}

function result({ clock }: TurnDeps, progress: Progress, text: string, usage: TurnUsage | null): TurnResult {
  return {
    outcome: isReceipt(text) ? 'receipt' : 'reply',
    text,
    acceptedAt: progress.acceptedAt,
    repliedAt: clock.now(),
    usage,
    recovered: progress.recovered || progress.acceptedAt === null,
  }
}

/** Agents say exactly this, or nothing, when there is nothing to post. */
export function isReceipt(text: string): boolean {
  const bare = text.trim()
  return bare === '' || bare === 'HEARTBEAT_OK'
}

function sendRequest(request: TurnRequest): SendRequest {
  const { sessionKey, turnKey, message, extraSystemPrompt, attachments, timeoutMs } = request
  return {
    sessionKey,
    turnKey,
    message,
    timeoutMs: Math.max(1000, timeoutMs - GATEWAY_LIMIT_LEAD_MS),
    ...(extraSystemPrompt === undefined ? {} : { extraSystemPrompt }),
    ...(attachments === undefined ? {} : { attachments }),
  }
}

/** Anything unexpected keeps the key open: better a look on the next attempt than a second run. */
function known(error: unknown): GatewayError {
  if (isGatewayError(error)) return error
  return new GatewayError('TURN_FAILED', error instanceof Error ? error.message : String(error), { cause: error, ended: false })
}
