/** The in-process API: what tests, the simulator and the local stack hold in their hands. */
import {
  getFunctionName,
  type AnyApi,
  type FunctionArgs,
  type FunctionReference,
  type FunctionReturnType,
  type OptionalRestArgs,
  type UserIdentityAttributes,
} from 'convex/server'
import { ConvexError, convexToJson, jsonToConvex, type Value } from 'convex/values'
import { openEngine, type Engine, type EngineOptions } from './engine.ts'
import { FunctionError } from './errors.ts'
import type { Answer, MutationOptions } from './functions/core.ts'
import type { FunctionKind, RegisteredFunction } from './functions/registry.ts'
import { completeIdentity } from './auth/identity.ts'
import type { Listening, ListenOptions } from './http/bind.ts'
import { listen } from './http/listen.ts'
import { listenSite } from './http/site.ts'
import { subscribe, type Unsubscribe } from './sync/subscribe.ts'
import { describeReads, describeWrites, type Trace } from './trace.ts'
import type { Transaction } from './transactions/transaction.ts'
import type { JsonObject } from './values/json.ts'

export type { EngineOptions as EmbeddedOptions, Log } from './engine.ts'
export type { Functions } from './functions/definition.ts'
export type { Trace } from './trace.ts'

/** A function reference (`api.x.y`, `internal.x.y`) or a path ("dir/module:fn"). */
type Ref<Kind extends FunctionKind> = FunctionReference<Kind, 'public' | 'internal'> | string
type Args<R> = R extends FunctionReference<FunctionKind, 'public' | 'internal'> ? FunctionArgs<R> : Record<string, unknown>
/** Whoever calls a function by its reference must give the arguments it needs. */
type RestArgs<R> =
  R extends FunctionReference<FunctionKind, 'public' | 'internal'> ? OptionalRestArgs<R> : [args?: Record<string, unknown>]
type Result<R> = R extends FunctionReference<FunctionKind, 'public' | 'internal'> ? FunctionReturnType<R> : unknown
export type Identity = Partial<UserIdentityAttributes> & { subject?: string; issuer?: string }

export interface Callable {
  /** Runs a query, internal ones included. Throws `ConvexError` with its data, or an Error with the function's message. */
  query<R extends Ref<'query'>>(fn: R, ...args: RestArgs<R>): Promise<Result<R>>
  /** Runs a mutation; resolves after its COMMIT. */
  mutation<R extends Ref<'mutation'>>(fn: R, ...args: RestArgs<R>): Promise<Result<R>>
  action<R extends Ref<'action'>>(fn: R, ...args: RestArgs<R>): Promise<Result<R>>
  /** Runs `body` as a mutation of its own, with `ctx.db` and `ctx.scheduler`. For tests. */
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- the caller's data model is not known here
  run<T>(body: (ctx: any) => Promise<T>): Promise<T>
  /** Runs a query or mutation (which commits) and tells what it read and wrote. */
  trace<R extends Ref<'query' | 'mutation'>>(fn: R, ...args: RestArgs<R>): Promise<Trace<Result<R>>>
  /** Calls back with the result now and after every change of it. Errors of the query go to `onError`. */
  onUpdate<R extends Ref<'query'>>(
    fn: R,
    args: Args<R>,
    onResult: (result: Result<R>) => void,
    onError?: (error: Error) => void,
  ): Unsubscribe
}

export type EmbeddedConvex = Awaited<ReturnType<typeof createEmbeddedConvex>>

/**
 * Opens a backend in this process. `functions` is what a built bundle exports. On disk (`dataDir`) it owns the folder until
 * `close`; with `memory: true` nothing is kept, and `clock` and `random` make every id and timestamp repeatable.
 */
