/** What the engine keeps for a while only: results of scheduled functions and answers of deduplicated requests. */
import type { Catalog } from '../storage/catalog.ts'
import type { Transaction } from '../transactions/transaction.ts'
import { endedJobs } from './jobs.ts'

const DAY_MS = 24 * 3_600_000
const KEEP_JOBS_MS = 7 * DAY_MS // as in production
const KEEP_REQUESTS_MS = 14 * DAY_MS // as in production: longer than any client keeps retrying
const BATCH = 1_000 // deletions per state and round, so that one round never holds the writer long

export function cleanUp(tx: Transaction, catalog: Catalog, nowMs: number): void {
  for (const state of ['success', 'failed', 'canceled']) {
    for (const job of endedJobs(tx, catalog, state, BATCH)) {
      if ((job['completedTime'] as number) > nowMs - KEEP_JOBS_MS) break
      tx.remove(tx.requireTable('_scheduled_functions'), job['_id'] as string)
    }
  }
  tx.forgetRequests(nowMs - KEEP_REQUESTS_MS)
}
