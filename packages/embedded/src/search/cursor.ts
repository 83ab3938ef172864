/**
 * Walks the results of a search, best first. The search runs when the first result is asked for; what its mutation writes after
 * that changes neither which documents are results nor their order, but a deleted one is left out and others are as they are now.
 *
 * Read set: every score depends on statistics of the whole index (how many texts, how long, with which terms), so any change of
 * an indexed text or filter field may change the order. The whole index is read, and each document that was looked at.
 */
import { FunctionError } from '../errors.ts'
import { createOperators } from '../queries/operators.ts'
import type { Row } from '../queries/cursor.ts'
import type { Transaction } from '../transactions/transaction.ts'
import { AFTER_ALL_KEYS, BEFORE_ALL_KEYS, encodeKey } from '../values/keys.ts'
import type { SearchPlan } from './plan.ts'

interface Candidate {
  key: Buffer
  id: string
}

const MAX_CANDIDATES = 1_024 // production's: asking for one more is an error

export function createSearchCursor(tx: Transaction, plan: SearchPlan) {
  const { index, fts, match } = plan.search
  const operators = createOperators(plan.operators)
  if (match === null) tx.count('indexRanges')
  else tx.beginRange({ index, low: BEFORE_ALL_KEYS, high: AFTER_ALL_KEYS })
  let candidates: Candidate[] | null = null
  let at = 0

  function found(): Candidate[] {
    if (candidates) return candidates
    if (match === null) return (candidates = [])
    // No table scan: FTS5 scores what matches, SQLite keeps the best of it while it goes along.
    const rows = tx.all(
      `SELECT s.score AS score, s.row AS row, d.id AS id
         FROM (SELECT bm25(${fts}, 0.0, 1.0) AS score, rowid AS row FROM ${fts} WHERE ${fts} MATCH ?
               ORDER BY score, row DESC LIMIT ?) s
         CROSS JOIN documents d ON d.row = s.row ORDER BY s.score, s.row DESC`,
      match,
      // Without a filter a limit says exactly how many results can still be asked for.
      operators.filtered ? MAX_CANDIDATES : Math.min(MAX_CANDIDATES, operators.left()),
    )
    const all = rows.map((row) => ({ key: positionOf(row['score'] as number, row['row'] as number), id: row['id'] as string }))
    return (candidates = all.filter(({ key }) => plan.low.compare(key) <= 0 && key.compare(plan.high) < 0))
  }

  function nextRow(): Row | null {
    for (;;) {
      const candidate = found()[at]
      if (!candidate) {
        if (at < MAX_CANDIDATES) return null
        throw new FunctionError(
          `Search query scanned too many documents (fetched ${MAX_CANDIDATES}). Consider using a smaller limit, paginating the query, or using a filter field to limit the number of documents pulled from the search index.`,
        )
      }
      at++
      const loaded = tx.load(candidate.id)
      if (loaded) return { key: candidate.key, stored: loaded }
    }
  }

  return {
    nextRow,
    judge: (row: Row) => operators.judge(row.stored.document),
    next: () => operators.next(nextRow),
    hasMore: () => found().length > at,
  }
}

/** Better scores are lower ones; among equals the document that was stored last comes first. */
function positionOf(score: number, row: number): Buffer {
  return encodeKey([score, -row])
}
