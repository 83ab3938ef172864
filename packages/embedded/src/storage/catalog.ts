/**
 * Tables and indexes: numbers that never change once given, kept in the database. Opening a catalog brings the stored one in
 * line with the schema in one transaction: new tables get numbers, new indexes are filled, dropped ones removed, and when a
 * table's document type changed every stored document is checked before the schema is accepted.
 */
import { isDeepStrictEqual } from 'node:util'
import { reconcileSearchIndexes } from '../search/catalog.ts'
import type { SearchIndexDefinition, SearchIndexInfo } from '../search/definition.ts'
import { encodeKey } from '../values/keys.ts'
import { fieldAt, type Json } from '../values/json.ts'
import { LAST_SYSTEM_TABLE_NUMBER } from '../values/ids.ts'
import { describeDocumentProblem } from '../validators/document.ts'
import type { Connection } from './connection.ts'

export interface IndexInfo {
  id: number
  /** "table.index" */
  name: string
  table: string
  /** Key fields, `_creationTime` and `_id` included. */
  fields: readonly string[]
}
export interface TableInfo {
  number: number
  name: string
  system: boolean
  indexes: ReadonlyMap<string, IndexInfo>
  searchIndexes: ReadonlyMap<string, SearchIndexInfo>
  /** Validator JSON of documents without system fields; null accepts anything. */
  documentType: Json
}
export interface TableDefinition {
  name: string
  indexes: readonly { name: string; fields: readonly string[] }[]
  searchIndexes?: readonly SearchIndexDefinition[]
  documentType: Json
}
export interface Catalog {
  table(name: string): TableInfo | undefined
  tableByNumber(number: number): TableInfo | undefined
  /** The name of a table that has left the schema: its documents are kept, and ids of them stay valid where they are named. */
  formerTable(number: number): string | undefined
  index(name: string): IndexInfo | undefined
  tables(): Iterable<TableInfo>
}

/** Scheduled functions and cron state are documents too, so that reads of them are tracked like any other read. */
export const SCHEDULED = '_scheduled_functions'
export const CRONS = '_crons'
/** Stored files; their contents lie beside the database. */
export const STORAGE = '_storage'
const JOB_INDEXES = [
  { name: 'by_due', fields: ['state.kind', 'scheduledTime'] },
  { name: 'by_completed', fields: ['state.kind', 'completedTime'] },
]
const SYSTEM_TABLES: readonly (TableDefinition & { number: number })[] = [
  { number: 1, name: SCHEDULED, indexes: JOB_INDEXES, documentType: null },
  { number: 2, name: CRONS, indexes: JOB_INDEXES, documentType: null },
  { number: 3, name: STORAGE, indexes: [], documentType: null },
]
export const FORMAT = '2' // of the database file; a change that older code cannot read raises it
/** 1 had no search indexes; a version that knows only 1 would not keep them in step. */
export const READABLE_FORMATS: readonly string[] = ['1', FORMAT]
const MAX_PROBLEMS_LISTED = 20 // documents named when a schema is refused; the rest is counted

/** Where a document stands in an index. */
export function keyOf(index: IndexInfo, document: Json): Buffer {
  return encodeKey(index.fields.map((field) => fieldAt(document, field)))
}

/** Whether the two may stand in different places of an index. */
export function changesKey(index: IndexInfo, before: Json, after: Json): boolean {
  return index.fields.some((field) => {
    const [was, is] = [fieldAt(before, field), fieldAt(after, field)]
    return was !== is && !isDeepStrictEqual(was, is)
  })
}

/** `check` returns a description of what is wrong with a stored document, or null. */
export function openCatalog(
  connection: Connection,
  tables: readonly TableDefinition[],
  check: (catalog: Catalog, table: TableInfo, document: Json) => string | null,
): Catalog {
  connection.exec('BEGIN IMMEDIATE')
  try {
    checkFormat(connection)
    const catalog = build(connection, tables, check)
    connection.exec('COMMIT')
    return catalog
  } catch (error) {
    connection.exec('ROLLBACK')
    throw error
  }
}

