/**
 * Top-level calls: finds the function, gives it a transaction, answers after COMMIT. Everything above (handle, HTTP, sync,
 * scheduler) goes through here, so rules about who may call what and when live in one place.
 */
import { ClosedError, FunctionError, NotSupportedError, RequestError } from '../errors.ts'
import type { Snapshot, Snapshots } from '../transactions/snapshots.ts'
import type { Transaction } from '../transactions/transaction.ts'
import type { Writer } from '../transactions/writer.ts'
import type { Json, JsonObject } from '../values/json.ts'
import { currentExecution, type Execution, type Syscalls } from './execution.ts'
import type { HttpHandler } from './http-action.ts'
import type { FunctionKind, Handler, RegisteredFunction, Registry } from './registry.ts'
import type { Outcome, Runner } from './runner.ts'
import { createSyscalls } from '../syscalls/dispatch.ts'
import type { StorageCalls } from '../syscalls/storage.ts'

export interface CallOptions {
  identity: JsonObject | null
  /** Whether internal functions may be called. Only the admin key and code inside the engine may. */
  internal: boolean
  requestId?: string
  /** The admin asks from outside: production tells it in other words that a function is not there. */
  forAdmin?: boolean
  /** Id of the scheduled function this call belongs to. */
  job?: string | null
}
export interface MutationOptions extends CallOptions {
  /** A client's own number for this request: the answer is stored with the effects, and a repeat gets the stored answer. */
  dedupe?: { session: string; request: number }
  observe?: (tx: Transaction) => void
}
export interface Answer {
  value: Json
  logLines: string[]
  /** Commit timestamp of a mutation, snapshot timestamp of a query. */
  ts: bigint
}
export type Core = ReturnType<typeof createCore>

export interface CoreDeps {
  registry: Registry
  writer: Writer
  snapshots: Snapshots
  storage: StorageCalls
  now(): number
}

/** As production's messages name them. */
const capital = (kind: FunctionKind): string => kind[0]!.toUpperCase() + kind.slice(1)

