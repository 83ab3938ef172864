/** A clock that stands still until told to move. Two hands: `jump` moves only the wall clock. */
import { sleepOn } from '@mission-control/host/sleep'
import type { Clock, Random } from '@mission-control/shared/clock'

interface Timer {
  readonly at: number
  readonly n: number
  fire(): void
}

export interface ManualClock extends Clock {
  /** Lets `ms` pass: fires timers in order and lets everything they wake run before the next one. */
  advance(ms: number): Promise<void>
  /** Lets everything run that needs no time. */
  settle(): Promise<void>
  jump(ms: number): void
  /** Timers that have not fired. */
  readonly pending: number
}

export function createManualClock(start = 1_700_000_000_000): ManualClock {
  let passed = 0
  let wall = start
  let count = 0
  let timers: Timer[] = []

  const at = (ms: number, fire: () => void): (() => void) => {
    const timer = { at: passed + Math.max(0, ms), n: (count += 1), fire }
    timers.push(timer)
    return () => void (timers = timers.filter((other) => other !== timer))
  }
  const settle = async () => {
    // Promise chains in the code under test are finite; a handful of macrotasks outlasts them.
    for (let i = 0; i < 4; i += 1) await new Promise((resolve) => setImmediate(resolve))
  }
  return {
    now: () => wall + passed,
    monotonic: () => passed,
    sleep: (ms, signal) => sleepOn(at, ms, signal),
    timeout(ms) {
      const controller = new AbortController()
      at(ms, () => controller.abort(new DOMException('timed out', 'TimeoutError')))
      return controller.signal
    },
    async advance(ms) {
      await settle()
      const end = passed + ms
      for (;;) {
        const next = timers.filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at || a.n - b.n)[0]
        if (next === undefined) break
        timers = timers.filter((timer) => timer !== next)
        passed = Math.max(passed, next.at)
        next.fire()
        await settle()
      }
      passed = end
    },
    settle,
    jump: (ms) => void (wall += ms),
    get pending() {
      return timers.length
    },
  }
}

/** The same numbers every time. */
export function createSeededRandom(seed = 1): Random {
  let state = seed
  const next = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
  return { next, bytes: (length) => Uint8Array.from({ length }, () => Math.floor(next() * 256)) }
}
