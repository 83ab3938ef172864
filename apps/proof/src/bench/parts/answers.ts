/** Counts the deliveries a runtime settles: it writes a log line for each when the backend has taken the result. */
import type { Started } from '@mission-control/runtime/stack/scene'

export interface Answers {
  /**
   * Resolves with the ids of the next `count` deliveries that are settled with a reply. Rejects when one ends in another way, or the runtime
   * does. One call at a time.
   */
  more(count: number): Promise<readonly string[]>
  /** How many were given back so far, to be tried again. */
  released(): number
}

export function countAnswers(runtime: Started): Answers {
  let ids: string[] = []
  let released = 0
  let awaited: { readonly count: number; readonly done: PromiseWithResolvers<readonly string[]> } | null = null
  const gone = runtime.process.ended.then((how) => {
    throw new Error(`The runtime ended (${how}): ${runtime.process.errors()}`)
  })
  gone.catch(() => undefined) // only who waits for a delivery minds
  runtime.onEnded((slug, outcome, id) => {
    // Given back, it is claimed again: on a machine that is busy enough the gateway goes silent for longer than it is waited for.
    if (outcome === 'release') return void (released += 1)
    if (outcome !== 'reply') return awaited?.done.reject(new Error(`A delivery to ${slug} ended with ${outcome}.`))
    ids.push(id)
    if (awaited !== null && ids.length >= awaited.count) awaited.done.resolve(ids)
  })
  return {
    released: () => released,
    more(count) {
      ids = []
      awaited = { count, done: Promise.withResolvers() }
      const either = Promise.race([awaited.done.promise, gone])
      either.catch(() => undefined) // it may end before somebody waits
      return either
    },
  }
}
