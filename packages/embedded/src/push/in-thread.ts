/**
 * One push is analyzed in one thread: what is imported can never be unloaded, so in this process every push would stay for ever,
 * and code that does not come to an end would take the backend with it.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { systemClock } from '@mission-control/host/clock'
import type { Analysis, PushRequest } from './analyze.ts'

export interface ThreadTask {
  request: PushRequest
  /** Scratch folder of this push. */
  folder: string
}
/** The thread's one message. */
export type ThreadAnswer = { analysis: Analysis } | { error: string }

const DEADLINE_MS = 60_000 // a large app's modules are imported in a few seconds
const MAX_HEAP_MIB = 512

/** @throws Error with what the pushed code threw, or that it did not end */
export async function analyzeInThread(request: PushRequest, deadlineMs = DEADLINE_MS): Promise<Analysis> {
  const folder = await mkdtemp(join(tmpdir(), 'convex-push-'))
  const workerData: ThreadTask = { request, folder }
  const resourceLimits = { maxOldGenerationSizeMb: MAX_HEAP_MIB }
  const worker = new Worker(new URL('thread.ts', import.meta.url), { workerData, resourceLimits })
  const { promise, resolve, reject } = Promise.withResolvers<Analysis>()
  const timer = new AbortController()
  systemClock.sleep(deadlineMs, timer.signal).then(
    () => reject(new Error(`The pushed modules did not load within ${deadlineMs / 1000} s: something in them does not end.`)),
    () => {}, // cancelled: the thread has ended
  )
  worker.once('message', (answer: ThreadAnswer) => {
    if ('error' in answer) reject(new Error(answer.error))
    else resolve(answer.analysis)
  })
  worker.once('error', reject)
  worker.once('exit', () => reject(new Error('The pushed modules ended the thread that read them.')))
  try {
    return await promise
  } finally {
    timer.abort()
    await worker.terminate()
    await rm(folder, { recursive: true, force: true })
  }
}
