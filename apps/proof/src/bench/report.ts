/** What the bench finds. The shape is a promise to whoever reads `./mc bench --json`. */
import { percentile } from '@mission-control/host/numbers'

/** A part that was not asked for is `null`. Milliseconds, unless the name says otherwise. */
export interface BenchReport {
  readonly deliver: {
    readonly ours: Latency
    readonly plain: Latency
    /** How many times longer the plain design takes at the median. */
    readonly ratioP50: number
  } | null
  readonly throughput: { readonly settledPerSecond: number } | null
  readonly idle: { readonly callsPerDay: number; readonly plainCallsPerDay: number } | null
  readonly memory: { readonly rssMb: number; readonly agents: number } | null
  readonly startup: { readonly readyMs: number; readonly versionMs: number; readonly bareNodeMs: number } | null
  readonly history: { readonly claimRatio100kTo1k: number; readonly readyRatio100kTo1k: number } | null
  readonly agentSync: { readonly agents: number; readonly firstMs: number; readonly unchangedMs: number } | null
  /** `null` also without an installed OpenClaw. */
  readonly realGateway: { readonly turnsPerSecond: number; readonly directTurnsPerSecond: number } | null
}

export type Part = keyof BenchReport

export interface Latency {
  readonly p50: number
  readonly p90: number
  readonly p99: number
  readonly n: number
}

export const latencyOf = (values: readonly number[]): Latency => ({
  p50: percentile(values, 0.5),
  p90: percentile(values, 0.9),
  p99: percentile(values, 0.99),
  n: values.length,
})

/** For people. */
export const latencyText = ({ p50, p90, p99, n }: Latency): string =>
  `p50 ${p50.toFixed(1)}, p90 ${p90.toFixed(1)}, p99 ${p99.toFixed(1)} ms of ${n}`
