/**
 * One transaction over one connection: documents in and out, index entries kept in step, everything read and written noted,
 * caps counted. Whoever opens it owns BEGIN, SAVEPOINT and COMMIT; nothing here does.
 *
 * A changed document goes into the tables once, however often a function patches it: at the end (`written`), or before a query that
 * could find it elsewhere than it stands. Until then it is `unwritten`, and what is `kept` of it is what the transaction sees.
 */
import { FunctionError, NotSupportedError } from '../errors.ts'
import { updateSearchIndexes } from '../search/entries.ts'
import { changesKey, keyOf, type Catalog, type IndexInfo, type TableInfo } from '../storage/catalog.ts'
import type { Connection, EntryRow, Order } from '../storage/connection.ts'
import { decodeId, encodeId } from '../values/ids.ts'
import type { Json, JsonObject } from '../values/json.ts'
import { sizeOf } from '../values/size.ts'
import { addRange, createReadSet, type ReadRange, type Write, type WrittenKey } from './footprint.ts'
import { createUsage } from './limits.ts'
import { checkDocument, withSystemFields } from './shape.ts'

export type Transaction = ReturnType<typeof createTransaction>

export interface TransactionDeps {
  connection: Connection
  catalog: Catalog
  /** Null for read-only transactions. */
  write: {
    randomBytes: (length: number) => Uint8Array
    nextCreationTime: () => number
    /** Throws when the document does not match its table's schema. */
    checkDocument: (table: TableInfo, document: Json) => void
  } | null
  /** Timestamp of the newest commit this transaction sees, nanoseconds. */
  snapshotTs: bigint
}

/** A document as this transaction sees it. Nobody changes `document`: it is shared by all who read it. */
export class Stored {
  readonly row: number
  readonly document: JsonObject
  readonly bytes: number
  #json: string | null

  /** @param json `document` encoded, where that is at hand */
  constructor(row: number, document: JsonObject, bytes: number, json: string | null) {
    this.row = row
    this.document = document
    this.bytes = bytes
    this.#json = json
  }

