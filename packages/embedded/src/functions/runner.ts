/**
 * Runs one function: checks arguments, invokes the handler inside its execution, cuts it off at its deadline, checks the result.
 * Owns no transaction: queries and mutations are handed one.
 */
import { actionGeneric, mutationGeneric, queryGeneric } from 'convex/server'
import type { Clock, Random } from '@mission-control/shared/clock'
import type { Log } from '../engine.ts'
import { FunctionError } from '../errors.ts'
import type { Catalog } from '../storage/catalog.ts'
import { LIMITS } from '../transactions/limits.ts'
import type { Transaction } from '../transactions/transaction.ts'
import { findMismatch } from '../validators/validate.ts'
import { valueProblem } from '../values/check.ts'
import { displayBytes } from '../values/display.ts'
import type { Json, JsonObject } from '../values/json.ts'
import { sizeOf } from '../values/size.ts'
import { currentExecution, executionStorage, type Execution, type Syscalls } from './execution.ts'
import { invokeHttp } from './http-action.ts'
import { toFunctionError } from './failure.ts'
import { createLogBuffer } from './logs.ts'
import { createPrng, PRNG_SEED_BYTES } from './prng.ts'
import type { FunctionKind, RegisteredFunction } from './registry.ts'
import { withEngineTime } from './scheduler-time.ts'
import { asUserCode } from './thread-time.ts'
import { createUserTimes, ENDED, timeout, type TransactionLimits } from './user-time.ts'

/** How long a handler may take. */
export interface Deadlines extends TransactionLimits {
  /** An action from its start to its end, milliseconds. */
  actionMs: number
}
export interface Call {
  fn: RegisteredFunction
  args: Json
  tx: Transaction | null
  identity: JsonObject | null
  requestId: string
  journal?: string | null
  /** The calling execution, for nested calls. */
  parent?: Execution
  /** Id of the scheduled function this call belongs to. */
  job?: string | null
}
export interface Outcome {
  value: Json
  logLines: string[]
  journal: string | null
}
export type Runner = ReturnType<typeof createRunner>

export interface RunnerDeps {
  catalog: Catalog
  clock: Clock
  random: Random
  env: Readonly<Record<string, string | undefined>>
  deadlines: Deadlines
  log: Log
  syscalls(): Syscalls
}

