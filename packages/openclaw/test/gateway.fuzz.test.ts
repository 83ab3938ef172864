/**
 * A gateway that is broken or means harm: whatever it answers is an answer of the protocol or a coded error, and whatever frames it
 * sends, the client neither breaks nor waits longer than it was told to.
 */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { systemClock } from '@mission-control/host/clock'
import { fuzzRuns, hostileJson, hostileText, inTime, mostly, mostlyRecord, pumped } from '@mission-control/shared/fuzz'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { WebSocket } from 'ws'
import { WebSocketServer } from 'ws'
import type { Client } from '../src/client.ts'
import { createClient } from '../src/client.ts'
import { isGatewayError } from '../src/errors.ts'
import { holdsRowsOf, prepend, readPage, snapshotOf } from '../src/history.ts'
import { createGateway } from '../src/official-gateway.ts'
import { isDraining, isOvertaken, runError } from '../src/turn/classify.ts'
import { decide, turnUsage } from '../src/turn/decide.ts'
import { GATEWAY_PROTOCOL } from '../src/version.ts'

const KEY = 'd1.1'
const text = hostileText(['[System]', KEY, ':user'])
const runId = fc.oneof(fc.constantFrom(KEY, 'r1', 'r2'), text)
const number = fc.oneof(fc.nat(9), fc.constantFrom(-1, 0.5, 1e308, -1e308))

/** So much stands inside of a history that each part must be right nearly always, or no history ever is. */
const rarelyWrong = (fields: Record<string, fc.Arbitrary<unknown>>) => mostlyRecord(fields, 60)

const row = rarelyWrong({
  role: fc.constantFrom('user', 'assistant', 'toolResult'),
  content: fc.oneof(text, fc.array(rarelyWrong({ type: fc.constant('text'), text }), { maxLength: 3 })),
  idempotencyKey: fc.constantFrom(`${KEY}:user`, 'r1:user', KEY),
  stopReason: fc.constantFrom('stop', 'length', 'error', 'aborted', 'toolUse'),
  model: text,
  usage: rarelyWrong({
    input: number,
    output: number,
    cacheRead: number,
    cacheWrite: number,
    cost: rarelyWrong({ total: number }),
  }),
  __openclaw: rarelyWrong({ id: text, runId, idempotencyKey: text }),
})
const history = rarelyWrong({
  messages: fc.array(row, { maxLength: 6 }),
  pendingInputs: rarelyWrong({
    items: fc.array(rarelyWrong({ runId, state: fc.constantFrom('queued', 'interrupted') }), { maxLength: 2 }),
  }),
  inputReceipts: fc.array(rarelyWrong({ runId }), { maxLength: 2 }),
  sessionInfo: rarelyWrong({
    status: fc.constantFrom('running', 'idle'),
    hasActiveRun: fc.boolean(),
    activeRunIds: fc.array(runId, { maxLength: 2 }),
  }),
  inFlightRun: rarelyWrong({ runId }),
  hasMore: fc.boolean(),
  nextOffset: fc.oneof(fc.nat(12_000), number),
})

/** The result, or `null` for a coded error; anything else that is thrown fails the test. */
async function coded<T>(work: () => Promise<T> | T): Promise<T | null> {
  try {
    return await work()
  } catch (error) {
    if (!isGatewayError(error)) throw error
    expect(error.message.length).toBeLessThan(10_000)
    return null
  }
}

describe('a history', () => {
  it('of any shape is one or a coded error, and any of them leads to a decision', async () => {
    let read = 0
    await fc.assert(
      fc.asyncProperty(mostly(history), mostly(history), fc.boolean(), async (one, two, probed) => {
        const [page, older] = [await coded(() => readPage(one)), await coded(() => readPage(two))]
        if (page === null) return
        read += 1
        const whole = older === null ? page : prepend(older, page)
        holdsRowsOf(whole, [KEY])
        const snapshot = snapshotOf(whole, 'boot', probed)
        const action = decide(snapshot, KEY, probed)
        if (action.kind === 'settle') expect(typeof action.text).toBe('string')
        if (action.kind === 'wait') expect(typeof action.runId).toBe('string')
        const usage = turnUsage(snapshot, KEY)
        if (usage !== null) for (const count of [usage.inputTokens, usage.outputTokens]) expect(count).not.toBeNaN()
      }),
      fuzzRuns(120),
    )
    expect(read).toBeGreaterThan(20) // or only refusals were looked at
  })
})

