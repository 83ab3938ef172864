/**
 * Width: many agents, many lanes, fifty busy at once, on a clock that stands still, so that what is measured is what waits for what
 * and never the machine. The same with real parts and real time: test/proof.
 */
import { describe, expect, it } from 'vitest'
import { median } from '@mission-control/host/numbers'
import { GatewayError } from '@mission-control/openclaw/errors'
import { BrainError } from '../src/brain/errors.ts'
import type { Harness } from './doubles/harness.ts'
import { createHarness, rosterEntry } from './doubles/harness.ts'

const WIDTH = 51
const MINUTE = 60_000
const calls = (h: Harness, name: string) => h.brain.calls.filter((call) => call.name === name)
const paused = (slugs: readonly string[]) => slugs.map((slug) => rosterEntry(slug, { paused: true }))
const named = (count: number) => Array.from({ length: count }, (_, i) => `agent${i}`)

describe('with fifty-one slots', () => {
  it('fills all of them although the list of ready heads shows eight, and none a second time', async () => {
    const h = createHarness({ deliveryConcurrency: WIDTH })
    h.brain.roster = paused(named(100))
    await h.start()
    for (const slug of named(100)) for (let i = 0; i < 2; i += 1) h.brain.add(`${slug}/t`, 'work')
    await h.clock.settle()
    await h.clock.settle()
    expect(h.turns.running.size).toBe(WIDTH)
    expect(h.turns.sent).toEqual(Array.from({ length: WIDTH }, (_, i) => `d${2 * i + 1}.1`)) // first come, first served
    await h.stop()
  })

  it('lets no neighbour wait for a lane that always fails and one that never answers', async () => {
    const clean = await neighbours({ trouble: false })
    const troubled = await neighbours({ trouble: true })
    expect(clean).toHaveLength(500)
    expect(troubled).toHaveLength(500)
    expect(median(troubled) / median(clean)).toBeLessThan(1.2)
    // Not only the median: with one slot lost to the hanging lane nobody waits for more than one other turn.
    expect(Math.max(...troubled)).toBeLessThan(2.5 * median(clean))
  }, 60_000)

  it('delivers around an item whose claim the backend fails on, and goes on trying it', async () => {
    const h = createHarness({ deliveryConcurrency: WIDTH })
    h.brain.roster = paused(named(20))
    h.turns.auto = () => 'ok'
    const broken = 'd3'
    h.brain.fault = (name, args) =>
      name === 'claim' && (args['ids'] as string[]).includes(broken)
        ? new BrainError('server', 'CONVEX_UNREACHABLE', 'bang')
        : null
    await h.start()
    const items = named(20).map((slug) => h.brain.add(`${slug}/t`, 'work'))
    await h.clock.advance(5_000)
    expect(items.filter(({ item }) => item.state === 'delivered').map(({ id }) => id)).toEqual(
      items.map(({ id }) => id).filter((id) => id !== broken),
    )
    // From then on it holds up nobody, not even for one pause.
    const late = h.brain.add('agent0/other', 'work')
    await h.clock.settle()
    expect(late.item.state).toBe('delivered')
    const before = calls(h, 'claim').length
    await h.clock.advance(MINUTE)
    expect(calls(h, 'claim').length - before).toBeGreaterThanOrEqual(3)
    expect(calls(h, 'claim').length - before).toBeLessThan(12)
    h.brain.fault = null
    await h.clock.advance(16_000)
    expect(items.every(({ item }) => item.state === 'delivered')).toBe(true)
    await h.stop()
  })
})

