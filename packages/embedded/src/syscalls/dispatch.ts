/**
 * The syscall table. Each asynchronous call of an execution waits while a nested function of that execution runs, so a nested
 * mutation's savepoint holds its own writes and nothing else. Unknown operations are refused by name.
 */
import { FunctionError, NotSupportedError } from '../errors.ts'
import type { Execution, Syscalls } from '../functions/execution.ts'
import type { FunctionKind, RegisteredFunction } from '../functions/registry.ts'
import type { PageRequest } from '../queries/page.ts'
import type { SerializedQuery } from '../queries/plan.ts'
import { isDatabaseError } from '../storage/connection.ts'
import type { Transaction } from '../transactions/transaction.ts'
import { isObject, type Json, type JsonObject } from '../values/json.ts'
import * as documents from './documents.ts'
import * as queries from './queries.ts'
import { snapshotTs, transactionMetrics } from './meta.ts'
import { cancel, schedule, type Scheduling } from './scheduling.ts'
import type { StorageCalls } from './storage.ts'

export interface SyscallDeps {
  storage: StorageCalls
  /** Finds a function for a call from inside: internal ones included. Throws when there is none. */
  resolve(path: string, kinds: readonly FunctionKind[]): Promise<RegisteredFunction>
  /** Runs a nested query or mutation in the caller's transaction. */
  runNested(parent: Execution, fn: RegisteredFunction, args: Json): Promise<Json>
  /** Runs a function as its own top-level call, for actions. */
  runTopLevel(caller: Execution, fn: RegisteredFunction, args: Json): Promise<Json>
  /** Runs `body` as a mutation of its own, for actions that schedule. */
  mutate<T>(body: (tx: Transaction) => T): Promise<T>
}

