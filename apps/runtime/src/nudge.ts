/** A sleep that can be cut short. A nudge is only a hint: both ways out run the same code. */
import type { Clock } from '@mission-control/shared/clock'

export interface Sleeper {
  /** Ends the current sleep, or the next one at once if nobody sleeps now. */
  nudge(): void
  /** Resolves after `ms` (`null`: never by itself), at a nudge, or when `signal` aborts. Never rejects. */
  sleep(ms: number | null, signal: AbortSignal): Promise<void>
}

export function createSleeper(clock: Clock): Sleeper {
  let nudged = false
  let wake: (() => void) | null = null
  return {
    nudge() {
      nudged = true
      wake?.()
    },
    async sleep(ms, signal) {
      if (!nudged && !signal.aborted && (ms === null || ms > 0)) {
        const timer = new AbortController()
        const woken = Promise.withResolvers<void>()
        const wakeUp = () => woken.resolve()
        wake = wakeUp
        signal.addEventListener('abort', wakeUp, { once: true })
        const slept = ms === null ? [] : [clock.sleep(ms, timer.signal).catch(() => undefined)]
        await Promise.race([woken.promise, ...slept])
        signal.removeEventListener('abort', wakeUp)
        wake = null
        timer.abort()
      }
      nudged = false
    },
  }
}
