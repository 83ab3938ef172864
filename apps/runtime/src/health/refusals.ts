/** Requests that were refused, in the log: the first of a kind at once, then one line a minute however many come. */
import type { Clock } from '@mission-control/shared/clock'
import type { Log } from '../log.ts'

const QUIET_MS = 60_000

export interface Refusals {
  /** @param reason one of a handful of texts of ours, never anything the request said */
  readonly note: (reason: string) => void
}

export function createRefusals({ log, clock }: { log: Log; clock: Clock }): Refusals {
  const seen = new Map<string, { loggedAt: number; since: number }>()
  return {
    note: (reason) => {
      const now = clock.monotonic()
      const before = seen.get(reason)
      if (before !== undefined && now - before.loggedAt < QUIET_MS) {
        before.since += 1
        return
      }
      log.warn({ reason, ...(before === undefined ? {} : { more: before.since }) }, 'refused a request to the health port')
      seen.set(reason, { loggedAt: now, since: 0 })
    },
  }
}
