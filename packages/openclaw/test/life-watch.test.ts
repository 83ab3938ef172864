/** When a link is taken for dead, on a clock that stands still. OpenClaw's tick of 30 s unless a test says otherwise. */
import { sleepOn } from '@mission-control/host/sleep'
import { beforeEach, describe, expect, it } from 'vitest'
import type { LifeWatch } from '../src/life-watch.ts'
import { createLifeWatch } from '../src/life-watch.ts'

/** Seconds are virtual, and so many as a test lets pass. */
function standingClock() {
  let ms = 0
  const timers = new Set<{ readonly at: number; readonly fire: () => void }>()
  const start = (after: number, fire: () => void) => {
    const timer = { at: ms + after, fire }
    timers.add(timer)
    return () => void timers.delete(timer)
  }
  return {
    timers,
    monotonic: () => ms,
    sleep: (after: number, signal?: AbortSignal) => sleepOn(start, after, signal),
    async pass(seconds: number) {
      const until = ms + seconds * 1_000
      for (;;) {
        await new Promise(setImmediate)
        const [next] = [...timers].filter(({ at }) => at <= until).sort((a, b) => a.at - b.at)
        if (next === undefined) break
        ms = Math.max(ms, next.at)
        timers.delete(next)
        next.fire()
      }
      ms = until
    },
    /** The process stands still: time goes on, and no timer fires. */
    stand(seconds: number) {
      ms += seconds * 1_000
    },
  }
}

describe('a link', () => {
  let clock: ReturnType<typeof standingClock>
  let watch: LifeWatch
  /** Whether the gateway answers when it is asked. */
  let answers: boolean
  let connected: boolean
  let asked: number
  /** Of each death: seconds of silence. */
  let dead: number[]
  beforeEach(() => {
    clock = standingClock()
    answers = false
    connected = true
    asked = 0
    dead = []
    watch = createLifeWatch({
      clock,
      isConnected: () => connected,
      ask() {
        asked += 1
        if (answers) watch.heard()
      },
      onDead(silentMs) {
        dead.push(silentMs / 1_000)
        connected = false
      },
    })
  })
  /** Awaits something until it is told that it has come. */
  const beginWaiting = () => {
    const { promise, resolve } = Promise.withResolvers<void>()
    void watch.during(promise)
    return resolve
  }

  it.each([0, 1, 4.9, 9, 29])('is dead 30 to 40 s after its last sign of life, awaited %d s after that', async (idle) => {
    await clock.pass(idle)
    beginWaiting()
    await clock.pass(60)
    expect(asked).toBe(1)
    expect(dead).toHaveLength(1)
    expect(dead[0]).toBeGreaterThanOrEqual(30)
    expect(dead[0]).toBeLessThanOrEqual(Math.max(40, idle + 20))
  })

  it('is alive as long as the gateway answers, and is not asked while it says something itself', async () => {
    answers = true
    const came = beginWaiting()
    await clock.pass(600)
    expect(dead).toEqual([])
    expect(asked).toBeGreaterThan(30)
    const before = asked
    for (let n = 0; n < 100; n += 1) {
      await clock.pass(4)
      watch.heard()
    }
    expect(asked).toBe(before)
    came()
    await clock.pass(0)
    expect(clock.timers.size).toBe(0) // nothing is looked at any more
  })

  it('is alive when it answers late', async () => {
    beginWaiting()
    await clock.pass(25)
    expect(asked).toBe(1)
    watch.heard()
    await clock.pass(25)
    expect(dead).toEqual([])
  })

  it('is not taken for dead by a process that stood still itself', async () => {
    beginWaiting()
    await clock.pass(11)
    expect(asked).toBe(1)
    clock.stand(300)
    await clock.pass(6) // what has come meanwhile is read only after the timers
    expect(dead).toEqual([])
    watch.heard()
    await clock.pass(6)
    expect(dead).toEqual([])
  })

  it('is not taken for dead by many who stop waiting at once', async () => {
    await clock.pass(29)
    for (let n = 0; n < 20; n += 1) await watch.during(Promise.resolve())
    expect([asked, dead]).toEqual([1, []])
  })

  it('is found out by waits that fail on it one after the other, each shorter than the patience with it', async () => {
    for (let n = 0; n < 20 && dead.length === 0; n += 1) {
      const failed = beginWaiting()
      await clock.pass(6)
      failed()
    }
    expect(dead[0]).toBeLessThan(70)
  })

  it('that is lost is not dead, and the next one begins anew', async () => {
    beginWaiting()
    await clock.pass(25)
    connected = false
    await clock.pass(60)
    expect(dead).toEqual([])
    connected = true
    watch.heard()
    await clock.pass(25)
    expect([asked, dead]).toEqual([2, []])
  })

  it.each([
    [6_000, 8],
    [3_600_000, 40],
  ])('of a gateway with a tick of %d ms is dead after %d s at most', async (tickMs, most) => {
    watch.setTick(tickMs)
    beginWaiting()
    await clock.pass(60)
    expect(dead[0]).toBeLessThanOrEqual(most)
  })
})
