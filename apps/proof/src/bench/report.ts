/** What the bench finds. The shape is a promise to whoever reads `./mc bench --json`. */

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
