/** Runs the parts of the bench one after the other: what is measured has the machine for itself. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { bundleFunctions } from '@mission-control/backend/bundle'
import { loadOfMachine } from '@mission-control/host/numbers'
import { buildRuntime } from '@mission-control/runtime/stack/scene'
import type { Clock, Random } from '@mission-control/shared/clock'
import type { BenchContext } from './context.ts'
import type { DeliverTimes } from './parts/deliver.ts'
import { measureDeliver } from './parts/deliver.ts'
import type { BenchReport, Part } from './report.ts'

export interface BenchOptions {
  readonly quick: boolean
  /** `null`: all of them. */
  readonly only: Part | null
  readonly realGateway: boolean
}

export interface BenchDeps {
  readonly clock: Clock
  readonly random: Random
  readonly signal: AbortSignal
  /** A line for whoever watches. */
  readonly note: (text: string) => void
}

export interface BenchResult {
  readonly report: BenchReport
  /** Every time of the deliveries, for the plot; `null` when they were not measured. */
  readonly times: DeliverTimes | null
}

export async function runBench({ quick, only }: BenchOptions, deps: BenchDeps): Promise<BenchResult> {
  const { note, clock } = deps
  const folder = await mkdtemp(path.join(tmpdir(), 'mc-bench-functions-'))
  try {
    const functions = path.join(folder, 'functions.mjs')
    await bundleFunctions({ outFile: functions })
    buildRuntime()
    const context: BenchContext = { ...deps, functions, quick }
    const part = async <T>(name: Part, about: string, measure: (context: BenchContext) => Promise<T>): Promise<T | null> => {
      if (only !== null && only !== name) return null
      deps.signal.throwIfAborted()
      note(`${name}: ${about}; ${loadOfMachine()}`)
      const from = clock.monotonic()
      const found = await measure(context)
      note(`${name}: done in ${((clock.monotonic() - from) / 1_000).toFixed(1)} s; ${loadOfMachine()}`)
      return found
    }
    const delivered = await part('deliver', 'commit to accepted, ours and the plain design in turns', measureDeliver)
    const report: BenchReport = {
      deliver: delivered?.found ?? null,
      throughput: null,
      idle: null,
      memory: null,
      startup: null,
      history: null,
      agentSync: null,
      realGateway: null,
    }
    return { report, times: delivered?.times ?? null }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
