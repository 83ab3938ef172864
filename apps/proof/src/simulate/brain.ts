/**
 * The runtime's Brain over the simulated network: each call one exchange with the timeout of the real client, and one socket whose
 * subscriptions say nothing while it is broken or half-open, and everything again once it is back.
 */
import { getFunctionName } from 'convex/server'
import { HTTP_TIMEOUT_MS } from '@mission-control/shared/lanes/policy'
import type { Brain, Watcher } from '@mission-control/runtime/brain/brain'
import { BrainError, toBrainError } from '@mission-control/runtime/brain/errors'
import { service } from '@mission-control/runtime/service'
import type { Doc } from '@mission-control/backend/convex/_generated/dataModel'
import type { BackendPart } from './backend.ts'
import type { Network, Outcome } from './network.ts'
import type { Part, Time } from './time.ts'
import type { Seeded } from './seeded.ts'
import type { Trace } from './trace.ts'

export interface BrainDeps {
  readonly part: Part
  readonly time: Time
  readonly trace: Trace
  readonly network: Network
  readonly random: Seeded
  readonly backend: BackendPart
  readonly caller: { readonly accountId: string; readonly serviceToken: string }
  /** Runs one function of the backend, as its HTTP interface would. */
  serve(kind: 'query' | 'mutation', name: string, args: Record<string, unknown>): Promise<Outcome>
}

export interface SimulatedBrain extends Brain {
  /** These tables have changed: subscriptions that read them may have news. */
  stale(tables: ReadonlySet<string>): void
  /** The socket breaks, `silently` at first, and comes back after a while. */
  breakSocket(silently: boolean): void
}

/** Calls after which the backend counts on something that the caller may not know. */
const EFFECTS: ReadonlySet<string> = new Set(['claim', 'begin', 'settle', 'settleMany', 'fail', 'release', 'call'])

/** A half-open socket is found out after this long, ms. */
const SILENCE_MS = 60_000

