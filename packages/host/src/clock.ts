/** The real clock and randomness: the only file outside `packages/backend` that may touch the globals. */
import { randomBytes } from 'node:crypto'
import type { Clock, Random } from '@mission-control/shared/clock'
import { sleepOn } from './sleep.ts'

/** setTimeout fires at once for anything longer than this many milliseconds (2^31 - 1). */
const LONGEST_TIMER_MS = 2_147_483_647

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  async sleep(ms, signal) {
    let left = Math.max(0, ms)
    for (; left > LONGEST_TIMER_MS; left -= LONGEST_TIMER_MS) await sleepOn(startTimer, LONGEST_TIMER_MS, signal)
    await sleepOn(startTimer, left, signal)
  },
  timeout: (ms) => AbortSignal.timeout(Math.min(Math.max(0, Math.ceil(ms)), LONGEST_TIMER_MS)),
}

/** A `StartTimer` of real time. */
function startTimer(ms: number, fire: () => void): () => void {
  const timer = setTimeout(fire, ms)
  return () => clearTimeout(timer)
}

/** Bytes asked of the system at once. */
const POOL_BYTES = 4_096

export const systemRandom: Random = createSystemRandom()

/** Random bytes are drawn in stock: each question to the system costs as much as hundreds of them. None is handed out twice. */
function createSystemRandom(): Random {
  let pool = new Uint8Array(0)
  let used = 0
  return {
    next: () => Math.random(),
    bytes(length) {
      if (length > POOL_BYTES) return new Uint8Array(randomBytes(length))
      if (used + length > pool.length) {
        pool = new Uint8Array(randomBytes(POOL_BYTES))
        used = 0
      }
      const drawn = pool.slice(used, used + length)
      pool.fill(0, used, used + length)
      used += length
      return drawn
    },
  }
}
