/** A request that is turned away at the door, before any tool is called, and the log of such requests, which no stranger can flood. */
import type { Clock } from '@mission-control/shared/clock'
import type { Log } from '../log.ts'

export class Refusal extends Error {
  override readonly name = 'Refusal'
  readonly status: number
  /** A short word for the log: refusals of one kind are logged together. */
  readonly kind: string
  /** Seconds after which trying again makes sense. */
  readonly retryAfterS: number | null

  /** @param message one sentence for the caller; names no secret, path or address of ours */
  constructor(status: number, kind: string, message: string, retryAfterS: number | null = null) {
    super(message)
    this.status = status
    this.kind = kind
    this.retryAfterS = retryAfterS
  }
}

/** One line per kind and minute; the next one says how many it stands for. */
const LOG_EVERY_MS = 60_000

export interface RefusalLog {
  refused(kind: string, fields: object): void
  /** Since the start. */
  count(): number
}

export function createRefusalLog({ clock, log }: { readonly clock: Clock; readonly log: Log }): RefusalLog {
  const kinds = new Map<string, { at: number; unsaid: number }>()
  let count = 0
  return {
    refused(kind, fields) {
      count += 1
      const now = clock.monotonic()
      const last = kinds.get(kind)
      if (last !== undefined && now - last.at < LOG_EVERY_MS) {
        last.unsaid += 1
        return
      }
      kinds.set(kind, { at: now, unsaid: 0 })
      const more = last === undefined || last.unsaid === 0 ? {} : { unsaid: last.unsaid }
      log.warn({ kind, ...fields, ...more }, 'a request to the tools endpoint was refused')
    },
    count: () => count,
  }
}
