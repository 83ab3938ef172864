/**
 * The running execution: found through AsyncLocalStorage, so that one permanent `globalThis.Convex` serves any number of
 * executions of any number of engines. The storage sits on globalThis, because two copies of this module must share it.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import type { Transaction } from '../transactions/transaction.ts'
import type { Json, JsonObject } from '../values/json.ts'
import type { Cursor } from '../queries/cursor.ts'
import type { LogBuffer } from './logs.ts'
import type { RegisteredFunction } from './registry.ts'
import type { UserTime } from './user-time.ts'

export interface Execution {
  fn: RegisteredFunction
  /** Null in actions. */
  tx: Transaction | null
  identity: JsonObject | null
  requestId: string
  /** Frozen for queries and mutations; the real time for actions. */
  now: () => number
  random: () => number
  /** Fit for secrets, unlike `random`; repeatable only when the engine's own random is. */
  randomBytes: (length: number) => Uint8Array
  env: Readonly<Record<string, string | undefined>>
  logs: LogBuffer
  syscalls: Syscalls
  /** Id of the scheduled function this execution belongs to, itself or as something it called. */
  job: string | null
  time: UserTime
  /** The execution that called this one in its transaction. */
  parent: Execution | null
  /** 0 for a top-level call. */
  depth: number
  /** Cursors opened by this execution. */
  cursors: Map<number, Cursor>
  /** End cursor of the page an earlier run of the same subscription returned, and of the page this run returned. */
  journal: { previous: string | null; next: string | null; used: boolean }
  /** The nested call in flight. While it runs, this execution's own calls wait: its savepoint must hold only its writes. */
  child: Promise<void> | null
  closed: boolean
}

export interface Syscalls {
  sync(execution: Execution, op: string, args: Json): Json
  /** The answer encoded, of a call that waits for nothing while nothing is in its way; else `undefined`: call `async`. */
  atOnce(execution: Execution, op: string, args: Json): string | undefined
  /** Resolves with the answer encoded. */
  async(execution: Execution, op: string, args: Json): Promise<string>
  /** Calls whose arguments and results are objects of JavaScript, not JSON. */
  js(execution: Execution, op: string, args: Record<string, unknown>): Promise<unknown>
}

const STORAGE = Symbol.for('mission-control.embedded.execution')

export function executionStorage(): AsyncLocalStorage<Execution> {
  const holder = globalThis as { [STORAGE]?: AsyncLocalStorage<Execution> }
  return (holder[STORAGE] ??= new AsyncLocalStorage<Execution>())
}

export function currentExecution(): Execution | undefined {
  return executionStorage().getStore()
}
