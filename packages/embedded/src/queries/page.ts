/**
 * One page of a query. A cursor names the key after which the next page starts and carries a fingerprint of its query and index, so
 * that a cursor of another query is refused. `isDone` is exact: true only when the index holds no further row for this query.
 */
import { createHash } from 'node:crypto'
import { FunctionError } from '../errors.ts'
import { LimitError, LIMITS } from '../transactions/limits.ts'
import type { Transaction } from '../transactions/transaction.ts'
import { unexpected } from '../values/display.ts'
import type { Json } from '../values/json.ts'
import { justAfter } from '../values/keys.ts'
import type { Cursor } from './cursor.ts'
import { createCursor, planQuery, type Plan, type SerializedQuery } from './plan.ts'

export interface PageRequest {
  query: SerializedQuery
  cursor?: string | null
  endCursor?: string | null
  pageSize: number
  maximumRowsRead?: number | null
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
/** What the official clients recognise: they start again from the first page. */
const INVALID_CURSOR = { isConvexSystemError: true, paginationError: 'InvalidCursor' }
/** A page is told to be split from three quarters of any cap on. */
const soft = (cap: number) => Math.floor((cap * 3) / 4)
const LONGEST_PAGE = soft(8_192) // an array holds 8,192 elements

export function readPage(tx: Transaction, request: PageRequest): Page {
  checkRequest(request)
  const plan = planQuery(tx, request.query, 'queryPage')
  if (plan.operators.some((operator) => 'limit' in operator)) {
    throw new FunctionError('`.paginate()` cannot be combined with a limit on the same query.')
  }
  const fingerprint = fingerprintOf(request.query, plan)
  const start = request.cursor ? decode(request.cursor, fingerprint) : null
  const end = request.endCursor ? decode(request.endCursor, fingerprint) : null
  if (start?.end) {
    return { page: [], isDone: true, continueCursor: encode({ end: true }, fingerprint), splitCursor: null, pageStatus: null }
  }
  const cursor = createCursor(tx, narrow(plan, start, end))
  const { page, keys, bytes, ended } = collect(cursor, request, end !== null)
  const exhausted = ended === 'rows' || (ended === 'page' && !cursor.hasMore()) || (ended === 'maximum' && !cursor.hasMore())
  const position: Position = exhausted ? (end ?? { end: true }) : (end ?? { end: false, key: keys.at(-1)! })
  const { maximumRowsRead, maximumBytesRead } = request
  const full =
    keys.length > soft(Math.min(maximumRowsRead ?? Infinity, LIMITS.documentsRead)) ||
    bytes > soft(Math.min(maximumBytesRead ?? Infinity, LIMITS.bytesRead)) ||
    page.length > LONGEST_PAGE
  const middle = keys.length > 2 && !('search' in plan) ? keys[Math.floor(keys.length / 2)] : undefined
  return {
    page,
    isDone: exhausted && position.end,
    continueCursor: encode(position, fingerprint),
    splitCursor: middle ? encode({ end: false, key: middle }, fingerprint) : null,
    pageStatus: !exhausted && ended !== 'page' ? 'SplitRequired' : full ? 'SplitRecommended' : null,
  }
}

interface Collected {
  page: Json[]
  /** Of every row looked at, those that were filtered out included. */
  keys: Buffer[]
  bytes: number
  /** What ended it: no more rows, a full page, the caller's maximum, or a cap of the function. */
  ended: 'rows' | 'page' | 'maximum' | 'cap'
}

/** With an end cursor the page is everything up to it, so that neighbouring reactive pages never overlap or leave a gap. */
function collect(cursor: Cursor, request: PageRequest, toEndCursor: boolean): Collected {
  const maximumRows = toEndCursor ? Infinity : (request.maximumRowsRead ?? Infinity)
  const maximumBytes = toEndCursor ? Infinity : (request.maximumBytesRead ?? Infinity)
  const collected: Collected = { page: [], keys: [], bytes: 0, ended: 'page' }
  while (toEndCursor || collected.page.length < request.pageSize) {
    if (collected.keys.length >= maximumRows || collected.bytes >= maximumBytes) return { ...collected, ended: 'maximum' }
    let row
    try {
      row = cursor.nextRow()
    } catch (error) {
      // What was read so far is a page: the client asks for the rest in a call of its own.
      if (error instanceof LimitError && collected.keys.length > 0) return { ...collected, ended: 'cap' }
      throw error
    }
    if (!row) return { ...collected, ended: 'rows' }
    collected.keys.push(row.key)
    collected.bytes += row.stored.bytes
    if (cursor.judge(row) === 'keep') collected.page.push(row.stored.document)
  }
  return collected
}

function checkRequest({ cursor, endCursor, pageSize, maximumRowsRead, maximumBytesRead }: PageRequest): void {
  for (const given of [cursor, endCursor]) {
    if (given !== null && given !== undefined && typeof given !== 'string') throw badArgument(given, 'a string')
  }
  for (const given of [pageSize, maximumRowsRead ?? 1, maximumBytesRead ?? 1]) {
    if (!Number.isSafeInteger(given) || given < 0) throw badArgument(given, 'usize')
  }
  if (pageSize === 0) throw new FunctionError('Must request at least 1 document while paginating')
  if (maximumRowsRead === 0 || maximumBytesRead === 0)
    throw new FunctionError('maximumRowsRead and maximumBytesRead must be greater than 0')
}

function badArgument(value: Json, expected: string): FunctionError {
  return new FunctionError(`Invalid arguments for \`queryPage\`: ${unexpected(value, expected)}`)
}

/** Changes with anything that could change which rows a query finds or their order. */
function fingerprintOf(query: SerializedQuery, plan: Plan): Buffer {
  const fields = 'search' in plan ? [] : plan.index.fields
  return createHash('sha256').update(JSON.stringify({ query, fields })).digest().subarray(0, FINGERPRINT_BYTES)
}

/** The rows after `start` and up to and including `end`. A cursor comes from the client: it must not reach outside the query's range. */
function narrow(plan: Plan, start: Position | null, end: Position | null): Plan {
  const after = start && !start.end ? start.key : null
  const until = end && !end.end ? end.key : null
  const [low, high] = plan.order === 'asc' ? [after && justAfter(after), until && justAfter(until)] : [until, after]
  return {
    ...plan,
    low: low && plan.low.compare(low) < 0 ? low : plan.low,
    high: high && high.compare(plan.high) < 0 ? high : plan.high,
  }
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
  if (flag === undefined || flag > 1) throw new FunctionError('InvalidCursor: Failed to parse cursor')
  if (!bytes.subarray(0, FINGERPRINT_BYTES).equals(fingerprint)) {
    throw new FunctionError(
      'InvalidCursor: Tried to run a query starting from a cursor, but it looks like this cursor is from a different query.',
      { data: INVALID_CURSOR },
    )
  }
  return flag === 1 ? { end: true } : { end: false, key: Buffer.from(bytes.subarray(FINGERPRINT_BYTES + 1)) }
}