describe('an answer', () => {
  const end = mostlyRecord({
    status: fc.oneof(fc.constantFrom('ok', 'error', 'timeout', 'accepted', 'in_flight'), text),
    endedAt: fc.oneof(fc.constant(null), number),
    stopReason: fc.oneof(fc.constant(null), fc.constantFrom('rpc', 'timeout'), text),
    error: fc.oneof(text, mostlyRecord({ message: text })),
    terminalReply: mostlyRecord({ disposition: text, text }),
    abortedRunId: fc.oneof(fc.constant(null), text),
  })

  it('of any shape is one or a coded error, whatever was asked', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(mostly(fc.oneof(end, history)), { minLength: 1, maxLength: 3 }), async (payloads) => {
        let asked = 0
        const request = async () => {
          // A gateway that has older pages for ever must not be asked for ever.
          if ((asked += 1) > 300) throw new Error('it is asked again and again')
          return { payload: payloads[asked % payloads.length], bootId: 'boot' }
        }
        const gateway = createGateway({ request } as unknown as Client)
        const signal = new AbortController().signal
        const sent = await coded(() => gateway.send({ sessionKey: 's', turnKey: KEY, message: 'm', timeoutMs: 1_000 }, signal))
        if (sent !== null) expect(['accepted', 'in_flight', 'ended']).toContain(sent.status)
        const waited = await coded(() => gateway.wait(KEY, 1_000, signal))
        if (waited?.status === 'ok') expect(typeof waited.text).toBe('string')
        if (waited?.status === 'error') expect(typeof waited.message).toBe('string')
        const aborted = await coded(() => gateway.abort('s', signal))
        if (aborted !== null) expect([aborted.abortedRunId === null, typeof aborted.abortedRunId === 'string']).toContain(true)
        await coded(() => gateway.history('s', [KEY], signal))
      }),
      fuzzRuns(80),
    )
  })

  it('that is an error is told apart in time in proportion to it', () => {
    const words = ['401', 'API key', 'model', ' not ', 'found', '\n', 'Gateway is draining', 'x', ' ']
    fc.assert(
      fc.property(fc.oneof(text, pumped(words, 100_000)), (message) => {
        inTime(() => [isOvertaken(message), isDraining(message), runError(message, null)])
      }),
      fuzzRuns(30),
    )
  })
})

