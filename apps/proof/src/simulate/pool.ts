/** Runs seeds on several threads and hands the results back as they come. */
import { Worker } from 'node:worker_threads'
import type { Guard } from './guards.ts'
import type { WorkerInput, WorkerOutput } from './worker.ts'

export interface PoolOptions {
  readonly bundle: string
  readonly seeds: readonly number[]
  readonly steps: number
  readonly threads: number
  readonly guard?: Guard | null
  /** @returns false to end early */
  onResult(result: WorkerOutput): boolean
}

/** Resolves when all seeds have run, or a result said that it is enough. Rejects when a thread fails. */
export async function runSeeds({ bundle, seeds, steps, threads, guard = null, onResult }: PoolOptions): Promise<void> {
  const left = [...seeds]
  const input: WorkerInput = { bundle, steps, guard }
  const workers = Array.from(
    { length: Math.min(threads, seeds.length) },
    () => new Worker(new URL('./worker.ts', import.meta.url), { workerData: input }),
  )
  let enough = false
  const runs = workers.map((worker) => {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    worker.on('message', (message: 'ready' | WorkerOutput) => {
      if (message !== 'ready' && !enough) enough = !onResult(message)
      const seed = enough ? undefined : left.shift()
      if (seed === undefined) resolve()
      else worker.postMessage(seed)
    })
    worker.on('error', reject)
    worker.on('exit', (code) => reject(new Error(`a simulation thread ended with code ${code}`)))
    return promise
  })
  try {
    await (workers.length === 0
      ? undefined
      : Promise.race([Promise.all(runs), ...runs.map((run) => run.then(() => neverUnless(() => enough)))]))
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()))
  }
}

const neverUnless = (enough: () => boolean): Promise<void> => (enough() ? Promise.resolve() : new Promise<void>(() => undefined))
