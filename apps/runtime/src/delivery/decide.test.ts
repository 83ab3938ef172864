import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { DeliveryEvent, DeliveryState } from './decide.ts'
import { FRUITLESS_BASE_MS, FRUITLESS_CAP_MS, idleState, next, reduce } from './decide.ts'

const heads = (...ids: string[]) => ids.map((id) => ({ id, dueAt: 0 }))
const play = (events: DeliveryEvent[], now = 0): DeliveryState =>
  events.reduce((state, event) => reduce(state, event, now), idleState)

describe('what to claim, and when', () => {
  it('claims what is announced, as many as there are slots, in order', () => {
    expect(next(play([{ type: 'ready', heads: heads('a', 'b', 'c') }]), 0, 2)).toEqual({ type: 'claim', ids: ['a', 'b'] })
  })

  it('waits for an event when nothing is announced, no slot is free, or a claim is in flight', () => {
    const ready: DeliveryEvent = { type: 'ready', heads: heads('a') }
    const idle = { type: 'wait', ms: null }
    expect(next(idleState, 0, 3)).toEqual(idle)
    expect(next(play([ready]), 0, 0)).toEqual(idle)
    expect(next(play([ready, { type: 'claiming', ids: ['a'] }]), 0, 3)).toEqual(idle)
    expect(next(play([ready, { type: 'taken', id: 'x' }]), 0, 1)).toEqual(idle)
  })

  it('tries the next ones at once when the first were not to be had, and those again later', () => {
    const state = play([
      { type: 'ready', heads: heads('a', 'b') },
      { type: 'claiming', ids: ['a'] },
      { type: 'claimed', got: [], notDueInMs: null },
    ])
    expect(next(state, 0, 1)).toEqual({ type: 'claim', ids: ['b'] })
    expect(next(state, FRUITLESS_BASE_MS, 2)).toEqual({ type: 'claim', ids: ['a', 'b'] })
  })

  it('comes back when an item is due, without comparing clocks', () => {
    const state = play([
      { type: 'ready', heads: heads('a') },
      { type: 'claiming', ids: ['a'] },
      { type: 'claimed', got: [], notDueInMs: 150 },
    ])
    expect(next(state, 0, 1)).toEqual({ type: 'wait', ms: 150 })
    expect(next(state, 150, 1)).toEqual({ type: 'claim', ids: ['a'] })
  })

  it('asks ever less often for something that is never to be had, but does not give up', () => {
    let state = play([{ type: 'ready', heads: heads('a') }])
    let now = 0
    const pauses: number[] = []
    for (let i = 0; i < 15; i += 1) {
      state = reduce(reduce(state, { type: 'claiming', ids: ['a'] }, now), { type: 'claimed', got: [], notDueInMs: null }, now)
      const action = next(state, now, 1)
      if (action.type !== 'wait' || action.ms === null) throw new Error('must wait for a time')
      pauses.push(action.ms)
      now += action.ms
    }
    expect(pauses.slice(0, 3)).toEqual([200, 400, 800])
    expect(pauses.at(-1)).toBe(FRUITLESS_CAP_MS)
  })

  it('looks at what waits for hours (over budget) once a minute, claims others meanwhile, and is there when it is due', () => {
    const hours = 5 * 3_600_000
    let state = play([{ type: 'ready', heads: heads('a') }])
    let now = 0
    let asked = 0
    while (now < hours) {
      const claiming = reduce(state, { type: 'claiming', ids: ['a'] }, now)
      state = reduce(claiming, { type: 'claimed', got: [], notDueInMs: hours - now }, now)
      asked += 1
      const action = next(state, now, 1)
      if (action.type !== 'wait' || action.ms === null) throw new Error('must wait for a time')
      now += action.ms
    }
    expect(asked).toBeLessThan(310)
    expect(now).toBe(hours)
    expect(next(state, now, 1)).toEqual({ type: 'claim', ids: ['a'] })
    const other = reduce(state, { type: 'ready', heads: [{ id: 'b', dueAt: 0 }, ...heads('a')] }, now - 1)
    expect(next(other, now - 1, 1)).toEqual({ type: 'claim', ids: ['b'] })
  })

  it('forgets the pause when the backend reschedules the item', () => {
    const state = play([
      { type: 'ready', heads: heads('a') },
      { type: 'claiming', ids: ['a'] },
      { type: 'claimed', got: [], notDueInMs: null },
      { type: 'ready', heads: [{ id: 'a', dueAt: 7 }] },
    ])
    expect(next(state, 0, 1)).toEqual({ type: 'claim', ids: ['a'] })
  })

  it('never claims what is held, never two at once, never beyond the slots, and never loses a candidate', () => {
    const id = fc.constantFrom('a', 'b', 'c', 'd', 'e')
    const step = fc.oneof(
      fc.record({ type: fc.constant('ready' as const), heads: fc.uniqueArray(id).map((ids) => heads(...ids)) }),
      fc.record({ type: fc.constant('ended' as const), id }),
      fc.record({ type: fc.constant('answer' as const), got: fc.nat({ max: 4 }) }),
      fc.record({ type: fc.constant('lost' as const) }),
      fc.record({ type: fc.constant('pass' as const), ms: fc.integer({ min: 0, max: 100_000 }) }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.integer({ min: 1, max: 4 }), (steps, slots) => {
        let state = idleState
        let now = 0
        for (const event of steps) {
          if (event.type === 'pass') now += event.ms
          else if (event.type === 'answer' || event.type === 'lost') {
            const asked = state.claiming
            if (asked === null) continue
            const got = event.type === 'answer' ? asked.slice(0, event.got) : []
            state = reduce(
              state,
              event.type === 'lost'
                ? { type: 'claimFailed', random: 0.5, answered: false }
                : { type: 'claimed', got, notDueInMs: null },
              now,
            )
          } else state = reduce(state, event, now)
          const action = next(state, now, slots)
          if (action.type === 'claim') {
            expect(state.claiming).toBeNull()
            expect(action.ids.length).toBeGreaterThan(0)
            expect(action.ids.length).toBeLessThanOrEqual(slots - state.held.size)
            for (const claimed of action.ids) expect(state.held.has(claimed)).toBe(false)
            state = reduce(state, { type: 'claiming', ids: action.ids }, now)
          } else if (state.claiming === null && state.held.size < slots) {
            const open = state.candidates.filter((candidate) => !state.held.has(candidate.id))
            // Level, not edge: whatever is announced and not held has a time at which it is asked for again.
            if (open.length > 0) expect(action.ms).toBeLessThanOrEqual(FRUITLESS_CAP_MS)
            else expect(action.ms).toBeNull()
          }
        }
      }),
      { numRuns: 300 },
    )
  })

  it('names an item that the backend fails on alone, once halving has found it, and never with others again', () => {
    const heads = ['a', 'b', 'bad', 'd'].map((id) => ({ id, dueAt: 0 }))
    let state = reduce(idleState, { type: 'ready', heads }, 0)
    const asked: (readonly string[])[] = []
    for (let now = 0; now < 20_000; now += 10) {
      const action = next(state, now, 51)
      if (action.type !== 'claim') continue
      asked.push(action.ids)
      state = reduce(state, { type: 'claiming', ids: action.ids }, now)
      const fails = action.ids.includes('bad')
      const got = action.ids
      state = reduce(
        state,
        fails ? { type: 'claimFailed', random: 1, answered: true } : { type: 'claimed', got, notDueInMs: null },
        now,
      )
      if (asked.length === 6) state = reduce(state, { type: 'ready', heads: [heads[2]!, { id: 'e', dueAt: 0 }] }, 18_000)
    }
    expect(asked.slice(0, 5)).toEqual([['a', 'b', 'bad', 'd'], ['a', 'b'], ['bad', 'd'], ['bad'], ['d']])
    expect([...state.held].sort()).toEqual(['a', 'b', 'd', 'e'])
    expect(asked.slice(4).filter((ids) => ids.includes('bad') && ids.length > 1)).toEqual([])
  })
})
