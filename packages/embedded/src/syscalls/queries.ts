/** Syscalls that read many documents: streams and pages. */
import { FunctionError } from '../errors.ts'
import type { Execution } from '../functions/execution.ts'
import { readPage, type PageRequest } from '../queries/page.ts'
import { createCursor, planQuery, type SerializedQuery } from '../queries/plan.ts'
import type { Transaction } from '../transactions/transaction.ts'
import type { Json } from '../values/json.ts'
import { visible } from './documents.ts'

export function openStream(execution: Execution, tx: Transaction, args: { query: SerializedQuery }): Json {
  checkVisible(tx, args.query)
  const queryId = execution.cursors.size
  execution.cursors.set(queryId, createCursor(tx, planQuery(tx, args.query)))
  return { queryId }
}

/** The answer encoded: the document is in its encoding already. */
export function nextOfStream(execution: Execution, args: { queryId: number }): string {
  const cursor = execution.cursors.get(args.queryId)
  if (!cursor) throw new FunctionError(`Unknown query stream ${args.queryId}`)
  const row = cursor.next()
  return row ? `{"value":${row.stored.json},"done":false}` : '{"value":null,"done":true}'
}

/** One page per execution: its end is what makes a subscription to the page stable (the journal). */
export function page(execution: Execution, tx: Transaction, args: PageRequest): Json {
  const { journal } = execution
  if (journal.used) {
    throw new FunctionError(
      'This query or mutation function ran multiple paginated queries. Convex only supports a single paginated query in each function.',
    )
  }
  journal.used = true
  checkVisible(tx, args.query)
  const result = readPage(tx, { ...args, endCursor: args.endCursor ?? journal.previous })
  journal.next = result.continueCursor
  return { ...result, page: result.page }
}

function checkVisible(tx: Transaction, { source }: SerializedQuery): void {
  const name = source.type === 'FullTableScan' ? source.tableName : source.indexName.slice(0, source.indexName.indexOf('.'))
  visible(tx.requireTable(name))
}
