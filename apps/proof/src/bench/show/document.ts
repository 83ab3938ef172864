/** The document with the figures: `docs/benchmarks.md`. Pure. */
import { judge } from '../bars.ts'
import type { BenchResult } from '../bench.ts'
import type { Latency } from '../report.ts'

/** Where and when it was measured. */
export interface Circumstances {
  /** A day, `2026-11-30`. */
  readonly date: string
  readonly machine: string
  readonly command: string
  /** Load average before and after. */
  readonly load: string
}

export function benchDocument(
  { report, reference, rssMbOfOne }: BenchResult,
  { date, machine, command, load }: Circumstances,
): string {
  const { deliver, throughput, idle, memory, startup, history, agentSync, realGateway } = report
  const rows: [string, string][] = []
  const row = (what: string, figure: string) => rows.push([what, figure])
  if (deliver) {
    row('commit to accepted, ours', latencyCell(deliver.ours))
    row('commit to accepted, the plain design', latencyCell(deliver.plain))
    row('faster at the median', `${deliver.ratioP50.toFixed(0)} times`)
  }
  if (reference) row(`for comparison: graphile-worker on ${reference.version}, commit to start`, latencyCell(reference))
  if (throughput) row('settled a second, 51 at once', throughput.settledPerSecond.toFixed(0))
  if (idle)
    row(
      'calls of the backend on an idle day, ours; the plain design',
      `${idle.callsPerDay.toFixed(0)}; ${idle.plainCallsPerDay.toFixed(0)}`,
    )
  if (memory) {
    const one = rssMbOfOne === null ? '' : `${rssMbOfOne.toFixed(0)} MiB; `
    row(`resident memory of the runtime with 1 agent; with ${memory.agents}`, `${one}${memory.rssMb.toFixed(0)} MiB`)
  }
  if (startup) {
    row('runtime, from start of the process to ready', `${startup.readyMs.toFixed(0)} ms`)
    row('runtime `--version`; Node alone', `${startup.versionMs.toFixed(0)} ms; ${startup.bareNodeMs.toFixed(0)} ms`)
  }
  if (history) {
    const [claim, ready] = [history.claimRatio100kTo1k.toFixed(2), history.readyRatio100kTo1k.toFixed(2)]
    row('claim; ready query with 100,000 items of history, over the same with 1,000', `${claim} times; ${ready} times`)
  }
  if (agentSync) {
    const { agents, firstMs, unchangedMs } = agentSync
    row(
      `first sync of ${agents} agents; the same unchanged, after a restart`,
      `${firstMs.toFixed(0)} ms; ${unchangedMs.toFixed(0)} ms`,
    )
  }
  if (realGateway) {
    const { turnsPerSecond: ours, directTurnsPerSecond: direct } = realGateway
    const share = ((100 * ours) / direct).toFixed(1)
    row('turns a second of the real OpenClaw, through us; directly', `${ours.toFixed(2)}; ${direct.toFixed(2)} (${share} %)`)
  }
  return [
    '# Benchmarks',
    '',
    `Measured on ${date} with \`${command}\` on ${machine}; ${load}. Written by that command: do not edit by hand. What each part does and why`,
    'it is done so stands in [apps/proof/README.md](../apps/proof/README.md) and at the head of each file of `apps/proof/src/bench/parts`.',
    '',
    '| What | Figure |',
    '| --- | --- |',
    ...rows.map(([what, figure]) => `| ${what} | ${figure} |`),
    '',
    '![Share of messages accepted within a time, ours and the plain design](benchmarks-latency.svg)',
    '',
    '## What must hold on two quiet cores',
    '',
    '| Promise | Bar | Measured | |',
    '| --- | --- | --- | --- |',
    ...judge(report).map(
      ({ name, bar, value, unit, holds }) => `| ${name} | ${bar} | ${value.toFixed(2)} ${unit} | ${holds ? 'holds' : 'missed'} |`,
    ),
    '',
  ].join('\n')
}

const latencyCell = ({ p50, p90, p99, n }: Latency): string =>
  `p50 ${p50.toFixed(1)} ms, p90 ${p90.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms (${n})`
