/** A Brain that keeps the conditions `convex` and `token` true to what its calls meet, and tells when an outage is over. */
import type { Clock } from '@mission-control/shared/clock'
import type { Conditions } from '../health/conditions.ts'
import type { Brain, ObservedBrain } from './brain.ts'
import { isRefusal, toBrainError } from './errors.ts'

/** One lost packet is not an outage: so many calls in a row must fail before anybody is told. */
const FAILURES_BEFORE_DEGRADED = 2
/**
 * One call that never gets an answer, among others that do, ends a silence each time: without this whoever makes it would make it again
 * at once, each time.
 */
export const AGAIN_MS = 1_000

export function observeBrain(brain: Brain, conditions: Conditions, clock: Pick<Clock, 'monotonic'>): ObservedBrain {
  let failures = 0
  /** A call got no answer, and nothing was heard since. A failure is an answer: whoever sends it is there. */
  let silent = false
  let toldAt = -Infinity
  const listeners = new Set<() => void>()
  const heard = () => {
    const now = clock.monotonic()
    if (!silent || now < toldAt + AGAIN_MS) return
    silent = false
    toldAt = now
    for (const listener of listeners) listener()
  }
  brain.onConnection((connected) => connected && heard())
  const answered = () => {
    failures = 0
    conditions.set('convex', null)
  }
  const watched = async <T>(call: Promise<T>, signal: AbortSignal | undefined): Promise<T> => {
    try {
      const value = await call
      answered()
      heard()
      conditions.set('token', null)
      return value
    } catch (thrown) {
      if (signal?.aborted) throw thrown
      const error = toBrainError(thrown)
      if (error.kind === 'unreachable') silent = true
      else heard()
      if (error.kind === 'refused') {
        answered()
        conditions.set('token', isRefusal(error, 'TOKEN_REFUSED') ? 'the service token was refused' : null)
      } else if ((failures += 1) >= FAILURES_BEFORE_DEGRADED) {
        conditions.set('convex', error.message)
      }
      throw error
    }
  }
  return {
    ...brain,
    mutate: (fn, args, signal) => watched(brain.mutate(fn, args, signal), signal),
    query: (fn, args, signal) => watched(brain.query(fn, args, signal), signal),
    onAnsweringAgain(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}
