/**
 * Requests that are turned away, in the log. No stranger can flood it: the first of a kind is said at once, then one line a minute
 * stands for all that came meanwhile.
 */
import type { Clock } from '@mission-control/shared/clock'
import type { Log } from '../log.ts'

const LOG_EVERY_MS = 60_000

export interface RefusalLog {
  /** @param kind one of a handful of texts of ours, never anything the request said */
  readonly refused: (kind: string, fields?: object) => void
  /** Since the start. */
  count(): number
}

/** @param message of each line, for example `a request to the health port was refused` */
export function createRefusalLog({ clock, log }: { readonly clock: Clock; readonly log: Log }, message: string): RefusalLog {
  const kinds = new Map<string, { at: number; unsaid: number }>()
  let count = 0
  return {
    refused: (kind, fields = {}) => {
      count += 1
      const now = clock.monotonic()
      const last = kinds.get(kind)
      if (last !== undefined && now - last.at < LOG_EVERY_MS) {
        last.unsaid += 1
        return
      }
      kinds.set(kind, { at: now, unsaid: 0 })
      const more = last === undefined || last.unsaid === 0 ? {} : { unsaid: last.unsaid }
      log.warn({ kind, ...fields, ...more }, message)
    },
    count: () => count,
  }
}
