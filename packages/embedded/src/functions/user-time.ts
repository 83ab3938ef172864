/**
 * How long a query's or mutation's own code has taken. Production allows 1 s of user code, time inside database calls not
 * counted, and 15 s inside those calls. One thread serves everyone, so there are two counts:
 *
 * - what it computed, as `thread-time.ts` charges it. Such code cannot be interrupted, only refused when it ends.
 * - what it waited for something other than a call, on the engine's clock. It is cut off while it waits. Looked at every
 *   `TICK_MS`, and no look charges more than that: one that comes late was held up by others, or by the whole process.
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
const TICK_MS = 50
/** Why a look is cut short. Without a reason of its own every call would make an error for it. */
export const ENDED = 'the function has ended'

/** One per engine. Returns a function that starts the times of one execution; `nested`: in its caller's transaction. */
export function createUserTimes(clock: Clock, { transactionMs, systemMs = SYSTEM_MS }: TransactionLimits) {
  return function start(nested: boolean) {
    let computedMs = 0
    let longestMs = 0
    let waitedMs = 0
    let insideMs = 0
    let callsInFlight = 0
    let since = clock.monotonic()

    function turn(mostMs = TICK_MS): void {
      const now = clock.monotonic()
      const ms = Math.min(now - since, mostMs)
      if (callsInFlight > 0) insideMs += ms
      else waitedMs += ms
      since = now
    }
    function overrun(): FunctionError | null {
      turn()
      if (computedMs >= transactionMs) return timeout(transactionMs)
      if (!nested && insideMs >= systemMs)
        return new FunctionError('Your request timed out performing too many system operations.')
      return null
    }

    return {
      /** It has computed for so long, without a pause. */
      charge(ms: number): void {
        computedMs += ms
        longestMs = Math.max(longestMs, ms)
      },
      /** What it computed at most without letting anyone else run, milliseconds. */
      longest: () => longestMs,
      /** A call enters the engine. */
      enter(): void {
        turn()
        callsInFlight++
      },
      /** The engine did its part at once, and nobody else ran: all of that counts. */
      worked: () => turn(Infinity),
      /** The call has its answer. */
      leave(): void {
        turn()
        callsInFlight--
      },
      /**
       * Why the execution must not be allowed to go on or to commit; null when all is well. What it waited is no reason: one
       * that has ended waits no more.
       */
      overrun,
      /** Settles with `running`, or rejects when its time is up. The caller must then take the execution's calls away from it. */
      async cutOff<T>(running: Promise<T>): Promise<T> {
        const timer = new AbortController()
        const watch = async (): Promise<T> => {
          for (;;) {
            const error = overrun()
            if (error) throw error
            if (waitedMs >= transactionMs) throw timeout(transactionMs)
            // While a call is in flight the time left stands still: do not spin on it.
            const ms = callsInFlight > 0 ? TICK_MS : Math.min(TICK_MS, transactionMs - waitedMs)
            const finished = await clock.sleep(ms, timer.signal).then(
              () => false,
              () => true,
            )
            if (finished) return running
          }
        }
        try {
          return await Promise.race([running, watch()])
        } finally {
          timer.abort(ENDED)
        }
      },
    }
  }
}

export function timeout(limitMs: number): FunctionError {
  const text = limitMs < 1_000 ? `${limitMs}ms` : `${limitMs / 1_000}s`
  return new FunctionError(`Function execution timed out (maximum duration: ${text})`)
}
