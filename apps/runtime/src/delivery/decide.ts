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
import type { ReadyHeads } from '@mission-control/shared/service-contract'

export interface Candidate {
  readonly id: string
  /** The backend's time; only compared with itself, to notice that the item was rescheduled. */
  readonly dueAt: number
  /** Monotonic ms before which claiming it again is pointless. */
  readonly notBefore: number
  /** Claims in a row that did not get it. */
  readonly fruitless: number
}

export interface DeliveryState {
  readonly candidates: readonly Candidate[]
  readonly held: ReadonlySet<string>
  /** Ids of the claim in flight. There is never more than one. */
  readonly claiming: readonly string[] | null
  /** No claim before this monotonic time: the last one did not get through. */
  readonly pausedUntil: number
  readonly failures: number
}

export type DeliveryEvent =
  | { readonly type: 'ready'; readonly heads: ReadyHeads }
  | { readonly type: 'claiming'; readonly ids: readonly string[] }
  | { readonly type: 'claimed'; readonly got: readonly string[]; readonly notDueInMs: number | null }
  /** No answer, or a refusal that is not about one item. */
  | { readonly type: 'claimFailed'; readonly random: number }
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

export const idleState: DeliveryState = { candidates: [], held: new Set(), claiming: null, pausedUntil: 0, failures: 0 }

export function reduce(state: DeliveryState, event: DeliveryEvent, now: number): DeliveryState {
  switch (event.type) {
    case 'ready': {
      const known = new Map(state.candidates.map((candidate) => [candidate.id, candidate]))
      const candidates = event.heads.map(({ id, dueAt }) => {
        const before = known.get(id)
        return before?.dueAt === dueAt ? before : { id, dueAt, notBefore: now, fruitless: 0 }
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
      return { ...state, candidates, held: new Set([...state.held, ...got]), claiming: null, failures: 0, pausedUntil: 0 }
    }
    case 'claimFailed': {
      const failures = state.failures + 1
      const pause = Math.min(FAILURE_CAP_MS, FAILURE_BASE_MS * 2 ** (failures - 1)) * (0.5 + event.random / 2)
      return { ...state, claiming: null, failures, pausedUntil: now + pause }
    }
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
  return {
    type: 'claim',
    ids: open
      .filter(({ notBefore }) => notBefore <= now)
      .slice(0, free)
      .map(({ id }) => id),
  }
}

function missed(candidate: Candidate, notDueInMs: number | null, now: number): Candidate {
  const backoff = Math.min(FRUITLESS_CAP_MS, FRUITLESS_BASE_MS * 2 ** candidate.fruitless)
  // Never sooner than the base, or an item due in a fraction of a millisecond would be asked for in a tight loop.
  const pause = Math.max(FRUITLESS_BASE_MS / 10, Math.min(backoff, notDueInMs ?? backoff))
  return { ...candidate, notBefore: now + pause, fruitless: candidate.fruitless + 1 }
}
