/** `ctx.meta`: what a transaction has used of its limits, and which commits it sees. */
import { convexToJson } from 'convex/values'
import { LIMITS, type Usage } from '../transactions/limits.ts'
import type { Transaction } from '../transactions/transaction.ts'
import type { Json } from '../values/json.ts'

/** Production's names for what is counted here. Files are counted with the bytes of the transaction, not on their own. */
const METRICS: Readonly<Record<string, keyof Usage>> = {
  bytesRead: 'bytesRead',
  bytesWritten: 'bytesWritten',
  databaseQueries: 'indexRanges',
  documentsRead: 'documentsRead',
  documentsWritten: 'documentsWritten',
  functionsScheduled: 'scheduledFunctions',
  scheduledFunctionArgsBytes: 'scheduledBytes',
}

export function transactionMetrics(tx: Transaction): Json {
  return Object.fromEntries(
    Object.entries(METRICS).map(([name, counter]) => {
      const used = tx.usage[counter]
      return [name, { used, remaining: Math.max(0, LIMITS[counter] - used) }]
    }),
  )
}

/** Nanoseconds, as a Convex int64. */
export const snapshotTs = (tx: Transaction): Json => convexToJson(tx.snapshotTs)
