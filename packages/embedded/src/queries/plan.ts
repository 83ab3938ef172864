/** From a serialized query to an index, a key interval and an order, or to a search. Refuses what Convex refuses, in similar words. */
import { FunctionError } from '../errors.ts'
import { createSearchCursor } from '../search/cursor.ts'
import { planSearch, type SearchExpression, type SearchPlan } from '../search/plan.ts'
import type { IndexInfo } from '../storage/catalog.ts'
import type { Order } from '../storage/connection.ts'
import type { Transaction } from '../transactions/transaction.ts'
import type { Json } from '../values/json.ts'
import { createRangeCursor, type Cursor } from './cursor.ts'
import { AFTER_ALL_KEYS, BEFORE_ALL_KEYS } from '../values/keys.ts'
import { checkExpression } from './filter.ts'
import { intervalOf, type RangeExpression } from './range.ts'

const MAX_OPERATORS = 256 // of one query

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

/** `syscall`: whose argument the query is, for what is wrong with it. */
export function planQuery(tx: Transaction, query: SerializedQuery, syscall = 'queryStream'): Plan {
  const { source, operators } = query
  checkOperators(operators, syscall)
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
  return { index, ...intervalOf(index, source.range), order, operators }
}

export function createCursor(tx: Transaction, plan: Plan): Cursor {
  return 'search' in plan ? createSearchCursor(tx, plan) : createRangeCursor(tx, plan)
}

function split(indexName: string): [string, string] {
  const dot = indexName.indexOf('.')
  return [indexName.slice(0, dot), indexName.slice(dot + 1)]
}

function checkOperators(operators: readonly Operator[], syscall: string): void {
  if (operators.length > MAX_OPERATORS)
    throw new FunctionError(`Invalid argument \`query\` for \`${syscall}\`: Query has too many operators: ${operators.length}`)
  for (const operator of operators) if ('filter' in operator) checkExpression(operator.filter, syscall)
}
