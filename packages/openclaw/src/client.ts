/**
 * A connection to one gateway, over the official client (which owns framing and authentication). This layer adds reconnecting and
 * what the product needs on top: calls that wait for a connection instead of failing while one is being re-established, the
 * boot id of the process behind the socket, coded errors, abort signals, and refusals that surface at once.
 */
import { GatewayClient, GatewayClientRequestError } from '@openclaw/gateway-client'
import { z } from 'zod'
import type { Clock } from '@mission-control/shared/clock'
import type { EventFrame } from '@openclaw/gateway-protocol/frame-guards'
import { translateError } from './client-errors.ts'
import { GatewayError, messageOf } from './errors.ts'
import { createLifeWatch, TICK_MS } from './life-watch.ts'
import { untilAborted } from '@mission-control/host/until-aborted'

/** The gateway answers a healthy request in well under a second; its event loop can block for several while an agent starts. */
const REQUEST_TIMEOUT_MS = 30_000

/** Asks for a sign of life: answered at once, for no run has this name. */
export const SIGN_OF_LIFE = { method: 'agent.wait', params: { runId: 'sign-of-life', timeoutMs: 0 } } as const
/** An attempt to connect that got no answer by then has met a host that is gone. The official default is 15 s. */
const CONNECT_TIMEOUT_MS = 10_000
/**
 * From a loss or an attempt that failed to the next attempt, ms. The official client would pause for up to 30 s after a longer outage, and would
 * wait 30 s for a dead link to be closed from its other end. Few connect to a gateway, and people wait for its agents.
 */
const RECONNECT_MS = 1_000

/** What is read of the gateway's greeting, which the official client passes on unchecked. */
const Hello = z.object({
  server: z.object({ version: z.string(), connId: z.string(), bootId: z.string().optional() }),
  // A tick of nothing would make the watch below spin.
  policy: z.object({ tickIntervalMs: z.number().min(10).max(3_600_000).catch(TICK_MS) }).catch({ tickIntervalMs: TICK_MS }),
})

export interface Connected {
  /** Changes whenever the gateway process is another one. */
  readonly bootId: string
  /** Version of the running gateway. */
  readonly version: string
}

export interface RequestOptions {
  readonly signal?: AbortSignal
  /** How long to wait for the answer once sent. Default 30 s. */
  readonly timeoutMs?: number
}

export interface Client extends AsyncDisposable {
  /** The living connection; null while there is none. */
  readonly current: Connected | null
  /** Why there is no connection, when that is known. */
  readonly lastError: GatewayError | null
  /**
   * Waits for a connection. Rejects at once when the gateway refuses us (token, protocol), and with GATEWAY_UNREACHABLE when the
   * signal aborts first.
   */
  connected(signal?: AbortSignal): Promise<Connected>
  /**
   * Sends one request, waiting for a connection first. Throws `GatewayError`, with `ended` true when the request cannot have been
   * received; once it left, an abort throws the signal's reason.
   */
  request<T>(method: string, params: object, options?: RequestOptions): Promise<{ readonly payload: T; readonly bootId: string }>
  onBoot(listener: (bootId: string) => void): () => void
  /** Calls back each time `current` becomes null, for whatever reason; `lastError` may still be unknown. Returns the way to stop it. */
  onDisconnect(listener: () => void): () => void
  /** Calls back whenever `current` or `lastError` is another one: connected, lost, refused. Returns the way to stop it. */
  onChange(listener: () => void): () => void
  onEvent(listener: (event: EventFrame) => void): () => void
  /** Drops the socket and connects again now: for a supervisor that knows the gateway just came up. */
  reconnect(): void
  close(): Promise<void>
}

export interface ClientOptions {
  /** `ws://host:port`, loopback or a trusted network. */
  readonly url: string
  readonly token: string
  /** Reported to the gateway. */
  readonly version?: string
  /** False: nothing is opened before `reconnect`. For a supervisor whose gateway is not up yet. Default true. */
  readonly connectNow?: boolean
}

