/**
 * Stops claims while the gateway cannot take turns, so that nothing burns attempts. Pure state; the delivery loop asks it.
 *
 *   closed ──gateway down, or a turn met a gateway that is──> open
 *   open ──gateway came up──> closed        open ──a pause has passed and the gateway says it is up──> half-open: one turn may try
 *   half-open ──turn got through──> closed        half-open ──met a gateway that is down──> open
 */
export interface Breaker {
  /** How many turns may be in flight now, of `slots`. */
  allow(slots: number): number
  /** Monotonic time at which asking again makes sense; `null`: only an event helps. */
  readonly probeAt: number | null
  /** Why no turn may even try now, or `null`. */
  readonly reason: string | null
  /** What the gateway that is up said when it refused a turn; `null` once it has taken one, or has come up anew. */
  readonly refusal: string | null
  gateway(up: boolean, reason: string | null): void
  /** A turn failed because the gateway takes none. It may have said when to ask again. */
  tripped(reason: string, retryAfterMs: number | null): void
  /** A turn was accepted. */
  passed(): void
}

/**
 * A gateway that says it is up and refuses turns is starting, draining, out of capacity or busy with one agent's files. Often that is
 * over in a moment, so the first probe comes soon, each later one after twice the pause, and in the end there is one a minute.
 * What the gateway itself says lies between the two.
 */
export const FIRST_PROBE_MS = 1_000
export const LAST_PROBE_MS = 60_000

export function createBreaker(monotonic: () => number): Breaker {
  let down: string | null = 'the gateway has not answered yet'
  let retryAt: number | null = null
  let trippedBy: string | null = null
  /** Refusals in a row; those that come together count as one. */
  let trips = 0
  function close(): void {
    retryAt = trippedBy = null
    trips = 0
  }
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
    get refusal() {
      return trippedBy
    },
    gateway(up, reason) {
      down = up ? null : (reason ?? 'the gateway is down')
      // It came up again: what tripped us belongs to the life before.
      if (up) close()
    },
    tripped(reason, retryAfterMs) {
      const now = monotonic()
      if (retryAt === null || now >= retryAt) trips += 1
      const pause = retryAfterMs ?? FIRST_PROBE_MS * 2 ** (trips - 1)
      retryAt = Math.max(retryAt ?? 0, now + Math.min(LAST_PROBE_MS, Math.max(FIRST_PROBE_MS, pause)))
      trippedBy = reason
    },
    passed: close,
  }
}
