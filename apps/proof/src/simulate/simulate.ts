/** Many seeds, and what came of them. */
import { availableParallelism } from 'node:os'
import { systemClock } from '@mission-control/host/clock'
import { withFunctions } from './functions.ts'
import type { Guard } from './guards.ts'
import { isInRuntime } from './guards.ts'
import type { Pool } from './pool.ts'
import { openPool } from './pool.ts'
import type { WorkerOutput } from './worker.ts'

export interface Simulated {
  /** Seeds that ran. */
  readonly seeds: number
  /** Of each storm, as asked for. */
  readonly steps: number
  readonly violations: readonly { readonly seed: number; readonly step: number; readonly invariant: string }[]
  /** Steps of all seeds, calms included, in a second of real time. */
  readonly stepsPerSecond: number
}

export interface SimulateOptions {
  readonly first: number
  readonly seeds: number
  readonly steps: number
  readonly threads?: number
  /** Broken on purpose. */
  readonly guard?: Guard | null
  /** Ends with the first violation. */
  readonly firstOnly?: boolean
  /** Threads that are there already; not for guards of the runtime. */
  readonly pool?: Pool
  /** Ends it early; the seeds that have run by then are reported. */
  readonly signal?: AbortSignal
  onSeed?(result: WorkerOutput): void
}

/** More gain nothing: each keeps a core busy, and the functions of the backend take memory in each. */
const MOST_THREADS = 8
export const defaultThreads = (): number => Math.min(MOST_THREADS, availableParallelism())

export async function simulate(
  options: SimulateOptions,
): Promise<Simulated & { readonly met: Readonly<Record<string, number>> }> {
  const { first, seeds, steps, guard = null, firstOnly = false, threads = defaultThreads(), signal } = options
  const violations: { seed: number; step: number; invariant: string }[] = []
  const met: Record<string, number> = {}
  let ran = 0
  let all = 0
  const loads = guard !== null && isInRuntime(guard)
  await using own = options.pool === undefined || loads ? openPool({ threads, guard: loads ? guard : null }) : null
  const pool = own ?? options.pool
  const began = systemClock.monotonic()
  await withFunctions(loads ? null : guard, async (bundle) => {
    await pool?.run({
      ...{ bundle, steps },
      ...(signal ? { signal } : {}),
      seeds: Array.from({ length: seeds }, (_, at) => first + at),
      onResult(result) {
        ran += 1
        all += result.steps
        for (const [what, times] of Object.entries(result.met)) met[what] = (met[what] ?? 0) + times
        const { seed, violation } = result
        if (violation) violations.push({ seed, step: violation.step, invariant: violation.invariant })
        options.onSeed?.(result)
        return !(firstOnly && violation)
      },
    })
  })
  violations.sort((a, b) => a.seed - b.seed)
  const seconds = (systemClock.monotonic() - began) / 1_000
  return { seeds: ran, steps, violations, stepsPerSecond: Math.round(all / seconds), met }
}
