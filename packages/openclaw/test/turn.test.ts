/** Turns under faults, each with a name, on the fake gateway over a real socket. */
import { randomUUID } from 'node:crypto'
import { systemClock } from '@mission-control/host/clock'
import { untilAborted } from '@mission-control/host/until-aborted'
import { afterEach, describe, expect, it } from 'vitest'
import type { Client } from '../src/client.ts'
import { createClient } from '../src/client.ts'
import { GatewayError } from '../src/errors.ts'
import type { Gateway } from '../src/gateway.ts'
import { createGateway } from '../src/official-gateway.ts'
import type { FakeGateway, FakeGatewayOptions } from '../src/testing/fake-gateway.ts'
import { startFakeGateway } from '../src/testing/fake-gateway.ts'
import { runTurn } from '../src/turn/run.ts'
import type { TurnRequest } from '../src/turn/types.ts'
import { StopTurn } from '../src/turn/types.ts'

const SESSION = 'agent:writer:faults'

/** A model that does not answer before it is cut off. */
const never = (signal: AbortSignal) => untilAborted(new Promise<never>(() => undefined), signal)

interface Setup {
  readonly fake: FakeGateway
  readonly client: Client
  readonly gateway: Gateway
  turn(request: Partial<TurnRequest>, through?: Gateway): ReturnType<typeof runTurn>
  /** How often the model was asked a thing, recoveries not counted. */
  asked(text: string): number
}

