/** Scheduling and cancelling: a scheduled function is a document, so it commits and rolls back with the mutation. */
import { FunctionError } from '../errors.ts'
import type { RegisteredFunction } from '../functions/registry.ts'
import { SCHEDULED } from '../storage/catalog.ts'
import { LIMITS } from '../transactions/limits.ts'
import type { Transaction } from '../transactions/transaction.ts'
import { isObject, type Json, type JsonObject } from '../values/json.ts'
import { sizeOf } from '../values/size.ts'

/** No function may be scheduled further away than this, ahead or back: 5 years, as in production. */
const FURTHEST_MS = 5 * 366 * 24 * 3_600_000

export interface Scheduling {
  fn: RegisteredFunction
  args: Json
  /** Wall clock, milliseconds; the past means "now". */
  atMs: number
  nowMs: number
  /** The scheduled function that schedules: what a canceled one still schedules is canceled from the start. */
  job: string | null
}

/** Stores the job and returns its id. */
export function schedule(tx: Transaction, { fn, args, atMs, nowMs, job }: Scheduling): string {
  if (fn.kind === 'query')
    throw new FunctionError(`Attempted to schedule the query ${fn.path}: only mutations and actions can be scheduled.`)
  if (!Number.isFinite(atMs)) throw new FunctionError(`Invalid argument \`ts\` for \`schedule\`: ${atMs} is not a time.`)
  if (Math.abs(atMs - nowMs) > FURTHEST_MS)
    throw new FunctionError(`${dateOf(atMs)} is more than 5 years in the ${atMs > nowMs ? 'future' : 'past'}`)
  const size = sizeOf(args)
  if (size > LIMITS.scheduledBytesEach) {
    throw new FunctionError(
      `Arguments of the scheduled function ${fn.path} are too large (limit: ${LIMITS.scheduledBytesEach} bytes)`,
    )
  }
  tx.count('scheduledFunctions')
  tx.count('scheduledBytes', size)
  const parent = job === null ? null : tx.get(job)
  const fields = { name: fn.path, args: [args] }
  return tx.insert(
    tx.requireTable(SCHEDULED),
    parent && stateOf(parent) === 'canceled'
      ? { ...fields, scheduledTime: nowMs, completedTime: nowMs, state: { kind: 'canceled' } }
      : { ...fields, scheduledTime: atMs, state: { kind: 'pending' } },
  )
}

/** As a date, or as the number it is where dates end. */
function dateOf(ms: number): string {
  const date = new Date(ms)
  return Number.isNaN(date.getTime()) ? String(ms) : date.toISOString()
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
