import { describe, expect, it } from 'vitest'
import { GatewayError } from '@mission-control/openclaw/errors'
import { LEASE_BUSY_MS } from '@mission-control/shared/lanes/policy'
import { BrainError } from '../src/brain/errors.ts'
import { GATEWAY_PATIENCE_MS } from '../src/delivery/run.ts'
import { createHarness, rosterEntry } from './doubles/harness.ts'

const turnOf = (h: ReturnType<typeof createHarness>, key: string) => {
  const turn = h.turns.running.get(key)
  if (turn === undefined) throw new Error(`no turn ${key}; running: ${[...h.turns.running.keys()].join(' ')}`)
  return turn
}

describe('delivery', () => {
  it('claims the moment the subscription fires, and posts the reply once', async () => {
    const h = createHarness()
    await h.start()
    h.newCalls()
    const row = h.brain.add('ada/t1', 'hello')
    await h.clock.settle() // no time passes
    expect(h.newCalls()).toEqual(['claim'])
    turnOf(h, 'd1.1').reply('hi')
    await h.clock.settle()
    expect(row.replies).toEqual(['hi'])
    expect(h.newCalls()).toEqual(['settle'])
    await h.stop()
  })

  it('asks nothing in an idle minute but one check-in', async () => {
    const h = createHarness()
    await h.start()
    await h.clock.advance(60_000)
    h.newCalls()
    await h.clock.advance(600_000)
    expect(h.newCalls()).toEqual(new Array(10).fill('checkIn'))
    await h.stop()
  })

  it('checks in every 15 s while something is held', async () => {
    const h = createHarness()
    await h.start()
    h.brain.add('ada/t1', 'slow')
    await h.clock.settle()
    h.newCalls()
    await h.clock.advance(60_000)
    expect(h.newCalls()).toEqual(new Array(4).fill('checkIn'))
    turnOf(h, 'd1.1').reply('done')
    await h.stop()
  })

  it('runs as many turns as it has slots, frees them one by one, and keeps the order of a lane', async () => {
    const h = createHarness({ deliveryConcurrency: 2 })
    await h.start()
    for (let i = 0; i < 4; i += 1) h.brain.add(`agent${i}/t`, `m${i}`)
    h.brain.add('agent0/t', 'second in the lane')
    await h.clock.settle()
    expect([...h.turns.running.keys()]).toEqual(['d1.1', 'd2.1'])
    turnOf(h, 'd2.1').reply('ok') // the first still runs: no batch barrier
    await h.clock.settle()
    expect([...h.turns.running.keys()]).toEqual(['d1.1', 'd3.1'])
    turnOf(h, 'd1.1').reply('ok')
    await h.clock.settle()
    h.turns.auto = () => 'ok'
    turnOf(h, 'd3.1').reply('ok')
    for (const turn of h.turns.running.values()) turn.reply('ok')
    await h.clock.advance(1_000)
    for (const turn of h.turns.running.values()) turn.reply('ok')
    await h.clock.advance(1_000)
    expect([...h.brain.items.values()].map(({ replies }) => replies)).toEqual(new Array(5).fill(['ok']))
    expect(h.turns.peak()).toBe(2)
    await h.stop()
  })

  it('gets a reply through an outage of the backend, and renews the lease as soon as it can', async () => {
    const h = createHarness()
    await h.start()
    const row = h.brain.add('ada/t1', 'hello')
    await h.clock.settle()
    h.brain.down = true
    turnOf(h, 'd1.1').reply('kept')
    await h.clock.advance(30_000)
    expect(h.reasons().join()).toContain('convex')
    h.brain.down = false
    await h.clock.advance(20_000)
    expect(row.replies).toEqual(['kept'])
    expect(row.item.fence).toBe(1) // settled by the claim that ran it, not by a second one
    expect(h.reasons()).toEqual([])
    await h.stop()
  })

  // Different lengths, so that no pause ends by itself at the right moment in all of them.
  it.each([600_000, 602_000, 604_000, 606_000, 608_000, 610_000, 612_000])(
    'ends all pauses when anything is answered after %i ms of outage: results, claims, lease, version of the roster',
    async (outageMs) => {
      const h = createHarness({ deliveryConcurrency: 2 })
      await h.start()
      const first = h.brain.add('ada/t1', 'hello')
      await h.clock.settle()
      h.brain.down = true
      turnOf(h, 'd1.1').reply('kept')
      const second = h.brain.add('bob/t1', 'hello') // known of, and its claims fail
      await h.clock.settle()
      h.brain.setConnected(false)
      await h.clock.advance(outageMs)
      h.newCalls()
      h.brain.down = false
      h.brain.setConnected(true)
      await h.clock.settle() // no time passes
      expect(first.replies).toEqual(['kept'])
      expect(second.item.state).toBe('claimed')
      expect(h.newCalls()).toEqual(expect.arrayContaining(['settle', 'claim', 'checkIn', 'signals']))
      await h.stop()
    },
  )

  it('says hello as soon as a backend that was away answers', async () => {
    const h = createHarness()
    h.brain.down = true
    h.brain.setConnected(false)
    await h.start()
    await h.clock.advance(600_000)
    expect(h.loops.role()).toBe('starting')
    h.brain.down = false
    h.brain.setConnected(true)
    await h.clock.settle()
    expect(h.loops.role()).toBe('active')
    await h.stop()
  })

  it('survives a lost answer of claim: the item comes back and runs once', async () => {
    const h = createHarness()
    await h.start()
    h.turns.auto = () => 'ok'
    h.brain.loseAnswers('claim', 1)
    const row = h.brain.add('ada/t1', 'hello')
    await h.clock.advance(12_000)
    expect(row.replies).toEqual(['ok'])
    expect(h.turns.sent).toEqual(['d1.1'])
    expect(row.item.attempts).toBe(1)
    await h.stop()
  })

  it('survives a lost answer of settle: the repeated call is answered from the store', async () => {
    const h = createHarness()
    await h.start()
    h.turns.auto = () => 'ok'
    h.brain.loseAnswers('settle', 2)
    h.newCalls()
    const row = h.brain.add('ada/t1', 'hello')
    await h.clock.advance(5_000)
    expect(row.replies).toEqual(['ok'])
    expect(h.newCalls().filter((name) => name === 'settle')).toHaveLength(3)
    expect(h.loops.period()?.delivery.held()).toEqual([])
    await h.stop()
  })

  it('maps what a turn dies of: retryable uses an attempt, configuration does not', async () => {
    const h = createHarness()
    await h.start()
    const row = h.brain.add('ada/t1', 'hello')
    await h.clock.settle()
    turnOf(h, 'd1.1').fail(new GatewayError('TURN_FAILED', 'the model is confused', { ended: true }))
    await h.clock.advance(3_000)
    expect(row.failures[0]).toMatchObject({ class: 'retryable', code: 'TURN_FAILED', ended: true })
    turnOf(h, 'd1.2').fail(new GatewayError('TURN_MODEL_CONFIG', 'bad key', { ended: true }))
    await h.clock.settle()
    expect(row.item).toMatchObject({ state: 'ready', attempts: 1 })
    h.turns.auto = () => 'at last'
    await h.clock.advance(120_000)
    expect(row.replies).toEqual(['at last'])
    await h.stop()
  })

  it('tells what a failed turn has used, and one that is given back', async () => {
    const h = createHarness()
    await h.start()
    const [failed, released] = [h.brain.add('ada/t1', 'hello'), h.brain.add('bob/t1', 'hello')]
    await h.clock.settle()
    const usage = { model: 'm', inputTokens: 7, outputTokens: 3, costUsd: 0.1 }
    for (const [key, code] of [
      ['d1.1', 'TURN_FAILED'],
      ['d2.1', 'TURN_KEY_SPENT'],
    ] as const) {
      const turn = turnOf(h, key)
      turn.request.onSpent(usage)
      turn.fail(new GatewayError(code, 'it ended', { ended: true }))
    }
    await h.clock.settle()
    expect(failed.failures[0]?.run.usage).toEqual(usage)
    expect(failed.late).toEqual([])
    expect(released.late).toMatchObject([{ usage }])
    await h.stop()
  })

  it('claims nothing while the gateway is down, and goes on the moment it is back', async () => {
    const h = createHarness()
    h.turns.setState({ up: false, reason: 'OpenClaw was not found' })
    await h.start()
    h.turns.auto = () => 'ok'
    const row = h.brain.add('ada/t1', 'hello')
    await h.clock.advance(300_000)
    expect(row.item).toMatchObject({ state: 'ready', attempts: 0 })
    expect(h.newCalls()).not.toContain('claim')
    h.turns.setState({ up: true, reason: null })
    await h.clock.settle()
    expect(row.replies).toEqual(['ok'])
    await h.stop()
  })

  it('probes a gateway that refuses turns soon, then ever more rarely, and burns no attempt', async () => {
    const h = createHarness()
    await h.start()
    h.turns.refusal = () => new GatewayError('GATEWAY_BUSY', 'draining', { ended: true })
    const rows = [0, 1, 2].map((i) => h.brain.add(`agent${i}/t`, 'hello'))
    const claims = async (minutes: number) => {
      await h.clock.advance(minutes * 60_000)
      return h.newCalls().filter((name) => name === 'claim').length
    }
    // All three at once, which counts as one; then after 1, 3, 7, 15 and 31 s, one at a time; then once a minute.
    expect(await claims(1)).toBe(6)
    const later = await claims(8)
    expect(later).toBeGreaterThanOrEqual(8)
    expect(later).toBeLessThanOrEqual(9)
    expect(rows.map(({ item }) => item.attempts)).toEqual([0, 0, 0])
    const refused = 'turns: the gateway is up and takes no turns: draining'
    expect(h.reasons()).toContain(refused)
    h.turns.refusal = null
    h.turns.auto = () => 'ok'
    await h.clock.advance(61_000)
    expect(rows.map(({ replies }) => replies)).toEqual([['ok'], ['ok'], ['ok']])
    expect(h.reasons()).not.toContain(refused)
    // The next trouble is met as the first one was.
    h.turns.refusal = () => new GatewayError('GATEWAY_BUSY', 'busy again', { ended: true })
    const row = h.brain.add('agent0/t', 'once more')
    await h.clock.settle()
    h.turns.refusal = null
    await h.clock.advance(1_500)
    expect(row.replies).toEqual(['ok'])
    await h.stop()
  })

  it('keeps turns over a restart of the gateway and gives them back when it stays away', async () => {
    const h = createHarness()
    await h.start()
    const row = h.brain.add('ada/t1', 'hello')
    await h.clock.settle()
    h.turns.setState({ up: false, reason: 'gone' })
    await h.clock.advance(GATEWAY_PATIENCE_MS - 1_000)
    expect(row.item.state).toBe('claimed')
    await h.clock.advance(2_000)
    expect(row.item).toMatchObject({ state: 'ready', attempts: 0, turnOpen: true, turn: 1 })
    await h.stop()
  })

  it('stops a turn when told to, and no reply appears however late it comes', async () => {
    const h = createHarness()
    await h.start()
    const row = h.brain.add('ada/t1', 'hello')
    await h.clock.settle()
    h.brain.stop(row.id)
    await h.clock.advance(10)
    expect(row.item).toMatchObject({ state: 'skipped', reason: 'stopped' })
    expect(h.turns.running.size).toBe(0)
    expect(row.replies).toEqual([])
    await h.stop()
  })

  it('does not hear of work through a half-open socket, and finds it with the check-in', async () => {
    const h = createHarness()
    await h.start()
    h.turns.auto = () => 'ok'
    h.brain.silent = true
    const row = h.brain.add('ada/t1', 'hello')
    await h.clock.advance(61_000)
    expect(row.replies).toEqual(['ok'])
    await h.stop()
  })

  it('polls while the subscription has failed', async () => {
    const h = createHarness()
    await h.start()
    h.turns.auto = () => 'ok'
    h.brain.breakReady()
    const row = h.brain.add('ada/t1', 'hello')
    await h.clock.advance(5_000)
    expect(row.replies).toEqual(['ok'])
    await h.stop()
  })

  it('polls while the socket is known to be down', async () => {
    const h = createHarness()
    await h.start()
    h.turns.auto = () => 'ok'
    h.brain.setConnected(false)
    const row = h.brain.add('ada/t1', 'hello')
    await h.clock.advance(5_000)
    expect(row.replies).toEqual(['ok'])
    h.brain.setConnected(true)
    await h.clock.advance(60_000)
    h.newCalls()
    await h.clock.advance(60_000)
    expect(h.newCalls()).toEqual(['checkIn'])
    await h.stop()
  })

  it('claims nothing while the account is paused, and goes on when it is resumed', async () => {
    const h = createHarness()
    await h.start()
    h.turns.auto = () => 'ok'
    h.brain.setSignals({ paused: true })
    await h.clock.settle()
    const row = h.brain.add('ada/t1', 'hello')
    await h.clock.advance(120_000)
    expect(h.newCalls()).not.toContain('claim')
    h.brain.setSignals({ paused: false })
    await h.clock.settle()
    expect(row.replies).toEqual(['ok'])
    await h.stop()
  })
})

