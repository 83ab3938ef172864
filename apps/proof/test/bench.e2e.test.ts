/**
 * `./mc bench --quick` as its users call it: every part runs, the JSON has its promised shape, and the figures relate to each other as they
 * must on any machine. How fast it is says a full run on a quiet machine.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { BenchReport } from '../src/bench/report.ts'

const CLI = path.resolve(import.meta.dirname, '../src/cli.ts')
const SHAPE = {
  deliver: { ours: ['p50', 'p90', 'p99', 'n'], plain: ['p50', 'p90', 'p99', 'n'] },
  throughput: ['settledPerSecond'],
  idle: ['callsPerDay', 'plainCallsPerDay'],
  memory: ['rssMb', 'agents'],
  startup: ['readyMs', 'versionMs', 'bareNodeMs'],
  history: ['claimRatio100kTo1k', 'readyRatio100kTo1k'],
  agentSync: ['agents', 'firstMs', 'unchangedMs'],
} as const

const folder = mkdtempSync(path.join(tmpdir(), 'mc-bench-test-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

async function bench(...args: string[]) {
  const child = spawn(process.execPath, [CLI, 'bench', ...args], {
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'], TMPDIR: folder },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
  return { stdout, stderr, code: code as number | null }
}

describe('./mc bench --quick --no-real-gateway --json', { timeout: 600_000 }, () => {
  let found: Awaited<ReturnType<typeof bench>>
  let report: BenchReport
  beforeAll(async () => {
    found = await bench('--quick', '--no-real-gateway', '--json')
    expect(found.stderr).not.toMatch(/^mc: /m) // an error, and not only a missed promise
    report = JSON.parse(found.stdout) as BenchReport
  }, 600_000)

  it('prints one object of the promised shape, and numbers only', () => {
    expect(found.stdout.trimEnd().split('\n')).toHaveLength(1)
    const { deliver, realGateway, ...others } = report
    expect(realGateway).toBeNull()
    expect(Object.keys(deliver ?? {})).toEqual(['ours', 'plain', 'ratioP50'])
    for (const side of ['ours', 'plain'] as const) expect(Object.keys(deliver?.[side] ?? {})).toEqual(SHAPE.deliver[side])
    for (const [part, value] of Object.entries(others)) {
      expect(Object.keys(value ?? {})).toEqual(SHAPE[part as keyof typeof others])
      for (const figure of Object.values(value ?? {})) expect(figure).toBeGreaterThan(0)
    }
  })

  it('is far faster than the plain design, which needs about half of its poll interval', () => {
    const { ours, plain, ratioP50 } = report.deliver!
    for (const { p50, p90, p99 } of [ours, plain]) expect([p50, p90, p99]).toEqual([p50, p90, p99].toSorted((a, b) => a - b))
    expect(plain.p50).toBeGreaterThan(1_000)
    expect(ratioP50).toBeCloseTo(plain.p50 / ours.p50, 1)
    expect(ratioP50).toBeGreaterThan(5)
  })

  it('idles with a fraction of the calls', () => {
    const { callsPerDay, plainCallsPerDay } = report.idle!
    // The bar is 1,500; a window of two short intervals on a busy machine says no more than which of the two it is near.
    expect(callsPerDay).toBeLessThan(2_000)
    expect(plainCallsPerDay).toBeGreaterThan(6 * callsPerDay)
    expect(plainCallsPerDay).toBeLessThan(20_000)
  })

  it('costs about the same with a longer history', () => {
    const { claimRatio100kTo1k, readyRatio100kTo1k } = report.history!
    for (const ratio of [claimRatio100kTo1k, readyRatio100kTo1k]) expect(ratio > 0.3 && ratio < 3).toBe(true)
  })

  it('has plausible figures of the runtime itself', () => {
    const { startup, memory, agentSync, throughput } = report
    expect(startup!.readyMs).toBeGreaterThan(startup!.versionMs)
    expect(memory!.rssMb > 30 && memory!.rssMb < 400).toBe(true)
    expect([memory!.agents, agentSync!.agents]).toEqual([100, 100])
    expect(throughput!.settledPerSecond).toBeGreaterThan(2)
  })

  it('exits 1 exactly when it names a promise as missed', () => {
    expect(found.stderr).toMatch(/^bench: (holds |MISSED) settled a second: [\d.]+ deliveries \(at least 300\)$/m)
    expect(found.code).toBe(found.stderr.includes('bench: MISSED') ? 1 : 0)
  })

  it('leaves nothing behind', () => expect(readdirSync(folder)).toEqual([]))
})

describe('./mc bench', () => {
  it.each([
    [['--only', 'nothing'], 'Allowed choices are'],
    [['--write', '--quick'], 'leave --quick and --only out'],
  ])('refuses %j', async (args, why) => {
    const { code, stderr } = await bench(...args)
    expect(code).toBe(2)
    expect(stderr).toContain(why)
  })
})
