import { describe, expect, it } from 'vitest'
import { systemClock } from '@mission-control/host/clock'
import { LIMITS } from '@mission-control/shared/limits'
import type { SettledOne } from '@mission-control/shared/service-contract'
import type { Brain } from './brain.ts'
import { BrainError } from './errors.ts'
import { settlingTogether } from './settling-together.ts'
import { service } from '../service.ts'

interface Call {
  readonly ids: string[]
  readonly together: boolean
  readonly signal: AbortSignal | undefined
  answer(result?: SettledOne[] | Error): void
}

const RUN = { sentAfterMs: null, acceptedAfterMs: null, repliedAfterMs: null, usage: null }
const settleOf = (id: string, reply = 'done') => ({ id, fence: 1, outcome: 'reply' as const, reply, run: RUN })
const settled = { state: 'delivered' as const, messageId: 'm', replayed: false }

/** A backend that answers each call when the test says so. */
function scene() {
  const calls: Call[] = []
  let arrived = Promise.withResolvers<void>()
  const mutate = (fn: unknown, args: { id?: string; settles?: { id: string }[] }, signal?: AbortSignal) => {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>()
    const together = fn === service.settleMany
    const ids = together ? (args.settles ?? []).map(({ id }) => id) : [args.id ?? '']
    const well = () => (together ? ids.map(() => ({ settled })) : settled)
    calls.push({
      ids,
      together,
      signal,
      answer: (result) => (result instanceof Error ? reject(result) : resolve(result ?? well())),
    })
    arrived.resolve()
    arrived = Promise.withResolvers()
    return promise
  }
  const patience = Promise.withResolvers<void>()
  const clock = { ...systemClock, sleep: () => patience.promise }
  const brain = settlingTogether({ mutate } as unknown as Brain, clock)
  const call = async (n: number): Promise<Call> => {
    for (;;) {
      const found = calls[n]
      if (found) return found
      await arrived.promise
    }
  }
  const settle = (id: string, signal?: AbortSignal, reply?: string) => brain.mutate(service.settle, settleOf(id, reply), signal)
  return { calls, call, settle, losePatience: patience.resolve }
}

describe('settles', () => {
  it('go out at once and alone while nothing is on its way', async () => {
    const { call, settle } = scene()
    for (const [n, id] of ['a', 'b'].entries()) {
      const answer = settle(id)
      const { ids, together, answer: give } = await call(n)
      expect([ids, together]).toEqual([[id], false])
      give()
      expect(await answer).toEqual(settled)
    }
  })
  it('that come while one is on its way share the next calls, as many as the backend takes', async () => {
    const { call, settle } = scene()
    const first = settle('first')
    const rest = Array.from({ length: LIMITS.settlesTogether + 1 }, (_, n) => settle(String(n)))
    ;(await call(0)).answer()
    const shared = await call(1)
    expect(shared.ids).toHaveLength(LIMITS.settlesTogether)
    shared.answer()
    const last = await call(2)
    expect([last.ids, last.together]).toEqual([[String(LIMITS.settlesTogether)], false])
    last.answer()
    expect(await Promise.all([first, ...rest])).toEqual(Array.from({ length: rest.length + 1 }, () => settled))
  })
  it('keep their own answers: a stale fence refuses one and nobody else', async () => {
    const { call, settle } = scene()
    const first = settle('first')
    const [good, stale] = [settle('good'), settle('stale')]
    ;(await call(0)).answer()
    ;(await call(1)).answer([{ settled }, { refused: { code: 'STALE_FENCE', message: 'old' } }])
    await expect(stale).rejects.toMatchObject({ kind: 'refused', code: 'STALE_FENCE' })
    expect(await Promise.all([first, good])).toEqual([settled, settled])
  })
  it('are sent one by one when the backend fails on all of them', async () => {
    const { call, settle } = scene()
    void settle('first')
    const [good, bad] = [settle('good'), settle('bad')]
    ;(await call(0)).answer()
    ;(await call(1)).answer(new BrainError('server', 'CONVEX_UNREACHABLE', 'broken'))
    const alone = [await call(2), await call(3)]
    expect(alone.map(({ ids, together }) => [ids, together])).toEqual([
      [['good'], false],
      [['bad'], false],
    ])
    alone[0]?.answer()
    alone[1]?.answer(new BrainError('server', 'CONVEX_UNREACHABLE', 'broken'))
    expect(await good).toEqual(settled)
    await expect(bad).rejects.toMatchObject({ kind: 'server' })
  })
  it('are all untold when no answer arrives: each is repeated by whoever sent it', async () => {
    const { call, settle } = scene()
    void settle('first')
    const both = [settle('a'), settle('b')]
    ;(await call(0)).answer()
    ;(await call(1)).answer(new BrainError('unreachable', 'CONVEX_UNREACHABLE', 'gone'))
    for (const one of both) await expect(one).rejects.toMatchObject({ kind: 'unreachable' })
  })
  it('are not held up by a call that hangs', async () => {
    const { calls, call, settle, losePatience } = scene()
    void settle('hangs')
    const next = settle('next')
    await call(0)
    expect(calls).toHaveLength(1)
    losePatience()
    ;(await call(1)).answer()
    expect(await next).toEqual(settled)
  })
  it('that are given up while they wait are not sent', async () => {
    const { calls, call, settle } = scene()
    void settle('first')
    const stop = new AbortController()
    const given = settle('given up', stop.signal)
    const next = settle('next')
    stop.abort(new Error('stop'))
    await expect(given).rejects.toThrow('stop')
    ;(await call(0)).answer()
    ;(await call(1)).answer()
    await next
    expect(calls.map(({ ids }) => ids)).toEqual([['first'], ['next']])
  })
  it('given up on their way end their call when all of them are', async () => {
    const { call, settle } = scene()
    void settle('first')
    const stops = [new AbortController(), new AbortController()]
    const both = stops.map(({ signal }, n) => settle(String(n), signal))
    for (const one of both) one.catch(() => undefined)
    ;(await call(0)).answer()
    const { signal } = await call(1)
    stops[0]?.abort(new Error('stop'))
    expect(signal?.aborted).toBe(false)
    stops[1]?.abort(new Error('stop'))
    expect(signal?.aborted).toBe(true)
  })
  it('with long replies do not share a call', async () => {
    const { call, settle } = scene()
    void settle('first')
    const long = 'x'.repeat(400_000)
    const both = [settle('a', undefined, long), settle('b', undefined, long)]
    ;(await call(0)).answer()
    const one = await call(1)
    expect(one.ids).toEqual(['a'])
    one.answer()
    ;(await call(2)).answer()
    await Promise.all(both)
  })
})