function build(
  connection: Connection,
  tables: readonly TableDefinition[],
  check: (catalog: Catalog, table: TableInfo, document: Json) => string | null,
): Catalog {
  const stored = new Map(
    connection
      .all('SELECT number, name, document_type FROM tables')
      .map((row) => [row['name'] as string, { number: row['number'] as number, type: row['document_type'] as string | null }]),
  )
  let next = Math.max(LAST_SYSTEM_TABLE_NUMBER, ...[...stored.values()].map((table) => table.number)) + 1
  const byName = new Map<string, TableInfo>()
  const changed: TableInfo[] = []
  for (const definition of [...SYSTEM_TABLES, ...tables] as (TableDefinition & { number?: number })[]) {
    const fixed = definition.number
    const known = stored.get(definition.name)
    const number = known?.number ?? fixed ?? next++
    const type = JSON.stringify(definition.documentType)
    if (!known) connection.run('INSERT INTO tables (number, name, document_type) VALUES (?, ?, ?)', number, definition.name, type)
    const info: TableInfo = {
      number,
      name: definition.name,
      system: fixed !== undefined,
      indexes: reconcileIndexes(connection, number, definition),
      searchIndexes: reconcileSearchIndexes(
        connection,
        { number, name: definition.name },
        definition.searchIndexes ?? [],
        (visit) => forEachDocument(connection, number, visit),
      ),
      documentType: definition.documentType,
    }
    byName.set(info.name, info)
    if (known && known.type !== type) changed.push(info)
  }
  const byNumber = new Map([...byName.values()].map((table) => [table.number, table]))
  const indexes = new Map(
    [...byName.values()].flatMap((table) => [...table.indexes.values()].map((index) => [index.name, index])),
  )
  const former = new Map([...stored].filter(([name]) => !byName.has(name)).map(([name, { number }]) => [number, name]))
  const catalog: Catalog = {
    table: (name) => byName.get(name),
    tableByNumber: (number) => byNumber.get(number),
    formerTable: (number) => former.get(number),
    index: (name) => indexes.get(name),
    tables: () => byName.values(),
  }
  refuseMismatches(connection, catalog, changed, check)
  for (const table of changed) {
    connection.run('UPDATE tables SET document_type = ? WHERE number = ?', JSON.stringify(table.documentType), table.number)
  }
  return catalog
}

function reconcileIndexes(connection: Connection, tableNumber: number, definition: TableDefinition): Map<string, IndexInfo> {
  const wanted = [
    { name: 'by_id', fields: ['_id'] },
    { name: 'by_creation_time', fields: ['_creationTime', '_id'] },
    ...definition.indexes.map((index) => ({ name: index.name, fields: [...index.fields, '_creationTime', '_id'] })),
  ]
  const stored = connection.all('SELECT id, name, fields FROM indexes WHERE table_number = ?', tableNumber)
  for (const row of stored) {
    const same = wanted.some((index) => index.name === row['name'] && JSON.stringify(index.fields) === row['fields'])
    if (same) continue
    connection.run('DELETE FROM entries WHERE index_id = ?', row['id'] as number)
    connection.run('DELETE FROM indexes WHERE id = ?', row['id'] as number)
  }
  const kept = new Map(
    connection
      .all('SELECT id, name FROM indexes WHERE table_number = ?', tableNumber)
      .map((row) => [row['name'] as string, row['id'] as number]),
  )
  const infos = new Map<string, IndexInfo>()
  for (const index of wanted) {
    const known = kept.get(index.name)
    const fields = JSON.stringify(index.fields)
    const id =
      known ??
      Number(
        connection.run('INSERT INTO indexes (table_number, name, fields) VALUES (?, ?, ?)', tableNumber, index.name, fields)
          .lastInsertRowid,
      )
    const info = { id, name: `${definition.name}.${index.name}`, table: definition.name, fields: index.fields }
    infos.set(index.name, info)
    if (known === undefined) {
      forEachDocument(connection, tableNumber, (row, document) => connection.addEntry(id, keyOf(info, document), row))
    }
  }
  return infos
}

/** Reads every document before it refuses, so that all of them can be repaired in one go. */
function refuseMismatches(
  connection: Connection,
  catalog: Catalog,
  tables: readonly TableInfo[],
  check: (catalog: Catalog, table: TableInfo, document: Json) => string | null,
): void {
  const problems: string[] = []
  let found = 0
  for (const table of tables) {
    forEachDocument(connection, table.number, (_row, document, id) => {
      const problem = check(catalog, table, document)
      if (problem === null || ++found > MAX_PROBLEMS_LISTED) return
      problems.push(describeDocumentProblem(table.name, id, problem))
    })
  }
  if (found === 0) return
  if (found > problems.length) problems.push(`and ${found - problems.length} more`)
  throw new Error(
    `Schema validation failed: ${found} stored ${found === 1 ? 'document does' : 'documents do'} not match the schema. Nothing was changed: repair them with the previous functions, or keep the old fields in the schema.\n  ${problems.join('\n  ')}`,
  )
}

/** One document in memory at a time. `visit` must not write to the documents table. */
export function forEachDocument(
  connection: Connection,
  tableNumber: number,
  visit: (row: number, document: Json, id: string) => void,
): void {
  const rows = connection.iterate('SELECT row, id, json FROM documents WHERE table_number = ? ORDER BY row', tableNumber)
  for (const row of rows) visit(row['row'] as number, JSON.parse(row['json'] as string) as Json, row['id'] as string)
}

function checkFormat(connection: Connection): void {
  const found = connection.meta('format')
  if (found === undefined || READABLE_FORMATS.includes(found)) connection.setMeta('format', FORMAT)
  else throw new Error(`This data folder has format ${found}, this version of the backend reads format ${FORMAT}.`)
}
