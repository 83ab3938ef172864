import { describe, expect, it } from 'vitest'
import { Interrupt } from '../delivery/verdict.ts'
import { attribute, codeOf } from './attribution.ts'
import { heldTurn } from '../../test/doubles/held-turn.ts'

const a = heldTurn('aaaaaa', { lane: 'lane-a', taskId: 'task1' })
const b = heldTurn('bbbbbb', { lane: 'lane-b' })
const never = () => false
const look = (input: Partial<Parameters<typeof attribute>[0]>) =>
  attribute({ turns: [a, b], code: null, boundTo: null, hasEnded: never, ...input })

describe('whose turn a call belongs to', () => {
  it('the code names it, whatever the session is bound to', () => {
    expect(look({ code: 'bbbbbb' })).toEqual({ turn: b, by: 'code' })
    expect(look({ code: 'bbbbbb', boundTo: 'lane-a' })).toEqual({ turn: b, by: 'code' })
  })

  it('without a code that fits, the lane of the session', () => {
    expect(look({ boundTo: 'lane-b' })).toEqual({ turn: b, by: 'session' })
    expect(look({ code: 'zzzzzz', boundTo: 'lane-b' })).toEqual({ turn: b, by: 'session' })
    // A code of an earlier turn in the same conversation is the likeliest mistake of all.
    expect(look({ code: 'cccccc', boundTo: 'lane-b', hasEnded: () => true })).toEqual({ turn: b, by: 'session' })
  })

  it('a bound session never acts for another lane, however few turns there are', () => {
    expect(look({ turns: [a], boundTo: 'lane-b' })).toEqual({ turn: null, refusal: expect.stringContaining('has ended') })
  })

  it('the only turn there is', () => {
    expect(look({ turns: [a] })).toEqual({ turn: a, by: 'only' })
  })

  it('but not for a code of no turn here: it may be of one that is about to be claimed again', () => {
    for (const turns of [[a], [a, b]])
      expect(look({ turns, code: 'zzzzzz' })).toEqual({
        turn: null,
        refusal: expect.stringMatching(/has the code zzzzzz.*call again/),
      })
  })

  it('but not for a turn that is known to have ended', () => {
    const { turn, refusal } = look({ turns: [a], code: 'cccccc', hasEnded: (code) => code === 'cccccc' }) as never as {
      turn: null
      refusal: string
    }
    expect(turn).toBeNull()
    expect(refusal).toMatch(/cccccc has ended.*aaaaaa \(mention, task task1\)/)
  })

  it('else it is refused with the codes that would do', () => {
    const answer = look({})
    expect(answer).toMatchObject({ turn: null })
    expect((answer as { refusal: string }).refusal).toMatch(/one of: aaaaaa \(mention, task task1\), bbbbbb \(mention\)\.$/)
    expect(look({ turns: [] })).toMatchObject({ turn: null, refusal: expect.stringContaining('No turn of yours') })
  })

  it('a turn that is being ended does nothing more, and says why', () => {
    const stopped = heldTurn('ssssss', { lane: 'lane-s' })
    stopped.end.abort(new Interrupt('stopped'))
    expect(look({ turns: [stopped], code: 'ssssss' })).toMatchObject({
      turn: null,
      refusal: expect.stringContaining('was stopped'),
    })
    expect(look({ turns: [stopped], boundTo: 'lane-s' })).toMatchObject({ refusal: expect.stringContaining('was stopped') })
    expect(look({ turns: [stopped] })).toMatchObject({ refusal: expect.stringContaining('No turn of yours') })
    expect(look({ turns: [stopped, b] })).toEqual({ turn: b, by: 'only' })
  })
})

it('reads codes as models write them', () => {
  expect(['k7q2zx', ' K7Q2ZX ', '"k7q2zx"', '`k7q2zx`'].map(codeOf)).toEqual(Array(4).fill('k7q2zx'))
  expect(codeOf(234567)).toBe('234567')
  expect([undefined, null, {}, '', 'k7q2z', 'k7q2zx7', 'k7q2-x', ['k7q2zx']].map(codeOf)).toEqual(Array(8).fill(null))
})
