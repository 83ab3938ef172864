/**
 * When to claim, and what. Pure: (state, event, now) -> state, and `next` says what the loop does now.
 *
 * The list of ready heads is a level, not a series of events: whatever it names, is not held and has not just been tried is
 * claimed as soon as a slot is free. Nothing here looks at the backend's clock; `now` is the runtime's monotonic one.
 *
 *   ready list ──> candidate ──claim──> held ──ended──> (gone; the list says whether there is more)
 *                     ▲  └─ not got: tried again after min(backoff, time until due) ─┐
 *                     └──────────────────────────────────────────────────────────────┘
 */
import { LIMITS } from '@mission-control/shared/limits'
import type { ReadyHeads } from '@mission-control/shared/service-contract'

export interface Candidate {
  readonly id: string
  /** The backend's time; only compared with itself, to notice that the item was rescheduled. */
  readonly dueAt: number
  /** Monotonic ms before which claiming it again is pointless. */
  readonly notBefore: number
  /** Claims in a row that did not get it. */
  readonly fruitless: number
  /** The backend has failed on it when it was named alone: it is not named with others again. */
  readonly alone: boolean
}

export interface DeliveryState {
  readonly candidates: readonly Candidate[]
  readonly held: ReadonlySet<string>
  /** Ids of the claim in flight. There is never more than one. */
  readonly claiming: readonly string[] | null
  /** No claim before this monotonic time: the last one did not get through. */
  readonly pausedUntil: number
  readonly failures: number
  /** Ids the next claim may name. One item that the backend fails on must not keep out those it is named with. */
  readonly atOnce: number
}

export type DeliveryEvent =
  | { readonly type: 'ready'; readonly heads: ReadyHeads }
  | { readonly type: 'claiming'; readonly ids: readonly string[] }
  | { readonly type: 'claimed'; readonly got: readonly string[]; readonly notDueInMs: number | null }
  /**
   * No answer, or a refusal that is not about one item. `answered`: the backend failed on it, which may be because of a single item of
   * those that were named.
   */
  | { readonly type: 'claimFailed'; readonly random: number; readonly answered: boolean }
  /** The backend answers again, whoever it was that it answered. */
  | { readonly type: 'answering' }
  /** Began outside the list (a heartbeat). */
  | { readonly type: 'taken'; readonly id: string }
  | { readonly type: 'ended'; readonly id: string }

export type DeliveryAction =
  | { readonly type: 'claim'; readonly ids: readonly string[] }
  /** Nothing before `ms` unless an event comes; `null`: only an event helps. */
  | { readonly type: 'wait'; readonly ms: number | null }

/** First pause after a claim that did not get a candidate: the list lags behind by a subscription update, rarely more. */
export const FRUITLESS_BASE_MS = 200
/** An item that is announced and never got is looked at once a minute. */
export const FRUITLESS_CAP_MS = 60_000
/** First pause after a claim without an answer. */
export const FAILURE_BASE_MS = 250
export const FAILURE_CAP_MS = 15_000

export const idleState: DeliveryState = {
  ...{ candidates: [], held: new Set<string>(), claiming: null },
  ...{ pausedUntil: 0, failures: 0, atOnce: LIMITS.claimIds },
}

export function reduce(state: DeliveryState, event: DeliveryEvent, now: number): DeliveryState {
  switch (event.type) {
    case 'ready': {
      const known = new Map(state.candidates.map((candidate) => [candidate.id, candidate]))
      const candidates = event.heads.map(({ id, dueAt }) => {
        const before = known.get(id)
        return before?.dueAt === dueAt ? before : { id, dueAt, notBefore: now, fruitless: 0, alone: false }
      })
      return { ...state, candidates }
    }
    case 'claiming':
      return { ...state, claiming: event.ids }
    case 'claimed': {
      const asked = new Set(state.claiming)
      const got = new Set(event.got)
      const candidates = state.candidates
        .filter(({ id }) => !got.has(id))
        .map((candidate) => (asked.has(candidate.id) ? missed(candidate, event.notDueInMs, now) : candidate))
      const atOnce = Math.min(LIMITS.claimIds, state.atOnce * 2)
      return { ...state, candidates, held: new Set([...state.held, ...got]), claiming: null, failures: 0, pausedUntil: 0, atOnce }
    }
    case 'claimFailed': {
      const failures = state.failures + 1
      const pause = Math.min(FAILURE_CAP_MS, FAILURE_BASE_MS * 2 ** (failures - 1)) * (0.5 + event.random / 2)
      const failed = { ...state, claiming: null, failures, pausedUntil: now + pause }
      return event.answered ? narrowed(failed, state.claiming ?? [], now) : failed
    }
    case 'answering':
      return { ...state, pausedUntil: 0 }
    case 'taken':
      return { ...state, held: new Set([...state.held, event.id]) }
    case 'ended': {
      const held = new Set(state.held)
      held.delete(event.id)
      return { ...state, held }
    }
  }
}

/** @param slots turns that may be in flight at once */
export function next(state: DeliveryState, now: number, slots: number): DeliveryAction {
  const free = slots - state.held.size
  if (state.claiming !== null || free <= 0) return { type: 'wait', ms: null }
  const open = state.candidates.filter(({ id }) => !state.held.has(id))
  if (open.length === 0) return { type: 'wait', ms: null }
  const at = Math.max(state.pausedUntil, Math.min(...open.map(({ notBefore }) => notBefore)))
  if (at > now) return { type: 'wait', ms: at - now }
  const due = open.filter(({ notBefore }) => notBefore <= now)
  const suspect = due.find(({ alone }) => alone)
  const named = suspect ? [suspect] : due.slice(0, Math.min(free, state.atOnce))
  return { type: 'claim', ids: named.map(({ id }) => id) }
}

/**
 * Half of those that failed together are named next, until one fails alone: it is set aside, and the others go on at once. Its pause is
 * no longer than that of a claim without an answer, because a backend that is out of order fails on each of them.
 */
function narrowed(state: DeliveryState, asked: readonly string[], now: number): DeliveryState {
  if (asked.length > 1) return { ...state, atOnce: Math.ceil(asked.length / 2) }
  const candidates = state.candidates.map((one) =>
    asked.includes(one.id) ? { ...missed(one, FAILURE_CAP_MS, now), alone: true } : one,
  )
  return { ...state, candidates, failures: 0, pausedUntil: 0 }
}

function missed(candidate: Candidate, notDueInMs: number | null, now: number): Candidate {
  const backoff = Math.min(FRUITLESS_CAP_MS, FRUITLESS_BASE_MS * 2 ** candidate.fruitless)
  // Never sooner than the base, or an item due in a fraction of a millisecond would be asked for in a tight loop.
  const pause = Math.max(FRUITLESS_BASE_MS / 10, Math.min(backoff, notDueInMs ?? backoff))
  return { ...candidate, notBefore: now + pause, fruitless: candidate.fruitless + 1 }
}
