/**
 * One page of a query. A cursor names the key after which the next page starts and carries a fingerprint of its query, so that
 * a cursor of another query is refused. `isDone` is exact: true only when the index holds no further row for this query.
 */
import { createHash } from 'node:crypto'
import { FunctionError } from '../errors.ts'
import type { Transaction } from '../transactions/transaction.ts'
import type { Json } from '../values/json.ts'
import { justAfter } from '../values/keys.ts'
import { createCursor, planQuery, type Plan, type SerializedQuery } from './plan.ts'

export interface PageRequest {
  query: SerializedQuery
  cursor: string | null
  endCursor: string | null
  pageSize: number
  maximumRowsRead: number | null
  maximumBytesRead?: number | null
}
export interface Page {
  page: Json[]
  isDone: boolean
  continueCursor: string
  splitCursor: string | null
  pageStatus: 'SplitRecommended' | 'SplitRequired' | null
}
type Position = { end: true } | { end: false; key: Buffer }

const FINGERPRINT_BYTES = 8

export function readPage(tx: Transaction, request: PageRequest): Page {
  const plan = planQuery(tx, request.query)
  if (plan.operators.some((operator) => 'limit' in operator)) {
    throw new FunctionError('`.paginate()` cannot be combined with a limit on the same query.')
  }
  const fingerprint = createHash('sha256').update(JSON.stringify(request.query)).digest().subarray(0, FINGERPRINT_BYTES)
  const start = request.cursor === null ? null : decode(request.cursor, fingerprint)
  const end = request.endCursor === null ? null : decode(request.endCursor, fingerprint)
  if (start?.end) {
    return { page: [], isDone: true, continueCursor: encode({ end: true }, fingerprint), splitCursor: null, pageStatus: null }
  }
  const cursor = createCursor(tx, narrow(plan, start, end))
  const page: Json[] = []
  const keys: Buffer[] = []
  let bytes = 0
  let pageStatus: Page['pageStatus'] = null
  let reachedEnd = false
  // With an end cursor the page is everything up to it, so that neighbouring reactive pages never overlap or leave a gap.
  while (end !== null || page.length < request.pageSize) {
    const row = cursor.nextRow()
    if (!row) {
      reachedEnd = true
      break
    }
    keys.push(row.key)
    bytes += row.bytes
    if (cursor.judge(row) === 'keep') page.push(row.document)
    if (keys.length >= (request.maximumRowsRead ?? Infinity) || bytes >= (request.maximumBytesRead ?? Infinity)) {
      pageStatus = 'SplitRequired'
      break
    }
  }
  const exhausted = reachedEnd || !cursor.hasMore()
  const last = keys.at(-1)
  const position: Position = exhausted ? (end ?? { end: true }) : last ? { end: false, key: last } : (start ?? before(plan))
  if (!pageStatus && end !== null && page.length > request.pageSize * 2) pageStatus = 'SplitRecommended'
  const middle = keys[Math.floor((keys.length - 1) / 2)]
  return {
    page,
    isDone: exhausted && position.end,
    continueCursor: encode(position, fingerprint),
    splitCursor:
      pageStatus && keys.length > 1 && middle && !('search' in plan) ? encode({ end: false, key: middle }, fingerprint) : null,
    pageStatus,
  }
}

/** The rows after `start` and up to and including `end`. */
function narrow(plan: Plan, start: Position | null, end: Position | null): Plan {
  const { low, high } = plan
  const after = start && !start.end ? start.key : null
  const until = end && !end.end ? end.key : null
  return plan.order === 'asc'
    ? { ...plan, low: after ? justAfter(after) : low, high: until ? justAfter(until) : high }
    : { ...plan, low: until ?? low, high: after ?? high }
}

/** The place before the first row, for a page of size zero. */
function before(plan: Plan): Position {
  return { end: false, key: plan.order === 'asc' ? plan.low : plan.high }
}

function encode(position: Position, fingerprint: Buffer): string {
  return Buffer.concat([
    fingerprint,
    Buffer.from([position.end ? 1 : 0]),
    position.end ? Buffer.alloc(0) : position.key,
  ]).toString('base64url')
}

function decode(cursor: string, fingerprint: Buffer): Position {
  const bytes = Buffer.from(cursor, 'base64url')
  const flag = bytes[FINGERPRINT_BYTES]
  if (flag === undefined || flag > 1) throw new FunctionError(`InvalidCursor: Failed to parse cursor: ${JSON.stringify(cursor)}`)
  if (!bytes.subarray(0, FINGERPRINT_BYTES).equals(fingerprint)) {
    throw new FunctionError(
      'InvalidCursor: Tried to run a query starting from a cursor, but it looks like this cursor is from a different query.',
    )
  }
  return flag === 1 ? { end: true } : { end: false, key: Buffer.from(bytes.subarray(FINGERPRINT_BYTES + 1)) }
}
