/** Several workers that share one queue. */

/**
 * Each worker takes what it wants next until `take` has nothing left. When one fails the others are told to end, and are waited for: what
 * they have started is put away before the error goes on.
 *
 * @param worker does its own cleaning up, also when its signal aborts
 * @throws the error of the worker that failed first
 */
export async function sideBySide<T>(
  queue: readonly T[],
  workers: number,
  signal: AbortSignal,
  worker: (take: () => T | undefined, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const waiting = [...queue]
  const failed = new AbortController()
  const either = AbortSignal.any([signal, failed.signal])
  const take = () => (either.aborted ? undefined : waiting.shift())
  const running = Array.from({ length: Math.min(workers, queue.length) }, () =>
    worker(take, either).catch((error: unknown) => failed.abort(error)),
  )
  await Promise.all(running)
  failed.signal.throwIfAborted()
}
