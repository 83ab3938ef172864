import { describe, expect, it } from 'vitest'
import { GatewayError } from '@mission-control/openclaw/errors'
import { BrainError } from '../src/brain/errors.ts'
import type { Harness } from './doubles/harness.ts'
import { createHarness, rosterEntry } from './doubles/harness.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE

function withAda(heartbeatMinutes: number): Harness {
  const h = createHarness()
  h.brain.roster = [rosterEntry('ada', { heartbeatMinutes })]
  h.brain.work.add('ada')
  h.turns.auto = () => 'HEARTBEAT_OK'
  return h
}
const begins = (h: Harness) => h.brain.calls.filter(({ name }) => name === 'begin')

describe('heartbeats missed while nothing can begin', () => {
  const obstacles: [string, (h: Harness) => void, (h: Harness) => void][] = [
    [
      'the gateway is down',
      (h) => h.turns.setState({ up: false, reason: 'down' }),
      (h) => h.turns.setState({ up: true, reason: null }),
    ],
    ['the account is paused', (h) => h.brain.setSignals({ paused: true }), (h) => h.brain.setSignals({ paused: false })],
    ['it drains', (h) => h.brain.setSignals({ command: 'drain' }), (h) => h.brain.setSignals({ command: null })],
  ]
  it.each(obstacles)('become one turn of the newest slot: %s', async (_, obstruct, clear) => {
    const h = withAda(15)
    await h.start()
    await h.clock.advance(2 * MINUTE)
    const before = h.turns.sent.length
    obstruct(h)
    await h.clock.settle()
    h.newCalls()
    await h.clock.advance(12 * HOUR)
    expect(new Set(h.newCalls())).toEqual(new Set(['checkIn']))
    const named = h.brain.calls.filter(({ name, at }) => name === 'checkIn' && at > 3 * MINUTE)
    expect(named.flatMap(({ args }) => args['dueAgents'])).toEqual([])
    clear(h)
    await h.clock.advance(70_000)
    expect(h.turns.sent.length - before).toBe(1)
    expect(begins(h).at(-1)?.args['slot']).toBeGreaterThan(h.clock.now() - 16 * MINUTE)
    await h.stop()
  })

  it('become one turn when all slots were taken by deliveries', async () => {
    const h = createHarness({ deliveryConcurrency: 1 })
    h.brain.roster = [rosterEntry('ada', { heartbeatMinutes: 1 }), rosterEntry('bob', { paused: true })]
    h.brain.work.add('ada')
    await h.start()
    h.brain.add('bob/t1', 'slow')
    await h.clock.advance(9 * MINUTE)
    expect(begins(h)).toEqual([])
    expect(h.loops.period()?.heartbeats.status().waiting).toBe(1)
    h.turns.auto = () => 'HEARTBEAT_OK'
    h.turns.running.get('d1.1')?.reply('done')
    await h.clock.advance(20_000)
    expect(begins(h)).toHaveLength(1)
    expect(begins(h)[0]?.args['slot']).toBeGreaterThan(h.clock.now() - 2 * MINUTE)
    await h.stop()
  })

  it('may probe a gateway that refused one: nothing else might ever come', async () => {
    const h = withAda(5)
    h.turns.refusal = () => new GatewayError('GATEWAY_BUSY', 'draining', { ended: true })
    await h.start()
    await h.clock.advance(10 * MINUTE)
    expect(begins(h).length).toBeGreaterThanOrEqual(1)
    h.turns.refusal = null
    await h.clock.advance(10 * MINUTE)
    expect(h.turns.sent.length).toBeGreaterThanOrEqual(1)
    await h.stop()
  })
})

describe('a heartbeat that could not begin', () => {
  it('is offered again within a minute after its lane was busy', async () => {
    const h = withAda(1_440)
    h.turns.auto = null
    await h.start()
    h.brain.add('ada/own', 'busy')
    await h.clock.advance(90_000)
    expect(begins(h).length).toBeGreaterThan(0)
    expect(h.turns.sent).toEqual(['d1.1'])
    h.turns.auto = () => 'HEARTBEAT_OK'
    h.turns.running.get('d1.1')?.reply('done')
    await h.clock.advance(61_000)
    expect(h.turns.sent).toHaveLength(2)
    const count = begins(h).length
    await h.clock.advance(6 * HOUR) // now the slot is done
    expect(begins(h)).toHaveLength(count)
    await h.stop()
  })

  it.each(['the answer was lost', 'nobody was there'])('is offered again within two minutes when %s', async (how) => {
    const h = withAda(1_440)
    await h.start()
    if (how === 'the answer was lost') h.brain.loseAnswers('begin', 1)
    else {
      h.brain.fault = (name) => {
        if (name !== 'begin') return null
        h.brain.fault = null
        return new BrainError('unreachable', 'CONVEX_UNREACHABLE', 'nobody there')
      }
    }
    await h.clock.advance(60_000 + 15_000) // its first is due within a minute
    expect(begins(h)).toHaveLength(1)
    expect(h.turns.sent).toEqual([])
    await h.clock.advance(61_000)
    expect(h.turns.sent).toHaveLength(1)
    const count = begins(h).length
    await h.clock.advance(6 * HOUR)
    expect(begins(h)).toHaveLength(count)
    await h.stop()
  })
})
