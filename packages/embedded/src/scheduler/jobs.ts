/**
 * Stored jobs: scheduled functions and crons. Both are documents with `name`, `args`, `scheduledTime` and `state`.
 *
 * pending -> (mutation) success | failed        the mutation's effects and the new state are one transaction: exactly once
 * pending -> inProgress -> success | failed     actions: at most once; found inProgress at start they become failed
 * pending | inProgress -> canceled              scheduler.cancel
 * A cron goes back to pending with its next time instead of success or failed.
 */
import { CRONS, SCHEDULED, type Catalog } from '../storage/catalog.ts'
import { createRangeCursor } from '../queries/cursor.ts'
import type { Transaction } from '../transactions/transaction.ts'
import { stateOf } from '../syscalls/scheduling.ts'
import { encodeKey } from '../values/keys.ts'
import { afterPrefix } from '../values/keys.ts'
import type { Json, JsonObject } from '../values/json.ts'
import { nextRun, type Schedule } from './cron-schedule.ts'

export interface Job {
  table: string
  id: string
  name: string
  args: Json
  scheduledTime: number
  /** Present for crons. */
  cron?: { name: string; schedule: Schedule }
}

/** Arguments may have 4 MiB each and a transaction reads 16 MiB at most: a look ends early, with at least one job. */
const MAX_BYTES_PER_LOOK = 8 * 1024 * 1024

export const JOB_TABLES: readonly string[] = [SCHEDULED, CRONS]

export function toJob(table: string, document: JsonObject): Job {
  const job: Job = {
    table,
    id: document['_id'] as string,
    name: document['name'] as string,
    args: (document['args'] as Json[])[0] ?? {},
    scheduledTime: document['scheduledTime'] as number,
  }
  if (table === CRONS) job.cron = { name: document['cronName'] as string, schedule: document['schedule'] as unknown as Schedule }
  return job
}

/** Jobs in `state`, earliest first; fewer than there are when their arguments are large. */
export function jobsIn(tx: Transaction, catalog: Catalog, table: string, state: string, limit: number): Job[] {
  return documentsIn(tx, catalog, table, 'by_due', state, limit).map((document) => toJob(table, document))
}

/** Ended jobs, oldest end first; fewer than there are when their arguments are large. */
export function endedJobs(tx: Transaction, catalog: Catalog, state: string, limit: number): JsonObject[] {
  return documentsIn(tx, catalog, SCHEDULED, 'by_completed', state, limit)
}

function documentsIn(
  tx: Transaction,
  catalog: Catalog,
  table: string,
  indexName: string,
  state: string,
  limit: number,
): JsonObject[] {
  const index = catalog.table(table)!.indexes.get(indexName)!
  const low = encodeKey([state])
  const cursor = createRangeCursor(tx, { index, low, high: afterPrefix(low), order: 'asc', operators: [{ limit }] })
  const found: JsonObject[] = []
  const enough = tx.usage.bytesRead + MAX_BYTES_PER_LOOK
  for (let row = cursor.next(); row; row = cursor.next()) {
    found.push(row.stored.document)
    if (tx.usage.bytesRead >= enough) break
  }
  return found
}

/** Takes a pending job for running; null when it is gone, canceled or already taken. */
export function claim(tx: Transaction, job: Job, nowMs: number): JsonObject | null {
  const document = tx.get(job.id)
  if (!document || stateOf(document) !== 'pending') return null
  const next = { ...document, state: { kind: 'inProgress' }, ...(job.cron && { lastRun: nowMs }) }
  tx.update(tx.requireTable(job.table), job.id, next)
  return next
}

/** Writes how a run ended. A job canceled meanwhile stays canceled. */
export function complete(tx: Transaction, job: Job, nowMs: number, error: string | null): void {
  const document = tx.get(job.id)
  if (!document || stateOf(document) !== 'inProgress') return
  const table = tx.requireTable(job.table)
  if (job.cron) {
    const scheduledTime = nextRun(job.cron.name, job.cron.schedule, job.scheduledTime, nowMs)
    tx.update(table, job.id, { ...document, scheduledTime, state: { kind: 'pending' }, lastError: error })
    return
  }
  const state: JsonObject = error === null ? { kind: 'success' } : { kind: 'failed', error }
  tx.update(table, job.id, { ...document, state, completedTime: nowMs })
}
