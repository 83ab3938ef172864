/** The thread of `in-thread.ts`. */
import { parentPort, workerData } from 'node:worker_threads'
import { analyze } from './analyze.ts'
import type { ThreadAnswer, ThreadTask } from './in-thread.ts'

async function answer({ request, folder }: ThreadTask): Promise<ThreadAnswer> {
  try {
    return { analysis: await analyze(request, folder) }
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) }
  }
}

parentPort!.postMessage(await answer(workerData as ThreadTask))
