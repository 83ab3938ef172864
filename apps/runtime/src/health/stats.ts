/**
 * What happened so far, over the life of the process and across active periods. The health page reads the counters; the metrics
 * listen to the same events.
 */
import type { ClaimedItem } from '@mission-control/shared/service-contract'
import type { Clock } from '@mission-control/shared/clock'
import type { ItemResult } from '../delivery/item.ts'

export interface StatsSnapshot {
  /** Wall clock of the last settled delivery, ms; `null` before the first. */
  readonly lastDelivery: number | null
  readonly delivered: number
  readonly failed: number
  /** Given back without using an attempt. */
  readonly released: number
  readonly heartbeatsDelivered: number
  /** How overdue the oldest ready head was at the last check-in, ms. */
  readonly oldestReadyAgeMs: number
}

/** `refused`: a coded refusal. `failed`: no answer, or the backend failed. */
export type CallResult = 'answered' | 'refused' | 'failed'

/**
 * What a due heartbeat came to: `begun` a turn, `idle` the agent had nothing to do (a receipt, no turn), `put_off` it could not begin
 * now (busy lane, paused), `failed` the call did not get through.
 */
export type HeartbeatEvent = 'begun' | 'idle' | 'put_off' | 'failed'

/** Everything the loops tell of themselves. */
export interface StatsEvents {
  /** One call of `claim`, answered or not. */
  claimCall(result: CallResult, ms: number): void
  /** An item is in our hands. */
  claimed(item: ClaimedItem): void
  /** The gateway has taken the turn, `ms` after the claim was answered. */
  accepted(item: ClaimedItem, ms: number): void
  /** It is out of our hands. */
  result(item: ClaimedItem, result: ItemResult): void
  /** One check-in. */
  checkIn(result: CallResult | 'superseded'): void
  /** An answered check-in said when the oldest ready head is due; `null`: there is none. */
  checkedIn(oldestDueInMs: number | null): void
  /** The ready query was asked over HTTP because the subscription could not be trusted. */
  fallbackPoll(): void
  heartbeats(event: HeartbeatEvent, count: number): void
}

export interface Stats extends StatsEvents {
  snapshot(): StatsSnapshot
}

/** @param observer hears every event as well */
export function createStats(clock: Clock, observer?: StatsEvents): Stats {
  let snapshot: StatsSnapshot = {
    lastDelivery: null,
    delivered: 0,
    failed: 0,
    released: 0,
    heartbeatsDelivered: 0,
    oldestReadyAgeMs: 0,
  }
  return {
    claimCall: (result, ms) => observer?.claimCall(result, ms),
    claimed: (item) => observer?.claimed(item),
    accepted: (item, ms) => observer?.accepted(item, ms),
    result(item, result) {
      observer?.result(item, result)
      const { verdict, state } = result
      if (verdict.kind === 'settle' && state === 'delivered') {
        const heartbeatsDelivered = snapshot.heartbeatsDelivered + (item.type === 'heartbeat' ? 1 : 0)
        snapshot = { ...snapshot, heartbeatsDelivered, delivered: snapshot.delivered + 1, lastDelivery: clock.now() }
      } else if (verdict.kind === 'fail') snapshot = { ...snapshot, failed: snapshot.failed + 1 }
      else if (verdict.kind === 'release') snapshot = { ...snapshot, released: snapshot.released + 1 }
    },
    checkIn: (result) => observer?.checkIn(result),
    checkedIn(oldestDueInMs) {
      observer?.checkedIn(oldestDueInMs)
      snapshot = { ...snapshot, oldestReadyAgeMs: Math.max(0, -(oldestDueInMs ?? 0)) }
    },
    fallbackPoll: () => observer?.fallbackPoll(),
    heartbeats: (event, count) => observer?.heartbeats(event, count),
    snapshot: () => snapshot,
  }
}