describe('frames', () => {
  let server: WebSocketServer
  /** What the gateway does with a connection. */
  let behave: (socket: WebSocket) => void
  beforeAll(async () => {
    server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
    server.on('connection', (socket) => {
      socket.on('error', () => undefined) // the client hung up
      behave(socket)
    })
    await once(server, 'listening')
  })
  afterAll(async () => {
    for (const socket of server.clients) socket.terminate()
    await new Promise((resolve) => server.close(resolve))
  })

  const hello = mostlyRecord({
    type: fc.constant('hello-ok'),
    protocol: fc.constantFrom(4, 3, 99),
    server: mostlyRecord({ version: text, connId: text, bootId: text }),
    features: mostlyRecord({ methods: fc.array(text, { maxLength: 2 }), events: fc.array(text, { maxLength: 2 }) }),
    snapshot: hostileJson(),
    policy: mostlyRecord({ tickIntervalMs: fc.constantFrom(30_000, 0, -1, 1e308), maxPayload: number }),
  })
  const event = mostlyRecord({
    type: fc.constant('event'),
    event: fc.constantFrom('tick', 'connect.challenge', 'shutdown', 'chat'),
    payload: hostileJson(['nonce', 'ts']),
    seq: number,
  })
  const answer = fc.record({
    ok: mostly(fc.boolean()),
    payload: mostly(hello),
    error: mostly(
      mostlyRecord({
        code: text,
        message: text,
        retryable: fc.boolean(),
        retryAfterMs: number,
        details: mostlyRecord({ code: fc.constantFrom('AUTH_TOKEN_MISMATCH', 'X') }),
      }),
    ),
  })
  const frame = fc.oneof(
    { weight: 3, arbitrary: mostly(event).map((value) => JSON.stringify(value)) },
    { weight: 1, arbitrary: hostileText(['{', '"type"', ':', '"res"', '}']) },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 30 }) },
  )
  const conversation = fc.record({
    first: fc.array(frame, { maxLength: 3 }),
    challenge: mostly(fc.constant(true)),
    answers: fc.array(answer, { minLength: 1, maxLength: 3 }),
    last: fc.array(frame, { maxLength: 3 }),
  })

  /** So that one at least connects. */
  const friendly = {
    ...{ first: [], challenge: true, last: [] },
    answers: [
      {
        ok: true,
        payload: {
          ...{ type: 'hello-ok', protocol: GATEWAY_PROTOCOL, server: { version: '1', connId: 'c', bootId: 'b' }, snapshot: {} },
          ...{ features: { methods: [], events: [] }, policy: { tickIntervalMs: 30_000, maxPayload: 1_000_000 } },
        },
        error: undefined,
      },
    ],
  }

  it('of any kind end in a connection or in a coded error, and a request in an answer or one', async () => {
    let connected = 0
    let runs = 0
    await fc.assert(
      fc.asyncProperty(conversation, async ({ first, challenge, answers, last }) => {
        const done = new AbortController()
        // The example is the first run, and must connect on a machine that is busy too.
        const patienceMs = (runs += 1) === 1 ? 5_000 : 50
        let n = 0
        let attempts = 0
        let over: NodeJS.Timeout | undefined
        /** The gateway says nothing more: whoever still waits so long after its last frame waits for nothing. */
        const said = (ms: number) => {
          clearTimeout(over)
          over = setTimeout(() => done.abort(new Error('that was all')), ms)
        }
        behave = (socket) => {
          attempts += 1
          for (const each of first) socket.send(each)
          if (challenge === true)
            socket.send(JSON.stringify({ type: 'event', event: 'connect.challenge', payload: { nonce: 'n', ts: 0 } }))
          socket.on('message', (data: Buffer) => {
            const { id } = JSON.parse(data.toString()) as { id: unknown }
            socket.send(JSON.stringify({ type: 'res', id, ...answers[n++ % answers.length] }))
            for (const each of last) socket.send(each)
            if (attempts <= 2) said(patienceMs)
          })
          // One that was challenged speaks next, however busy the machine is.
          // A client that is refused comes back every second, for ever.
          if (attempts <= 2) said(challenge === true ? 2_000 : 100)
        }
        await using client = createClient(
          { clock: systemClock },
          { url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`, token: 'canary-token' },
        )
        const heard: string[] = []
        client.onEvent((said) => heard.push(typeof said.event))
        const found = await coded(() => client.connected(done.signal))
        if (found !== null) {
          connected += 1
          expect([typeof found.bootId, typeof found.version]).toEqual(['string', 'string'])
          const asked = client.request('agents.list', {}, { signal: done.signal, timeoutMs: 1_000 })
          // What an abort throws is the abort's own reason.
          await coded(() =>
            asked.catch((error: unknown) =>
              done.signal.aborted && error === done.signal.reason ? null : Promise.reject(error as Error),
            ),
          )
        }
        expect(client.lastError?.message ?? '').not.toContain('canary-token')
        expect(new Set(heard)).not.toContain('undefined')
      }),
      { ...fuzzRuns(30), examples: [[friendly]] },
    )
    expect(connected).toBeGreaterThan(0)
  })
})
