/**
 * The client of packages/openclaw over the simulated socket: calls wait for a connection, a broken one fails what was under way as
 * possibly received, a half-open one swallows everything until its silence is noticed. Behind it stands the real translation of
 * official-gateway.ts.
 */
import type { Client, Connected } from '@mission-control/openclaw/client'
import { GatewayError } from '@mission-control/openclaw/errors'
import type { Method } from '@mission-control/openclaw/testing/fake/params'
import { rejectedRequest } from '@mission-control/openclaw/testing/rejected'
import { untilAborted } from '@mission-control/host/until-aborted'
import type { GatewayLife, GatewayPart } from './gateway.ts'
import type { Seeded } from './seeded.ts'
import type { Part, PartClock, Time } from './time.ts'
import type { Trace } from './trace.ts'
import type { Weather } from './weather.ts'

const REQUEST_TIMEOUT_MS = 30_000
/** At most so long after the last sign of life a dead link is given up (packages/openclaw/src/life-watch.ts). */
const SILENCE_MS = 40_000
const CONNECT_MS = { least: 50, most: 3_000 }

export interface SimulatedClient extends Client {
  breakConnection(silently: boolean): void
}

export interface ClientDeps {
  readonly part: Part
  readonly clock: PartClock
  readonly time: Time
  readonly trace: Trace
  readonly random: Seeded
  readonly weather: () => Weather
  readonly gateway: GatewayPart
}

interface Connection {
  readonly life: GatewayLife
  readonly gone: AbortController
  /** What waits for an answer on it. */
  readonly open: Set<() => void>
  /** Keeps the order of what is sent, and of what is answered. */
  readonly out: object
  readonly back: object
  silent: boolean
}

