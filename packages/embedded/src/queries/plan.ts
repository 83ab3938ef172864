/** From a serialized query to an index, a key interval and an order, or to a search. Refuses what Convex refuses, in similar words. */
import { FunctionError } from '../errors.ts'
import { createSearchCursor } from '../search/cursor.ts'
import { planSearch, type SearchExpression, type SearchPlan } from '../search/plan.ts'
import type { IndexInfo } from '../storage/catalog.ts'
import type { Order } from '../storage/connection.ts'
import type { Transaction } from '../transactions/transaction.ts'
import type { Json } from '../values/json.ts'
import { createRangeCursor, type Cursor } from './cursor.ts'
import { afterPrefix, AFTER_ALL_KEYS, BEFORE_ALL_KEYS, encodeKey } from '../values/keys.ts'

export type RangeExpression = { type: 'Eq' | 'Gt' | 'Gte' | 'Lt' | 'Lte'; fieldPath: string; value: Json }
export type Operator = { filter: Json } | { limit: number }
export interface SerializedQuery {
  source:
    | { type: 'FullTableScan'; tableName: string; order: Order | null }
    | { type: 'IndexRange'; indexName: string; range: RangeExpression[]; order: Order | null }
    | { type: 'Search'; indexName: string; filters: SearchExpression[] }
  operators: Operator[]
}
export interface RangePlan {
  index: IndexInfo
  low: Buffer
  high: Buffer
  order: Order
  operators: Operator[]
}

export type Plan = RangePlan | SearchPlan

export function planQuery(tx: Transaction, query: SerializedQuery): Plan {
  const { source, operators } = query
  if (source.type === 'Search') {
    const [table, name] = split(source.indexName)
    return planSearch(tx.requireTable(table), name, source.filters, operators)
  }
  const order = source.order ?? 'asc'
  if (source.type === 'FullTableScan') {
    const index = tx.requireTable(source.tableName).indexes.get('by_creation_time')!
    return { index, low: BEFORE_ALL_KEYS, high: AFTER_ALL_KEYS, order, operators }
  }
  const [table, name] = split(source.indexName)
  const { indexes, searchIndexes } = tx.requireTable(table)
  const index = indexes.get(name)
  if (!index) {
    const why = searchIndexes.has(name) ? 'is not a database index: query it with `withSearchIndex`' : 'not found'
    throw new FunctionError(`Index ${source.indexName} ${why}.`)
  }
  return { index, ...bounds(index, source.range), order, operators }
}

export function createCursor(tx: Transaction, plan: Plan): Cursor {
  return 'search' in plan ? createSearchCursor(tx, plan) : createRangeCursor(tx, plan)
}

function split(indexName: string): [string, string] {
  const dot = indexName.indexOf('.')
  return [indexName.slice(0, dot), indexName.slice(dot + 1)]
}

/** Equalities on a prefix of the fields, then at most one lower and one upper bound on the next field. */
function bounds(index: IndexInfo, range: readonly RangeExpression[]): { low: Buffer; high: Buffer } {
  const fields = index.fields
  const equal: Json[] = []
  let lower: RangeExpression | undefined
  let upper: RangeExpression | undefined
  for (const expression of range) {
    const expected = fields[equal.length]
    if (expression.fieldPath !== expected) {
      throw new FunctionError(
        `Tried to query index ${index.name} but the query didn't use the index fields in order. Index fields: ${JSON.stringify(
          fields.slice(0, -1),
        )}. Next expected field: ${expected ?? 'none'}, got: ${expression.fieldPath}. See https://docs.convex.dev/using/indexes for more details.`,
      )
    }
    if (expression.type === 'Eq') {
      if (lower ?? upper)
        throw new FunctionError(`Tried to query index ${index.name} with an equality after a range on ${expected}.`)
      equal.push(expression.value)
    } else if (expression.type === 'Gt' || expression.type === 'Gte') {
      if (lower)
        throw new FunctionError(`Already defined lower bound in index range of ${index.name}. Can't add \`${expression.type}\`.`)
      lower = expression
    } else {
      if (upper)
        throw new FunctionError(`Already defined upper bound in index range of ${index.name}. Can't add \`${expression.type}\`.`)
      upper = expression
    }
  }
  const prefix = encodeKey(equal)
  const at = (bound: RangeExpression) => Buffer.concat([prefix, encodeKey([bound.value])])
  return {
    low: !lower ? prefix : lower.type === 'Gte' ? at(lower) : afterPrefix(at(lower)),
    high: !upper ? afterPrefix(prefix) : upper.type === 'Lt' ? at(upper) : afterPrefix(at(upper)),
  }
}
