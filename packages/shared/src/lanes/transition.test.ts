import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DELIVERY_STATES } from '../enums.ts'
import type { DeliveryState } from '../enums.ts'
import type { LaneEffect, LaneEvent, Refusal } from './events.ts'
import type { LaneItem } from './item.ts'
import { newItem } from './item.ts'
import { CONFIGURATION_RETRY_MS, DELIVERY_POLICY, HEARTBEAT_POLICY } from './policy.ts'
import { transition } from './transition.ts'

const NOW = 1_000_000
const open = { closed: null }
const closed = { closed: 'agent_deleted' }

/** An item in each state, as the rules themselves would have left it. */
function itemIn(state: DeliveryState, over: Partial<LaneItem> = {}): LaneItem {
  const item = { ...newItem(3, NOW - 5_000), state }
  if (state === 'claimed') {
    return { ...item, fence: 2, attempts: 2, turnOpen: true, claimedBy: 7, claimedAt: NOW - 1_000, dueAt: NOW + 60_000, ...over }
  }
  if (state === 'waiting') return { ...item, hold: 'agent_paused', ...over }
  if (state === 'delivered' || state === 'skipped' || state === 'dead')
    return { ...item, fence: 2, attempts: 5, turnOpen: true, ...over }
  return { ...item, ...over }
}

const EVENTS = {
  activate: { type: 'activate', hold: null },
  activateHeld: { type: 'activate', hold: 'agent_paused' },
  claim: { type: 'claim', epoch: 9 },
  skip: { type: 'skip', reason: 'already_seen' },
  defer: { type: 'defer', until: NOW + 99, reason: 'over_budget' },
  recall: { type: 'recall', reason: 'over_budget' },
  hold: { type: 'hold', hold: 'agent_paused' },
  resume: { type: 'resume', hold: 'agent_paused' },
  settle: { type: 'settle', fence: 2, outcome: 'reply' },
  settleStale: { type: 'settle', fence: 1, outcome: 'reply' },
  receipt: { type: 'settle', fence: 2, outcome: 'receipt' },
  fail: { type: 'fail', fence: 2, class: 'retryable', ended: true, reason: 'x', retryAfterMs: 0, random: 0.5 },
  failTerminal: { type: 'fail', fence: 2, class: 'terminal', ended: true, reason: 'x', retryAfterMs: 0, random: 0.5 },
  failStale: { type: 'fail', fence: 1, class: 'retryable', ended: true, reason: 'x', retryAfterMs: 0, random: 0.5 },
  release: { type: 'release', fence: 2, ended: false },
  lapse: { type: 'lapse', reason: 'runtime_gone', random: 0.5 },
  orphan: { type: 'orphan' },
  stop: { type: 'stop' },
  close: { type: 'close', reason: 'agent_deleted' },
  redrive: { type: 'redrive', seq: 40 },
} as const satisfies Record<string, LaneEvent>

type Outcome = DeliveryState | Refusal | 'unchanged' | 'replayed'

function outcome(item: LaneItem, event: LaneEvent, lane = open as { closed: string | null }): Outcome {
  const result = transition(item, event, NOW, DELIVERY_POLICY, lane)
  if (result.kind === 'changed') return result.patch.state ?? item.state
  return result.kind === 'refused' ? result.refusal : result.kind
}

