/**
 * Runs `work` for each of `all`, at most `limit` at once, in their order. The first rejection ends it: nothing more is begun, and it is
 * thrown once what had begun has ended.
 */
export async function inParallel<T>(all: Iterable<T>, limit: number, work: (one: T) => Promise<void>): Promise<void> {
  const waiting = all[Symbol.iterator]()
  let failed = false
  async function lane(): Promise<void> {
    // Lanes share one iterator: whoever is free takes the next.
    for (let next = waiting.next(); next.done !== true && !failed; next = waiting.next()) {
      await work(next.value).catch((error: unknown) => {
        failed = true
        throw error
      })
    }
  }
  const ended = await Promise.allSettled(Array.from({ length: limit }, lane))
  for (const one of ended) if (one.status === 'rejected') throw one.reason
}
