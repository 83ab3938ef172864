/**
 * Walks a plan row by row: reads ahead in batches, applies the operators in order, and widens the read range by exactly what
 * it looked at. When the transaction writes in between, rows read ahead are dropped and read again.
 */
import type { EntryRow } from '../storage/connection.ts'
import type { ReadRange } from '../transactions/footprint.ts'
import type { Stored, Transaction } from '../transactions/transaction.ts'
import { justAfter } from '../values/keys.ts'
import { createOperators } from './operators.ts'
import type { RangePlan } from './plan.ts'

const FIRST_BATCH = 16
const LARGEST_BATCH = 256

export interface Row {
  key: Buffer
  stored: Stored
}
export type Cursor = Pick<ReturnType<typeof createRangeCursor>, 'next' | 'nextRow' | 'judge' | 'hasMore'>

export function createRangeCursor(tx: Transaction, plan: RangePlan) {
  const ascending = plan.order === 'asc'
  // Nothing looked at yet: an empty interval at the end where reading starts.
  const start = ascending ? plan.low : plan.high
  const range: ReadRange = tx.beginRange({ index: plan.index, low: start, high: start })
  const operators = createOperators(plan.operators)
  let ahead: EntryRow[] = []
  let aheadVersion = tx.version
  let batch = FIRST_BATCH
  let low = plan.low
  let high = plan.high
  let exhausted = low.compare(high) >= 0

  function fill(): void {
    if (aheadVersion !== tx.version) {
      ahead = []
      exhausted = low.compare(high) >= 0
    }
    if (ahead.length > 0 || exhausted) return
    // Without a filter a limit says exactly how many rows can still be asked for.
    const size = operators.filtered ? batch : Math.max(1, Math.min(batch, operators.left()))
    ahead = tx.scan(plan.index, low, high, plan.order, size)
    aheadVersion = tx.version
    exhausted = ahead.length < size
    batch = Math.min(batch * 2, LARGEST_BATCH)
  }

  function finish(): void {
    range.low = plan.low
    range.high = plan.high
    exhausted = true
  }

  /** The next row of the index, before any operator; null at the end. */
  function nextRow(): Row | null {
    fill()
    const entry = ahead.shift()
    if (!entry) {
      finish()
      return null
    }
    if (ascending) {
      low = justAfter(entry.key)
      if (range.high.compare(low) < 0) range.high = low
    } else {
      high = entry.key
      if (range.low.compare(high) > 0) range.low = high
    }
    const stored = tx.entry(entry)
    tx.count('documentsRead')
    tx.count('bytesRead', stored.bytes)
    return { key: entry.key, stored }
  }

  return {
    nextRow,
    /** Whether the row gets through filters and limits; `stop` when a limit is used up. */
    judge: (row: Row) => operators.judge(row.stored.document),
    /** The next document that passes every operator; null at the end. */
    next: () => operators.next(nextRow),
    /** Whether the index holds another row; looking counts as reading. */
    hasMore(): boolean {
      fill()
      const next = ahead[0]
      if (!next) {
        finish()
        return false
      }
      if (ascending) {
        if (range.high.compare(next.key) <= 0) range.high = justAfter(next.key)
      } else if (range.low.compare(next.key) > 0) range.low = next.key
      return true
    },
  }
}
