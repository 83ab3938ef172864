/**
 * A clock that runs faster than the wall, for waiting out intervals. Time limits stay real: the machine is no faster. So do the gateway's
 * ticks: it says them by the wall, and would seem to have fallen silent.
 */
import { systemClock } from '@mission-control/host/clock'
import { TICK_MS } from '@mission-control/openclaw/testing/fake/server'
import type { Clock } from '@mission-control/shared/clock'

export function createFastClock(factor: number): Clock {
  const wall = systemClock.now()
  const start = systemClock.monotonic()
  const passed = () => (systemClock.monotonic() - start) * factor
  return {
    now: () => wall + passed(),
    monotonic: passed,
    sleep: (ms, signal) => systemClock.sleep(ms === TICK_MS ? ms : ms / factor, signal),
    timeout: (ms) => systemClock.timeout(ms),
  }
}
