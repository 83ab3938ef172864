/**
 * `globalThis.Convex`: how user code reaches the engine. Installed once per process and never removed. Besides the three
 * syscall entry points it offers the running execution's own time, randomness, console and environment, and refuses timers
 * and fetch inside queries and mutations; the build of the functions maps the globals onto them (see `bundleDefines`).
 * Outside an execution everything is the real thing.
 */
import { systemClock, systemRandom } from '@mission-control/host/clock'
import { FunctionError } from '../errors.ts'
import type { Json } from '../values/json.ts'
import { currentExecution, type Execution } from './execution.ts'
import { refuseOutsideActions, createConsole, createDateClass } from './guarded.ts'
import { asEngine, asEngineNow } from './thread-time.ts'

interface ConvexGlobal {
  syscall(op: string, args: string): string
  asyncSyscall(op: string, args: string): Promise<string>
  jsSyscall(op: string, args: unknown): unknown
}
const MARK = Symbol.for('mission-control.embedded.global')

/** What an esbuild bundle of functions should define, so that time, randomness and side effects follow the execution. */
export const bundleDefines: Readonly<Record<string, string>> = {
  'Date.now': 'Convex.now',
  'Math.random': 'Convex.random',
  Date: 'Convex.Date',
  console: 'Convex.console',
  crypto: 'Convex.crypto',
  performance: 'Convex.performance',
  fetch: 'Convex.fetch',
  setTimeout: 'Convex.setTimeout',
  setInterval: 'Convex.setInterval',
  setImmediate: 'Convex.setImmediate',
  'process.env': 'Convex.env',
}

export function installGlobal(): void {
  const holder = globalThis as { Convex?: ConvexGlobal & { [MARK]?: true } }
  if (holder.Convex?.[MARK]) return
  // Another implementation (a unit-test mock), installed before or after, keeps serving the calls that are not ours.
  let previous: ConvexGlobal | undefined = holder.Convex
  const now = () => currentExecution()?.now() ?? systemClock.now()
  const required = (op: string): Execution => {
    const execution = currentExecution()
    if (!execution) throw new Error(`The Convex ${op} call was made outside of a running Convex function.`)
    return execution
  }
  /** Of a call that has entered already. */
  async function waitFor(execution: Execution, op: string, call: Json): Promise<string> {
    try {
      const answering = asEngine(() => execution.syscalls.async(execution, op, call))
      execution.time.worked()
      return await answering
    } finally {
      execution.time.leave()
    }
  }
  const convex = {
    [MARK]: true as const,
    syscall(op: string, args: string): string {
      if (previous && !currentExecution()) return previous.syscall(op, args)
      const execution = required(op)
      execution.time.enter()
      try {
        return asEngineNow(() => JSON.stringify(execution.syscalls.sync(execution, op, JSON.parse(args) as Json)))
      } catch (error) {
        // As for asynchronous calls, user code sees a plain Error.
        throw error instanceof FunctionError ? new Error(error.message, { cause: error }) : error
      } finally {
        execution.time.worked()
        execution.time.leave()
      }
    },
    asyncSyscall(op: string, args: string): Promise<string> {
      if (previous && !currentExecution()) return previous.asyncSyscall(op, args)
      const execution = required(op)
      const call = JSON.parse(args) as Json
      execution.time.enter()
      let answer: string | undefined
      try {
        // Most calls need no promise of the engine's own: each of them costs as much as the call itself.
        answer = asEngineNow(() => execution.syscalls.atOnce(execution, op, call))
        execution.time.worked()
        if (answer === undefined) return waitFor(execution, op, call)
      } catch (error) {
        execution.time.leave()
        return Promise.reject(error instanceof Error ? error : new Error(String(error)))
      }
      execution.time.leave()
      return Promise.resolve(answer)
    },
    jsSyscall(op: string, args: unknown): unknown {
      if (previous && !currentExecution()) return previous.jsSyscall(op, args)
      const execution = required(op)
      const answering = asEngine(() => execution.syscalls.js(execution, op, args as Record<string, unknown>))
      return answering.catch((error: unknown) => {
        throw error instanceof FunctionError ? new Error(error.message, { cause: error }) : error
      })
    },
    now,
    random: () => currentExecution()?.random() ?? systemRandom.next(),
    Date: createDateClass(now),
    console: createConsole(),
    get env() {
      return currentExecution()?.env ?? process.env
    },
    ...refuseOutsideActions(),
  }
  Object.defineProperty(globalThis, 'Convex', {
    configurable: true,
    get: () => convex,
    set(other: ConvexGlobal) {
      previous = other
    },
  })
}
