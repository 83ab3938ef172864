import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { HeartbeatAgent } from './schedule.ts'
import { dueAt, FIRST_WITHIN_MS, slotAt } from './schedule.ts'

const MINUTE = 60_000
const agent = (patch: Partial<HeartbeatAgent> = {}): HeartbeatAgent => ({
  id: 'agent1',
  intervalMs: 15 * MINUTE,
  lastSlot: null,
  unsureSlot: null,
  seenAt: 1e12,
  ...patch,
})

describe('heartbeat schedule', () => {
  it('hears of a new agent within a minute', () => {
    fc.assert(
      fc.property(fc.string(), fc.integer({ min: 1, max: 1440 }), (id, minutes) => {
        const due = dueAt(agent({ id, intervalMs: minutes * MINUTE }), 1e12)
        expect(due).toBeGreaterThanOrEqual(1e12)
        expect(due).toBeLessThan(1e12 + FIRST_WITHIN_MS)
      }),
    )
  })

  it('gives one slot per interval, whoever computes it and however often the process restarts', () => {
    let lastSlot: number | null = null
    const slots: number[] = []
    for (let now = 1e12; now < 1e12 + 10 * 15 * MINUTE; now += 7_000) {
      const a = agent({ lastSlot, seenAt: now }) // a restart at every step
      if (lastSlot !== null && dueAt(a, now) <= now) slots.push((lastSlot = slotAt(a, now)))
      lastSlot ??= 1e12
    }
    const gaps = slots.slice(1).map((slot, i) => slot - (slots[i] ?? 0))
    expect(slots.length).toBeGreaterThanOrEqual(9)
    expect(new Set(gaps)).toEqual(new Set([15 * MINUTE]))
  })

  it('coalesces missed slots into the newest', () => {
    const a = agent({ lastSlot: 1e12 })
    const now = 1e12 + 7 * 3_600_000
    const slot = slotAt(a, now)
    expect(slot).toBeLessThanOrEqual(now)
    expect(slot).toBeGreaterThan(now - a.intervalMs)
    expect(dueAt({ ...a, lastSlot: slot }, now)).toBeGreaterThan(now)
  })

  it('moves the due time when the interval changes', () => {
    const long = agent({ lastSlot: 1e12, intervalMs: 1440 * MINUTE })
    expect(dueAt({ ...long, intervalMs: MINUTE }, 1e12)).toBeLessThan(1e12 + 2 * MINUTE)
  })

  it('always moves forward, also when the backend clock went back by a day', () => {
    fc.assert(
      fc.property(
        fc.string(),
        fc.integer({ min: 1, max: 1440 }),
        fc.integer({ min: -86_400_000, max: 86_400_000 }),
        (id, minutes, jump) => {
          const seenAt = 1e12 + jump
          const a = agent({ id, intervalMs: minutes * MINUTE, lastSlot: 1e12, seenAt })
          const due = dueAt(a, seenAt)
          expect(due).toBeLessThanOrEqual(Math.max(seenAt + 3 * a.intervalMs, 1e12 + 2 * a.intervalMs))
          expect(slotAt(a, due)).toBeGreaterThan(1e12)
        },
      ),
    )
  })

  it('spreads a thousand agents evenly', () => {
    const perMinute = new Array<number>(15).fill(0)
    for (let i = 0; i < 1000; i += 1) {
      const due = dueAt(agent({ id: `k97${i.toString(36)}abc`, lastSlot: 1e12 }), 1e12)
      const minute = Math.floor((((due % (15 * MINUTE)) + 15 * MINUTE) % (15 * MINUTE)) / MINUTE)
      perMinute[minute] = (perMinute[minute] ?? 0) + 1
    }
    expect(Math.min(...perMinute)).toBeGreaterThan(35)
    expect(Math.max(...perMinute)).toBeLessThan(105)
  })
})
