/** The metrics page: every line parses, every family is described, and what happened is what is counted. */
import { spawnSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import type { ClaimedItem } from '@mission-control/shared/service-contract'
import type { HealthPage } from '@mission-control/shared/health'
import type { ItemResult } from '../delivery/item.ts'
import type { DeliveryCode } from '../delivery/verdict.ts'
import type { MetricsView } from './metrics.ts'
import { createMetrics } from './metrics.ts'

const item = (over: Partial<ClaimedItem> = {}): ClaimedItem =>
  ({ attempt: 1, reconcile: false, type: 'mention', committedAgoMs: 3, ...over }) as ClaimedItem

const reply: ItemResult = {
  verdict: { kind: 'settle', outcome: 'reply', reply: 'a secret answer' },
  state: 'delivered',
  report: {
    sentAfterMs: 1,
    acceptedAfterMs: 4,
    repliedAfterMs: 1_004,
    usage: { model: 'm"\\\n', inputTokens: 10, outputTokens: 5, costUsd: 0.25 },
  },
}
const failure = (code: DeliveryCode, state: ItemResult['state']): ItemResult => ({
  verdict: { kind: 'fail', class: 'terminal', code, reason: 'whatever {it} "says"', ended: true, retryAfterMs: null },
  state,
  report: { sentAfterMs: null, acceptedAfterMs: null, repliedAfterMs: null, usage: null },
})

const view = (over: Partial<MetricsView> = {}): MetricsView => ({
  page: {
    role: 'active',
    gateway: { running: true, sessions: 1, version: null },
    delivery: { held: 1, oldestReadyAgeMs: 2_500 },
    heartbeats: { scheduled: 7 },
    agentSync: { counts: { added: 1, updated: 0, removed: 0, unchanged: 6, failed: 0 }, lastSyncAt: '2026-01-01T00:00:00.000Z' },
    convex: { connected: false, lastCheckInAgeMs: 1_500 },
    versions: { runtime: '1.2.3', openclaw: null },
  } as unknown as HealthPage,
  ready: true,
  conditions: ['gateway'],
  oldestHeldAgeSeconds: 12,
  ...over,
})

/** Name, labels and value of each sample; throws on a line that is not of the text format. */
function parse(text: string) {
  const described = new Map<string, string>()
  const samples = new Map<string, number>()
  for (const line of text.split('\n').filter((row) => row !== '')) {
    const type = /^# TYPE (\w+) (counter|gauge|histogram)$/.exec(line)
    if (type?.[1] && type[2]) described.set(type[1], type[2])
    if (line.startsWith('#')) {
      if (!type && !/^# HELP \w+ \S/.test(line)) throw new Error(line)
      continue
    }
    const sample = /^([a-z_]+)(\{(?:[a-z_]+="(?:[^"\\\n]|\\["\\n])*",?)*\})? (-?[0-9.e+-]+|\+Inf|NaN)$/.exec(line)
    if (!sample?.[1]) throw new Error(`not a sample: ${line}`)
    const family = described.has(sample[1]) ? sample[1] : sample[1].replace(/_(bucket|sum|count)$/, '')
    if (!described.has(family)) throw new Error(`not described: ${line}`)
    samples.set(sample[1] + (sample[2] ?? ''), Number(sample[3]))
  }
  return { described, samples }
}

describe('metrics', () => {
  it('counts what happened, in base units', async () => {
    const metrics = createMetrics()
    const { events } = metrics
    events.claimCall('answered', 2)
    events.claimed(item())
    events.accepted(item(), 4)
    events.result(item(), reply)
    events.result(item({ attempt: 5 }), failure('TURN_TIMEOUT', 'dead'))
    events.result(item({ attempt: 2 }), failure('made up {by} somebody' as DeliveryCode, 'ready'))
    events.claimed(item({ type: 'heartbeat', committedAgoMs: 60_000 })) // nobody waits for a heartbeat
    events.checkIn('superseded')
    events.fallbackPoll()
    events.heartbeats('idle', 3)
    const { samples } = parse(await metrics.render(view()))
    const of = (text: string) => samples.get(`mission_control_${text}`)
    expect(of('notification_commit_to_accept_seconds_count')).toBe(1)
    expect(of('notification_commit_to_accept_seconds_sum')).toBeCloseTo(0.007)
    expect(of('notification_commit_to_accept_seconds_bucket{le="0.005"}')).toBe(0)
    expect(of('notification_commit_to_accept_seconds_bucket{le="0.01"}')).toBe(1)
    expect(of('notification_commit_to_claim_seconds_count')).toBe(1)
    expect(of('turn_duration_seconds_sum')).toBeCloseTo(1)
    expect(of('deliveries_total{outcome="reply",reason="none"}')).toBe(1)
    expect(of('deliveries_total{outcome="fail",reason="TURN_TIMEOUT"}')).toBe(1)
    expect(of('deliveries_total{outcome="fail",reason="other"}')).toBe(1)
    expect(of('dead_letters_total')).toBe(1)
    expect(of('settle_results_total{state="delivered"}')).toBe(1)
    expect(of('delivery_attempts_sum')).toBe(6)
    expect(of('check_ins_total{result="superseded"}')).toBe(1)
    expect(of('check_ins_total{result="failed"}')).toBe(0) // there before it happens
    expect(of('fallback_polls_total')).toBe(1)
    expect(of('heartbeats_total{outcome="idle"}')).toBe(3)
    expect(of('turn_tokens_total{direction="input"}')).toBe(10)
    expect(of('turn_cost_usd_total')).toBe(0.25)
  })

  it('says how things are at the moment it is asked', async () => {
    const metrics = createMetrics()
    const { samples } = parse(await metrics.render(view()))
    const of = (text: string) => samples.get(`mission_control_${text}`)
    expect(of('oldest_undelivered_age_seconds')).toBe(12)
    expect(of('gateway_up')).toBe(1)
    expect(of('push_connected')).toBe(0)
    expect(of('ready')).toBe(1)
    expect(of('degraded{condition="gateway"}')).toBe(1)
    expect(of('degraded{condition="token"}')).toBe(0)
    expect(of('agent_sync_agents{result="unchanged"}')).toBe(6)
    expect(of('last_check_in_age_seconds')).toBe(1.5)
    expect(of(`build_info{version="1.2.3",openclaw="unknown",node="${process.versions.node}"}`)).toBe(1)
    expect(samples.get('process_resident_memory_bytes')).toBeGreaterThan(1e7)
    expect(of('event_loop_busy_seconds_total')).toBeGreaterThan(0)
    expect(of('event_loop_lag_seconds')).toBeGreaterThan(0)
    // What is no longer known is no sample; a total read twice is not doubled.
    const later = view()
    const unknown = { ...later.page, convex: { connected: true, lastCheckInAgeMs: null } }
    const again = parse(await metrics.render({ ...later, page: unknown, oldestHeldAgeSeconds: 0 })).samples
    expect(again.has('mission_control_last_check_in_age_seconds')).toBe(false)
    expect(again.get('mission_control_oldest_undelivered_age_seconds')).toBe(2.5)
    expect(again.get('process_cpu_seconds_total')).toBeLessThan(1.5 * (samples.get('process_cpu_seconds_total') ?? 0) + 1)
  })

  it('belongs to one runtime: another one in the process counts for itself', async () => {
    const [one, other] = [createMetrics(), createMetrics()]
    one.events.fallbackPoll()
    expect(parse(await other.render(view())).samples.get('mission_control_fallback_polls_total')).toBe(0)
  })

  const promtool = spawnSync('promtool', ['--version']).error === undefined
  const title = promtool ? '' : ' (skipped: promtool is not installed; it comes with Debian’s package prometheus)'
  it.skipIf(!promtool)(`is what promtool wants${title}`, async () => {
    const metrics = createMetrics()
    metrics.events.result(item(), reply)
    const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], {
      input: await metrics.render(view()),
      encoding: 'utf8',
    })
    expect({ status, said: stdout + stderr }).toEqual({ status: 0, said: '' })
  })
})