describe('turn', () => {
  const open: AsyncDisposable[] = []
  afterEach(async () => {
    for (const thing of open.splice(0).reverse()) await thing[Symbol.asyncDispose]()
  })

  async function setup(options: FakeGatewayOptions = {}): Promise<Setup> {
    const fake = await startFakeGateway({ agents: ['writer'], ...options })
    const client = createClient({ clock: systemClock }, { url: fake.url, token: fake.token })
    open.push(fake, client)
    await client.connected()
    const gateway = createGateway(client)
    return {
      fake,
      client,
      gateway,
      turn: (request, through = gateway) =>
        runTurn(
          { gateway: through, clock: systemClock },
          { sessionKey: SESSION, turnKey: randomUUID(), message: '[[say:x]]', timeoutMs: 10_000, ...request },
        ),
      asked: (text) => fake.turns.filter(({ prompt, recovered }) => !recovered && prompt.includes(text)).length,
    }
  }
  const reconnect = async ({ fake, client }: Setup) => {
    await fake.restart()
    client.reconnect()
    await client.connected()
  }
  const watched = (gateway: Gateway, calls: string[]): Gateway => ({
    send: (...args) => (calls.push('send'), gateway.send(...args)),
    wait: (...args) => (calls.push('wait'), gateway.wait(...args)),
    history: (...args) => (calls.push('history'), gateway.history(...args)),
    abort: (...args) => (calls.push('abort'), gateway.abort(...args)),
    onBoot: (listener) => gateway.onBoot(listener),
  })

  it('fresh: one request before acceptance, and nothing slow', async () => {
    const s = await setup()
    const calls: string[] = []
    let before: string[] = []
    await s.turn({ onAccepted: () => (before = [...calls]) }, watched(s.gateway, calls))
    expect(before).toEqual(['send'])
    expect(calls).toEqual(['send', 'wait', 'history'])
  })

  it('connection lost while waiting: the same run is waited for, nothing is sent twice', async () => {
    const s = await setup()
    const gate = s.fake.gate('lost')
    const calls: string[] = []
    const accepted = Promise.withResolvers<void>()
    const request = { message: '[[gate:lost]][[say:kept]]', onAccepted: () => accepted.resolve() }
    const running = s.turn(request, watched(s.gateway, calls))
    await gate.entered
    await accepted.promise
    await s.fake.dropConnections()
    s.client.reconnect()
    await s.client.connected()
    gate.release()
    expect(await running).toMatchObject({ text: 'kept', recovered: false })
    expect(calls.filter((call) => call === 'send')).toHaveLength(1)
    expect(s.asked('lost')).toBe(1)
  })

  /** As the real gateway was seen to be while it tidied the session's database: reads stay open, the wait is answered. */
  const unreadable = (s: Setup, wait: Gateway['wait'] = (...args) => s.gateway.wait(...args)): Gateway => ({
    ...s.gateway,
    wait,
    history: (_session, _keys, signal) => untilAborted(new Promise<never>(() => undefined), signal),
  })

  it('history that cannot be read while the turn runs: the answer the wait knows is taken', async () => {
    const s = await setup()
    const gate = s.fake.gate('slow')
    let asked = 0
    const slow = unreadable(s, (...args) => {
      asked += 1
      if (asked === 2) gate.release()
      // The first wait expires while the turn still runs; that is when the history is looked at.
      return asked === 1 ? Promise.resolve({ status: 'pending' }) : s.gateway.wait(...args)
    })
    expect(await s.turn({ message: '[[gate:slow]][[say:known]]' }, slow)).toMatchObject({ text: 'known', usage: null })
    expect(s.asked('slow')).toBe(1)
  })

  it('history that cannot be read when a turn is reconciled: the answer the wait knows is taken', async () => {
    const s = await setup()
    const request = { turnKey: 'before', message: '[[say:before]]' }
    await s.turn(request)
    const calls: string[] = []
    expect(await s.turn({ ...request, reconcile: true }, watched(unreadable(s), calls))).toMatchObject({ text: 'before' })
    expect(calls).not.toContain('abort') // the answer did not have to wait for the deadline
    expect(s.asked('before')).toBe(1)
  })

  it('history that cannot be read and no answer yet: nothing is sent again, the deadline ends the turn', async () => {
    const s = await setup()
    const stop = new AbortController()
    const request = { turnKey: 'unread', message: '[[hang]]' }
    const first = s.turn({ ...request, signal: stop.signal })
    await s.fake.waitForTurn(({ runId }) => runId === 'unread')
    stop.abort(new StopTurn('detach'))
    await expect(first).rejects.toMatchObject({ ended: false })
    const again = { ...request, reconcile: true, timeoutMs: 200, endBudgetMs: 200 }
    await expect(s.turn(again, unreadable(s))).rejects.toMatchObject({ code: 'TURN_STUCK', ended: false })
    expect(s.asked('hang')).toBe(1)
  })

  it('answer to the send lost: the run is found by looking', async () => {
    const s = await setup()
    const lossy: Gateway = {
      ...s.gateway,
      async send(request, signal) {
        await s.gateway.send(request, signal)
        throw new GatewayError('GATEWAY_DISCONNECTED', 'the answer was lost')
      },
    }
    const accepted: string[] = []
    const result = await s.turn({ message: '[[say:found]]', onAccepted: ({ how }) => accepted.push(how) }, lossy)
    expect(result).toMatchObject({ text: 'found' })
    expect(s.asked('found')).toBe(1)
  })

  it('send lost before it arrived: it is sent again', async () => {
    const s = await setup()
    let attempts = 0
    const lossy: Gateway = {
      ...s.gateway,
      async send(request, signal) {
        if (++attempts === 1) throw new GatewayError('GATEWAY_DISCONNECTED', 'lost on the way')
        return s.gateway.send(request, signal)
      },
    }
    expect(await s.turn({ message: '[[say:second try]]' }, lossy)).toMatchObject({ text: 'second try' })
    expect(s.asked('second try')).toBe(1)
  })

  it('gateway not reachable: the deadline ends the turn, the key stays free', async () => {
    const s = await setup()
    await s.fake.crash()
    await expect.poll(() => s.client.current).toBeNull()
    await expect(s.turn({ timeoutMs: 300 })).rejects.toMatchObject({ code: 'GATEWAY_UNREACHABLE', ended: true })
    await expect(s.turn({ timeoutMs: 300, reconcile: true, endBudgetMs: 200 })).rejects.toMatchObject({
      code: 'TURN_STUCK',
      ended: false,
    })
  })

  it('a wait that is refused leaves the accepted turn open: its instruction runs once', async () => {
    const s = await setup({ token: 'right' })
    const gate = s.fake.gate('once')
    const request = { turnKey: 'x.1', message: '[[gate:once]][[say:once]]' }
    const waiting = s.turn(request)
    await gate.entered
    await s.fake.crash()
    // Somebody changed the token, and later changed it back.
    const rotated = await startFakeGateway({ port: s.fake.port, token: 'rotated', agents: ['writer'] })
    s.client.reconnect()
    await expect(waiting).rejects.toMatchObject({ code: 'GATEWAY_AUTH', class: 'configuration', ended: false })
    await expect(s.turn({ ...request, reconcile: true })).rejects.toMatchObject({ code: 'GATEWAY_AUTH', ended: false })
    await rotated.stop()
    gate.release()
    await reconnect(s)
    expect(await s.turn({ ...request, reconcile: true })).toMatchObject({ text: expect.any(String) as string, recovered: true })
    expect(s.asked('once')).toBe(1)
    expect(s.fake.turns.filter(({ recovered }) => recovered).length).toBeLessThanOrEqual(1)
  })

  const refusing = (code: 'GATEWAY_AUTH' | 'GATEWAY_PROTOCOL' | 'GATEWAY_REJECTED' | 'UNKNOWN_AGENT') => () =>
    Promise.reject(new GatewayError(code, 'the request was refused', { ended: true }))

  it.each(['GATEWAY_AUTH', 'GATEWAY_PROTOCOL', 'GATEWAY_REJECTED', 'UNKNOWN_AGENT'] as const)(
    'what the refusal of a wait says about itself is not said about the turn: %s',
    async (code) => {
      const s = await setup()
      const request = { message: '[[hang]]' }
      await expect(s.turn(request, { ...s.gateway, wait: refusing(code) })).rejects.toMatchObject({ code, ended: false })
    },
  )

  it.each(['GATEWAY_AUTH', 'GATEWAY_PROTOCOL', 'GATEWAY_REJECTED'] as const)('nor that of a look: %s', async (code) => {
    const s = await setup()
    const blind: Gateway = { ...s.gateway, history: refusing(code) }
    await expect(s.turn({ reconcile: true }, blind)).rejects.toMatchObject({ code, ended: false })
    // The look after a send whose answer was lost.
    const send = () => Promise.reject(new GatewayError('GATEWAY_DISCONNECTED', 'lost'))
    await expect(s.turn({}, { ...blind, send })).rejects.toMatchObject({ code, ended: false })
    // The look at a key the gateway calls ended.
    const ended = () => Promise.resolve({ status: 'ended' as const, bootId: 'b' })
    await expect(s.turn({}, { ...blind, send: ended })).rejects.toMatchObject({ code, ended: false })
  })

  it('a key that was aborted earlier is over, also for an attempt that looked first', async () => {
    const s = await setup()
    const ended: Gateway = { ...s.gateway, send: () => Promise.resolve({ status: 'ended', bootId: 'b' }) }
    await expect(s.turn({ reconcile: true }, ended)).rejects.toMatchObject({ code: 'TURN_ABORTED', ended: true })
  })

  describe('of an agent that was removed', () => {
    const remove = (s: Setup) => s.client.request('agents.delete', { agentId: 'writer', deleteFiles: false })

    it('before it was sent: nothing was sent, the key is free', async () => {
      const s = await setup({ agents: ['writer', 'editor'] })
      await remove(s)
      await expect(s.turn({})).rejects.toMatchObject({ code: 'UNKNOWN_AGENT', class: 'configuration', ended: true })
    })

    it('in an earlier attempt: the turn is over, so that the next one gets another session key', async () => {
      const s = await setup({ agents: ['writer', 'editor'] })
      await remove(s)
      await expect(s.turn({ reconcile: true })).rejects.toMatchObject({ code: 'UNKNOWN_AGENT', ended: true })
      expect(s.fake.turns).toHaveLength(0)
    })

    it('after it was answered: the answer is kept', async () => {
      const s = await setup({ agents: ['writer', 'editor'] })
      await s.turn({ turnKey: 'kept', message: '[[say:kept]]' })
      await remove(s)
      expect(await s.turn({ turnKey: 'kept', reconcile: true })).toMatchObject({ text: 'kept', usage: null })
    })

    it('while it runs: the run is ended before the turn is called over', async () => {
      const s = await setup({ agents: ['writer', 'editor'] })
      const gate = s.fake.gate('orphan')
      const stop = new AbortController()
      const running = s.turn({ turnKey: 'orphan', message: '[[gate:orphan]]', signal: stop.signal })
      await gate.entered
      stop.abort(new StopTurn('detach'))
      await expect(running).rejects.toMatchObject({ ended: false })
      // As measured: the removal leaves the run alone, and an abort ends it but answers UNAVAILABLE.
      const gone: Gateway = {
        ...s.gateway,
        send: refusing('UNKNOWN_AGENT'),
        history: refusing('UNKNOWN_AGENT'),
        async abort(...args) {
          await s.gateway.abort(...args)
          throw new GatewayError('GATEWAY_BUSY', 'agent database is unavailable', { ended: true })
        },
      }
      await expect(s.turn({ turnKey: 'orphan', reconcile: true }, gone)).rejects.toMatchObject({
        code: 'TURN_ABORTED',
        ended: true,
      })
      expect(s.fake.turns[0]?.signal.aborted).toBe(true)
    })

    it('between a look that found nothing and the send: over as well', async () => {
      const s = await setup()
      await expect(s.turn({ reconcile: true }, { ...s.gateway, send: refusing('UNKNOWN_AGENT') })).rejects.toMatchObject({
        code: 'UNKNOWN_AGENT',
        ended: true,
      })
    })
  })

  it('killed before the input became a row: the key is spent', async () => {
    const s = await setup({ coldStartMs: 60_000 })
    const running = s.turn({ turnKey: 'cold' })
    await expect.poll(() => s.fake.transcript.sessions.get(SESSION)?.pending.size).toBe(1)
    await s.fake.crash()
    await reconnect(s)
    await expect(running).rejects.toMatchObject({ code: 'TURN_KEY_SPENT', ended: true })
  })

  it('killed in mid-turn, recovery not begun: the turn is taken over under its own key', async () => {
    const s = await setup({ holdRecovery: true })
    const gate = s.fake.gate('over')
    const running = s.turn({ turnKey: 'over', message: '[[gate:over]][[say:mine]]' })
    await gate.entered
    await s.fake.crash()
    gate.release()
    await reconnect(s)
    expect(await running).toMatchObject({ text: 'mine' })
    expect(s.fake.turns.filter(({ recovered }) => recovered)).toHaveLength(0)
    expect(s.fake.recoverNext()).toBe(false)
  })

  it('killed in mid-turn, killed again in the recovery: the second recovery answers', async () => {
    const second = Promise.withResolvers<string>()
    const models: string[] = []
    const s = await setup({
      respond: ({ recovered, signal }) => {
        models.push(recovered ? 'recovery' : 'first')
        if (models.length === 3) return second.promise
        return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(new Error('cut')), { once: true }))
      },
    })
    const running = s.turn({ turnKey: 'twice' })
    for (const count of [1, 2]) {
      await expect.poll(() => models.length).toBe(count)
      await s.fake.crash()
      await reconnect(s)
    }
    await expect.poll(() => models).toEqual(['first', 'recovery', 'recovery'])
    second.resolve('third time lucky')
    expect(await running).toMatchObject({ text: 'third time lucky' })
  })

  /** A turn that somebody sent, whose gateway was killed in the middle of it; nobody waits for it any more. */
  async function interrupted(s: Setup, turnKey: string, message: string): Promise<void> {
    const stop = new AbortController()
    const running = s.turn({ turnKey, message, signal: stop.signal })
    await s.fake.waitForTurn(({ runId }) => runId === turnKey)
    stop.abort(new StopTurn('detach'))
    await expect(running).rejects.toMatchObject({ code: 'TURN_ABORTED', ended: false })
    await s.fake.crash()
    await reconnect(s)
  }

  it('reconciled while it is queued behind another: it is waited for and not sent', async () => {
    const s = await setup()
    const gate = s.fake.gate('ahead')
    const ahead = s.turn({ turnKey: 'q1', message: '[[gate:ahead]]' })
    await gate.entered
    await s.gateway.send(
      { sessionKey: SESSION, turnKey: 'q2', message: '[[say:behind]]', timeoutMs: 9_000 },
      AbortSignal.timeout(9_000),
    )
    const calls: string[] = []
    const known = Promise.withResolvers<string>()
    const behind = s.turn(
      { turnKey: 'q2', message: '[[say:sent again]]', reconcile: true, onAccepted: ({ how }) => known.resolve(how) },
      watched(s.gateway, calls),
    )
    expect(await known.promise).toBe('known')
    gate.release()
    await ahead
    expect(await behind).toMatchObject({ text: 'behind', recovered: true })
    expect(calls).not.toContain('send')
  })

  it('a recovery begins between the look and the send: the send does nothing, the recovery answers', async () => {
    const s = await setup({ holdRecovery: true, respond: ({ recovered, signal }) => (recovered ? 'by recovery' : never(signal)) })
    await interrupted(s, 'late', 'do it')
    let sends = 0
    const overtaken: Gateway = {
      ...s.gateway,
      send(...args) {
        sends += 1
        expect(s.fake.recoverNext()).toBe(true)
        return s.gateway.send(...args)
      },
    }
    expect(await s.turn({ turnKey: 'late', message: 'do it', reconcile: true }, overtaken)).toMatchObject({ text: 'by recovery' })
    expect(sends).toBe(1)
    expect(s.fake.turns.filter(({ recovered }) => recovered)).toHaveLength(1)
  })

  it.each(['deadline', 'stop'])('%s while a recovery runs under its own id: that run is ended, the key is over', async (how) => {
    const s = await setup({ holdRecovery: true, respond: ({ signal }) => never(signal) })
    await interrupted(s, 'own', 'do it')
    expect(s.fake.recoverNext()).toBe(true)
    const recovery = await s.fake.waitForTurn(({ recovered }) => recovered)
    const end = how === 'deadline' ? { timeoutMs: 300 } : { signal: AbortSignal.abort(new StopTurn('discard')) }
    await expect(s.turn({ turnKey: 'own', message: 'do it', reconcile: true, ...end })).rejects.toMatchObject({
      code: how === 'deadline' ? 'TURN_TIMEOUT' : 'TURN_ABORTED',
      ended: true,
    })
    expect(recovery.signal.aborted).toBe(true)
    expect(s.fake.turns).toHaveLength(2)
    expect(s.fake.transcript.sessions.get(SESSION)?.meta?.status).toBe('killed')
  })

  it('deadline while it is queued behind another: what is ahead ends too, as measured, and the key is spent', async () => {
    const s = await setup()
    const gate = s.fake.gate('front')
    const ahead = s.turn({ turnKey: 'f1', message: '[[gate:front]]' })
    const aheadEnds = expect(ahead).rejects.toMatchObject({ code: 'TURN_ABORTED', ended: true })
    await gate.entered
    await expect(s.turn({ turnKey: 'f2', timeoutMs: 300 })).rejects.toMatchObject({ code: 'TURN_TIMEOUT', ended: true })
    await aheadEnds
    await expect(s.turn({ turnKey: 'f2', reconcile: true })).rejects.toMatchObject({ code: 'TURN_KEY_SPENT', ended: true })
  })

  it('deadline while a recovery is pending: it is taken over, aborted and confirmed', async () => {
    const s = await setup({ holdRecovery: true })
    const gate = s.fake.gate('late')
    const stop = new AbortController()
    const running = s.turn({ turnKey: 'late', message: '[[gate:late]]', signal: stop.signal })
    await gate.entered
    await s.fake.crash()
    stop.abort(new StopTurn('detach'))
    await expect(running).rejects.toMatchObject({ code: 'TURN_ABORTED', ended: false })
    await reconnect(s)

    const stopNow = AbortSignal.abort(new StopTurn('abort'))
    await expect(s.turn({ turnKey: 'late', message: '[[hang]]', reconcile: true, signal: stopNow })).rejects.toMatchObject({
      code: 'TURN_ABORTED',
      ended: true,
    })
    expect(s.fake.recoverNext()).toBe(false)
    expect(s.fake.transcript.sessions.get(SESSION)?.meta?.status).toBe('killed')
  })

  it('drained with a turn queued behind another: the first answers, the second is spent', async () => {
    const s = await setup()
    const gate = s.fake.gate('drain')
    const first = s.turn({ turnKey: 'd1', message: '[[gate:drain]][[say:first]]' })
    await gate.entered
    const second = s.turn({ turnKey: 'd2', message: '[[say:second]]' })
    await expect.poll(() => s.fake.transcript.sessions.get(SESSION)?.pending.has('d2')).toBe(true)
    const drained = s.fake.drain()
    await expect(s.turn({ sessionKey: 'agent:writer:other' })).rejects.toMatchObject({ code: 'GATEWAY_BUSY', ended: true })
    gate.release()
    expect(await first).toMatchObject({ text: 'first' })
    await drained
    await reconnect(s)
    await expect(second).rejects.toMatchObject({ code: 'TURN_KEY_SPENT', ended: true })
  })

  it('an answer that won the race against the abort is kept, except after a stop', async () => {
    const s = await setup()
    const racing = (turnKey: string, mode: 'abort' | 'discard') => {
      const stop = new AbortController()
      const late: Gateway = {
        ...s.gateway,
        // The run has ended; the news of it is overtaken by the stop.
        async wait(runId, waitMs, signal) {
          const answer = await s.gateway.wait(runId, waitMs, signal)
          if (!stop.signal.aborted) {
            stop.abort(new StopTurn(mode))
            signal.throwIfAborted()
          }
          return answer
        },
      }
      return s.turn({ turnKey, message: '[[say:won]]', signal: stop.signal }, late)
    }
    expect(await racing('r1', 'abort')).toMatchObject({ text: 'won' })
    await expect(racing('r2', 'discard')).rejects.toMatchObject({ code: 'TURN_ABORTED', ended: true })
  })

  it('stopped before anything was sent: nothing is aborted, the key is free for good', async () => {
    const s = await setup()
    const calls: string[] = []
    await expect(s.turn({ signal: AbortSignal.abort(new Error('no')) }, watched(s.gateway, calls))).rejects.toMatchObject({
      code: 'TURN_ABORTED',
      ended: true,
    })
    expect(calls).toEqual([])
  })

  it('an end that cannot be confirmed is said to be open', async () => {
    const s = await setup()
    const deaf: Gateway = {
      ...s.gateway,
      abort: async () => ({ abortedRunId: null }),
      wait: async () => ({ status: 'pending' }),
      history: async (...args) => ({ ...(await s.gateway.history(...args)), hasActiveRun: true, liveRunId: 'x' }),
    }
    const request = { turnKey: 'stuck', message: '[[hang]]', timeoutMs: 200, reconcile: true, endBudgetMs: 400 }
    await expect(s.turn(request, deaf)).rejects.toMatchObject({ code: 'TURN_STUCK', ended: false })
  })

  it('a turn that fails after it has used something says what', async () => {
    const s = await setup()
    const usage = { inputTokens: 7, outputTokens: 3, cacheReadTokens: 0, cacheWriteTokens: 0, costUsd: 0.5, model: 'p/m' }
    const billed: Gateway = {
      ...s.gateway,
      async history(...args) {
        const seen = await s.gateway.history(...args)
        // A step with a tool call, before whatever went wrong.
        const step = { role: 'assistant', inputKey: null, runId: args[1][0] ?? '', text: '', stopReason: 'toolUse', usage }
        return { ...seen, rows: [...seen.rows, step] }
      },
    }
    await expect(s.turn({ message: '[[fail:400]]' }, billed)).rejects.toMatchObject({ code: 'TURN_FAILED', usage })
    await expect(s.turn({ message: '[[hang]]', timeoutMs: 300 }, billed)).rejects.toMatchObject({ code: 'TURN_TIMEOUT', usage })
    const stop = AbortSignal.abort(new StopTurn('discard'))
    await expect(s.turn({ signal: stop }, billed)).rejects.toMatchObject({ code: 'TURN_ABORTED', usage: null })
  })

  it('a provider that refuses the key is a matter of configuration', async () => {
    const s = await setup({
      respond: () => {
        throw new Error('401 Incorrect API key provided')
      },
    })
    await expect(s.turn({})).rejects.toMatchObject({
      code: 'TURN_MODEL_CONFIG',
      class: 'configuration',
      ended: true,
      retryAfterMs: 60_000,
    })
  })
})
