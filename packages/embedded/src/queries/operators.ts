/** Filters and limits of a query, applied to one document after the other in the order they were written. */
import type { JsonObject } from '../values/json.ts'
import { passes } from './filter.ts'
import type { Operator } from './plan.ts'

export function createOperators(operators: readonly Operator[]) {
  const remaining = operators.map((operator) => ('limit' in operator ? operator.limit : Infinity))

  /** Whether the document gets through filters and limits; `stop` when a limit is used up. */
  function judge(document: JsonObject): 'keep' | 'drop' | 'stop' {
    for (const [position, operator] of operators.entries()) {
      if ('filter' in operator) {
        if (!passes(operator.filter, document)) return 'drop'
      } else {
        if (remaining[position]! <= 0) return 'stop'
        remaining[position] = remaining[position]! - 1
      }
    }
    return 'keep'
  }

  return {
    judge,
    filtered: operators.some((operator) => 'filter' in operator),
    /** How many documents the limits still let through. */
    left: () => Math.min(Infinity, ...remaining),
    /** The next row whose document passes every operator; null at the end. */
    next<Row extends { stored: { document: JsonObject } }>(nextRow: () => Row | null): Row | null {
      for (;;) {
        // A limit that is used up ends the query before another row is read: reading it would widen the read set.
        if (remaining.some((left) => left <= 0)) return null
        const row = nextRow()
        if (!row) return null
        if (judge(row.stored.document) === 'keep') return row
      }
    },
  }
}