/** Columns in the order of DELIVERY_STATES: queued ready claimed waiting delivered skipped dead. */
const TABLE: Record<keyof typeof EVENTS, readonly Outcome[]> = {
  activate: ['ready', 'NOT_READY', 'NOT_READY', 'NOT_READY', 'NOT_READY', 'NOT_READY', 'NOT_READY'],
  activateHeld: ['waiting', 'NOT_READY', 'NOT_READY', 'NOT_READY', 'NOT_READY', 'NOT_READY', 'NOT_READY'],
  claim: ['NOT_READY', 'claimed', 'NOT_READY', 'NOT_READY', 'NOT_READY', 'NOT_READY', 'NOT_READY'],
  skip: ['NOT_READY', 'skipped', 'NOT_READY', 'NOT_READY', 'NOT_READY', 'NOT_READY', 'NOT_READY'],
  defer: ['NOT_READY', 'ready', 'NOT_READY', 'NOT_READY', 'NOT_READY', 'NOT_READY', 'NOT_READY'],
  recall: ['unchanged', 'unchanged', 'unchanged', 'unchanged', 'unchanged', 'unchanged', 'unchanged'],
  hold: ['unchanged', 'waiting', 'unchanged', 'unchanged', 'unchanged', 'unchanged', 'unchanged'],
  resume: ['unchanged', 'unchanged', 'unchanged', 'ready', 'unchanged', 'unchanged', 'unchanged'],
  settle: ['STALE_FENCE', 'STALE_FENCE', 'delivered', 'STALE_FENCE', 'replayed', 'replayed', 'replayed'],
  settleStale: ['STALE_FENCE', 'STALE_FENCE', 'STALE_FENCE', 'STALE_FENCE', 'STALE_FENCE', 'STALE_FENCE', 'STALE_FENCE'],
  receipt: ['STALE_FENCE', 'STALE_FENCE', 'delivered', 'STALE_FENCE', 'replayed', 'replayed', 'replayed'],
  fail: ['STALE_FENCE', 'STALE_FENCE', 'ready', 'STALE_FENCE', 'STALE_FENCE', 'STALE_FENCE', 'STALE_FENCE'],
  failTerminal: ['STALE_FENCE', 'STALE_FENCE', 'dead', 'STALE_FENCE', 'STALE_FENCE', 'STALE_FENCE', 'STALE_FENCE'],
  failStale: ['STALE_FENCE', 'STALE_FENCE', 'STALE_FENCE', 'STALE_FENCE', 'STALE_FENCE', 'STALE_FENCE', 'STALE_FENCE'],
  release: ['STALE_FENCE', 'STALE_FENCE', 'ready', 'STALE_FENCE', 'STALE_FENCE', 'STALE_FENCE', 'STALE_FENCE'],
  lapse: ['unchanged', 'unchanged', 'ready', 'unchanged', 'unchanged', 'unchanged', 'unchanged'],
  orphan: ['unchanged', 'unchanged', 'ready', 'unchanged', 'unchanged', 'unchanged', 'unchanged'],
  stop: ['skipped', 'skipped', 'claimed', 'skipped', 'unchanged', 'unchanged', 'unchanged'],
  close: ['skipped', 'skipped', 'claimed', 'skipped', 'unchanged', 'unchanged', 'unchanged'],
  redrive: ['NOT_DEAD', 'NOT_DEAD', 'NOT_DEAD', 'NOT_DEAD', 'NOT_DEAD', 'NOT_DEAD', 'queued'],
}

describe('every event in every state', () => {
  const cases = Object.entries(TABLE).flatMap(([name, row]) =>
    DELIVERY_STATES.map((state, i) => [name as keyof typeof EVENTS, state, row[i] as Outcome] as const),
  )
  it.each(cases)('%s in %s gives %s', (name, state, expected) => {
    expect(outcome(itemIn(state), EVENTS[name])).toBe(expected)
  })
})

function change(item: LaneItem, event: LaneEvent, lane: { closed: string | null } = open, policy = DELIVERY_POLICY) {
  const result = transition(item, event, NOW, policy, lane)
  if (result.kind !== 'changed') throw new Error(`expected a change, got ${JSON.stringify(result)}`)
  return { item: { ...item, ...result.patch }, effects: result.effects, names: result.effects.map((effect) => effect.type) }
}

describe('claim', () => {
  it('raises the fence, uses an attempt and sets the hard deadline', () => {
    const { item, effects } = change(itemIn('ready', { fence: 4, attempts: 1, dueAt: NOW }), EVENTS.claim)
    expect(item).toMatchObject({
      fence: 5,
      attempts: 2,
      claimedBy: 9,
      claimedAt: NOW,
      dueAt: NOW + DELIVERY_POLICY.turnCapMs,
      turnOpen: true,
    })
    expect(effects).toEqual([{ type: 'startRun', reconcile: false }])
  })
  it('asks for a look before sending when an earlier attempt left the turn open', () => {
    expect(change(itemIn('ready', { turnOpen: true }), EVENTS.claim).effects).toEqual([{ type: 'startRun', reconcile: true }])
  })
  it('is refused before the item is due', () => {
    expect(outcome(itemIn('ready', { dueAt: NOW + 1 }), EVENTS.claim)).toBe('NOT_DUE')
  })
})

describe('defer and recall', () => {
  const deferred = () => change(itemIn('ready', { fence: 1, attempts: 1, dueAt: NOW }), EVENTS.defer).item
  it('an item over budget stays ready, not due before the reset, and uses no attempt', () => {
    expect(deferred()).toMatchObject({ state: 'ready', dueAt: NOW + 99, reason: 'over_budget', fence: 1, attempts: 1 })
    expect(outcome(deferred(), EVENTS.claim)).toBe('NOT_DUE')
    expect(change(deferred(), EVENTS.defer).effects).toEqual([])
  })
  it('is claimed once the reset has come, without any other event', () => {
    const result = transition(deferred(), EVENTS.claim, NOW + 99, DELIVERY_POLICY, open)
    expect(result).toMatchObject({ kind: 'changed', patch: { state: 'claimed', reason: null } })
  })
  it('is due at once when recalled, and what is due already or waits for something else is left alone', () => {
    expect(change(deferred(), EVENTS.recall).item).toMatchObject({ state: 'ready', dueAt: NOW, reason: null })
    expect(outcome({ ...deferred(), dueAt: NOW }, EVENTS.recall)).toBe('unchanged')
    expect(outcome(itemIn('ready', { dueAt: NOW + 99, reason: 'TURN_FAILED: x' }), EVENTS.recall)).toBe('unchanged')
  })
})