export function createSyscalls(deps: SyscallDeps): Syscalls {
  function transactionOf(execution: Execution, op: string): Transaction {
    if (!execution.tx) throw new FunctionError(`${op} is not available in actions: use ctx.runQuery or ctx.runMutation.`)
    return execution.tx
  }

  function checkOpen(execution: Execution): void {
    // A caller that was cut off takes everything it called with it.
    let ended: Execution | null = execution
    while (ended && !ended.closed) ended = ended.parent
    if (!ended) return
    throw new FunctionError(
      `${ended.fn.path} has already ended (returned, failed or timed out), but its code still makes calls. Did you forget to await a promise?`,
    )
  }

  /** One nested call at a time, and nothing of the parent's beside it. */
  async function exclusively<T>(execution: Execution, body: () => Promise<T>): Promise<T> {
    while (execution.child) await execution.child
    checkOpen(execution)
    const done = Promise.withResolvers<void>()
    execution.child = done.promise
    try {
      return await body()
    } finally {
      execution.child = null
      done.resolve()
    }
  }

  /** The calls that wait for nothing, which are nearly all, with their answers encoded; `undefined` for any other. */
  function answerAtOnce(execution: Execution, op: string, args: JsonObject): string | undefined {
    const tx = () => transactionOf(execution, op)
    switch (op) {
      case '1.0/get':
        return documents.get(tx(), args as never) ?? 'null'
      case '1.0/insert':
        return JSON.stringify(documents.insert(tx(), args as never))
      case '1.0/shallowMerge':
        return JSON.stringify(documents.patch(tx(), args as never))
      case '1.0/replace':
        return JSON.stringify(documents.replace(tx(), args as never))
      case '1.0/remove':
        return JSON.stringify(documents.remove(tx(), args as never))
      case '1.0/queryStreamNext':
        return queries.nextOfStream(execution, args as never)
      case '1.0/getUserIdentity':
        return JSON.stringify(execution.identity)
      default:
        return undefined
    }
  }

  async function call(execution: Execution, op: string, args: JsonObject): Promise<Json> {
    const tx = () => transactionOf(execution, op)
    switch (op) {
      case '1.0/queryPage':
        return queries.page(execution, tx(), args as unknown as PageRequest)
      case '1.0/getFunctionMetadata':
        return { name: execution.fn.path, componentPath: execution.fn.componentPath }
      case '1.0/getTransactionMetrics':
        return transactionMetrics(tx())
      case '1.0/schedule': {
        const fn = await deps.resolve(nameOf(args), ['mutation', 'action'])
        while (execution.child) await execution.child // one may have begun while the module was loaded
        checkOpen(execution)
        if (!tx().writable) throw new FunctionError('Functions cannot be scheduled from a query.')
        return schedule(tx(), scheduling(execution, fn, args))
      }
      case '1.0/cancel_job':
        cancel(tx(), args['id'] as string, execution.now())
        return {}
      case '1.0/actions/schedule': {
        const fn = await deps.resolve(nameOf(args), ['mutation', 'action'])
        return deps.mutate((own) => schedule(own, scheduling(execution, fn, args)))
      }
      case '1.0/actions/cancel_job':
        await deps.mutate((own) => cancel(own, args['id'] as string, execution.now()))
        return {}
      case '1.0/actions/query':
      case '1.0/actions/mutation':
      case '1.0/actions/action': {
        const fn = await deps.resolve(nameOf(args), [op.slice('1.0/actions/'.length) as FunctionKind])
        return deps.runTopLevel(execution, fn, args['args']!)
      }
      case '1.0/actions/vectorSearch':
        throw new NotSupportedError(`vector search (${JSON.stringify((args['query'] as JsonObject | undefined)?.['indexName'])})`)
      default:
        if (op.startsWith('1.0/storage')) return deps.storage.call(execution, op, args)
        throw new NotSupportedError(op)
    }
  }

  async function runUdf(execution: Execution, args: JsonObject): Promise<Json> {
    const kind = args['udfType']
    if (kind !== 'query' && kind !== 'mutation')
      throw new NotSupportedError(kind === 'snapshotQuery' ? 'useStaleSnapshot' : `runUdf of ${JSON.stringify(kind)}`)
    if (isObject(args['transactionLimits'])) throw new NotSupportedError('transactionLimits')
    const fn = await deps.resolve(nameOf(args), [kind])
    return deps.runNested(execution, fn, args['args']!)
  }

  return {
    sync(execution, op, args) {
      checkOpen(execution)
      switch (op) {
        case '1.0/db/normalizeId':
          return documents.normalizeId(execution.tx, args as never)
        case '1.0/queryStream':
          return queries.openStream(execution, transactionOf(execution, op), args as unknown as { query: SerializedQuery })
        case '1.0/queryCleanup':
          return {}
        case '1.0/getSnapshotTs':
          return snapshotTs(transactionOf(execution, op))
        default:
          throw new NotSupportedError(op)
      }
    },
    js(execution, op, args) {
      checkOpen(execution)
      return deps.storage.callWithBlob(execution, op, args)
    },
    atOnce(execution, op, args) {
      if (execution.child) return undefined
      checkOpen(execution)
      try {
        return answerAtOnce(execution, op, args as JsonObject)
      } catch (error) {
        noteFailure(execution, error)
        throw error
      }
    },
    async async(execution, op, args) {
      checkOpen(execution)
      try {
        if (op === '1.0/runUdf') return JSON.stringify(await exclusively(execution, () => runUdf(execution, args as JsonObject)))
        // Writes its content first: a nested mutation that began meanwhile would take the document into its savepoint.
        if (op === '1.0/storageStore')
          return JSON.stringify(await exclusively(execution, () => call(execution, op, args as JsonObject)))
        while (execution.child) await execution.child
        checkOpen(execution)
        const answer = answerAtOnce(execution, op, args as JsonObject)
        return answer ?? JSON.stringify(await call(execution, op, args as JsonObject))
      } catch (error) {
        noteFailure(execution, error)
        throw error
      }
    },
  }
}

/** A handler that catches the error must not commit half a write. */
function noteFailure(execution: Execution, error: unknown): void {
  if (execution.tx && isDatabaseError(error)) execution.tx.fail(error as Error)
}

function nameOf(args: JsonObject): string {
  if (typeof args['name'] === 'string') return args['name']
  if (typeof args['reference'] === 'string') throw new NotSupportedError(`components (${args['reference']})`)
  throw new NotSupportedError(`function handles (${JSON.stringify(args['functionHandle'])})`)
}

function scheduling(execution: Execution, fn: RegisteredFunction, args: JsonObject): Scheduling {
  return { fn, args: args['args']!, atMs: timeOf(args), nowMs: execution.now(), job: execution.job }
}

/** Seconds on the wire, milliseconds here; a thousandth of a millisecond hides the rounding of the division. */
function timeOf(args: JsonObject): number {
  return Math.round((args['ts'] as number) * 1e6) / 1e3
}