  get json(): string {
    return (this.#json ??= JSON.stringify(this.document))
  }
}

/** What the tables hold of a document that was changed since. */
interface Unwritten {
  readonly table: TableInfo
  readonly row: number
  readonly before: JsonObject
}

/** Documents kept for being read again: a mutation reads what it patches, and its guards read the same few rows. */
const KEPT_DOCUMENTS = 1_024

export function createTransaction({ connection, catalog, write, snapshotTs }: TransactionDeps) {
  const reads = createReadSet()
  const writes: Write[] = []
  const { usage, count } = createUsage()
  const kept = new Map<string, Stored>()
  const unwritten = new Map<string, Unwritten>()
  let version = 0
  let closed = false
  let failure: Error | null = null

  function open(): void {
    if (closed) {
      throw new FunctionError(
        'The transaction of this function has ended: a database call was made after the function returned. Did you forget to await a promise?',
      )
    }
  }
  function writer() {
    open()
    if (!write) throw new FunctionError('Writes are not allowed in a query.')
    return write
  }
  function tableOfId(id: string, method: string): TableInfo {
    const refuse = (why: string) => new FunctionError(`Invalid argument \`id\` for \`db.${method}\`: ${why}`)
    const decoded = decodeId(id)
    if ('problem' in decoded) throw refuse(decoded.problem)
    const table = catalog.tableByNumber(decoded.table)
    if (table) return table
    const former = catalog.formerTable(decoded.table)
    if (former !== undefined) throw new NotSupportedError(`a table that is not in the schema ("${former}")`)
    throw refuse(`Table for ID "${id}" not found`)
  }
  function requireTable(name: string): TableInfo {
    const table = catalog.table(name)
    if (!table) throw new NotSupportedError(`a table that is not in the schema ("${name}")`)
    return table
  }
  function keep(id: string, stored: Stored): Stored {
    if (kept.size < KEPT_DOCUMENTS || kept.has(id)) kept.set(id, stored)
    return stored
  }
  function parsed(row: number, json: string): Stored {
    const document = JSON.parse(json) as JsonObject
    return new Stored(row, document, sizeOf(document), json)
  }
  function find(id: string): Stored | null {
    const known = kept.get(id)
    if (known) return known
    const found = connection.document(id)
    return found ? keep(id, parsed(found.row, found.json)) : null
  }
  /** Counts and checks what is about to be written. Returns its size, bytes. */
  function admit(table: TableInfo, document: JsonObject): number {
    const deps = writer()
    const bytes = sizeOf(document)
    if (!table.system) {
      // What the engine keeps for itself has limits of its own (scheduled functions and their arguments).
      count('documentsWritten')
      count('bytesWritten', bytes)
      checkDocument(document)
    }
    deps.checkDocument(table, document)
    return bytes
  }

  function flush(): void {
    for (const [id, { table, row, before }] of unwritten) {
      const { document, json } = kept.get(id)!
      connection.updateDocument(row, json)
      const keys: WrittenKey[] = []
      for (const index of table.indexes.values()) {
        const was = keyOf(index, before)
        if (!changesKey(index, before, document)) {
          keys.push({ index, before: was, after: was })
          continue
        }
        const after = keyOf(index, document)
        keys.push({ index, before: was, after })
        connection.removeEntry(index.id, was)
        connection.addEntry(index.id, after, row)
      }
      keys.push(...updateSearchIndexes(connection, table.searchIndexes.values(), row, before, document))
      writes.push({ table: table.name, id, keys })
    }
    unwritten.clear()
  }
  /** Whether an index holds entries that are no longer true. Where only contents have changed, those are taken from what is kept. */
  function isBehind(index: IndexInfo): boolean {
    for (const [id, { table, before }] of unwritten) {
      if (table.name === index.table && changesKey(index, before, kept.get(id)!.document)) return true
    }
    return false
  }

  /** A document a query found, or that is asked for by its id: read, but no query of its own. */
  function load(id: string): Stored | null {
    open()
    reads.ids.add(id)
    const stored = find(id)
    if (!stored) return null
    count('documentsRead')
    count('bytesRead', stored.bytes)
    return stored
  }

  return {
    /** What another transaction over the same state is made from. */
    source: { connection, catalog, snapshotTs },
    reads,
    /** Puts all of it into the tables first. */
    written(): readonly Write[] {
      flush()
      return writes
    },
    usage,
    count,
    snapshotTs,
    catalog,
    requireTable,
    tableOfId,
    get writable() {
      return write !== null
    },
    /** Grows with every write and rollback: cursors use it to drop rows they read ahead. */
    get version() {
      return version
    },
    /** Set when SQLite failed: a handler that catches the error must not commit half a write. */
    get failure(): Error | null {
      return failure
    },
    fail(error: Error) {
      failure ??= error
    },
    get closed() {
      return closed
    },
    close() {
      closed = true
    },

    get(id: string): JsonObject | null {
      open()
      count('indexRanges')
      return load(id)?.document ?? null
    },
    load,
    /** As `get`, in the encoding it is stored in. */
    getEncoded(id: string): string | null {
      open()
      count('indexRanges')
      return load(id)?.json ?? null
    },
    /** The document of an index entry. Noting it is up to the cursor. */
    entry({ id, row, json }: EntryRow): Stored {
      return kept.get(id) ?? keep(id, parsed(row, json))
    },

    /** Rows of any statement without noting them, for searches: the cursor that asks notes what it hands out. */
    all(sql: string, ...args: (string | number)[]) {
      open()
      flush()
      return connection.all(sql, ...args)
    },

    /** Rows of an index without noting them: the cursor that asks notes what it hands out. */
    scan(index: IndexInfo, low: Buffer, high: Buffer, order: Order, limit: number): EntryRow[] {
      open()
      if (isBehind(index)) flush()
      return connection.scan(index.id, low, high, order, limit)
    },
    beginRange(range: ReadRange): ReadRange {
      open()
      count('indexRanges')
      return addRange(reads, range)
    },

    insert(table: TableInfo, value: JsonObject): string {
      const deps = writer()
      const id = encodeId(table.number, deps.randomBytes(16))
      const document = withSystemFields(value, id, deps.nextCreationTime())
      const bytes = admit(table, document)
      const json = JSON.stringify(document)
      const row = connection.insertDocument(id, table.number, json)
      keep(id, new Stored(row, document, bytes, json))
      const keys: WrittenKey[] = []
      for (const index of table.indexes.values()) {
        const after = keyOf(index, document)
        connection.addEntry(index.id, after, row)
        keys.push({ index, after })
      }
      keys.push(...updateSearchIndexes(connection, table.searchIndexes.values(), row, null, document))
      writes.push({ table: table.name, id, keys })
      version++
      return id
    },

    /** Replaces the stored document. The caller has read it in this transaction and kept its system fields. */
    update(table: TableInfo, id: string, document: JsonObject): void {
      writer()
      const stored = find(id)
      if (!stored) throw new FunctionError(`Update on nonexistent document ID ${id}`)
      const bytes = admit(table, document)
      if (!unwritten.has(id)) unwritten.set(id, { table, row: stored.row, before: stored.document })
      kept.set(id, new Stored(stored.row, document, bytes, null))
      version++
    },

    remove(table: TableInfo, id: string): void {
      writer()
      if (unwritten.has(id)) flush()
      const stored = find(id)
      if (!stored) throw new FunctionError(`Delete on nonexistent document ID ${id}`)
      const previous = stored.document
      if (!table.system) count('documentsWritten')
      const keys: WrittenKey[] = []
      for (const index of table.indexes.values()) {
        const before = keyOf(index, previous)
        connection.removeEntry(index.id, before)
        keys.push({ index, before })
      }
      keys.push(...updateSearchIndexes(connection, table.searchIndexes.values(), stored.row, previous, null))
      connection.deleteDocument(stored.row)
      kept.delete(id)
      writes.push({ table: table.name, id, keys })
      version++
    },

    /** Runs `body` so that its writes are kept only when it succeeds. What it read stays read: the failure depended on it. */
    async nested<T>(body: () => Promise<T>): Promise<T> {
      open()
      flush()
      const mark = writes.length
      connection.exec('SAVEPOINT nested')
      try {
        const result = await body()
        open()
        flush()
        connection.exec('RELEASE nested')
        return result
      } catch (error) {
        // Cut off at the deadline: the whole transaction is already rolled back, and another one may hold the connection.
        if (closed) throw error
        connection.exec('ROLLBACK TO nested')
        connection.exec('RELEASE nested')
        writes.length = mark
        unwritten.clear()
        kept.clear()
        version++
        throw error
      }
    },

    /** Remembers a client's answered request in the same transaction as its effects. */
    saveRequest(request: { session: string; request: number; ts: bigint; result: string; logs: string; at: number }): void {
      writer()
      connection.run(
        'INSERT INTO requests (session, request, ts, result, logs, at) VALUES (?, ?, ?, ?, ?, ?)',
        request.session,
        request.request,
        request.ts.toString(),
        request.result,
        request.logs,
        request.at,
      )
    },
    forgetRequests(beforeMs: number): void {
      writer()
      connection.run('DELETE FROM requests WHERE at < ?', beforeMs)
    },
    findRequest(session: string, request: number): { ts: bigint; result: string; logs: string } | undefined {
      open()
      const row = connection.all('SELECT ts, result, logs FROM requests WHERE session = ? AND request = ?', session, request)[0]
      return row && { ts: BigInt(row['ts'] as string), result: row['result'] as string, logs: row['logs'] as string }
    },
  }
}
