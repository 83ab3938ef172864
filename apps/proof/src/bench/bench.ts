/** Runs the parts of the bench one after the other: what is measured has the machine for itself. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { bundleFunctions } from '@mission-control/backend/bundle'
import { loadOfMachine } from '@mission-control/host/numbers'
import { buildRuntime } from '@mission-control/runtime/stack/scene'
import type { BenchContext } from './context.ts'
import type { DeliverTimes } from './parts/deliver.ts'
import { measureDeliver } from './parts/deliver.ts'
import { measureHistory } from './parts/history.ts'
import { measureIdle } from './parts/idle.ts'
import { installedOpenClaw, measureRealGateway } from './parts/real-gateway.ts'
import { measureRoster } from './parts/roster.ts'
import { measureStartup } from './parts/startup.ts'
import { measureThroughput } from './parts/throughput.ts'
import type { Reference } from './reference/graphile.ts'
import { measureReference } from './reference/graphile.ts'
import type { BenchReport, Part } from './report.ts'

/** What can be asked for alone: the parts of the report, and the queue they are compared with. */
export type Asked = Part | 'reference'

export interface BenchOptions {
  readonly quick: boolean
  /** `null`: all of them. */
  readonly only: Asked | null
  readonly realGateway: boolean
}

export type BenchDeps = Pick<BenchContext, 'clock' | 'random' | 'signal' | 'note'>

/** What was found, with what only the document shows. `null`: not measured. */
export interface BenchResult {
  readonly report: BenchReport
  /** Every time of the deliveries, for the plot. */
  readonly times: DeliverTimes | null
  /** Resident memory with a single agent, MiB. */
  readonly rssMbOfOne: number | null
  readonly reference: Reference | null
}

export async function runBench({ quick, only, realGateway }: BenchOptions, deps: BenchDeps): Promise<BenchResult> {
  const { note, clock, signal } = deps
  const folder = await mkdtemp(path.join(tmpdir(), 'mc-bench-functions-'))
  try {
    const functions = path.join(folder, 'functions.mjs')
    await bundleFunctions({ outFile: functions })
    await using runtime = await buildRuntime()
    const context: BenchContext = { ...deps, functions, runtime, quick }

    async function part<T>(
      names: readonly Asked[],
      about: string,
      measure: (context: BenchContext) => Promise<T>,
    ): Promise<T | null> {
      if (only !== null && !names.includes(only)) return null
      signal.throwIfAborted()
      note(`${names.join(' and ')}: ${about}; ${loadOfMachine()}`)
      const from = clock.monotonic()
      const found = await measure(context)
      note(`${names.join(' and ')}: done in ${((clock.monotonic() - from) / 1_000).toFixed(1)} s; ${loadOfMachine()}`)
      return found
    }

    const delivered = await part(['deliver'], 'commit to accepted, ours and the plain design in turns', measureDeliver)
    // A cluster of its own takes longer to make than a quick run to measure.
    const reference =
      quick && only === null
        ? null
        : await part(['reference'], 'graphile-worker on PostgreSQL, commit to start', measureReference)
    const throughput = await part(['throughput'], 'a backlog worked off with a gateway that answers at once', measureThroughput)
    const startup = await part(['startup'], 'ready, --version, and Node alone', measureStartup)
    const real = await part(['realGateway'], 'turns of the real OpenClaw, through us and directly', async () => {
      const openclaw = realGateway ? installedOpenClaw() : null
      if (openclaw !== null) return measureRealGateway(context, openclaw)
      note(realGateway ? 'no OpenClaw is installed (OPENCLAW_BIN names its openclaw.mjs): left out' : 'left out as told')
      return null
    })
    // Calls are counted, not timed, and waiting for them takes minutes: beside it there is room for others.
    const [idle, { roster, history }] = await together(
      context,
      (beside) => part(['idle'], 'calls without work, both designs at the same time', () => measureIdle(beside)),
      async (beside) => ({
        roster: await part(['memory', 'agentSync'], 'one agent, and many', () => measureRoster(beside)),
        history: await part(['history'], 'claim and ready query of a young and of an old account', () => measureHistory(beside)),
      }),
    )
    const report: BenchReport = {
      deliver: delivered?.found ?? null,
      throughput,
      idle,
      memory: roster?.memory ?? null,
      startup,
      history,
      agentSync: roster?.agentSync ?? null,
      realGateway: real,
    }
    return { report, times: delivered?.times ?? null, rssMbOfOne: roster?.rssMbOfOne ?? null, reference }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Both at the same time. When one fails the other is stopped, and has put its things away before this rejects. */
async function together<A, B>(
  context: BenchContext,
  first: (context: BenchContext) => Promise<A>,
  second: (context: BenchContext) => Promise<B>,
): Promise<[A, B]> {
  const stop = new AbortController()
  const beside = { ...context, signal: AbortSignal.any([context.signal, stop.signal]) }
  const both = [first(beside), second(beside)] as const
  try {
    return await Promise.all(both)
  } catch (error) {
    stop.abort(error)
    await Promise.allSettled(both)
    throw error
  }
}
