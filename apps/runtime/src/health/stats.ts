/** Counters over the life of the process, across active periods. */
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

export interface Stats {
  result(item: ClaimedItem, result: ItemResult): void
  checkedIn(oldestDueInMs: number | null): void
  snapshot(): StatsSnapshot
}

export function createStats(clock: Clock): Stats {
  let snapshot: StatsSnapshot = {
    lastDelivery: null,
    delivered: 0,
    failed: 0,
    released: 0,
    heartbeatsDelivered: 0,
    oldestReadyAgeMs: 0,
  }
  return {
    result(item, { verdict, state }) {
      if (verdict.kind === 'settle' && state === 'delivered') {
        const heartbeatsDelivered = snapshot.heartbeatsDelivered + (item.type === 'heartbeat' ? 1 : 0)
        snapshot = { ...snapshot, heartbeatsDelivered, delivered: snapshot.delivered + 1, lastDelivery: clock.now() }
      } else if (verdict.kind === 'fail') snapshot = { ...snapshot, failed: snapshot.failed + 1 }
      else if (verdict.kind === 'release') snapshot = { ...snapshot, released: snapshot.released + 1 }
    },
    checkedIn(oldestDueInMs) {
      snapshot = { ...snapshot, oldestReadyAgeMs: Math.max(0, -(oldestDueInMs ?? 0)) }
    },
    snapshot: () => snapshot,
  }
}
