import { describe, expect, it } from 'vitest'
import { judge, sentence } from './bars.ts'
import type { BenchReport } from './report.ts'

const latency = (p50: number, p99: number) => ({ p50, p90: (p50 + p99) / 2, p99, n: 100 })
const GOOD: BenchReport = {
  deliver: { ours: latency(4, 30), plain: latency(2_500, 4_950), ratioP50: 625 },
  throughput: { settledPerSecond: 400 },
  idle: { callsPerDay: 1_440, plainCallsPerDay: 18_720 },
  memory: { rssMb: 120, agents: 1_000 },
  startup: { readyMs: 700, versionMs: 60, bareNodeMs: 30 },
  history: { claimRatio100kTo1k: 1, readyRatio100kTo1k: 1 },
  agentSync: { agents: 1_000, firstMs: 3_000, unchangedMs: 200 },
  realGateway: { turnsPerSecond: 3.9, directTurnsPerSecond: 4 },
}
const missedBy = (report: BenchReport) => judge(report).filter(({ holds }) => !holds)

describe('the promises', () => {
  it('hold for good figures', () => expect(missedBy(GOOD)).toEqual([]))

  it.each<[string, Partial<BenchReport>]>([
    ['commit to accepted, median', { deliver: { ...GOOD.deliver!, ours: latency(10.1, 30) } }],
    ['commit to accepted, p99', { deliver: { ...GOOD.deliver!, ours: latency(4, 50.1) } }],
    ['faster than the plain design at the median', { deliver: { ...GOOD.deliver!, ratioP50: 249 } }],
    ['settled a second', { throughput: { settledPerSecond: 299 } }],
    ['calls of an idle day', { idle: { callsPerDay: 1_501, plainCallsPerDay: 18_720 } }],
    ['claim, with 100 times the history', { history: { claimRatio100kTo1k: 1.51, readyRatio100kTo1k: 1 } }],
    ['ready query, with 100 times the history', { history: { claimRatio100kTo1k: 1, readyRatio100kTo1k: 1.51 } }],
    [
      'turns a second with OpenClaw, of what direct calls reach',
      { realGateway: { turnsPerSecond: 3.79, directTurnsPerSecond: 4 } },
    ],
  ])('names the one that is missed: %s', (name, bad) => {
    const missed = missedBy({ ...GOOD, ...bad })
    expect(missed.map((one) => one.name)).toEqual([name])
  })

  it('are missed by a figure that is none', () =>
    expect(missedBy({ ...GOOD, throughput: { settledPerSecond: Number.NaN } })).toHaveLength(1))

  it('say nothing of what was not measured', () =>
    expect(judge(Object.fromEntries(Object.keys(GOOD).map((part) => [part, null])) as unknown as BenchReport)).toEqual([]))

  it('are told with figure and bar', () => {
    const [missed] = missedBy({ ...GOOD, throughput: { settledPerSecond: 120 } })
    expect(missed && sentence(missed)).toBe('MISSED settled a second: 120.00 deliveries (at least 300)')
  })
})
