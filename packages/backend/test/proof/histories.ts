/**
 * Random histories on the embedded engine.
 *
 *   node packages/backend/test/proof/histories.ts --runs 2000 [--seed 1] [--path 0:1] [--length 40] [--first]
 *
 * A failing history is shortened, unless `--first` asks for the first one as it is; the seed and path it prints replay it.
 */
import { parseArgs } from 'node:util'
import fc from 'fast-check'
import type { Functions } from '@mission-control/embedded'
import { buildFunctions, openEmbedded } from '../harness/embedded.ts'
import type { Backend } from '../harness/backend.ts'
import { histories } from './actions.ts'
import { runHistory } from './history.ts'

export interface HistoryOptions {
  readonly runs: number
  /** Deeds of each history, give or take a half. */
  readonly length: number
  readonly seed: number
  /** Of a failure, to replay it. */
  readonly path?: string | undefined
  /** Ms after which a failing history is not shortened further. */
  readonly shrinkMs?: number
  /** A failing history is not shortened at all. */
  readonly first?: boolean | undefined
}

/** @throws with the seed, the path and the shortest history found */
export async function proveHistories(open: () => Promise<Backend>, options: HistoryOptions): Promise<void> {
  const { runs, length, seed, path, shrinkMs = 60_000, first = false } = options
  let failedAt: number | null = null
  const property = fc.asyncProperty(histories(length), async (actions) => {
    // Only the shortening is limited in time: what is left of it counts as held, and the shortest found so far is the answer.
    if (failedAt !== null && performance.now() - failedAt > shrinkMs) return
    const backend = await open()
    try {
      await runHistory(backend, actions)
    } catch (error) {
      failedAt ??= performance.now()
      throw error
    } finally {
      await backend.close()
    }
  })
  await fc.assert(property, { numRuns: runs, seed, endOnFailure: first, ...(path === undefined ? {} : { path }) })
}

export const onEmbedded = (functions: Functions, mockDate: boolean) => (): Promise<Backend> =>
  openEmbedded(functions, { mockDate })

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      runs: { type: 'string', default: '200' },
      length: { type: 'string', default: '40' },
      seed: { type: 'string', default: String(Date.now() % 1_000_000) },
      path: { type: 'string' },
      first: { type: 'boolean' },
    },
  })
  const options = { runs: Number(values.runs), length: Number(values.length), seed: Number(values.seed) }
  const started = performance.now()
  await proveHistories(onEmbedded(await buildFunctions(), false), {
    ...options,
    path: values.path,
    first: values.first,
    shrinkMs: Infinity,
  })
  const seconds = ((performance.now() - started) / 1_000).toFixed(1)
  console.log(`${options.runs} histories of about ${options.length} deeds hold (seed ${options.seed}, ${seconds} s).`)
}