describe('settle', () => {
  it('posts, ends the run, vacates, follows up, then promotes: in this order', () => {
    expect(change(itemIn('claimed'), EVENTS.settle).names).toEqual([
      'postReply',
      'completeRun',
      'vacate',
      'followUp',
      'promoteNext',
    ])
  })
  it('posts nothing for a receipt', () => {
    expect(change(itemIn('claimed'), EVENTS.receipt).names).not.toContain('postReply')
  })
  it.each([
    ['a stopped turn', itemIn('claimed', { stopAt: NOW - 1 }), open, 'stopped'],
    ['a closed lane', itemIn('claimed'), closed, 'agent_deleted'],
  ])('drops the late reply of %s', (_name, item, lane, reason) => {
    const { item: after, names } = change(item, EVENTS.settle, lane)
    expect(after).toMatchObject({ state: 'skipped', reason })
    expect(names).not.toContain('postReply')
    expect(names).toContain('promoteNext')
  })
})

describe('fail', () => {
  it('keeps the turn open unless it is known to have ended', () => {
    const ended = change(itemIn('claimed'), EVENTS.fail).item
    expect(ended).toMatchObject({ turn: 2, turnOpen: false, dueAt: NOW + 4_000 })
    expect(change(itemIn('claimed'), { ...EVENTS.fail, ended: false }).item).toMatchObject({ turn: 1, turnOpen: true })
  })
  it('waits at least as long as the gateway asked', () => {
    expect(change(itemIn('claimed'), { ...EVENTS.fail, retryAfterMs: 90_000 }).item.dueAt).toBe(NOW + 90_000)
  })
  it('is dead with a reason after the last attempt, and people are told', () => {
    const { item, names } = change(itemIn('claimed', { attempts: 5 }), EVENTS.fail)
    expect(item).toMatchObject({ state: 'dead', reason: 'x' })
    expect(names).toEqual(['completeRun', 'vacate', 'alertPeople', 'followUp', 'promoteNext'])
  })
  it('gives the attempt back on a configuration error, alerts, and looks again in a minute', () => {
    const { item, effects } = change(itemIn('claimed', { attempts: 5 }), { ...EVENTS.fail, class: 'configuration' })
    expect(item).toMatchObject({ state: 'ready', attempts: 4, dueAt: NOW + CONFIGURATION_RETRY_MS })
    expect(effects).toContainEqual({ type: 'alertPeople', why: 'configuration' })
  })
  it('skips instead of retrying when the turn was stopped', () => {
    expect(change(itemIn('claimed', { stopAt: NOW, attempts: 5 }), EVENTS.fail).item).toMatchObject({
      state: 'skipped',
      reason: 'stopped',
    })
  })
  it('skips a heartbeat instead of retrying it', () => {
    expect(change(itemIn('claimed'), EVENTS.fail, open, HEARTBEAT_POLICY).item.state).toBe('skipped')
  })
})

describe('release, orphan and lapse', () => {
  it('release gives the attempt back and is ready at once', () => {
    expect(change(itemIn('claimed'), EVENTS.release).item).toMatchObject({
      state: 'ready',
      attempts: 1,
      dueAt: NOW,
      turn: 1,
      turnOpen: true,
    })
  })
  it('release of an ended turn starts the next turn number', () => {
    expect(change(itemIn('claimed'), { ...EVENTS.release, ended: true }).item).toMatchObject({ turn: 2, turnOpen: false })
  })
  it('orphan gives the attempt back', () => {
    expect(change(itemIn('claimed'), EVENTS.orphan).item).toMatchObject({
      state: 'ready',
      attempts: 1,
      dueAt: NOW,
      turnOpen: true,
    })
  })
  it('a first lapse is retried at once, a later one after backoff, the last one is dead', () => {
    expect(change(itemIn('claimed', { attempts: 1 }), EVENTS.lapse).item).toMatchObject({
      state: 'ready',
      dueAt: NOW,
      attempts: 1,
    })
    expect(change(itemIn('claimed', { attempts: 3 }), EVENTS.lapse).item).toMatchObject({ state: 'ready', dueAt: NOW + 8_000 })
    expect(change(itemIn('claimed', { attempts: 5 }), EVENTS.lapse).item).toMatchObject({ state: 'dead', reason: 'runtime_gone' })
  })
})

