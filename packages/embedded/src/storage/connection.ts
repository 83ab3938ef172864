/**
 * One SQLite connection with the handful of prepared statements the engine needs. Knows rows and bytes, nothing of Convex
 * semantics. Timestamps exceed 2^53 and are stored as text, because node:sqlite throws on such integers.
 */
import { DatabaseSync, type StatementSync } from 'node:sqlite'

export type Order = 'asc' | 'desc'
export interface DocumentRow {
  /** Row number: what index entries point at. */
  row: number
  tableNumber: number
  /** Encoded document, system fields included. */
  json: string
}
export interface EntryRow {
  key: Buffer
  /** Row number of the document. */
  row: number
  id: string
  json: string
}

const DDL = `
  CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS tables (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, document_type TEXT);
  CREATE TABLE IF NOT EXISTS indexes (id INTEGER PRIMARY KEY AUTOINCREMENT, table_number INTEGER NOT NULL, name TEXT NOT NULL,
    fields TEXT NOT NULL, UNIQUE (table_number, name));
  CREATE TABLE IF NOT EXISTS search_indexes (id INTEGER PRIMARY KEY AUTOINCREMENT, table_number INTEGER NOT NULL, name TEXT NOT NULL,
    definition TEXT NOT NULL, UNIQUE (table_number, name));
  CREATE TABLE IF NOT EXISTS documents (row INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, table_number INTEGER NOT NULL, json TEXT NOT NULL);
  CREATE TABLE IF NOT EXISTS entries (index_id INTEGER NOT NULL, key BLOB NOT NULL, row INTEGER NOT NULL,
    PRIMARY KEY (index_id, key)) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS requests (session TEXT NOT NULL, request INTEGER NOT NULL, ts TEXT NOT NULL, result TEXT NOT NULL,
    logs TEXT NOT NULL, at REAL NOT NULL, PRIMARY KEY (session, request)) WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS requests_at ON requests (at);
`

const WRITER_CACHE_KIB = 16_384 // what a batch touches; beyond it the system caches the file, without counting as our memory
const READER_CACHE_KIB = 4_096 // there are several

export type Connection = ReturnType<typeof openConnection>

export interface ConnectionOptions {
  readOnly?: boolean
  /** Longest wait for another connection's lock, milliseconds. */
  busyTimeoutMs?: number
}

/**
 * Opens `path` (or ":memory:"). A writable connection creates the tables and switches the file to WAL. A COMMIT writes to the log and does
 * not wait for the disk: whoever promises that something is kept has the log synced (log-sync.ts).
 */
export function openConnection(path: string, options: ConnectionOptions = {}) {
  const db = new DatabaseSync(path, { readOnly: options.readOnly ?? false, timeout: options.busyTimeoutMs ?? 5_000 })
  if (!options.readOnly) {
    refuseForeign(db, path)
    db.exec(
      'PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 0; PRAGMA journal_size_limit = 1048576; PRAGMA foreign_keys = OFF',
    )
    db.exec(DDL)
  }
  db.exec(`PRAGMA cache_size = -${options.readOnly ? READER_CACHE_KIB : WRITER_CACHE_KIB}; PRAGMA temp_store = MEMORY`)

  const prepared = new Map<string, StatementSync>()
  const statement = (sql: string): StatementSync => {
    let found = prepared.get(sql)
    if (!found) prepared.set(sql, (found = db.prepare(sql)))
    return found
  }

  return {
    exec: (sql: string) => statement(sql).run(),
    all: (sql: string, ...args: (string | number | Uint8Array)[]) => statement(sql).all(...args),
    run: (sql: string, ...args: (string | number | Uint8Array | null)[]) => statement(sql).run(...args),

    /** Row by row, with a statement of its own: others may run meanwhile, but must not write what it reads. */
    iterate: (sql: string, ...args: (string | number | Uint8Array)[]) => db.prepare(sql).iterate(...args),

    meta(key: string): string | undefined {
      return statement('SELECT value FROM meta WHERE key = ?').get(key)?.['value'] as string | undefined
    },
    setMeta(key: string, value: string): void {
      statement('INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value').run(
        key,
        value,
      )
    },

    document(id: string): DocumentRow | undefined {
      const row = statement('SELECT row, table_number, json FROM documents WHERE id = ?').get(id)
      return row && { row: row['row'] as number, tableNumber: row['table_number'] as number, json: row['json'] as string }
    },
    insertDocument(id: string, tableNumber: number, json: string): number {
      const result = statement('INSERT INTO documents (id, table_number, json) VALUES (?, ?, ?)').run(id, tableNumber, json)
      return Number(result.lastInsertRowid)
    },
    updateDocument(row: number, json: string): void {
      statement('UPDATE documents SET json = ? WHERE row = ?').run(json, row)
    },
    deleteDocument(row: number): void {
      statement('DELETE FROM documents WHERE row = ?').run(row)
    },

    addEntry(indexId: number, key: Buffer, row: number): void {
      statement('INSERT INTO entries (index_id, key, row) VALUES (?, ?, ?)').run(indexId, key, row)
    },
    removeEntry(indexId: number, key: Buffer): void {
      statement('DELETE FROM entries WHERE index_id = ? AND key = ?').run(indexId, key)
    },
    /** Up to `limit` entries with low <= key < high. */
    scan(indexId: number, low: Buffer, high: Buffer, order: Order, limit: number): EntryRow[] {
      const sql = `SELECT e.key AS key, e.row AS row, d.id AS id, d.json AS json FROM entries e JOIN documents d ON d.row = e.row
        WHERE e.index_id = ? AND e.key >= ? AND e.key < ? ORDER BY e.key ${order === 'asc' ? 'ASC' : 'DESC'} LIMIT ?`
      const rows = statement(sql).all(indexId, low, high, limit)
      return rows.map((row) => {
        const key = row['key'] as Uint8Array
        return {
          key: Buffer.from(key.buffer, key.byteOffset, key.byteLength),
          row: row['row'] as number,
          id: row['id'] as string,
          json: row['json'] as string,
        }
      })
    },

    close(): void {
      prepared.clear()
      db.close()
    },
  }
}

/** Before anything is written: the file may be another program's, and stays as it is. */
function refuseForeign(db: DatabaseSync, path: string): void {
  let problem = `${path} is the database of another program`
  try {
    const tables = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").all()
    if (tables.length === 0 || tables.some(({ name }) => name === 'entries')) return
  } catch (error) {
    problem = `${path} cannot be read as a database (${(error as Error).message})`
  }
  db.close()
  throw new Error(`${problem}: give the backend a folder of its own, or restore a backup.`)
}

/** Whether SQLite itself failed, as opposed to the code that used it. */
export function isDatabaseError(error: unknown): boolean {
  return error instanceof Error && (error as NodeJS.ErrnoException).code === 'ERR_SQLITE_ERROR'
}
