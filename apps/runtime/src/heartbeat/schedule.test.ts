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

  it.each([
    ['as the backend makes them', randomIds],
    [
      'that differ in a few characters',
      (seed: number) => Array.from({ length: 1_000 }, (_, i) => `k97${seed}${i.toString(36)}abc`),
    ],
  ])('gives no minute more than one and a half times its share, with ids %s', (_, idsOf) => {
    for (let seed = 1; seed <= 10; seed += 1) {
      const perMinute = perMinuteOf(idsOf(seed), 1e12)
      expect(perMinute.reduce((sum, count) => sum + count)).toBe(1_000)
      expect(Math.max(...perMinute)).toBeLessThanOrEqual(1.5 * (1_000 / 15))
    }
  })

  it('keeps every due time over a restart, so that none is skipped and none comes twice', () => {
    const now = 1e12
    for (const id of randomIds(3)) {
      const before = agent({ id, lastSlot: now - 20 * MINUTE, seenAt: now - 50 * MINUTE })
      const slot = slotAt(before, dueAt(before, now))
      const told = agent({ id, lastSlot: slot, seenAt: now - 50 * MINUTE })
      const restarted = agent({ id, lastSlot: slot, seenAt: now + 5 * MINUTE }) // all a new process knows is what the roster says
      expect(dueAt(restarted, now + 5 * MINUTE)).toBe(dueAt(told, now + 5 * MINUTE))
      expect(dueAt(restarted, now + 5 * MINUTE)).toBe(slot + 15 * MINUTE)
    }
  })
})

/** Slots of one interval in steady state, as each falls due, by minute. */
function perMinuteOf(ids: readonly string[], start: number): number[] {
  const perMinute = new Array<number>(15).fill(0)
  for (const id of ids) {
    let lastSlot = start
    for (let slots = 0; slots < 3; slots += 1) lastSlot = dueAt(agent({ id, lastSlot }), lastSlot)
    const minute = Math.floor((lastSlot % (15 * MINUTE)) / MINUTE)
    perMinute[minute] = (perMinute[minute] ?? 0) + 1
  }
  return perMinute
}

/** Like Convex ids: 32 characters of base 32, the table's number at the front of each. */
function randomIds(seed: number): string[] {
  const alphabet = '0123456789abcdefghjkmnpqrstvwxyz'
  let state = seed
  const next = () => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) / 2 ** 32
  return Array.from({ length: 1_000 }, () => `k9${Array.from({ length: 30 }, () => alphabet[Math.floor(next() * 32)]).join('')}`)
}
