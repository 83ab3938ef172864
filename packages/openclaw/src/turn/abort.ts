/**
 * Ends a turn and makes sure of it. An abort by session key ends the run in flight and what is queued behind it, but not a
 * recovery the gateway has planned and not begun: that one is first taken over by sending the same key again.
 */
import { isGatewayError, messageOf } from '../errors.ts'
import type { SendRequest, TurnUsage } from '../gateway.ts'
import type { TurnDeps } from './run.ts'
import { decide, isIdle } from './decide.ts'

/** For everything below. An abort takes 0.2 s on a healthy gateway; a restarting one needs its start time. */
const BUDGET_MS = 30_000

/** How long the wait may take to report the end of an aborted run. */
const END_WAIT_MS = 2000

const PAUSE_MS = 250

export type End =
  | { readonly kind: 'answer'; readonly text: string; readonly usage: TurnUsage | null }
  /** Certain: the key is not running and will not run. */
  | { readonly kind: 'ended' }
  | { readonly kind: 'stuck'; readonly message: string }

export async function confirmEnded(deps: TurnDeps, request: SendRequest, budgetMs = BUDGET_MS): Promise<End> {
  const signal = deps.clock.timeout(budgetMs)
  let last = 'its end could not be confirmed'
  while (!signal.aborted) {
    try {
      const end = await tryOnce(deps, request, signal)
      if (end !== null) return end
    } catch (error) {
      if (isGatewayError(error) && error.code === 'TURN_KEY_SPENT') return { kind: 'ended' }
      if (isGatewayError(error) && error.class === 'configuration') return { kind: 'stuck', message: error.message }
      last = messageOf(error)
    }
    await deps.clock.sleep(PAUSE_MS, signal).catch(() => undefined)
  }
  return { kind: 'stuck', message: last }
}

async function tryOnce({ gateway }: TurnDeps, request: SendRequest, signal: AbortSignal): Promise<End | null> {
  const { sessionKey, turnKey } = request
  await gateway.abort(sessionKey, signal)
  const answer = await gateway.wait(turnKey, END_WAIT_MS, signal)
  if (answer.status === 'ok') return { kind: 'answer', text: answer.text, usage: null }

  const snapshot = await gateway.history(sessionKey, [turnKey], signal)
  const action = decide(snapshot, turnKey, true)
  if (action.kind === 'settle') return { kind: 'answer', text: action.text, usage: action.usage }
  const queued = action.kind === 'wait' && action.runId === turnKey
  if (isIdle(snapshot) && !queued) return { kind: 'ended' }
  // `running` without a run: a recovery is pending and an abort does not touch it. Ours takes its place, the next round ends it.
  if (!snapshot.hasActiveRun && snapshot.status === 'running' && !queued) await gateway.send(request, signal)
  return null
}