export function createSimulatedClient(deps: ClientDeps): SimulatedClient {
  const { part, clock, time, trace, random, weather, gateway } = deps
  const changes = new Set<() => void>()
  const losses = new Set<() => void>()
  const boots = new Set<(bootId: string) => void>()
  let connection: Connection | null = null
  let connecting = false
  let lastBootId: string | null = null
  let waiting = Promise.withResolvers<Connected>()
  const view = ({ life }: Connection): Connected => ({ bootId: life.bootId, version: 'simulated' })
  const tell = (listeners: ReadonlySet<() => void>) => {
    for (const listener of [...listeners]) listener()
  }

  function connectSoon(): void {
    if (connecting || connection !== null) return
    connecting = true
    time.timer(part, random.spread(CONNECT_MS.least, CONNECT_MS.most), () => {
      connecting = false
      const life = gateway.life()
      // A paused process accepts no handshake; its start tells us to try again.
      if (life === null) return
      if (life.part.paused) return connectSoon()
      connection = { life, gone: new AbortController(), open: new Set(), out: {}, back: {}, silent: false }
      trace.note(part.name, `connects to ${life.bootId}`)
      const connected = view(connection)
      waiting.resolve(connected)
      waiting = Promise.withResolvers()
      tell(changes)
      if (life.bootId !== lastBootId) for (const listener of [...boots]) listener(life.bootId)
      lastBootId = life.bootId
    })
  }

  function lose(lost: Connection): void {
    if (connection !== lost) return
    connection = null
    trace.note(part.name, `loses the connection to ${gateway.name}`)
    lost.gone.abort(new Error('the client is gone'))
    tell(lost.open)
    tell(losses)
    tell(changes)
    connectSoon()
  }

  gateway.onChange(() => {
    if (part.dead) return
    if (connection !== null && connection.life !== gateway.life()) lose(connection)
    connectSoon()
  })
  connectSoon()

  async function connected(signal?: AbortSignal): Promise<Connected> {
    if (connection !== null) return view(connection)
    if (signal === undefined) return waiting.promise
    try {
      return await untilAborted(waiting.promise, signal)
    } catch (error) {
      throw new GatewayError('GATEWAY_UNREACHABLE', 'no connection to the gateway', { cause: error, ended: true })
    }
  }

  function perform(
    on: Connection,
    method: string,
    params: object,
    done: (how: { payload: unknown } | { error: unknown }) => void,
  ): void {
    const { life, gone } = on
    const answer = (how: { payload: unknown } | { error: unknown }) => {
      if (gone.signal.aborted || life.part.dead) return
      time.send({
        ...{ to: part, channel: on.back, label: `answer of ${method}` },
        deliver() {
          if (connection !== on || on.silent) return
          if (random.chance(weather().breakLink)) return lose(on)
          done(how)
        },
      })
    }
    try {
      const result = life.call(method as Method, params as Record<string, unknown>, gone.signal)
      if (!(result instanceof Promise)) return answer({ payload: structuredClone(result) })
      result.then(
        (payload: unknown) => answer({ payload: structuredClone(payload) }),
        (error: unknown) => answer({ error: rejectedRequest(error) }),
      )
    } catch (error) {
      answer({ error: rejectedRequest(error) })
    }
  }

  return {
    get current() {
      return connection === null ? null : view(connection)
    },
    lastError: null,
    connected,
    async request<T>(
      method: string,
      params: object,
      { signal, timeoutMs = REQUEST_TIMEOUT_MS }: { signal?: AbortSignal; timeoutMs?: number } = {},
    ) {
      const { bootId } = await connected(signal ?? clock.timeout(timeoutMs))
      signal?.throwIfAborted()
      const on = connection
      if (on === null) throw new GatewayError('GATEWAY_DISCONNECTED', 'the connection was lost', { ended: false })
      const { promise, resolve, reject } = Promise.withResolvers<T>()
      const onBroken = () => finish(() => reject(new GatewayError('GATEWAY_DISCONNECTED', 'the connection was lost')))
      const onAbort = () => finish(() => reject(signal?.reason as Error))
      const cancel = time.timer(part, timeoutMs, () =>
        finish(() => reject(new GatewayError('GATEWAY_UNREACHABLE', `no answer to ${method} in time`))),
      )
      function finish(how: () => void): void {
        cancel()
        on?.open.delete(onBroken)
        signal?.removeEventListener('abort', onAbort)
        how()
      }
      on.open.add(onBroken)
      signal?.addEventListener('abort', onAbort, { once: true })
      const sent = structuredClone(params)
      time.send({
        ...{ to: on.life.part, channel: on.out, label: method },
        deliver() {
          if (connection !== on || on.silent) return
          if (random.chance(weather().breakLink)) return lose(on)
          if (method !== 'agent.wait') trace.note(part.name, `${method} ${about(trace, sent)}`)
          perform(on, method, sent, (how) => finish(() => ('payload' in how ? resolve(how.payload as T) : reject(how.error))))
        },
      })
      return { payload: await promise, bootId }
    },
    onBoot: (listener) => subscribe(boots, listener),
    onDisconnect: (listener) => subscribe(losses, listener),
    onChange: (listener) => subscribe(changes, listener),
    onEvent: () => () => undefined,
    reconnect: () => connection !== null && lose(connection),
    close: async () => undefined,
    [Symbol.asyncDispose]: async () => undefined,
    breakConnection(silently) {
      if (connection === null) return
      if (!silently) return lose(connection)
      const on = connection
      on.silent = true
      trace.note(part.name, `the connection to ${gateway.name} is half-open`)
      time.timer(part, SILENCE_MS, () => lose(on))
    },
  }
}

function subscribe<L>(listeners: Set<L>, listener: L): () => void {
  listeners.add(listener)
  return () => void listeners.delete(listener)
}

function about(trace: Trace, params: object): string {
  const { idempotencyKey, sessionKey, key, agentId } = params as Record<string, string | undefined>
  return [idempotencyKey && turnName(trace, idempotencyKey), sessionKey ?? key, agentId].filter(Boolean).join(' ')
}

/** `d3.0`: turn 0 of the third delivery. */
export function turnName(trace: Trace, turnKey: string): string {
  const at = turnKey.lastIndexOf('.')
  return at < 0 ? turnKey : `${trace.name('d', turnKey.slice(0, at))}${turnKey.slice(at)}`
}
