/** Starts a timer of `ms` milliseconds. @returns the way to cancel it */
export type StartTimer = (ms: number, fire: () => void) => () => void

/**
 * The `sleep` of a clock (`Clock` in packages/shared), over whatever its time is made of: resolves when the timer fires; rejects with the
 * signal's reason and cancels the timer when `signal` aborts first. Leaves no listener behind.
 *
 * As that of `node:timers/promises`, without its error: nearly every sleep of a service is cut short, and an error costs a stack trace.
 */
export function sleepOn(startTimer: StartTimer, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    // What a signal carries as its reason is what its sleeper gets, an error or not.
    if (signal?.aborted) return reject(signal.reason as Error)
    const cancel = startTimer(ms, () => {
      signal?.removeEventListener('abort', onAbort)
      resolve()
    })
    function onAbort(): void {
      cancel()
      reject(signal?.reason as Error)
    }
    signal?.addEventListener('abort', onAbort, { once: true })
  })
}
