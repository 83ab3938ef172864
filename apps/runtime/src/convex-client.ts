/**
 * The Brain over the official clients. The socket (ConvexClient) carries the two subscriptions and nothing else; every mutation and
 * safety read is one HTTP request (ConvexHttpClient, `skipQueue`), because a socket runs one mutation at a time, replays stale ones
 * after a reconnect and hides a half-open link for up to a minute.
 */
import { ConvexClient, ConvexHttpClient } from 'convex/browser'
import type { HttpMutationOptions } from 'convex/browser'
import type { ArgsAndOptions, FunctionReference, OptionalRestArgs } from 'convex/server'
import { HTTP_TIMEOUT_MS } from '@mission-control/shared/lanes/policy'
import type { Clock } from '@mission-control/shared/clock'
import type { ServiceCaller } from '@mission-control/shared/service-contract'
import type { Brain, Watcher } from './brain/brain.ts'
import { BrainError, toBrainError } from './brain/errors.ts'
import { service } from './service.ts'

/** How long the socket's goodbye is waited for. */
const CLOSE_MS = 500

export interface ConvexBrainOptions {
  readonly url: string
  readonly caller: ServiceCaller
  readonly clock: Clock
  /** For tests that break the network. */
  readonly fetch?: typeof fetch
  readonly timeoutMs?: number
}

export function createConvexBrain(options: ConvexBrainOptions): Brain {
  const { url, caller, clock, timeoutMs = HTTP_TIMEOUT_MS } = options
  const socket = new ConvexClient(url, { logger: false, unsavedChangesWarning: false, skipConvexDeploymentUrlCheck: true })
  const everyFetch = options.fetch ?? fetch

  /** A client per call is what gives each call its own signal; it is a small object, connections are kept alive by fetch itself. */
  function http(signal: AbortSignal): ConvexHttpClient {
    const abortable: typeof fetch = async (input, init) => {
      const response = await everyFetch(input, { ...init, signal })
      // 560 carries a function's own error; anything else that is not a success never was a function's answer.
      if (!response.ok && response.status !== 560) throw await refusedRequest(response)
      return response
    }
    return new ConvexHttpClient(url, { logger: false, fetch: abortable, skipConvexDeploymentUrlCheck: true })
  }

  async function call<T>(outer: AbortSignal | undefined, run: (client: ConvexHttpClient) => Promise<T>): Promise<T> {
    outer?.throwIfAborted()
    const timeout = clock.timeout(timeoutMs)
    try {
      return await run(http(outer === undefined ? timeout : AbortSignal.any([outer, timeout])))
    } catch (error) {
      outer?.throwIfAborted()
      if (timeout.aborted)
        throw new BrainError('unreachable', 'CONVEX_UNREACHABLE', `The backend did not answer within ${timeoutMs} ms.`)
      throw toBrainError(error)
    }
  }

  /** The generic argument types of the client cannot see that caller and rest make up the whole; `BrainArgs` has checked it. */
  const signed = (args: object, ...options: object[]): unknown => [{ ...(wellFormed(args) as object), ...caller }, ...options]

  const watch = <F extends FunctionReference<'query'>>(fn: F, watcher: Watcher<never>) => {
    const subscription = socket.onUpdate(
      fn,
      { ...caller },
      (value) => watcher.value(value as never),
      (error) => watcher.error(toBrainError(error)),
    )
    return () => subscription.unsubscribe()
  }

  return {
    watchReady: (watcher) => watch(service.ready, watcher as Watcher<never>),
    watchSignals: (watcher) => watch(service.signals, watcher as Watcher<never>),
    mutate: (fn, args, signal) =>
      call(signal, (client) =>
        client.mutation(fn, ...(signed(args, { skipQueue: true }) as ArgsAndOptions<typeof fn, HttpMutationOptions>)),
      ),
    query: (fn, args, signal) => call(signal, (client) => client.query(fn, ...(signed(args) as OptionalRestArgs<typeof fn>))),
    connected: () => socket.connectionState().isWebSocketConnected,
    onConnection(listener) {
      let before = socket.connectionState().isWebSocketConnected
      return socket.subscribeToConnectionState(({ isWebSocketConnected }) => {
        if (isWebSocketConnected === before) return
        before = isWebSocketConnected
        listener(isWebSocketConnected)
      })
    },
    // A peer that never answers the goodbye of a socket must not hold up a stop.
    close: () => Promise.race([socket.close(), clock.sleep(CLOSE_MS)]),
  }
}

/** The request itself is wrong (bad request, content too large): the same one is never taken. */
const NEVER_TAKEN = [400, 413]

/** The platform refused the request before any function ran: overload, a wrong path, something that is no Convex at all. */
async function refusedRequest(response: Response): Promise<BrainError> {
  const body = (await response.text().catch(() => '')).replace(/\s+/g, ' ').slice(0, 200)
  const message = `The backend answered with status ${response.status}: ${body}`
  if (NEVER_TAKEN.includes(response.status)) return new BrainError('invalid', 'INVALID', message)
  return new BrainError('server', 'CONVEX_UNREACHABLE', message)
}

/** Half a surrogate pair, as a cut or a model leaves it, makes the platform refuse the whole request. */
function wellFormed(value: unknown): unknown {
  if (typeof value === 'string') return value.toWellFormed()
  if (Array.isArray(value)) return value.map(wellFormed)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, wellFormed(inner)]))
}
