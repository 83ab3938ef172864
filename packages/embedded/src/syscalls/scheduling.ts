/** Scheduling and cancelling: a scheduled function is a document, so it commits and rolls back with the mutation. */
import { FunctionError } from '../errors.ts'
import type { RegisteredFunction } from '../functions/registry.ts'
import { SCHEDULED } from '../storage/catalog.ts'
import { LIMITS } from '../transactions/limits.ts'
import type { Transaction } from '../transactions/transaction.ts'
import { isObject, type Json, type JsonObject } from '../values/json.ts'
import { sizeOf } from '../values/size.ts'

/** No function may be scheduled further ahead than this: 5 years, as in production. */
const FURTHEST_MS = 5 * 365 * 24 * 3_600_000

/** `atMs`: wall clock, milliseconds; the past means "now". */
export function schedule(tx: Transaction, fn: RegisteredFunction, args: Json, atMs: number, nowMs: number): string {
  if (fn.kind === 'query')
    throw new FunctionError(`Attempted to schedule the query ${fn.path}: only mutations and actions can be scheduled.`)
  if (!Number.isFinite(atMs) || atMs < 0) throw new FunctionError(`Invalid scheduled time: ${atMs}`)
  if (atMs > nowMs + FURTHEST_MS) throw new FunctionError('Functions can be scheduled at most 5 years ahead.')
  const size = sizeOf(args)
  if (size > LIMITS.scheduledBytesEach) {
    throw new FunctionError(
      `Arguments of the scheduled function ${fn.path} are too large (limit: ${LIMITS.scheduledBytesEach} bytes)`,
    )
  }
  tx.count('scheduledFunctions')
  tx.count('scheduledBytes', size)
  return tx.insert(tx.requireTable(SCHEDULED), { name: fn.path, args: [args], scheduledTime: atMs, state: { kind: 'pending' } })
}

/** Cancels a pending job; a running one is marked and finishes. A job that has ended is left alone. */
export function cancel(tx: Transaction, id: string, nowMs: number): void {
  const table = tx.requireTable(SCHEDULED)
  if (tx.tableOfId(id, 'scheduler.cancel') !== table) throw new FunctionError(`"${id}" is not the ID of a scheduled function.`)
  const job = tx.get(id)
  if (!job) return // results are kept for a while only: canceling an old job changes nothing
  const kind = stateOf(job)
  if (kind !== 'pending' && kind !== 'inProgress') return
  tx.update(table, id, { ...job, state: { kind: 'canceled' }, completedTime: nowMs })
}

export function stateOf(job: JsonObject): string {
  const state = job['state']
  return isObject(state) ? (state['kind'] as string) : 'unknown'
}
