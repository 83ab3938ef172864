/** The real clock and randomness: the only file outside `packages/backend` that may touch the globals. */
import { randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { Clock, Random } from '@mission-control/shared/clock'

/** setTimeout fires at once for anything longer than this many milliseconds (2^31 - 1). */
const LONGEST_TIMER_MS = 2_147_483_647

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  async sleep(ms, signal) {
    let left = Math.max(0, ms)
    try {
      for (; left > LONGEST_TIMER_MS; left -= LONGEST_TIMER_MS) await delay(LONGEST_TIMER_MS, undefined, { signal })
      await delay(left, undefined, { signal })
    } catch (error) {
      throw signal?.aborted ? signal.reason : error
    }
  },
  timeout: (ms) => AbortSignal.timeout(Math.min(Math.max(0, Math.ceil(ms)), LONGEST_TIMER_MS)),
}

export const systemRandom: Random = {
  next: () => Math.random(),
  bytes: (length) => new Uint8Array(randomBytes(length)),
}