export function createCore(deps: CoreDeps) {
  const { registry, writer, snapshots } = deps
  let runner: Runner | null = null
  const actions = new Set<Promise<unknown>>()
  let closing = false

  /** `found` is how production calls what was looked for: the official CLI lists the functions when the admin's is not there. */
  async function resolve(
    path: string,
    kinds: readonly FunctionKind[],
    internal: boolean,
    found: 'function' | 'public function' = 'public function',
  ): Promise<RegisteredFunction> {
    const fn = await registry.find(path)
    if (!fn || (fn.visibility === 'internal' && !internal)) {
      throw new FunctionError(
        `Could not find ${found} for '${path}'. Did you forget to rebuild the functions${internal ? '' : ', or is it internal'}?`,
      )
    }
    if (!kinds.includes(fn.kind)) {
      throw new FunctionError(
        `Trying to execute ${fn.path.replace(':', '.js:')} as ${kinds.map(capital).join(' or ')}, but it is defined as ${capital(fn.kind)}.`,
      )
    }
    return fn
  }

  /** A top-level call from inside a transaction would wait for itself. */
  function refuseFromTransaction(): void {
    const execution = currentExecution()
    if (execution?.tx && !execution.closed) {
      throw new RequestError(
        400,
        'NestedTopLevelCall',
        `A top-level call was made while ${execution.fn.path} holds its transaction: use ctx.runQuery, ctx.runMutation or ctx.db there.`,
      )
    }
  }

  const run = () => runner!

  async function queryIn(
    snapshot: Snapshot,
    fn: RegisteredFunction,
    args: Json,
    options: CallOptions & { journal?: string | null },
  ) {
    const tx = snapshot.transaction()
    const call = { fn, args, tx, identity: options.identity, requestId: options.requestId ?? run().newRequestId() }
    try {
      return { tx, outcome: await run().run({ ...call, journal: options.journal ?? null }), error: null }
    } catch (error) {
      return { tx, outcome: null, error }
    } finally {
      tx.close()
    }
  }

  async function mutationIn(tx: Transaction, fn: RegisteredFunction, args: Json, options: CallOptions): Promise<Outcome> {
    const { identity, requestId = run().newRequestId(), job = null } = options
    return run().run({ fn, args, tx, identity, requestId, job })
  }

  async function mutate(fn: RegisteredFunction, args: Json, options: MutationOptions): Promise<Answer> {
    refuseFromTransaction()
    const { dedupe } = options
    const { value, ts } = await writer.mutate(async (tx, assignTs) => {
      const answered = dedupe && tx.findRequest(dedupe.session, dedupe.request)
      if (answered) {
        return { value: JSON.parse(answered.result) as Json, logLines: JSON.parse(answered.logs) as string[], ts: answered.ts }
      }
      const outcome = await mutationIn(tx, fn, args, options)
      options.observe?.(tx)
      if (dedupe) {
        const [result, logs] = [JSON.stringify(outcome.value), JSON.stringify(outcome.logLines)]
        tx.saveRequest({ ...dedupe, ts: assignTs(), result, logs, at: deps.now() })
      }
      return { value: outcome.value, logLines: outcome.logLines, ts: null }
    })
    return { value: value.value, logLines: value.logLines, ts: value.ts ?? ts }
  }

  async function act(fn: RegisteredFunction, args: Json, options: CallOptions): Promise<Answer> {
    refuseFromTransaction()
    if (closing) throw new ClosedError('The backend is shutting down.')
    const requestId = options.requestId ?? run().newRequestId()
    const running = run().run({ fn, args, tx: null, identity: options.identity, requestId, job: options.job ?? null })
    actions.add(running)
    try {
      const { value, logLines } = await running
      return { value, logLines, ts: 0n }
    } finally {
      actions.delete(running)
    }
  }

  async function query(
    fn: RegisteredFunction,
    args: Json,
    options: CallOptions & { observe?: (tx: Transaction) => void },
  ): Promise<Answer> {
    refuseFromTransaction()
    return snapshots.with(async (snapshot) => {
      const { tx, outcome, error } = await queryIn(snapshot, fn, args, options)
      if (!outcome) throw error
      options.observe?.(tx)
      return { value: outcome.value, logLines: outcome.logLines, ts: snapshot.ts }
    })
  }

  const execute = (fn: RegisteredFunction, args: Json, options: MutationOptions): Promise<Answer> =>
    fn.kind === 'query' ? query(fn, args, options) : fn.kind === 'mutation' ? mutate(fn, args, options) : act(fn, args, options)

  const syscalls: Syscalls = createSyscalls({
    storage: deps.storage,
    resolve: (path, kinds) => resolve(path, kinds, true),
    async runNested(parent: Execution, fn, args) {
      const tx = parent.tx
      if (!tx) throw new FunctionError('runUdf is not available in actions.')
      if (fn.kind === 'mutation' && !tx.writable) throw new FunctionError('Cannot call a Mutation function from a Query function')
      const nested = () => run().run({ fn, args, tx, identity: parent.identity, requestId: parent.requestId, parent })
      const { value } = fn.kind === 'mutation' ? await tx.nested(nested) : await nested()
      return value
    },
    runTopLevel: async (caller, fn, args) =>
      (await execute(fn, args, { identity: caller.identity, internal: true, requestId: caller.requestId, job: caller.job }))
        .value,
    mutate: async (body) => (await writer.mutate(async (tx) => body(tx))).value,
  })

  return {
    syscalls,
    resolve,
    execute,
    queryIn,
    mutationIn,
    /** The runner needs the syscalls and the syscalls need the runner: it is handed in once both exist. */
    useRunner(created: Runner): void {
      runner = created
    },
    newRequestId: () => run().newRequestId(),
    /** Runs an HTTP action; `deliver` gets its answer while the action, whose body may still be made, goes on. */
    async runHttpAction(
      handler: HttpHandler,
      { path, ...call }: { path: string; requestId: string; identity: JsonObject | null },
      request: Request,
      deliver: (response: Response) => Promise<void>,
    ): Promise<void> {
      if (!handler._handler) throw new NotSupportedError(`an HTTP route that is no httpAction (${path})`)
      if (closing) throw new ClosedError('The backend is shutting down.')
      const fn = {
        path,
        componentPath: '' as const,
        kind: 'action' as const,
        visibility: 'public' as const,
        args: { type: 'any' as const },
        returns: null,
        handler: handler._handler as Handler,
      }
      await run().runHttp({ fn, args: {}, tx: null, ...call }, request, deliver)
    },
    /** Finds and runs in one step. */
    async call(path: string, kinds: readonly FunctionKind[], args: Json, options: MutationOptions): Promise<Answer> {
      return execute(
        await resolve(path, kinds, options.internal, options.forAdmin ? 'function' : 'public function'),
        args,
        options,
      )
    },
    /** Refuses new actions; those that run are left to their end or to the process's. */
    close(): void {
      closing = true
    },
    runningActions: () => actions.size,
  }
}