export function createClient({ clock }: { readonly clock: Clock }, options: ClientOptions): Client {
  const bootListeners = new Set<(bootId: string) => void>()
  const disconnectListeners = new Set<() => void>()
  const changeListeners = new Set<() => void>()
  const eventListeners = new Set<(event: EventFrame) => void>()
  let link = openLink()
  let waiting = newWaiting()
  let current: Connected | null = null
  let lastError: GatewayError | null = null
  let lastBootId: string | null = null
  /** Set when trying again is pointless until somebody changes something; `reconnect` clears it. */
  let refused: GatewayError | null = null
  const closing = new AbortController()
  /** The link that has failed last, and is followed by another. */
  let replaced: GatewayClient | null = null
  const life = createLifeWatch({
    clock,
    isConnected: () => current !== null,
    // What the gateway says to it, a refusal included, is all that counts.
    ask: () => void heard(link.request(SIGN_OF_LIFE.method, SIGN_OF_LIFE.params)).catch(() => undefined),
    onDead(silentMs) {
      const seconds = Math.round(silentMs / 1_000)
      say({ lastError: new GatewayError('GATEWAY_UNREACHABLE', `the gateway gave no sign of life for ${seconds} s`) })
      reconnect()
    },
  })

  function openLink(): GatewayClient {
    const opened: GatewayClient = new GatewayClient({
      url: options.url,
      token: options.token,
      clientVersion: options.version ?? '0.1.0',
      role: 'operator',
      scopes: ['operator.read', 'operator.write', 'operator.admin'],
      preauthHandshakeTimeoutMs: CONNECT_TIMEOUT_MS,
      // The official client would otherwise look for its own variables in our environment.
      env: {},
      onHelloOk: (hello) => {
        if (opened === link) onHello(hello)
      },
      onConnectError: (error) => {
        if (opened !== link) return
        onConnectError(error)
        // Its close follows at once, unless nobody is there to answer that.
        void replace(opened)
      },
      onReconnectPaused: (info) => {
        if (opened === link)
          onRefused(new GatewayError('GATEWAY_AUTH', `the gateway closed the connection for good: ${info.reason}`))
      },
      onClose: () => {
        if (opened !== link) return
        say({ current: null })
        opened.stop() // or it would try again by itself
        void replace(opened)
      },
      onEvent: (event) => {
        life.heard()
        for (const listener of eventListeners) listener(event)
      },
    })
    return opened
  }

  /** Another official client makes the next attempt, unless somebody was faster or there is nothing to be tried. */
  async function replace(worn: GatewayClient): Promise<void> {
    if (replaced === worn) return // its error was told before its end
    replaced = worn
    await clock.sleep(RECONNECT_MS, closing.signal).catch(() => undefined)
    if (worn === link && refused === null) reconnect()
  }

  /** The one place that changes what others see of the connection. Tells them when it is another. */
  function say(next: { readonly current?: Connected | null; readonly lastError?: GatewayError | null }): void {
    const before = { current, lastError }
    if (next.current !== undefined) current = next.current
    if (next.lastError !== undefined) lastError = next.lastError
    if (before.current !== null && current === null) for (const listener of disconnectListeners) listener()
    if (before.current !== current || before.lastError !== lastError) for (const listener of changeListeners) listener()
  }

  function onHello(greeting: unknown): void {
    const parsed = Hello.safeParse(greeting)
    if (!parsed.success) return onRefused(new GatewayError('GATEWAY_PROTOCOL', 'the greeting of the gateway is unreadable'))
    const hello = parsed.data
    const bootId = hello.server.bootId ?? hello.server.connId
    const connected = { bootId, version: hello.server.version }
    const isNew = bootId !== lastBootId
    life.heard()
    life.setTick(hello.policy.tickIntervalMs)
    lastBootId = bootId
    say({ current: connected, lastError: null })
    waiting.resolve(connected)
    waiting = newWaiting()
    if (isNew) for (const listener of bootListeners) listener(bootId)
  }

  function onConnectError(thrown: Error): void {
    if (refused !== null) return // the echo of our own stop
    const error = translateError(thrown, false)
    const coded =
      error instanceof GatewayError ? error : new GatewayError('GATEWAY_UNREACHABLE', messageOf(thrown), { cause: thrown })
    if (coded.class === 'configuration') onRefused(coded)
    else say({ lastError: coded })
  }

  function onRefused(error: GatewayError): void {
    refused = refused ?? error
    link.stop()
    waiting.reject(refused)
    waiting = newWaiting()
    say({ current: null, lastError: refused })
  }

  async function connected(signal?: AbortSignal): Promise<Connected> {
    if (closing.signal.aborted) throw new GatewayError('GATEWAY_UNREACHABLE', 'the client is closed', { ended: true })
    if (refused !== null) throw refused
    if (current !== null) return current
    if (signal === undefined) return waiting.promise
    try {
      return await untilAborted(waiting.promise, signal)
    } catch (error) {
      if (error instanceof GatewayError) throw error
      const why = lastError?.message ?? `no connection to ${options.url}`
      throw new GatewayError('GATEWAY_UNREACHABLE', why, { cause: lastError ?? error, ended: true })
    }
  }

  async function request<T>(method: string, params: object, { signal, timeoutMs = REQUEST_TIMEOUT_MS }: RequestOptions = {}) {
    const { bootId } = await connected(signal ?? clock.timeout(timeoutMs))
    let sent = false
    try {
      const options = { timeoutMs, onSent: () => (sent = true), ...(signal === undefined ? {} : { signal }) }
      return { payload: await life.during(heard(link.request<T>(method, params, options))), bootId }
    } catch (error) {
      signal?.throwIfAborted()
      throw translateError(error, sent)
    }
  }

  /** Whatever the gateway answers is a sign of life; that no answer came is none. */
  async function heard<T>(answer: Promise<T>): Promise<T> {
    try {
      const payload = await answer
      life.heard()
      return payload
    } catch (error) {
      if (error instanceof GatewayClientRequestError) life.heard()
      throw error
    }
  }

  function reconnect(): void {
    if (closing.signal.aborted) return
    const old = link
    refused = null
    link = openLink()
    old.stop()
    link.start()
    say({ current: null })
  }

  const close = async () => {
    closing.abort()
    say({ current: null })
    waiting.reject(new GatewayError('GATEWAY_UNREACHABLE', 'the client was closed', { ended: true }))
    await link.stopAndWait()
  }

  if (options.connectNow !== false) link.start()
  return {
    get current() {
      return current
    },
    get lastError() {
      return lastError
    },
    connected,
    request,
    onBoot: (listener) => subscribe(bootListeners, listener),
    onDisconnect: (listener) => subscribe(disconnectListeners, listener),
    onChange: (listener) => subscribe(changeListeners, listener),
    onEvent: (listener) => subscribe(eventListeners, listener),
    reconnect,
    close,
    [Symbol.asyncDispose]: close,
  }
}

function newWaiting(): PromiseWithResolvers<Connected> {
  const waiting = Promise.withResolvers<Connected>()
  // Nobody may be waiting when it fails; whoever comes later gets the error from the fields.
  waiting.promise.catch(() => undefined)
  return waiting
}

function subscribe<T>(listeners: Set<T>, listener: T): () => void {
  listeners.add(listener)
  return () => listeners.delete(listener)
}
