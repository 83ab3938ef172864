/** A Brain that keeps the conditions `convex` and `token` true to what its calls meet. */
import type { Conditions } from '../health/conditions.ts'
import type { Brain } from './brain.ts'
import { isRefusal, toBrainError } from './errors.ts'

/** One lost packet is not an outage: so many calls in a row must fail before anybody is told. */
const FAILURES_BEFORE_DEGRADED = 2

export function observeBrain(brain: Brain, conditions: Conditions): Brain {
  let failures = 0
  const answered = () => {
    failures = 0
    conditions.set('convex', null)
  }
  const watched = async <T>(call: Promise<T>, signal: AbortSignal | undefined): Promise<T> => {
    try {
      const value = await call
      answered()
      conditions.set('token', null)
      return value
    } catch (thrown) {
      if (signal?.aborted) throw thrown
      const error = toBrainError(thrown)
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
  }
}
