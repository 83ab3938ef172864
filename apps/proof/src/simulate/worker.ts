/**
 * A thread that runs seeds, one after another, as the pool orders them. Real time, timers and randomness are taken away meanwhile:
 * whatever touched them would make a seed unrepeatable.
 */
import { registerHooks } from 'node:module'
import { pathToFileURL } from 'node:url'
import { parentPort, workerData } from 'node:worker_threads'
import type { Functions } from '@mission-control/embedded'
import type { Guard } from './guards.ts'
import { broken } from './guards.ts'
import { ROOT } from './root.ts'
import type { SeedResult } from './run-seed.ts'
import { createSeeded } from './seeded.ts'
import { withoutRealTime } from './without-real-time.ts'

export interface WorkerInput {
  /** Broken in what this thread loads. */
  readonly guard: Guard | null
}

export interface WorkerOrder {
  readonly bundle: string
  readonly seed: number
  readonly steps: number
}

export type WorkerOutput = SeedResult

const { guard } = workerData as WorkerInput
if (guard !== null) {
  const target = pathToFileURL(`${ROOT}/${guard.file}`).href
  registerHooks({
    load(url, context, next) {
      const loaded = next(url, context)
      return url === target
        ? { ...loaded, source: broken(Buffer.from(loaded.source as Uint8Array).toString('utf8'), guard) }
        : loaded
    },
  })
}
// Only now, so that the hook sees them.
const { runSeed } = await import('./run-seed.ts')
const { loadFunctions } = await import('@mission-control/embedded/load')
const { createParamsCheck } = await import('@mission-control/openclaw/testing/fake/params')
const check = createParamsCheck()
const functionsOf: { newest: { readonly bundle: string; readonly functions: Functions } | null } = { newest: null }

async function perform({ bundle, seed, steps }: WorkerOrder): Promise<WorkerOutput> {
  const known = functionsOf.newest
  const { functions } = known?.bundle === bundle ? known : { functions: await loadFunctions(bundle) }
  functionsOf.newest = { bundle, functions }
  const { result, touched } = await withoutRealTime(createSeeded(`platform ${seed}`), () =>
    runSeed({ seed, steps, functions, check }),
  )
  const [first] = touched
  const unreal = first === undefined ? null : { step: 0, invariant: 'nothing is real', detail: first }
  return { ...result, violation: result.violation ?? unreal }
}

const port = parentPort
if (port === null) throw new Error('this file runs in a worker thread')
port.on('message', (order: WorkerOrder) => {
  perform(order).then(
    (result) => port.postMessage(result),
    // Ends the thread: the pool hears of it.
    (error: unknown) =>
      queueMicrotask(() => {
        throw error
      }),
  )
})
