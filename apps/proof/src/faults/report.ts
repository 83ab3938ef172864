/** The matrix for people: faults down, steps across, a line of the worst below. */
import type { MatrixResult } from './matrix.ts'

/** `0.1 / 0.3` is recovery; `LOST 1` and `TWICE 1` must never stand there, and `UNREACHED 1` has shown nothing. */
export function matrixText(result: MatrixResult): string {
  const { cells, skipped } = result
  const faults = [...new Set([...cells, ...skipped].map(({ fault }) => fault))]
  const steps = [...new Set([...cells, ...skipped].map(({ step }) => step))]
  const table = [
    ['', ...steps],
    ...faults.map((fault) => [
      fault,
      ...steps.map((step) => {
        const cell = cells.find((one) => one.fault === fault && one.step === step)
        if (cell === undefined) return skipped.some((one) => one.fault === fault && one.step === step) ? 'skipped' : ''
        if (cell.lost > 0) return `LOST ${cell.lost}`
        if (cell.duplicates > 0) return `TWICE ${cell.duplicates}`
        if (cell.unreached > 0) return `UNREACHED ${cell.unreached}`
        return `${seconds(cell.recoveryMs.median)} / ${seconds(cell.recoveryMs.max)}`
      }),
    ]),
  ]
  const widths = table[0]?.map((_, column) => Math.max(...table.map((row) => row[column]?.length ?? 0))) ?? []
  const rows = table.map((row) =>
    row
      .map((text, column) => text.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  )
  const rounds = cells.reduce((total, cell) => total + cell.rounds, 0)
  const time =
    result.scaledBy === 1
      ? 'Time constants are the real ones.'
      : `Time passes ${result.scaledBy} times as fast for every process.`
  const counts = `${result.lost} lost, ${result.duplicates} twice, ${result.unreached} whose step was not reached`
  return [
    ...rows,
    '',
    'Recovery in seconds of real time, median / max: from the end of the fault to the reply in the thread.',
    `${cells.length} cells, ${rounds} rounds: ${counts}. ${time} Stages side by side: ${result.atOnce}.`,
    ...reasons('Skipped', [...new Set(skipped.map(({ fault, reason }) => `${fault}: ${reason}`))]),
    ...reasons('Ended without an answer, with a reason', result.explained),
    ...reasons('Did not reach the step', result.repeated),
    ...reasons('Recovery took too long', result.slow),
    ...reasons('Found', [...result.findings, ...result.broken]),
  ].join('\n')
}

const seconds = (ms: number | null): string => (ms === null ? '?' : (ms / 1_000).toFixed(1))
const reasons = (title: string, lines: readonly string[]): string[] =>
  lines.length === 0 ? [] : ['', `${title}:`, ...lines.map((line) => `  ${line}`)]
