/**
 * How long a query's or mutation's own code has taken. Production allows 1 s of user code, time inside database calls not
 * counted, and 15 s inside those calls. Two clocks, because one thread serves everyone:
 *
 * - processor time of this thread, between the points where control passes from the engine to a function and back. Whoever
 *   makes the next call has been running since the last one, so nobody pays for what another function, the kernel or a paused
 *   process took. It finds code that computes for too long; such code cannot be interrupted, only refused when it ends.
 * - time on the engine's clock outside of any call, for code that waits for something else. It is cut off while it waits.
 */
import type { Clock } from '@mission-control/shared/clock'
import { FunctionError } from '../errors.ts'

export interface TransactionLimits {
  /** Own code of a query or mutation, milliseconds. */
  transactionMs: number
  /** Time inside the calls of a top-level query or mutation, nested functions included, milliseconds. Default 15 s, as in production. */
  systemMs?: number
}
export type UserTime = ReturnType<ReturnType<typeof createUserTimes>>

const SYSTEM_MS = 15_000
const SHORTEST_LOOK_MS = 20 // while a call is in flight the time left stands still: do not spin on it

/** One per engine. Returns a function that starts the clock of one execution; `parent` is the execution that called it. */
export function createUserTimes(clock: Clock, limits: TransactionLimits, processorMs: () => number = threadProcessorMs) {
  const { transactionMs, systemMs = SYSTEM_MS } = limits
  let handedOverAt = processorMs()
  /** What ran since control was last handed over; hands it over now. */
  function elapsed(): number {
    const now = processorMs()
    const ms = now - handedOverAt
    handedOverAt = now
    return ms
  }

  return function start(parent: { charge(): void } | null) {
    let computedMs = 0
    let outsideMs = 0
    let insideMs = 0
    let callsInFlight = 0
    let since = clock.monotonic()
    if (parent) parent.charge()
    else elapsed()

    const charge = (): void => void (computedMs += elapsed())
    function turn(): void {
      const now = clock.monotonic()
      if (callsInFlight > 0) insideMs += now - since
      else outsideMs += now - since
      since = now
    }
    function overrun(): FunctionError | null {
      turn()
      if (computedMs >= transactionMs) return timeout(transactionMs)
      if (!parent && insideMs >= systemMs)
        return new FunctionError('Your request timed out performing too many system operations.')
      return null
    }

    return {
      charge,
      /** A call enters the engine. */
      enter(): void {
        charge()
        turn()
        callsInFlight++
      },
      /** The engine did its part at once and gave the caller a promise: what runs now is the caller's code again. */
      returned(): void {
        elapsed()
      },
      /** The call's promise settles. `waited`: for something outside this thread, so that others ran meanwhile. */
      leave(waited: boolean): void {
        if (waited) elapsed()
        else charge()
        turn()
        callsInFlight--
      },
      /**
       * Why the execution must not be allowed to go on or to commit; null when all is well. Time outside of calls is none: one
       * that has ended waits no more, and its process may have stood still.
       */
      overrun,
      /** Settles with `running`, or rejects when its time is up. The caller must then take the execution's calls away from it. */
      async cutOff<T>(running: Promise<T>): Promise<T> {
        const timer = new AbortController()
        const watch = async (): Promise<T> => {
          for (;;) {
            const error = overrun()
            if (error) throw error
            if (outsideMs >= transactionMs) throw timeout(transactionMs)
            const left = Math.max(transactionMs - outsideMs, callsInFlight > 0 ? SHORTEST_LOOK_MS : 0)
            const cancelled = await clock.sleep(parent ? left : Math.min(left, systemMs - insideMs), timer.signal).then(
              () => false,
              () => true, // the handler finished first
            )
            if (cancelled) return running
          }
        }
        try {
          return await Promise.race([running, watch()])
        } finally {
          timer.abort()
        }
      },
    }
  }
}

export function timeout(limitMs: number): FunctionError {
  const text = limitMs < 1_000 ? `${limitMs}ms` : `${limitMs / 1_000}s`
  return new FunctionError(`Function execution timed out (maximum duration: ${text})`)
}

function threadProcessorMs(): number {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1_000
}
