/** What must hold. Pure. */
import type { BenchReport } from './report.ts'

export interface Judged {
  readonly name: string
  readonly value: number
  readonly unit: string
  /** What was promised, in words. */
  readonly bar: string
  readonly holds: boolean
}

/** On two cores that nothing else uses. */
const ACCEPTED_P50_MS = 10
const ACCEPTED_P99_MS = 50
const FASTER_THAN_PLAIN = 250
const SETTLED_PER_SECOND = 300
const CALLS_PER_IDLE_DAY = 1_500
const HISTORY_RATIO = 1.5
const SHARE_OF_DIRECT = 0.95

/** Every promise about what was measured, in the order of the report. What was not measured is not judged. */
export function judge({ deliver, throughput, idle, history, realGateway }: BenchReport): Judged[] {
  const found: Judged[] = []
  const atMost = (name: string, value: number, bar: number, unit: string) =>
    found.push({ name, value, unit, bar: `at most ${bar}`, holds: value <= bar })
  const atLeast = (name: string, value: number, bar: number, unit: string) =>
    found.push({ name, value, unit, bar: `at least ${bar}`, holds: value >= bar })
  if (deliver) {
    atMost('commit to accepted, median', deliver.ours.p50, ACCEPTED_P50_MS, 'ms')
    atMost('commit to accepted, p99', deliver.ours.p99, ACCEPTED_P99_MS, 'ms')
    atLeast('faster than the plain design at the median', deliver.ratioP50, FASTER_THAN_PLAIN, 'times')
  }
  if (throughput) atLeast('settled a second', throughput.settledPerSecond, SETTLED_PER_SECOND, 'deliveries')
  if (idle) atMost('calls of an idle day', idle.callsPerDay, CALLS_PER_IDLE_DAY, 'calls')
  if (history) {
    atMost('claim, with 100 times the history', history.claimRatio100kTo1k, HISTORY_RATIO, 'times')
    atMost('ready query, with 100 times the history', history.readyRatio100kTo1k, HISTORY_RATIO, 'times')
  }
  if (realGateway) {
    const share = realGateway.turnsPerSecond / realGateway.directTurnsPerSecond
    atLeast('turns a second with OpenClaw, of what direct calls reach', share, SHARE_OF_DIRECT, 'of them')
  }
  return found
}

export const sentence = ({ name, value, unit, bar, holds }: Judged): string =>
  `${holds ? 'holds ' : 'MISSED'} ${name}: ${value.toFixed(2)} ${unit} (${bar})`
