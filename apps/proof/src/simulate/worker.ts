/**
 * A thread that runs seeds: one after another, as the pool hands them out. Whatever real time, timers or randomness anything here
 * touched would make a seed unrepeatable: they are taken away first.
 */
import { registerHooks } from 'node:module'
import { pathToFileURL } from 'node:url'
import { parentPort, workerData } from 'node:worker_threads'
import type { Guard } from './guards.ts'
import { broken } from './guards.ts'
import type { SeedResult } from './run-seed.ts'
import { ROOT } from './root.ts'
import { createSeeded } from './seeded.ts'
import { withoutRealTime } from './without-real-time.ts'

export interface WorkerInput {
  /** Built functions of the backend. */
  readonly bundle: string
  readonly steps: number
  /** Broken in what this thread loads. */
  readonly guard: Guard | null
}

export type WorkerOutput = SeedResult & { readonly touched: readonly string[] }

const { bundle, steps, guard } = workerData as WorkerInput
if (guard !== null) {
  const target = pathToFileURL(`${ROOT}/${guard.file}`).href
  registerHooks({
    load(url, context, next) {
      const loaded = next(url, context)
      return url === target ? { ...loaded, source: broken(String(loaded.source), guard) } : loaded
    },
  })
}
// Only now, so that the hook sees them.
const { runSeed } = await import('./run-seed.ts')
const { loadFunctions } = await import('@mission-control/embedded/load')
const { createParamsCheck } = await import('@mission-control/openclaw/testing/fake/params')
const functions = await loadFunctions(bundle)
const check = createParamsCheck()

const port = parentPort
if (port === null) throw new Error('this file runs in a worker thread')
port.on('message', (seed: number) => {
  void withoutRealTime(createSeeded(`platform ${seed}`), () => runSeed({ seed, steps, functions, check })).then(
    ({ result, touched }) => port.postMessage({ ...result, touched } satisfies WorkerOutput),
    (error: unknown) => {
      // Ends the thread: the pool hears of it.
      queueMicrotask(() => {
        throw error
      })
    },
  )
})
port.postMessage('ready')