describe('a result the backend does not take', () => {
  const invalid = () => new BrainError('invalid', 'INVALID', 'The backend answered with status 400: not JSON')
  const crash = () => new BrainError('server', 'CONVEX_UNREACHABLE', 'The backend failed: Server Error')

  it('for good is replaced by a failure that carries nothing of it, and the slot is free', async () => {
    const h = createHarness({ deliveryConcurrency: 1 })
    await h.start()
    h.brain.fault = (name, args) => (name === 'settle' && args['reply'] === 'bad' ? invalid() : null)
    h.turns.auto = ({ message }) => (message.includes('POISON') ? 'bad' : 'good')
    const poison = h.brain.add('ada/t1', 'POISON')
    const other = h.brain.add('bob/t1', 'fine')
    await h.clock.settle()
    expect(poison.item.state).toBe('dead')
    expect(poison.failures).toMatchObject([{ class: 'terminal', code: 'RESULT_REFUSED', ended: true }])
    expect(other.replies).toEqual(['good'])
    await h.stop()
  })

  it('because the claim is lost still tells what the turn used, once, and only where it used something', async () => {
    const h = createHarness()
    await h.start()
    h.brain.fault = (name) => (name === 'settle' ? new BrainError('refused', 'STALE_FENCE', 'The claim is not current.') : null)
    const [spent, free] = [h.brain.add('ada/t1', 'hello'), h.brain.add('bob/t1', 'hello')]
    await h.clock.settle()
    h.newCalls()
    const usage = { model: 'm', inputTokens: 7, outputTokens: 3, costUsd: 0.1 }
    turnOf(h, 'd1.1').reply('too late', usage)
    turnOf(h, 'd2.1').reply('too late')
    await h.clock.settle()
    expect(spent.late).toMatchObject([{ usage }])
    expect(free.late).toEqual([])
    expect(h.newCalls()).toEqual(['settle', 'settle', 'reportUsage'])
    expect(h.loops.period()?.delivery.held()).toEqual([])
    await h.stop()
  })

  it('neither as a failure is let go: nothing is repeated for ever', async () => {
    const h = createHarness({ deliveryConcurrency: 1 })
    await h.start()
    h.brain.fault = (name, args) => (['settle', 'fail'].includes(name) && args['id'] === 'd1' ? invalid() : null)
    h.turns.auto = () => 'ok'
    h.brain.add('ada/t1', 'hello')
    await h.clock.settle()
    expect(h.newCalls().filter((name) => ['settle', 'fail'].includes(name))).toEqual(['settle', 'fail'])
    expect(h.loops.period()?.delivery.held()).toEqual([])
    await h.stop()
  })

  it('because it crashes each time is let go once the claim has lapsed', async () => {
    const h = createHarness({ deliveryConcurrency: 1 })
    await h.start()
    h.brain.fault = (name, args) => (name === 'settle' && args['reply'] === 'bad' ? crash() : null)
    h.turns.auto = ({ message }) => (message.includes('POISON') ? 'bad' : 'good')
    const poison = h.brain.add('ada/t1', 'POISON')
    const other = h.brain.add('bob/t1', 'fine')
    await h.clock.advance(14 * 60_000)
    expect(other.item.attempts).toBe(0)
    await h.clock.advance(2 * 60_000)
    expect(other.replies).toEqual(['good'])
    await h.clock.advance(5 * 16 * 60_000)
    expect(poison.item.state).toBe('dead')
    await h.stop()
  })
})

