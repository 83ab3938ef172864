/** The test of the test: what a broken system would leave behind is counted, each kind of it. */
import { describe, expect, it } from 'vitest'
import type { Found, FoundDelivery, FoundMessage, Posted } from './verify.ts'
import { isQuiet, judge } from './verify.ts'

const posted: Posted[] = [
  { marker: 'a', content: '@writer a', id: 'm-a', wantsReply: true },
  { marker: 'b', content: '@writer b', id: 'm-b', wantsReply: true },
]
const message = (id: string, content: string): FoundMessage => ({ id, content, byAgent: false, deliveryId: null })
const reply = (id: string, deliveryId: string | null): FoundMessage => ({
  id,
  content: `answer ${id}`,
  byAgent: true,
  deliveryId,
})
const delivery = (id: string, messageId: string, rest: Partial<FoundDelivery> = {}): FoundDelivery => ({
  ...{ id, messageId, state: 'delivered', reason: null, attempts: 1 },
  ...rest,
})
const sound: Found = {
  messages: [message('m-a', '@writer a'), message('m-b', '@writer b'), reply('r-a', 'd-a'), reply('r-b', 'd-b')],
  deliveries: [delivery('d-a', 'm-a'), delivery('d-b', 'm-b')],
  made: new Map([['a', 1]]),
}
const nothing = { lost: [], duplicates: [], explained: [] }
const without = (id: string): Found => ({ ...sound, messages: sound.messages.filter((one) => one.id !== id) })
const with_ = (extra: FoundMessage): Found => ({ ...sound, messages: [...sound.messages, extra] })

describe('the judge', () => {
  it('finds nothing in a sound round', () => {
    expect(judge(posted, sound)).toEqual(nothing)
    expect(isQuiet(posted, sound)).toBe(true)
  })

  it.each<[string, Found, RegExp]>([
    ['an acknowledged message is gone', without('m-a'), /acknowledged and not in the thread/],
    ['nobody was told', { ...sound, deliveries: [delivery('d-b', 'm-b')] }, /nobody was told/],
    ['settled without the reply', without('r-a'), /no reply is in the thread/],
    [
      'never settled',
      { ...sound, deliveries: [delivery('d-a', 'm-a', { state: 'claimed' }), delivery('d-b', 'm-b')] },
      /still claimed/,
    ],
    [
      'given up without a word',
      { ...sound, deliveries: [delivery('d-a', 'm-a', { state: 'dead' }), delivery('d-b', 'm-b')] },
      /without a reason/,
    ],
  ])('lost: %s', (_name, found, sentence) => {
    expect(judge(posted, found).lost).toEqual([expect.stringMatching(sentence)])
  })

  it.each<[string, Found, RegExp]>([
    ['the reply stands twice', with_(reply('r-a2', 'd-a')), /a: 2 replies/],
    [
      'two deliveries of one message',
      { ...with_(reply('r-a2', 'd-a2')), deliveries: [...sound.deliveries, delivery('d-a2', 'm-a')] },
      /2 deliveries/,
    ],
    [
      'the message stands twice',
      { ...with_(message('m-a2', '@writer a')), deliveries: [...sound.deliveries, delivery('d-x', 'm-a2')] },
      /2 times in the thread/,
    ],
    ['the tool worked twice', { ...sound, made: new Map([['a', 2]]) }, /made 2 times/],
    ['a reply to nothing', with_(reply('r-x', null)), /a reply to nothing/],
  ])('twice: %s', (_name, found, sentence) => {
    expect(judge(posted, found).duplicates).toEqual([expect.stringMatching(sentence)])
  })

  it('takes a reason for an explanation', () => {
    const found = {
      ...without('r-a'),
      deliveries: [delivery('d-a', 'm-a', { state: 'dead', reason: 'model refused' }), delivery('d-b', 'm-b')],
    }
    expect(judge(posted, found)).toEqual({ ...nothing, explained: ['a: dead, model refused'] })
  })

  it('does not miss what was never acknowledged and is not there, and judges it when it is', () => {
    const unsure: Posted[] = [...posted, { marker: 'c', content: '@writer c', id: null, wantsReply: true }]
    expect(judge(unsure, sound)).toEqual(nothing)
    expect(isQuiet(unsure, sound)).toBe(true)
    const there = with_(message('m-c', '@writer c'))
    expect(isQuiet(unsure, there)).toBe(false)
    expect(judge(unsure, there).lost).toEqual(['c: nobody was told of it'])
  })

  it('is not quiet while something is under way or an acknowledged message is not there yet', () => {
    expect(isQuiet(posted, without('m-a'))).toBe(false)
    expect(isQuiet(posted, { ...sound, deliveries: [delivery('d-a', 'm-a', { state: 'queued' }), delivery('d-b', 'm-b')] })).toBe(
      false,
    )
  })
})