/** Latencies, commit to settled, of fifty lanes at a time: each gets its next message when the one before is settled. */
async function neighbours({ trouble }: { trouble: boolean }): Promise<number[]> {
  const TURN_MS = 100
  const CALL_MS = 2
  const h = createHarness({ deliveryConcurrency: WIDTH })
  h.brain.roster = paused([...named(200), 'poison', 'hang'])
  h.brain.delay = () => h.clock.sleep(CALL_MS)
  const { run } = h.turns
  h.turns.run = (request, signal) => {
    const ending = run(request, signal)
    void h.clock.sleep(TURN_MS).then(() => {
      const turn = h.turns.running.get(request.turnKey)
      if (request.sessionKey.startsWith('agent:poison:')) turn?.fail(new GatewayError('TURN_FAILED', 'no', { ended: true }))
      else if (!request.sessionKey.startsWith('agent:hang:')) turn?.reply('ok')
    })
    return ending
  }
  await h.start()
  const poisoned = trouble ? Array.from({ length: 10 }, () => h.brain.add('poison/t', 'bad')) : []
  if (trouble) h.brain.add('hang/t', 'silent')
  const latencies: number[] = []
  const open = Array.from({ length: 50 }, (_, lane) => ({ lane, round: 0, at: 0, row: h.brain.add(`agent${lane}/t`, 'work') }))
  while (latencies.length < 500) {
    await h.clock.advance(1)
    for (const one of open) {
      if (one.row.item.state !== 'delivered' || one.round === 10) continue
      latencies.push(h.clock.monotonic() - one.at)
      one.round += 1
      if (one.round === 10) continue
      one.at = h.clock.monotonic()
      one.row = h.brain.add(`agent${(one.lane + 50 * one.round) % 200}/t`, 'work')
    }
    if (h.clock.monotonic() > 10 * MINUTE) throw new Error(`only ${latencies.length} were settled`)
  }
  expect(h.turns.peak()).toBeLessThanOrEqual(WIDTH)
  if (trouble) {
    expect(h.turns.running.size).toBeGreaterThanOrEqual(1) // the hanging one
    expect(poisoned.flatMap(({ replies }) => replies)).toEqual([])
    expect(poisoned[0]?.failures.length).toBeGreaterThanOrEqual(1)
  }
  // The end waits for calls, and nobody moves the clock any more.
  h.brain.delay = null
  await h.clock.advance(CALL_MS)
  await h.stop()
  return latencies
}

describe('agents without work', () => {
  const entries = (count: number, h: Harness) =>
    named(count).map((slug) => rosterEntry(slug, { lastHeartbeatSlot: h.clock.now() - 1_000 }))

  it.each([10, 1_000])('cost one call a minute, all %d of them together, and no turn', async (count) => {
    const h = createHarness()
    h.brain.roster = entries(count, h)
    await h.start()
    h.newCalls()
    await h.clock.advance(10 * MINUTE)
    expect(h.newCalls()).toEqual(new Array(10).fill('checkIn'))
    await h.clock.advance(13 * MINUTE) // half an interval and a whole one
    const due = calls(h, 'checkIn').map(({ args }) => args['dueAgents'] as { agentId: string }[])
    expect(new Set(due.flat().map(({ agentId }) => agentId)).size).toBe(count) // every one of them had its turn to be asked
    expect(h.turns.sent).toEqual([])
    await h.stop()
  })

  it('need no timer of their own', async () => {
    const timers = async (count: number) => {
      const h = createHarness()
      h.brain.roster = entries(count, h)
      await h.start()
      await h.clock.advance(20 * MINUTE)
      const { pending } = h.clock
      await h.stop()
      return pending
    }
    expect(await timers(1_000)).toBe(await timers(1))
  })

  it('that are all due at once, after an outage, are asked within minutes, a hundred a call', async () => {
    const h = createHarness()
    h.brain.roster = named(1_000).map((slug) => rosterEntry(slug, { lastHeartbeatSlot: h.clock.now() - 24 * 60 * MINUTE }))
    await h.start()
    await h.clock.advance(3 * MINUTE)
    const due = calls(h, 'checkIn').map(({ args }) => args['dueAgents'] as { agentId: string }[])
    expect(Math.max(...due.map(({ length }) => length))).toBe(100)
    expect(new Set(due.flat().map(({ agentId }) => agentId)).size).toBe(1_000)
    expect(due.length).toBeLessThan(14)
    await h.stop()
  })
})

describe('the roster of a thousand', () => {
  it('is written once; unchanged it costs no write, and one changed agent costs one patch of one agent', async () => {
    const h = createHarness()
    h.brain.roster = paused(named(1_000))
    await h.start()
    await h.clock.settle()
    expect(h.host.hosted.size).toBe(1_000)
    expect(h.host.log.filter((line) => line.startsWith('put'))).toHaveLength(1)
    expect(calls(h, 'profiles')).toHaveLength(50)
    const written = h.host.appliedWrites

    h.host.log.length = 0
    h.newCalls()
    h.loops.period()?.sync.lookAgain() // as when a gateway came up
    await h.clock.settle()
    expect(h.newCalls()).toEqual(new Array(5).fill('list'))
    expect(h.host.log).toEqual([])
    expect(h.host.appliedWrites).toBe(written)

    h.brain.roster = h.brain.roster.map((agent) => (agent.slug === 'agent500' ? { ...agent, name: 'Other' } : agent))
    h.brain.setSignals({ rosterVersion: 2 })
    await h.clock.settle()
    expect(h.host.log).toEqual(['write agent500', 'put agent500'])
    await h.stop()
  })
})
