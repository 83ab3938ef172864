/** A clock that runs faster than the wall, for waiting out intervals. Time limits stay real: the machine is no faster. */
import { systemClock } from '@mission-control/host/clock'
import type { Clock } from '@mission-control/shared/clock'

export function createFastClock(factor: number): Clock {
  const wall = systemClock.now()
  const start = systemClock.monotonic()
  const passed = () => (systemClock.monotonic() - start) * factor
  return {
    now: () => wall + passed(),
    monotonic: passed,
    sleep: (ms, signal) => systemClock.sleep(ms / factor, signal),
    timeout: (ms) => systemClock.timeout(ms),
  }
}