describe('a check-in that was late on its way', () => {
  it('does not stop the claim that followed the one it named', async () => {
    const h = createHarness()
    await h.start()
    const row = h.brain.add('ada/t1', 'hello')
    await h.clock.advance(14_000)
    let late = 0
    h.brain.delay = (name) => (name === 'checkIn' && (late += 1) === 1 ? h.clock.sleep(2_000) : null)
    await h.clock.advance(1_200) // the check-in leaves, holding fence 1
    expect(late).toBe(1)
    turnOf(h, 'd1.1').fail(new GatewayError('GATEWAY_DISCONNECTED', 'lost', { ended: false }))
    await h.clock.advance(300)
    expect(row.item.fence).toBe(2)
    await h.clock.advance(3_000) // it arrives, and is answered that fence 1 must end
    expect(h.turns.running.has('d1.1')).toBe(true)
    turnOf(h, 'd1.1').reply('done')
    await h.clock.settle()
    expect(row).toMatchObject({ failures: [], replies: ['done'], item: { attempts: 1 } })
    await h.stop()
  })
})

describe('role', () => {
  it.each([
    { gateway: 'our own gateway: ends its turns', ours: true, left: 0 },
    { gateway: 'a shared gateway: leaves its turns to its successor', ours: false, left: 1 },
  ])('says hello again when superseded and stands by; $gateway', async ({ ours, left }) => {
    const h = createHarness()
    h.turns.gatewayIsOurs = ours
    await h.start()
    const row = h.brain.add('ada/t1', 'hello')
    await h.clock.settle()
    h.brain.takeOver()
    await h.clock.advance(16_000)
    expect(h.loops.role()).toBe('standby')
    expect(h.turns.running.size).toBe(left)
    expect(row.failures).toEqual([])
    expect(h.newCalls().at(-1)).toBe('hello')
    await h.stop()
  })

  it.each([true, false])('keeps its turns when it lost its lease to nobody (our own gateway: %s)', async (ours) => {
    const h = createHarness()
    h.turns.gatewayIsOurs = ours
    await h.start()
    const row = h.brain.add('ada/t1', 'hello')
    await h.clock.settle()
    h.brain.expire()
    await h.clock.advance(16_000)
    expect(h.loops.role()).toBe('active')
    expect(row.item).toMatchObject({ state: 'claimed', fence: 2 })
    turnOf(h, 'd1.1').reply('it was worth waiting for')
    await h.clock.settle()
    expect(row.replies).toEqual(['it was worth waiting for'])
    expect(h.turns.sent).toEqual(['d1.1'])
    await h.stop()
  })

  it('is taken over by a standby as soon as it says goodbye', async () => {
    const first = createHarness({ instanceId: 'one' })
    await first.start()
    const second = createHarness({ instanceId: 'two', brain: first.brain, clock: first.clock })
    second.turns.auto = () => 'from two'
    await second.start()
    expect([first.loops.role(), second.loops.role()]).toEqual(['active', 'standby'])
    const row = first.brain.add('ada/t1', 'hello')
    await first.clock.settle()
    expect(second.turns.sent).toEqual([])
    await first.stop()
    await first.loops.goOffline(new AbortController().signal)
    await first.clock.settle()
    expect(second.loops.role()).toBe('active')
    expect(row.replies).toEqual(['from two'])
    await second.stop()
  })

  it('takes over when the active one dies without a word', async () => {
    const first = createHarness({ instanceId: 'one' })
    await first.start()
    const second = createHarness({ instanceId: 'two', brain: first.brain, clock: first.clock })
    await second.start()
    first.brain.takeOver() // somebody else, who never checks in
    await first.stop()
    await first.clock.advance(185_000)
    expect(second.loops.role()).toBe('active')
    await second.stop()
  })

  it('takes over within a busy lease from one that dies in the middle of a turn, though a long idle lease had been named', async () => {
    const first = createHarness({ instanceId: 'one' })
    await first.start()
    const second = createHarness({ instanceId: 'two', brain: first.brain, clock: first.clock })
    await second.start() // told of three minutes
    await first.clock.advance(1_000)
    first.brain.add('ada/t1', 'hello')
    await first.clock.settle()
    await first.stop() // and says no goodbye
    await first.clock.advance(LEASE_BUSY_MS + 100)
    expect(second.loops.role()).toBe('active')
    await second.stop()
  })

  it('refuses to start with a refused token, and waits out one that is refused later', async () => {
    const refused = createHarness()
    refused.brain.tokenRefused = true
    await expect(refused.loops.run()).rejects.toMatchObject({ code: 'TOKEN_REFUSED' })

    const h = createHarness()
    await h.start()
    h.brain.tokenRefused = true
    await h.clock.advance(120_000)
    expect(h.reasons()).toEqual(['token: the service token was refused'])
    h.brain.tokenRefused = false
    h.turns.auto = () => 'ok'
    const row = h.brain.add('ada/t1', 'hello')
    await h.clock.advance(60_000)
    expect(row.replies).toEqual(['ok'])
    expect(h.reasons()).toEqual([])
    await h.stop()
  })

  it('waits for a backend that is down at the start', async () => {
    const h = createHarness()
    h.brain.down = true
    await h.start()
    await h.clock.advance(60_000)
    expect(h.loops.role()).toBe('starting')
    h.brain.down = false
    await h.clock.advance(20_000)
    expect(h.loops.role()).toBe('active')
    await h.stop()
  })

  it('restarts once for each request, and not for one made before it started, whatever else changes', async () => {
    const h = createHarness()
    h.brain.setSignals({ command: 'restart', commandSeq: 3, controlSeq: 7 })
    await h.start()
    h.brain.setSignals({ controlSeq: 8 }) // somebody said goodbye
    await h.clock.settle()
    expect(h.restarts).toBe(0)
    h.brain.setSignals({ command: 'restart', commandSeq: 4, controlSeq: 9 })
    await h.clock.settle()
    expect(h.restarts).toBe(1)
    h.brain.setSignals({ controlSeq: 10 })
    h.brain.setSignals({ command: null, commandSeq: 5, controlSeq: 11 })
    await h.clock.settle()
    expect(h.restarts).toBe(1)
    await h.stop()
  })

  it('restarts for a request that the subscription missed and the check-in noticed', async () => {
    const h = createHarness()
    await h.start()
    h.brain.silent = true
    h.brain.setSignals({ command: 'restart', commandSeq: 1, controlSeq: 1 })
    await h.clock.advance(61_000)
    expect(h.restarts).toBe(1)
    await h.stop()
  })

  it('claims nothing while a drain is asked for, also when that was before the start', async () => {
    const h = createHarness()
    h.turns.auto = () => 'ok'
    h.brain.setSignals({ command: 'drain', commandSeq: 1, controlSeq: 1 })
    await h.start()
    const row = h.brain.add('ada/t1', 'hello')
    await h.clock.advance(61_000)
    expect(row.item.attempts).toBe(0)
    h.brain.setSignals({ command: null, commandSeq: 2, controlSeq: 2 })
    await h.clock.settle()
    expect(row.replies).toEqual(['ok'])
    await h.stop()
  })
})