export function createRunner(deps: RunnerDeps) {
  const { catalog, clock, random } = deps
  const startTime = createUserTimes(clock, deps.deadlines)
  // The client library builds `ctx` and encodes results; the handler it calls is the running execution's.
  const dispatch = (ctx: object, args: unknown) => currentExecution()!.fn.handler(ctx, args)
  const query = queryGeneric({ handler: (ctx, args) => dispatch(ctx, args) }) as unknown as {
    invokeQuery(args: string): Promise<string>
  }
  const mutation = mutationGeneric({ handler: (ctx, args) => dispatch(withEngineTime(ctx), args) }) as unknown as {
    invokeMutation(args: string): Promise<string>
  }
  const action = actionGeneric({ handler: (ctx, args) => dispatch(withEngineTime(ctx), args) }) as unknown as {
    invokeAction(requestId: string, args: string): Promise<string>
  }
  const invoke: Record<FunctionKind, (requestId: string, args: string) => Promise<string>> = {
    query: (_requestId, args) => query.invokeQuery(args),
    mutation: (_requestId, args) => mutation.invokeMutation(args),
    action: (requestId, args) => action.invokeAction(requestId, args),
  }

  function open(call: Call): Execution {
    const { fn, parent } = call
    const frozen = parent?.tx ? parent.now() : clock.now()
    const depth = parent?.tx ? parent.depth + 1 : 0
    if (depth > LIMITS.nestingDepth) {
      throw new FunctionError('Cross component call depth limit exceeded. Do you have an infinite loop in your app?')
    }
    return {
      fn,
      tx: call.tx,
      identity: call.identity,
      requestId: call.requestId,
      now: fn.kind === 'action' ? () => clock.now() : () => frozen,
      random: parent?.tx ? parent.random : createPrng(random.bytes(PRNG_SEED_BYTES)),
      randomBytes: (length) => random.bytes(length),
      env: deps.env,
      logs: parent?.tx ? parent.logs : createLogBuffer(),
      syscalls: deps.syscalls(),
      job: call.job ?? parent?.job ?? null,
      time: startTime(parent !== undefined),
      parent: parent?.tx ? parent : null,
      depth,
      cursors: new Map(),
      journal: { previous: call.journal ?? null, next: null, used: false },
      child: null,
      closed: false,
    }
  }

  function checkArgs(fn: RegisteredFunction, args: Json): void {
    const invalid = valueProblem(args)
    if (invalid) throw new FunctionError(`Invalid arguments for ${fn.path}: ${invalid}`)
    const tooLarge = sizeProblem(args, LIMITS.argumentBytes)
    if (tooLarge) throw new FunctionError(`Arguments for ${fn.path} are too large ${tooLarge}`)
    const problem = findMismatch(catalog, fn.args, args)
    if (problem) throw new FunctionError(`ArgumentValidationError: ${problem}`)
  }

  function checkResult(fn: RegisteredFunction, value: Json): void {
    const invalid = valueProblem(value)
    if (invalid) throw new FunctionError(`Function ${fn.path} return value invalid: ${invalid}`)
    const tooLarge = sizeProblem(value, LIMITS.resultBytes)
    if (tooLarge) throw new FunctionError(`Function ${fn.path} return value is too large ${tooLarge}`)
    const problem = fn.returns && findMismatch(catalog, fn.returns, value)
    if (problem) throw new FunctionError(`ReturnsValidationError: ${problem}`)
  }

  /** Actions may compute, but everybody else waits meanwhile: whoever runs the process should know which one it was. */
  function noteHeldUp({ fn, requestId, time }: Execution): void {
    const ms = Math.round(time.longest())
    if (fn.kind === 'action' && ms >= deps.deadlines.transactionMs)
      deps.log.warn('an action held up everything', { function: fn.path, requestId, ms })
  }

  function notePrinted({ fn, requestId }: Call, lines: string[]): void {
    if (lines.length > 0) deps.log.info('a function printed', { function: fn.path, requestId, lines })
  }

  /** A nested function has a deadline of its own: its caller's clock stands still meanwhile, and the caller may go on without it. */
  async function withinTime<T>({ fn, time, requestId }: Execution, running: Promise<T>): Promise<T> {
    if (fn.kind === 'action') return cutOff(clock, running, deps.deadlines.actionMs)
    // Code that computed for too long could not be stopped; what it returned or threw does not count.
    const settled = await time.cutOff(running).then(
      (value) => ({ value }),
      (error: unknown) => ({ error }),
    )
    const overrun = time.overrun()
    if (overrun) deps.log.warn('a function took too long', { function: fn.path, requestId, error: overrun.message })
    if (overrun) throw overrun
    if ('error' in settled) throw settled.error
    return settled.value
  }

  return {
    checkArgs,
    /** An HTTP action: an action whose argument is a Request and whose result is a Response, which is delivered before it ends. */
    async runHttp(call: Call, request: Request, deliver: (response: Response) => Promise<void>): Promise<void> {
      const execution = open(call)
      const { lines } = execution.logs
      try {
        const response = await cutOff(clock, invokeHttp(execution, request), deps.deadlines.actionMs)
        if (!(response instanceof Response)) throw new Error('An HTTP action must return a Response.')
        await executionStorage().run(execution, () => deliver(response))
      } catch (error) {
        logFailure(deps.log, call, error)
        throw toFunctionError(error, lines)
      } finally {
        execution.closed = true
        noteHeldUp(execution)
        notePrinted(call, lines)
      }
    },
    newRequestId: () => Buffer.from(random.bytes(8)).toString('hex'),
    /** Throws a FunctionError for everything the function did wrong. */
    async run(call: Call): Promise<Outcome> {
      const execution = open(call)
      const { fn } = call
      try {
        checkArgs(fn, call.args)
        const running = toItsEnd(execution, () => invoke[fn.kind](call.requestId, JSON.stringify([call.args])))
        const text = await withinTime(execution, running)
        const value = JSON.parse(text) as Json
        checkResult(fn, value)
        return { value, logLines: execution.logs.lines, journal: execution.journal.next }
      } catch (error) {
        if (execution.depth === 0) logFailure(deps.log, call, error)
        throw toFunctionError(error, execution.logs.lines)
      } finally {
        execution.closed = true
        noteHeldUp(execution)
        if (execution.depth === 0) notePrinted(call, execution.logs.lines)
      }
    },
  }
}

function sizeProblem(value: Json, limit: number): string | null {
  const size = sizeOf(value)
  return size > limit ? `(actual: ${displayBytes(size)}, limit: ${displayBytes(limit)})` : null
}

async function cutOff<T>(clock: Clock, running: Promise<T>, limitMs: number): Promise<T> {
  const timer = new AbortController()
  const deadline = clock.sleep(limitMs, timer.signal).then(
    () => {
      throw timeout(limitMs)
    },
    () => new Promise<never>(() => {}), // the timer was cancelled: the handler finished first
  )
  try {
    return await Promise.race([running, deadline])
  } finally {
    timer.abort(ENDED)
  }
}

/**
 * Runs the handler, then waits for a nested call it did not wait for: the nested call's savepoint must be closed before the
 * caller's is. Calls that were still queued behind it are refused, because the execution has ended.
 */
async function toItsEnd<T>(execution: Execution, handler: () => Promise<T>): Promise<T> {
  try {
    return await asUserCode(execution, handler)
  } finally {
    execution.closed = true
    while (execution.child) await execution.child
  }
}

/** The stack stays on the server: clients get the message only. A ConvexError is an answer, not a fault. */
function logFailure(log: Log, call: Call, error: unknown): void {
  if (!(error instanceof Error) || error instanceof FunctionError || 'data' in error) return
  log.warn('a function failed', { function: call.fn.path, requestId: call.requestId, error: error.stack ?? error.message })
}
