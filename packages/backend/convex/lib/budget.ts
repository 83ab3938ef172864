/** Reading rows of unknown weight: a function may read 16 MiB, and two hundred rows of long texts are more than that. */
import { convexToJson } from 'convex/values'
import type { Value } from 'convex/values'
import { jsonBytes } from './text.js'

/** Bytes of rows that may still be read; shared by all reads of one call. */
export interface ByteBudget {
  left: number
}

/** Half of what Convex allows, because one row over the budget is read before it is noticed. */
const CALL_BYTES = 8_000_000

export const byteBudget = (left = CALL_BYTES): ByteBudget => ({ left })

/**
 * The first `limit` rows, or fewer if the budget ends.
 * @returns `complete` is false if there may be more rows than these
 */
export async function takeWithin<T>(
  rows: AsyncIterable<T>,
  limit: number,
  budget: ByteBudget,
): Promise<{ rows: T[]; complete: boolean }> {
  const taken: T[] = []
  if (budget.left <= 0 || limit <= 0) return { rows: taken, complete: false }
  for await (const row of rows) {
    taken.push(row)
    budget.left -= jsonBytes(convexToJson(row as Value))
    if (taken.length >= limit || budget.left <= 0) return { rows: taken, complete: false }
  }
  return { rows: taken, complete: true }
}
