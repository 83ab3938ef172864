/** Constants of the lanes, each with its unit and reason. docs/architecture.md tells the story. */

/** Three missed check-ins of 15 s: while a runtime holds items it must show itself that often. */
export const LEASE_BUSY_MS = 45_000
/** Three missed check-ins of 60 s, the longest interval there is. */
export const LEASE_IDLE_MS = 180_000
/**
 * How long a runtime that holds nothing may be silent: three of the intervals it announced. Never below the busy lease, so that a
 * short interval does not make a short hiccup a takeover.
 */
export const idleLeaseMs = (announcedIntervalMs: number): number =>
  Math.min(LEASE_IDLE_MS, Math.max(LEASE_BUSY_MS, 3 * announcedIntervalMs))
/** Hard deadline of a claim, above any allowed TURN_TIMEOUT, so that only a runtime that forgot the item ever meets it. */
export const TURN_CAP_MS = 15 * 60_000
/** One HTTP call of the runtime to the backend. */
export const HTTP_TIMEOUT_MS = 5_000
/** An active runtime that does not list a claim this old never received the answer of `claim`. Longer than HTTP_TIMEOUT_MS, or a claim in flight would be taken back. */
export const ORPHAN_MS = 10_000
/** A misconfigured gateway or model: look again this often without using an attempt. */
export const CONFIGURATION_RETRY_MS = 60_000

export interface LanePolicy {
  /** Claims of one item before it is dead. */
  readonly attempts: number
  /** False: an attempt that did not end in an answer is skipped instead of tried again (heartbeats). */
  readonly retries: boolean
  readonly backoffBaseMs: number
  readonly backoffCapMs: number
  /** Share of the delay that jitter may add or take, so that many items do not come back at once. */
  readonly jitter: number
  readonly turnCapMs: number
}

export const DELIVERY_POLICY: LanePolicy = {
  attempts: 5,
  retries: true,
  backoffBaseMs: 2_000,
  backoffCapMs: 5 * 60_000,
  jitter: 0.2,
  turnCapMs: TURN_CAP_MS,
}

export const HEARTBEAT_POLICY: LanePolicy = { ...DELIVERY_POLICY, retries: false }

/**
 * Milliseconds to wait before the next attempt: min(cap, base * 2^(attempts - 1)) +- jitter.
 * @param attempts claims made so far, at least 1
 * @param random a number in [0, 1)
 */
export function backoffMs(attempts: number, random: number, policy: LanePolicy): number {
  const plain = Math.min(policy.backoffCapMs, policy.backoffBaseMs * 2 ** Math.max(0, attempts - 1))
  return Math.round(plain * (1 + policy.jitter * (2 * random - 1)))
}