describe('stopping', () => {
  it('waits for turns up to the grace, renewing the lease, then gives the rest back without using an attempt', async () => {
    const h = createHarness()
    await h.start()
    const quick = h.brain.add('ada/t1', 'quick')
    const slow = h.brain.add('bob/t1', 'slow')
    await h.clock.settle()
    const stopped = h.loops.stop({ graceMs: 30_000, signal: new AbortController().signal })
    await h.clock.advance(10_000)
    turnOf(h, 'd1.1').reply('in time')
    const late = h.brain.add('eve/t1', 'after the stop')
    await h.clock.advance(10_000)
    expect(h.newCalls()).toContain('checkIn')
    await h.clock.advance(15_000)
    await stopped
    expect(quick.replies).toEqual(['in time'])
    expect(slow.item).toMatchObject({ state: 'ready', attempts: 0, turn: 2 })
    expect(late.item.attempts).toBe(0)
  })
})

describe('a claim that is answered after the stop began', () => {
  it('gives back what it got, without sending it', async () => {
    const h = createHarness()
    await h.start()
    const answer = h.brain.holdAnswer('claim')
    const row = h.brain.add('ada/t1', 'hello')
    await h.clock.settle()
    expect(row.item.state).toBe('claimed')
    const stopped = h.loops.stop({ graceMs: 0, signal: new AbortController().signal })
    await h.clock.advance(10)
    answer()
    await stopped
    expect(row.item).toMatchObject({ state: 'ready', attempts: 0, turn: 2 })
    expect(h.turns.sent).toEqual([])
  })
})