describe('stop and close', () => {
  it('a claimed item stays claimed until its runtime has let go, and the first stop counts', () => {
    const once = change(itemIn('claimed'), EVENTS.stop).item
    expect(once).toMatchObject({ state: 'claimed', stopAt: NOW })
    expect(transition(once, EVENTS.stop, NOW + 9, DELIVERY_POLICY, open)).toEqual({ kind: 'unchanged' })
  })
  it('a head that is stopped vacates the lane, a queued one does not', () => {
    expect(change(itemIn('ready'), EVENTS.stop).names).toContain('vacate')
    expect(change(itemIn('queued'), EVENTS.stop).names).not.toContain('vacate')
  })
  it.each([
    ['stop', EVENTS.stop, 'stopped'],
    ['close', EVENTS.close, 'agent_deleted'],
  ])('%s of what waits ends what an attempt left open and tells whoever waits for it', (_name, event, reason) => {
    expect(change(itemIn('queued'), event)).toMatchObject({ item: { state: 'skipped', reason }, names: ['followUp'] })
    const run = { type: 'completeRun', outcome: 'skipped', reason }
    expect(change(itemIn('queued', { fence: 2 }), event).effects).toEqual([run, { type: 'followUp' }])
    for (const state of ['ready', 'waiting'] as const) {
      const head = [{ type: 'vacate' }, { type: 'followUp' }, { type: 'promoteNext' }]
      expect(change(itemIn(state), event).effects).toEqual(head)
      expect(change(itemIn(state, { fence: 2 }), event).effects).toEqual([run, ...head])
    }
  })
})

describe('redrive', () => {
  it('goes to the tail with fresh attempts, but keeps fence and turn', () => {
    const { item, names } = change(itemIn('dead', { turn: 3 }), EVENTS.redrive)
    expect(item).toMatchObject({ state: 'queued', seq: 40, attempts: 0, fence: 2, turn: 3, turnOpen: true, reason: null })
    expect(names).toEqual(['activateIfIdle'])
  })
  it('is refused for a closed lane', () => {
    expect(outcome(itemIn('dead'), EVENTS.redrive, closed)).toBe('LANE_CLOSED')
  })
})

describe('any sequence of events', () => {
  const arbitraryEvent = fc.oneof(
    ...Object.values(EVENTS).map((event) => fc.constant(event as LaneEvent)),
    fc.record({
      type: fc.constant('settle' as const),
      fence: fc.nat(6),
      outcome: fc.constantFrom('reply' as const, 'receipt' as const),
    }),
    fc.record({ type: fc.constant('release' as const), fence: fc.nat(6), ended: fc.boolean() }),
  )
  it('keeps the invariants', () => {
    fc.assert(
      fc.property(fc.array(arbitraryEvent, { maxLength: 60 }), fc.boolean(), (events, isClosed) => {
        let item = newItem(0, NOW)
        let now = NOW
        const effects: LaneEffect[] = []
        for (const event of events) {
          now += 400_000
          const before = item
          const result = transition(item, event, now, DELIVERY_POLICY, isClosed ? closed : open)
          if (result.kind !== 'changed') continue
          item = { ...item, ...result.patch }
          effects.push(...result.effects)
          expect(item.fence).toBeGreaterThanOrEqual(before.fence)
          expect(item.turn).toBeGreaterThanOrEqual(before.turn)
          expect(item.attempts).toBeLessThanOrEqual(DELIVERY_POLICY.attempts)
          expect(item.attempts).toBeGreaterThanOrEqual(0)
          expect(item.state === 'claimed').toBe(item.claimedBy !== null)
          expect(item.state === 'claimed').toBe(item.claimedAt !== null)
          expect(item.state === 'waiting').toBe(item.hold !== null)
          if (before.state === 'delivered' || before.state === 'skipped') throw new Error('a terminal row changed')
          if (item.state === 'dead') expect(item.reason).not.toBeNull()
          // Every end is followed up exactly once, and whatever ends after a claim leaves no run open.
          const isTerminal = item.state === 'delivered' || item.state === 'skipped' || item.state === 'dead'
          const count = (type: LaneEffect['type']) => result.effects.filter((effect) => effect.type === type).length
          expect(count('followUp')).toBe(isTerminal ? 1 : 0)
          if (before.state === 'claimed' && item.state !== 'claimed') expect(count('completeRun')).toBe(1)
          // Whoever leaves the head position says so, or the lane would hang.
          const wasHead = before.state === 'ready' || before.state === 'claimed' || before.state === 'waiting'
          const isHead = item.state === 'ready' || item.state === 'claimed' || item.state === 'waiting'
          expect(result.effects.some((effect) => effect.type === 'vacate')).toBe(wasHead && !isHead)
        }
        expect(effects.filter((effect) => effect.type === 'postReply').length).toBeLessThanOrEqual(1)
      }),
      { numRuns: 2_000 },
    )
  })
})
