/** The rounds of one cell, added up. Knows nothing of stages: who plays a round is an argument. */
import { median } from '@mission-control/host/numbers'
import type { Cell } from './cells.ts'
import { nameOf } from './cells.ts'
import type { RoundResult } from './round.ts'

export interface CellResult {
  readonly fault: string
  readonly step: string
  readonly lost: number
  readonly duplicates: number
  /** Rounds that were seen to their end. */
  readonly rounds: number
  /** Rounds that were given up because the delivery did not come to the step: they have shown nothing. */
  readonly unreached: number
  /** Real time. 0 when the reply could be seen when the fault ended; `null` when no round was seen to its end. */
  readonly recoveryMs: { readonly median: number; readonly max: number } | { readonly median: null; readonly max: null }
}

export interface CellReport {
  readonly result: CellResult
  /** Sentences, as `MatrixResult` has them. */
  readonly findings: readonly string[]
  readonly explained: readonly string[]
  readonly repeated: readonly string[]
  readonly slow: readonly string[]
}

export interface CellRun {
  readonly rounds: number
  readonly scale: number
  /** In front of the names of its rounds, so that no other cell has the same. */
  readonly prefix: string
  readonly signal: AbortSignal
  /** An error: the fault was brought about, and the round could not be seen to its end. */
  readonly play: (name: string, round: number) => Promise<RoundResult | Error>
}

/** A step that is missed is the machine's doing, once. A cell that misses it as often as this in a row is given up. */
const TRIES = 3

/** @returns `null` when it was broken off before any round had ended */
export async function runCell(cell: Cell, { rounds, scale, prefix, signal, play }: CellRun): Promise<CellReport | null> {
  const recoveries: number[] = []
  const findings: string[] = []
  const explained: string[] = []
  const repeated: string[] = []
  const slow: string[] = []
  let lost = 0
  let duplicates = 0
  let unreached = 0
  let missed = 0
  let played = 0
  for (let round = 0; round < rounds && unreached === 0;) {
    const outcome = await play(`${prefix}r${String((played += 1)).padStart(5, '0')}`, round)
    if (signal.aborted) break
    const at = `${nameOf(cell)}, round ${round + 1}`
    if (outcome instanceof Error) {
      // What could not be seen to the end has not been shown to hold.
      lost += 1
      findings.push(`${at}: ${outcome.message}`)
      round += 1
      continue
    }
    lost += outcome.lost.length
    duplicates += outcome.duplicates.length
    findings.push(...[...outcome.lost, ...outcome.duplicates].map((what) => `${at}: ${what}`))
    explained.push(...outcome.explained.map((what) => `${at}: ${what}`))
    if (outcome.reached) {
      recoveries.push(outcome.recoveryMs)
      round += 1
      missed = 0
      continue
    }
    repeated.push(`${at}: ${outcome.why}`)
    missed += 1
    if (missed === TRIES) unreached = rounds - round
  }
  if (recoveries.length + lost + duplicates + unreached === 0) return null
  const recoveryMs =
    recoveries.length === 0
      ? { median: null, max: null }
      : { median: Math.round(median(recoveries)), max: Math.round(Math.max(...recoveries)) }
  const bar = cell.fault.bar(scale)
  if (bar && recoveryMs.median !== null && recoveryMs.median > bar.median) {
    slow.push(`${nameOf(cell)}: recovery took ${recoveryMs.median} ms at the median, the bar is ${bar.median} ms`)
  }
  const counts = { rounds: recoveries.length, lost, duplicates, unreached }
  return { result: { fault: cell.fault.name, step: cell.step, ...counts, recoveryMs }, findings, explained, repeated, slow }
}
