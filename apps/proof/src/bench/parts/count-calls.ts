/** The rate of calls of a client that does nothing, whatever the moment at which one begins to look. */
import type { Clock } from '@mission-control/shared/clock'

const DAY_MS = 86_400_000
const PRESENCE = 'service/runtime:checkIn'

/** Counts from `begin` on: the calls from one presence call (not counted) to the `presences`th after it (counted). */
export function countCalls(clock: Pick<Clock, 'monotonic'>, presences: number) {
  const { promise, resolve } = Promise.withResolvers<number>()
  const names: string[] = []
  let begun = false
  let firstAt: number | null = null
  let seen = 0
  return {
    /** Calls a day. */
    perDay: promise,
    begin: () => void (begun = true),
    onCall(this: void, name: string) {
      if (!begun || seen === presences) return
      if (firstAt === null) {
        if (name === PRESENCE) firstAt = clock.monotonic()
        return
      }
      names.push(name)
      if (name !== PRESENCE) return
      seen += 1
      if (seen === presences) resolve((names.length * DAY_MS) / (clock.monotonic() - firstAt))
    },
    summary: () =>
      Object.entries(Object.groupBy(names, (name) => name))
        .map(([name, all]) => `${all?.length ?? 0} ${name}`)
        .join(', '),
  }
}
