import { describe, expect, it } from 'vitest'
import { Interrupt } from '../delivery/verdict.ts'
import { heldTurn } from '../../test/doubles/held-turn.ts'
import { createTurnsInFlight } from './turns-in-flight.ts'

const enter = () => {
  const turns = createTurnsInFlight()
  const turn = heldTurn('aaaaaa')
  return { turns, turn, leave: turns.enter(turn.item, turn.interrupt) }
}

describe('turns in flight', () => {
  it('are there from claim to end, and their codes are remembered until they are claimed again', () => {
    const { turns, turn, leave } = enter()
    expect(turns.of('agent1').map(({ item }) => item.id)).toEqual(['item-aaaaaa'])
    expect([turns.of('agent2'), turns.hasEnded('agent1', 'aaaaaa')]).toEqual([[], false])
    leave()
    leave() // delivery says so twice
    expect([turns.of('agent1'), turns.hasEnded('agent1', 'AAAAAA'), turns.hasEnded('agent2', 'aaaaaa')]).toEqual([
      [],
      true,
      false,
    ])
    turns.enter(turn.item, turn.interrupt)
    expect(turns.hasEnded('agent1', 'aaaaaa')).toBe(false)
  })

  it.each(['stopped', 'shutdown'] as const)('%s: a turn that is being ended says so until it has', (why) => {
    const { turns, turn, leave } = enter()
    turn.end.abort(new Interrupt(why))
    expect(turns.of('agent1')[0]?.interrupt.aborted).toBe(true)
    leave()
    expect(turns.hasEnded('agent1', 'aaaaaa')).toBe(true)
  })

  it.each(['superseded', 'gatewayDown'] as const)('%s: a turn that is let go has not ended', (why) => {
    const { turns, turn, leave } = enter()
    const [inFlight] = turns.of('agent1')
    turn.end.abort(new Interrupt(why))
    expect([turns.of('agent1'), inFlight?.interrupt.aborted]).toEqual([[], false])
    leave()
    expect(turns.hasEnded('agent1', 'aaaaaa')).toBe(false)
  })

  it('remembers a bounded number of ended codes, the newest', () => {
    const turns = createTurnsInFlight()
    const code = (n: number) => String(n).padStart(6, '0')
    for (let n = 0; n < 1_500; n += 1) {
      const { item, interrupt } = heldTurn(code(n))
      turns.enter(item, interrupt)()
    }
    expect([code(0), code(499), code(500), code(1_499)].map((one) => turns.hasEnded('agent1', one))).toEqual([
      false,
      false,
      true,
      true,
    ])
  })

  it('wakes who waits for the next one, or lets them go when their time is up', async () => {
    const turns = createTurnsInFlight()
    const never = new AbortController()
    const woken = turns.nextEntry(never.signal)
    const { item, interrupt } = heldTurn('bbbbbb')
    turns.enter(item, interrupt)
    await woken
    const late = new AbortController()
    const waited = turns.nextEntry(late.signal)
    late.abort()
    await waited
    await turns.nextEntry(AbortSignal.abort())
  })
})