export function createSimulatedBrain(deps: BrainDeps): SimulatedBrain {
  const { part, time, trace, network, random, backend, caller } = deps
  const watches = new Set<Watch>()
  const connection = new Set<(connected: boolean) => void>()
  let socket: 'up' | 'half-open' | 'down' = 'up'

  interface Watch {
    readonly name: string
    /** The table it is about; its caller's token it reads, too. */
    readonly reads: string
    readonly watcher: Watcher<never>
    /** JSON of what was told last on this connection. */
    told: string | null
    pending: boolean
  }

  function call(kind: 'query' | 'mutation', fn: never, args: object, outer?: AbortSignal): Promise<never> {
    outer?.throwIfAborted()
    const name = getFunctionName(fn)
    const given = structuredClone({ ...args, ...caller })
    const { promise, resolve, reject } = Promise.withResolvers<never>()
    const unreachable = (why: string) => reject(new BrainError('unreachable', 'CONVEX_UNREACHABLE', why))
    const onAbort = () => finish(() => reject(outer?.reason as Error))
    const cancel = time.timer(part, HTTP_TIMEOUT_MS, () => finish(() => unreachable('no answer in time')))
    let done = false
    function finish(how: () => void): void {
      if (done) return
      done = true
      cancel()
      outer?.removeEventListener('abort', onAbort)
      how()
    }
    outer?.addEventListener('abort', onAbort, { once: true })
    network.exchange({
      from: part,
      to: backend.part,
      label: label(trace, part, name, given),
      handle: () => deps.serve(kind, name, given),
      hasEffect: EFFECTS.has(name.slice(name.indexOf(':') + 1)),
      isEnd: 'fence' in given || 'settles' in given,
      isWorst: () => isOutdated(given),
      failed: () => finish(() => unreachable('connection reset')),
      answered: (outcome) =>
        finish(() =>
          'value' in outcome ? resolve(structuredClone(outcome.value) as never) : reject(toBrainError(outcome.error)),
        ),
    })
    return promise
  }

  /** An item it is about has been claimed again since. */
  function isOutdated(args: object): boolean {
    const { id, fence, settles } = args as { id?: string; fence?: number; settles?: { id: string; fence: number }[] }
    const about = settles ?? (id === undefined || fence === undefined ? [] : [{ id, fence }])
    if (about.length === 0) return false
    const items = backend.rows('deliveries') as Doc<'deliveries'>[]
    return about.some((one) => items.some((item) => item._id === one.id && item.state === 'claimed' && item.fence > one.fence))
  }

  function push(watch: Watch): void {
    if (watch.pending || socket !== 'up') return
    watch.pending = true
    time.send({
      to: part,
      label: `news of ${watch.name}`,
      async deliver() {
        watch.pending = false
        if (socket !== 'up' || !watches.has(watch) || !backend.isUp()) return
        const value: unknown = await backend.engine.query(watch.name, { ...caller })
        const text = JSON.stringify(value)
        if (text === watch.told) return
        watch.told = text
        trace.note(part.name, `hears ${watch.name}`)
        watch.watcher.value(value as never)
      },
    })
  }

  function watch(fn: Parameters<typeof getFunctionName>[0], reads: string, watcher: Watcher<never>): () => void {
    const one: Watch = { name: getFunctionName(fn), reads, watcher, told: null, pending: false }
    watches.add(one)
    push(one)
    return () => void watches.delete(one)
  }

  function down(): void {
    if (socket === 'down') return
    socket = 'down'
    trace.note(part.name, 'the socket of the subscriptions is down')
    for (const listener of connection) listener(false)
    time.timer(part, random.spread(100, 20_000), reconnect)
  }

  function reconnect(): void {
    if (!backend.isUp()) return void time.timer(part, random.spread(500, 15_000), reconnect)
    socket = 'up'
    trace.note(part.name, 'the socket of the subscriptions is up')
    for (const listener of connection) listener(true)
    for (const one of watches) {
      one.told = null
      one.pending = false
      push(one)
    }
  }

  return {
    watchReady: (watcher) => watch(service.ready, 'deliveries', watcher),
    watchSignals: (watcher) => watch(service.signals, 'signals', watcher),
    mutate: async (fn, args, signal) => call('mutation', fn as never, args, signal),
    query: async (fn, args, signal) => call('query', fn as never, args, signal),
    connected: () => socket !== 'down',
    onConnection(listener) {
      connection.add(listener)
      return () => void connection.delete(listener)
    },
    close: async () => undefined,
    stale(tables) {
      for (const one of watches) if (tables.has(one.reads) || tables.has('serviceTokens')) push(one)
    },
    breakSocket(silently) {
      if (socket !== 'up') return
      if (!silently) return down()
      socket = 'half-open'
      trace.note(part.name, 'the socket of the subscriptions is half-open')
      time.timer(part, random.spread(SILENCE_MS / 10, SILENCE_MS), down)
    },
  }
}

/** `claim d1, d2`: a function and what it is about. */
function label(trace: Trace, part: Part, name: string, args: Record<string, unknown>): string {
  const short = name.slice(name.indexOf(':') + 1)
  const { id, ids, held, settles, fence, reply } = args as {
    id?: string
    ids?: string[]
    held?: { id: string; fence: number }[]
    settles?: { id: string; fence: number; reply: string | null }[]
    fence?: number
    reply?: string
  }
  const item = (one: string) => trace.name('d', one)
  const about = [
    ...(typeof id === 'string' ? [`${item(id)}${fence === undefined ? '' : `.${fence}`}`] : []),
    ...(Array.isArray(ids) && short === 'claim' ? ids.map(item) : []),
    ...(Array.isArray(held) ? held.map((one) => `${item(one.id)}.${one.fence}`) : []),
    ...(settles ?? []).map((one) => `${item(one.id)}.${one.fence} ${one.reply === null ? 'receipt' : `"${one.reply}"`}`),
    ...(typeof reply === 'string' ? [`"${reply}"`] : []),
  ]
  return `${part.name} ${short}${about.length === 0 ? '' : ` ${about.join(', ')}`}`
}
