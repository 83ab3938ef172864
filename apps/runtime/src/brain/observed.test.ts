import { describe, expect, it } from 'vitest'
import { createManualClock } from '../../test/doubles/manual-clock.ts'
import { createConditions } from '../health/conditions.ts'
import { silentLog } from '../log.ts'
import { service } from '../service.ts'
import type { Brain } from './brain.ts'
import { BrainError } from './errors.ts'
import { AGAIN_MS, observeBrain } from './observed.ts'

const unreachable = new BrainError('unreachable', 'CONVEX_UNREACHABLE', 'no answer')

function setUp() {
  const clock = createManualClock()
  const connections: ((connected: boolean) => void)[] = []
  let outcome: BrainError | null = null
  const plain = {
    query: () => (outcome === null ? Promise.resolve({}) : Promise.reject(outcome)),
    onConnection: (listener: (connected: boolean) => void) => connections.push(listener),
  }
  const brain = observeBrain(plain as unknown as Brain, createConditions(silentLog), clock)
  let told = 0
  const unwatch = brain.onAnsweringAgain(() => (told += 1))
  return {
    clock,
    unwatch,
    told: () => told,
    connected: (up: boolean) => connections.forEach((listener) => listener(up)),
    async ask(how: BrainError | null = null) {
      outcome = how
      await brain.query(service.signals, {}).catch(() => undefined)
    },
  }
}

describe('whoever waits for the backend', () => {
  it('is told of the first answer after a silence, and of no other', async () => {
    const world = setUp()
    await world.ask()
    expect(world.told()).toBe(0)
    await world.ask(unreachable)
    await world.ask(unreachable)
    expect(world.told()).toBe(0)
    await world.ask()
    await world.ask()
    expect(world.told()).toBe(1)
  })

  it('is told of a refusal and of a failure too: somebody is there', async () => {
    const world = setUp()
    await world.ask(unreachable)
    await world.ask(new BrainError('refused', 'PAUSED', 'paused'))
    expect(world.told()).toBe(1)
    await world.clock.advance(AGAIN_MS)
    await world.ask(unreachable)
    await world.ask(new BrainError('server', 'CONVEX_UNREACHABLE', 'out of order'))
    expect(world.told()).toBe(2)
  })

  it('is told when the socket comes up, not when it goes down', async () => {
    const world = setUp()
    world.connected(true)
    await world.ask(unreachable)
    world.connected(false)
    expect(world.told()).toBe(0)
    world.connected(true)
    expect(world.told()).toBe(1)
  })

  it('is told once in a while only, because one call may never be answered while others are', async () => {
    const world = setUp()
    for (let i = 0; i < 100; i += 1) {
      await world.ask(unreachable)
      await world.ask()
      await world.clock.advance(AGAIN_MS / 10)
    }
    expect(world.told()).toBe(10)
  })

  it('is told no more once it does not listen', async () => {
    const world = setUp()
    world.unwatch()
    await world.ask(unreachable)
    await world.ask()
    expect(world.told()).toBe(0)
  })
})
