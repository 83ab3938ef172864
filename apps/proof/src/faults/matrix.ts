/** Shares the cells out among stages that stand side by side, and adds up what they say, in the order of the cells. */
import { buildRuntime } from '@mission-control/runtime/stack/scene'
import type { Clock } from '@mission-control/shared/clock'
import type { Stage } from '../stage/stage.ts'
import type { CellReport, CellResult } from './cell-run.ts'
import { runCell } from './cell-run.ts'
import type { Cell } from './cells.ts'
import { nameOf, obstacleTo } from './cells.ts'
import type { RoundResult } from './round.ts'
import { notBegun, runRound } from './round.ts'
import { sideBySide } from './side-by-side.ts'
import type { StageHolder } from './stages.ts'
import { createStageHolder } from './stages.ts'

export interface MatrixResult {
  readonly cells: readonly CellResult[]
  readonly lost: number
  readonly duplicates: number
  /** Rounds that were given up because their step was not reached. */
  readonly unreached: number
  /** How many times faster time passed for every process. */
  readonly scaledBy: number
  /** Stages that stood side by side on this machine. */
  readonly atOnce: number
  /** Cells that this machine cannot run, and why. */
  readonly skipped: readonly { readonly fault: string; readonly step: string; readonly reason: string }[]
  /** Sentences: what was lost or stands twice, what ended without an answer for a reason, what missed its step, what took too long. */
  readonly findings: readonly string[]
  readonly explained: readonly string[]
  readonly repeated: readonly string[]
  readonly slow: readonly string[]
  /** What stands in the database and must not. */
  readonly broken: readonly string[]
}

export interface MatrixOptions {
  readonly cells: readonly Cell[]
  readonly rounds: number
  readonly scale: number
  /** Stages side by side; each has processes, ports and folders of its own. */
  readonly atOnce: number
  readonly clock: Clock
  /** `openclaw.mjs`: with the real gateway, at scale 1. */
  readonly openclawBin?: string
  /** Ends the run and all its processes; what is there by then is reported. */
  readonly signal: AbortSignal
  readonly onCell: (result: CellResult) => void
  readonly note: (text: string) => void
}

/** A round that has not come to rest by then has lost something. Real time at scale 1, plus what the machine needs at any scale. */
const PATIENCE_MS = { scaled: 400_000, machine: 60_000, realGateway: 600_000 }

export async function runMatrix(options: MatrixOptions): Promise<MatrixResult> {
  const { clock, scale, rounds, atOnce, openclawBin } = options
  const reports = new Map<Cell, CellReport>()
  const skipped: { fault: string; step: string; reason: string }[] = []
  const broken: string[] = []
  const queue: Cell[] = []
  // Kind after kind, so that a worker seldom has to change its stage.
  for (const [kind, group] of Map.groupBy(options.cells, ({ fault }) => fault.needs)) {
    const reason = obstacleTo(kind)
    if (reason === null) queue.push(...group)
    else skipped.push(...group.map(({ fault, step }) => ({ fault: fault.name, step, reason })))
  }

  await using runtime = await buildRuntime()
  await sideBySide(queue, atOnce, options.signal, async (take, signal) => {
    const onBroken = (what: string) => void broken.push(what)
    const bin = openclawBin === undefined ? {} : { openclawBin }
    await using stages = createStageHolder({ clock, scale, runtime: runtime.program, signal, onBroken, ...bin })
    for (let cell = take(); cell !== undefined; cell = take()) {
      const one = cell
      const prefix = `c${String(options.cells.indexOf(one) + 1).padStart(3, '0')}`
      const play = (name: string, round: number) => playOn(stages, one, name, round, signal, options)
      const report = await runCell(one, { rounds, scale, prefix, signal, play })
      if (report === null) continue // broken off
      reports.set(one, report)
      options.onCell(report.result)
    }
    await stages.finish()
  })

  const inOrder = options.cells.flatMap((cell) => reports.get(cell) ?? [])
  const all = (of: (report: CellReport) => readonly string[]) => inOrder.flatMap(of)
  const sum = (of: (cell: CellResult) => number) => inOrder.reduce((total, { result }) => total + of(result), 0)
  return {
    cells: inOrder.map(({ result }) => result),
    lost: sum(({ lost }) => lost),
    duplicates: sum(({ duplicates }) => duplicates),
    unreached: sum(({ unreached }) => unreached),
    scaledBy: scale,
    atOnce,
    skipped,
    findings: all(({ findings }) => findings),
    explained: all(({ explained }) => explained),
    repeated: all(({ repeated }) => repeated),
    slow: all(({ slow }) => slow),
    broken,
  }
}

const asError = (error: unknown): Error => (error instanceof Error ? error : new Error(String(error)))

/** A stage on which anything went wrong is told of and not used again. */
async function playOn(
  stages: StageHolder,
  cell: Cell,
  name: string,
  round: number,
  signal: AbortSignal,
  { clock, scale, openclawBin, note }: MatrixOptions,
): Promise<RoundResult | Error> {
  const stage = await stages.get(cell.fault.needs).catch(asError)
  if (stage instanceof Error) return notBegun(`no stage could be started: ${stage.message}`)
  const starts = openclawBin === undefined ? 0 : PATIENCE_MS.realGateway
  const patience = clock.timeout(PATIENCE_MS.machine + PATIENCE_MS.scaled / scale + starts)
  const outcome = await runRound(stage, cell, name, round, AbortSignal.any([signal, patience])).catch(asError)
  if (signal.aborted) return outcome
  const troubles =
    outcome instanceof Error
      ? [outcome.message]
      : [...outcome.lost, ...outcome.duplicates, ...(outcome.reached ? [] : [outcome.why])]
  if (troubles.length > 0) {
    note(`${nameOf(cell)}, round ${round + 1}: ${troubles.join('; ')}\n${lastWordsOf(stage)}`)
    await stages.discard()
  }
  return outcome
}

const lastWordsOf = ({ backend, gateway, runtimes }: Stage): string =>
  [backend, gateway, ...runtimes.map(({ program }) => program)]
    .map((program) => `--- ${program.name} said last:\n${program.lastWords()}`)
    .join('\n')