export async function createEmbeddedConvex(options: EngineOptions) {
  const engine = await openEngine(options)
  const adminKey = engine.adminKey
  const open = new Set<Listening>()
  const calls = callable(engine, null)

  async function close(): Promise<void> {
    await Promise.all([...open].map((server) => server.close()))
    await engine.close()
  }
  function keep(server: Listening): Listening {
    open.add(server)
    return {
      ...server,
      async close() {
        open.delete(server)
        await server.close()
      },
    }
  }

  return {
    ...calls,
    adminKey,
    /** The same calls as a signed-in user. */
    withIdentity: (identity: Identity): Callable => callable(engine, completeIdentity(identity as JsonObject)),
    /**
     * Runs scheduled functions that are due, and those they schedule, until none is. `advance: true` moves the engine's clock
     * to the next one instead of waiting; a function moves the caller's clock. Resolves with how many ran.
     */
    finishScheduled: ({ advance }: { advance?: boolean | ((toMs: number) => void | Promise<void>) } = {}): Promise<number> =>
      engine.scheduler.finish(
        typeof advance === 'function' ? advance : advance ? (toMs) => engine.advanceClock(toMs - engine.clock.now()) : null,
      ),
    /** Runs one cron now, whenever it is due. */
    runCron: (name: string) => engine.scheduler.runCron(name),
    /** Moves the engine's own clock ahead, on top of the one it was given. */
    advanceClock: (ms: number) => engine.advanceClock(ms),
    /** Serves HTTP and WebSocket clients. Port 0 picks a free one. Loopback unless told otherwise. */
    async listen(listenOptions: ListenOptions = {}): Promise<Listening> {
      const server = keep(await listen(engine, listenOptions))
      engine.serveAt(server.url)
      return server
    },
    /** Serves HTTP actions (`functions.http`). */
    listenSite: async (listenOptions: ListenOptions = {}): Promise<Listening> => keep(await listenSite(engine, listenOptions)),
    /** Commits and mutations so far: the group commit at work. */
    stats: engine.stats,
    engine,
    close,
    [Symbol.asyncDispose]: close,
  }
}

function callable(engine: Engine, identity: JsonObject | null): Callable {
  const { core } = engine
  const pathOf = (fn: Ref<FunctionKind>) => (typeof fn === 'string' ? fn : getFunctionName(fn as AnyApi[string][string]))
  const encode = (args: unknown) => convexToJson((args ?? {}) as Value)

  async function call(
    fn: Ref<FunctionKind>,
    kinds: FunctionKind[],
    args: unknown,
    extra: Partial<MutationOptions> = {},
  ): Promise<Answer> {
    try {
      return await core.call(pathOf(fn), kinds, encode(args), { identity, internal: true, ...extra })
    } catch (error) {
      throw toCallerError(error)
    }
  }
  const decoded = async (answer: Promise<Answer>) => jsonToConvex((await answer).value) as never

  return {
    query: (fn, ...[args]) => decoded(call(fn, ['query'], args)),
    mutation: (fn, ...[args]) => decoded(call(fn, ['mutation'], args)),
    action: (fn, ...[args]) => decoded(call(fn, ['action'], args)),
    run: (body) => {
      const fn: RegisteredFunction = {
        path: 'run:anonymous',
        componentPath: '',
        kind: 'mutation',
        visibility: 'internal',
        args: { type: 'any' },
        returns: null,
        handler: (ctx) => body(ctx),
      }
      return decoded(
        core.execute(fn, {}, { identity, internal: true }).catch((error: unknown) => {
          throw toCallerError(error)
        }),
      )
    },
    async trace(fn, ...[args]) {
      let seen: Transaction | undefined
      const answer = await call(fn, ['query', 'mutation'], args, { observe: (tx) => (seen = tx) })
      const tx = seen!
      const written = tx.written()
      return {
        result: jsonToConvex(answer.value) as never,
        reads: describeReads(engine.catalog, tx.reads),
        writes: describeWrites(written),
        documentsRead: tx.usage.documentsRead,
        usage: { ...tx.usage },
        readSet: tx.reads,
        writeSet: [...written],
      }
    },
    onUpdate: (fn, args, onResult, onError) =>
      subscribe(
        engine,
        { path: pathOf(fn), args: encode(args), identity },
        {
          onResult: (value) => onResult(jsonToConvex(value) as never),
          onError:
            onError ?? ((error) => engine.log.error('a live query failed', { function: pathOf(fn), error: error.message })),
        },
      ),
  }
}

/** What the caller of the in-process API catches: the ConvexError that was thrown, or an Error with the original message. */
export function toCallerError(error: unknown): unknown {
  if (!(error instanceof FunctionError)) return error
  if (error.data !== undefined) return new ConvexError(jsonToConvex(error.data))
  const plain = new Error(error.message.replace(/^Uncaught Error: /, ''), { cause: error.cause ?? error })
  return plain
}
