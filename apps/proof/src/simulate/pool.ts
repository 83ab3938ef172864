/** Threads that run seeds. They load the code once; the functions of the backend come with each order, so that many can be tried. */
import { Worker } from 'node:worker_threads'
import type { Guard } from './guards.ts'
import type { WorkerInput, WorkerOrder, WorkerOutput } from './worker.ts'

export interface PoolOptions {
  readonly threads: number
  /** Broken in what the threads load. */
  readonly guard?: Guard | null
}

export interface Orders {
  /** Built functions of the backend. */
  readonly bundle: string
  readonly seeds: readonly number[]
  readonly steps: number
  /** Ends it early; what the threads are at is not waited for, and the pool can only be disposed of then. */
  readonly signal?: AbortSignal
  /** @returns false to end early */
  readonly onResult: (result: WorkerOutput) => boolean
}

export interface Pool extends AsyncDisposable {
  /** Resolves when all seeds have run, a result said that it is enough, or the signal aborts. Rejects when a thread fails. One at a time. */
  run(orders: Orders): Promise<void>
}

export function openPool({ threads, guard = null }: PoolOptions): Pool {
  const input: WorkerInput = { guard }
  const workers = Array.from(
    { length: threads },
    () => new Worker(new URL('./worker.ts', import.meta.url), { workerData: input }),
  )
  const failed = Promise.withResolvers<never>()
  failed.promise.catch(() => undefined) // told by `run`
  for (const worker of workers) {
    worker.once('error', failed.reject)
    worker.once('exit', (code) => failed.reject(new Error(`a thread of the simulation ended with code ${code}`)))
  }

  return {
    async run({ bundle, seeds, steps, signal, onResult }) {
      if (signal?.aborted) return
      const stopped = Promise.withResolvers<void>()
      signal?.addEventListener('abort', () => stopped.resolve(), { once: true })
      const left = [...seeds]
      const idle = workers.map(async (worker) => {
        for (let seed = left.shift(); seed !== undefined; seed = left.shift()) {
          const answer = Promise.withResolvers<WorkerOutput>()
          worker.once('message', answer.resolve)
          worker.postMessage({ bundle, seed, steps } satisfies WorkerOrder)
          if (!onResult(await answer.promise)) left.length = 0
        }
      })
      await Promise.race([Promise.all(idle), failed.promise, stopped.promise])
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(workers.map((worker) => worker.terminate()))
    },
  }
}