describe('agents', () => {
  const agent = (n: number, patch = {}) => rosterEntry(`agent${n}`, { id: `a${n}`, ...patch })

  it('follows new, changed and removed agents without a restart, and leaves the others alone', async () => {
    const h = createHarness()
    h.brain.roster = [agent(1), agent(2)]
    await h.start()
    expect([...h.host.hosted.keys()]).toEqual(['agent1', 'agent2'])
    h.host.log.length = 0
    h.brain.roster = [agent(1, { profileHash: 'h2' }), agent(3)]
    h.brain.setSignals({ rosterVersion: 2 })
    await h.clock.settle()
    expect(h.host.log).toEqual(['write agent1', 'write agent3', 'put agent3', 'remove agent2'])
    expect(h.loops.period()?.sync.status()).toMatchObject({
      counts: { added: 1, updated: 1, removed: 1, unchanged: 0, failed: 0 },
    })
    await h.stop()
  })

  it('removes an agent only when its turn has ended', async () => {
    const h = createHarness()
    h.brain.roster = [agent(1), agent(2)]
    h.turns.auto = null
    await h.start()
    const row = h.brain.add('agent2/t1', 'hello')
    await h.clock.settle()
    expect(row.item.state).toBe('claimed')
    h.host.log.length = 0
    h.brain.roster = [agent(1)]
    h.brain.setSignals({ rosterVersion: 2 })
    await h.clock.advance(5_000)
    expect(h.host.log).toEqual([])
    expect(h.loops.period()?.sync.status()).toMatchObject({ counts: { removed: 0, failed: 0 } })
    for (const turn of h.turns.running.values()) turn.reply('done')
    await h.clock.advance(60_000)
    expect(h.host.log).toEqual(['remove agent2'])
    await h.stop()
  })

  it('is not stopped by one bad agent, says so, and comes round when it is repaired', async () => {
    const h = createHarness()
    h.host.bad.add('agent2')
    h.brain.roster = [agent(1), agent(2), agent(3)]
    await h.start()
    expect([...h.host.hosted.keys()]).toEqual(['agent1', 'agent3'])
    expect(h.reasons().join()).toContain('agent2')
    h.host.bad.clear()
    await h.clock.advance(60_000)
    expect(h.host.hosted.has('agent2')).toBe(true)
    expect(h.reasons()).toEqual([])
    await h.stop()
  })

  it('puts an agent into the gateway before its first turn, also when it is mentioned in the second it was created', async () => {
    const h = createHarness()
    await h.start()
    h.brain.roster = [...h.brain.roster, rosterEntry('newcomer')]
    h.turns.auto = () => (h.host.hosted.has('newcomer') ? 'ok' : 'too early')
    const row = h.brain.add('newcomer/t1', 'hello') // before any signal of the roster
    await h.clock.advance(1_000)
    expect(row.replies).toEqual(['ok'])
    await h.stop()
  })

  it('puts back an agent that was taken out of the gateway, and sends the same turn once more', async () => {
    const h = createHarness()
    await h.start()
    h.turns.auto = () => 'here again'
    h.turns.refusal = () =>
      h.host.hosted.has('ada') ? null : new GatewayError('UNKNOWN_AGENT', 'Agent "ada" no longer exists', { ended: true })
    h.host.hosted.delete('ada')
    const row = h.brain.add('ada/t1', 'hello')
    await h.clock.settle()
    expect(row.replies).toEqual(['here again'])
    expect(row.item).toMatchObject({ state: 'delivered', attempts: 1, turn: 1 })
    await h.stop()
  })

  it('makes an agent anew that is in the gateway and is refused there, once', async () => {
    const h = createHarness()
    await h.start()
    const renewals = () => h.host.log.filter((line) => line === 'remove ada').length
    h.turns.auto = () => 'let in again'
    h.turns.refusal = () =>
      renewals() > 0
        ? null
        : new GatewayError('UNKNOWN_AGENT', 'database is unavailable while agent ada is deleted.', { ended: true })
    const row = h.brain.add('ada/t1', 'hello')
    await h.clock.settle()
    expect(row.replies).toEqual(['let in again'])
    expect(row.item).toMatchObject({ state: 'delivered', attempts: 1, turn: 1 })
    h.brain.roster = [...h.brain.roster, rosterEntry('newcomer')]
    h.brain.setSignals({ rosterVersion: 100 })
    await h.clock.settle()
    expect(h.host.hosted.has('newcomer')).toBe(true)
    expect(renewals()).toBe(1)
    await h.stop()
  })

  it('looks once for an agent that stays unknown; then the delivery waits, and costs no attempt', async () => {
    const h = createHarness()
    await h.start()
    let refusals = 0
    h.turns.refusal = () => {
      refusals += 1
      return new GatewayError('UNKNOWN_AGENT', 'Agent "ada" no longer exists', { ended: true })
    }
    const row = h.brain.add('ada/t1', 'hello')
    await h.clock.settle()
    expect(refusals).toBe(2)
    expect(row.item).toMatchObject({ state: 'ready', attempts: 0 })
    await h.stop()
  })

  it('syncs when the gateway comes up', async () => {
    const h = createHarness()
    h.turns.setState({ up: false, reason: 'starting' })
    h.host.gatewayThere = false
    h.brain.roster = [agent(1)]
    await h.start()
    expect(h.host.workspaces.has('agent1')).toBe(true)
    h.host.gatewayThere = true
    h.turns.setState({ up: true, reason: null })
    await h.clock.settle()
    expect(h.host.hosted.has('agent1')).toBe(true)
    await h.stop()
  })

  it('wakes a new agent within about a minute, begins only for those with work, and takes HEARTBEAT_OK as a receipt', async () => {
    const h = createHarness()
    h.brain.roster = [agent(1), agent(2)]
    h.brain.work.add('a2')
    await h.start()
    h.turns.auto = () => 'HEARTBEAT_OK'
    await h.clock.advance(76_000)
    const begins = h.brain.calls.filter(({ name }) => name === 'begin')
    expect(begins.map(({ args }) => args['agentId'])).toEqual(['a2'])
    const row = [...h.brain.items.values()][0]
    expect(row).toMatchObject({ replies: [], item: { state: 'delivered' } })
    await h.clock.advance(30 * 60_000)
    expect(h.brain.calls.filter(({ name }) => name === 'begin').length).toBeGreaterThanOrEqual(2)
    expect(h.brain.calls.filter(({ name }) => name === 'begin').length).toBeLessThanOrEqual(3)
    await h.stop()
  })

  it.each([-86_400_000, 86_400_000])('keeps its rhythm when all clocks jump by %d ms', async (jump) => {
    const h = createHarness()
    h.brain.roster = [rosterEntry('ada', { lastHeartbeatSlot: h.clock.now() })]
    h.brain.work.add('ada')
    await h.start()
    h.turns.auto = () => 'HEARTBEAT_OK'
    h.clock.jump(jump) // the backend's too: going back, the last slot lies in the future
    await h.clock.advance(46 * 60_000)
    const begins = h.brain.calls.filter(({ name }) => name === 'begin').length
    expect(begins).toBeGreaterThanOrEqual(2)
    expect(begins).toBeLessThanOrEqual(4)
    await h.stop()
  })
})
