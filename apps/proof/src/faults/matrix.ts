/** Runs cells on as few stages as possible, and adds up what their rounds say. */
import { median } from '@mission-control/host/numbers'
import type { Clock } from '@mission-control/shared/clock'
import { inspectDatabase } from '../stage/database.ts'
import type { Stage, StageOptions } from '../stage/stage.ts'
import { startStage } from '../stage/stage.ts'
import type { Cell } from './cells.ts'
import { nameOf, obstacleTo } from './cells.ts'
import type { StageKind } from './faults.ts'
import { AGENTS, runRound } from './round.ts'

export interface CellResult {
  readonly fault: string
  readonly step: string
  readonly lost: number
  readonly duplicates: number
  /** Rounds that were seen to their end. */
  readonly rounds: number
  /** Real time. 0 when the reply could be seen when the fault ended; `null` when no round was seen to its end. */
  readonly recoveryMs: { readonly median: number; readonly max: number } | { readonly median: null; readonly max: null }
}

export interface MatrixResult {
  readonly cells: readonly CellResult[]
  readonly lost: number
  readonly duplicates: number
  /** How many times faster time passed for every process. */
  readonly scaledBy: number
  /** Cells that this machine cannot run, and why. */
  readonly skipped: readonly { readonly fault: string; readonly step: string; readonly reason: string }[]
  /** Sentences: what was lost or stands twice, what ended without an answer for a reason, and which recovery took too long. */
  readonly findings: readonly string[]
  readonly explained: readonly string[]
  readonly slow: readonly string[]
  /** What stands in the database and must not. */
  readonly broken: readonly string[]
}

export interface MatrixOptions {
  readonly cells: readonly Cell[]
  readonly rounds: number
  readonly scale: number
  readonly clock: Clock
  /** `openclaw.mjs`: with the real gateway, at scale 1. */
  readonly openclawBin?: string
  /** Ends the run; what is there by then is reported. */
  readonly signal: AbortSignal
  readonly onCell: (result: CellResult) => void
  readonly note: (text: string) => void
}

/** A round that has not come to rest by then has lost something. Real time at scale 1, plus what the machine needs at any scale. */
const PATIENCE_MS = { scaled: 400_000, machine: 60_000, realGateway: 600_000 }
/** The backend's disk in the small stage: its data needs a tenth of it. */
const DISK_MIB = 32

export async function runMatrix(options: MatrixOptions): Promise<MatrixResult> {
  const { clock, scale, rounds, note, signal } = options
  const cells: CellResult[] = []
  const skipped: { fault: string; step: string; reason: string }[] = []
  const findings: string[] = []
  const explained: string[] = []
  const slow: string[] = []
  const broken: string[] = []
  let count = 0

  for (const [kind, group] of Map.groupBy(options.cells, ({ fault }) => fault.needs)) {
    const obstacle = obstacleTo(kind)
    if (obstacle !== null) {
      for (const { fault, step } of group) skipped.push({ fault: fault.name, step, reason: obstacle })
      continue
    }
    let stage: Stage | null = null
    try {
      for (const cell of group) {
        const recoveries: number[] = []
        let lost = 0
        let duplicates = 0
        for (let round = 0; round < rounds && !signal.aborted; round += 1) {
          stage ??= await startStage(stageFor(kind, options))
          const name = `r${String((count += 1)).padStart(5, '0')}`
          const starts = options.openclawBin === undefined ? 0 : PATIENCE_MS.realGateway
          const patience = clock.timeout(PATIENCE_MS.machine + PATIENCE_MS.scaled / scale + starts)
          const result = await runRound(stage, cell, name, round, AbortSignal.any([signal, patience])).catch((error: unknown) =>
            error instanceof Error ? error : new Error(String(error)),
          )
          if (signal.aborted) break
          const at = `${nameOf(cell)}, round ${round + 1}`
          if (result instanceof Error) {
            // What could not be seen to the end has not been shown to hold.
            lost += 1
            findings.push(`${at}: ${result.message}`)
          } else {
            recoveries.push(result.recoveryMs)
            lost += result.lost.length
            duplicates += result.duplicates.length
            findings.push(...[...result.lost, ...result.duplicates].map((what) => `${at}: ${what}`))
            explained.push(...result.explained.map((what) => `${at}: ${what}`))
          }
          if (result instanceof Error || result.lost.length + result.duplicates.length > 0) {
            note(`${findings.at(-1)}\n${lastWordsOf(stage)}`)
            await stage[Symbol.asyncDispose]()
            stage = null
          }
        }
        if (recoveries.length === 0 && lost === 0) continue // broken off
        const recoveryMs =
          recoveries.length === 0
            ? { median: null, max: null }
            : { median: Math.round(median(recoveries)), max: Math.round(Math.max(...recoveries)) }
        const result = { fault: cell.fault.name, step: cell.step, rounds: recoveries.length, lost, duplicates, recoveryMs }
        const bar = cell.fault.bar(scale)
        if (bar && recoveryMs.median !== null && recoveryMs.median > bar.median) {
          slow.push(`${nameOf(cell)}: recovery took ${recoveryMs.median} ms at the median, the bar is ${bar.median} ms`)
        }
        cells.push(result)
        options.onCell(result)
      }
      if (stage !== null && !signal.aborted) {
        await stage.person.audit()
        const { violations } = await inspectDatabase(stage.readableDataDir())
        broken.push(...violations.map((what) => `the database after all of "${kind}": ${what}`))
      }
    } finally {
      await stage?.[Symbol.asyncDispose]()
    }
  }
  const sum = (of: (cell: CellResult) => number) => cells.reduce((total, cell) => total + of(cell), 0)
  return {
    cells,
    lost: sum(({ lost }) => lost),
    duplicates: sum(({ duplicates }) => duplicates),
    scaledBy: scale,
    skipped,
    findings,
    explained,
    slow,
    broken,
  }
}

function stageFor(kind: StageKind, { clock, scale, openclawBin }: MatrixOptions): StageOptions {
  const common = { clock, scale, agents: AGENTS, ...(openclawBin === undefined ? {} : { openclawBin }) }
  if (kind === 'standby') return { ...common, standby: true }
  return kind === 'small disk' ? { ...common, diskMiB: DISK_MIB } : common
}

const lastWordsOf = ({ backend, gateway, runtimes }: Stage): string =>
  [backend, gateway, ...runtimes.map(({ program }) => program)]
    .map((program) => `--- ${program.name} said last:\n${program.lastWords()}`)
    .join('\n')
