/**
 * Stops claims while the gateway cannot take turns, so that nothing burns attempts. Pure state; the delivery loop asks it.
 *
 *   closed ──gateway down, or a turn met a gateway that is──> open
 *   open ──gateway came up──> closed        open ──PROBE_MS passed and gateway says it is up──> half-open: one turn may try
 *   half-open ──turn got through──> closed        half-open ──met a gateway that is down──> open
 */
export interface Breaker {
  /** How many turns may be in flight now, of `slots`. */
  allow(slots: number): number
  /** Monotonic time at which asking again makes sense; `null`: only an event helps. */
  readonly probeAt: number | null
  /** Why no turn may even try now, or `null`. */
  readonly reason: string | null
  gateway(up: boolean, reason: string | null): void
  /** A turn failed because the gateway takes none. It may have said when to ask again. */
  tripped(reason: string, retryAfterMs: number | null): void
  /** A turn was accepted. */
  passed(): void
}

/** One probe a minute: a gateway that says it is up and refuses turns is starting, draining or out of capacity. */
export const PROBE_MS = 60_000

/** Whatever the gateway says, not more often than this. */
const SOONEST_MS = 1_000

export function createBreaker(monotonic: () => number): Breaker {
  let down: string | null = 'the gateway has not answered yet'
  let retryAt: number | null = null
  let trippedBy: string | null = null
  return {
    allow(slots) {
      if (down !== null) return 0
      if (retryAt === null) return slots
      return monotonic() >= retryAt ? Math.min(1, slots) : 0
    },
    get probeAt() {
      return down === null ? retryAt : null
    },
    get reason() {
      return down ?? (retryAt !== null && monotonic() < retryAt ? trippedBy : null)
    },
    gateway(up, reason) {
      down = up ? null : (reason ?? 'the gateway is down')
      // It came up again: what tripped us belongs to the life before.
      if (up) retryAt = trippedBy = null
    },
    tripped(reason, retryAfterMs) {
      retryAt = monotonic() + Math.min(PROBE_MS, Math.max(SOONEST_MS, retryAfterMs ?? PROBE_MS))
      trippedBy = reason
    },
    passed() {
      retryAt = trippedBy = null
    },
  }
}
