/**
 * Brings an import into the tables. The caller owns the transaction: everything is kept or, when a document is refused, nothing.
 * Ids and creation times stay as they are; a document without them gets new ones. One document in memory at a time.
 */
import type { Random } from '@mission-control/shared/clock'
import { convexToJson, jsonToConvex } from 'convex/values'
import { clearSearchIndexes, updateSearchIndexes } from '../search/entries.ts'
import { keyOf, STORAGE, type Catalog, type TableInfo } from '../storage/catalog.ts'
import type { Connection } from '../storage/connection.ts'
import { checkShape } from '../transactions/shape.ts'
import { describeDocumentProblem, schemaProblem } from '../validators/document.ts'
import { encodeId, tableNumberOf } from '../values/ids.ts'
import type { JsonObject } from '../values/json.ts'
import { sizeOf } from '../values/size.ts'
import { OperationError } from './errors.ts'
import type { ImportSource } from './import-source.ts'

/**
 * `replaceAll` empties every table first, `replace` those of the import; `append` adds; `requireEmpty` wants those of the import
 * to be empty.
 */
export type ImportMode = 'replaceAll' | 'replace' | 'append' | 'requireEmpty'
export const IMPORT_MODES: readonly ImportMode[] = ['replaceAll', 'replace', 'append', 'requireEmpty']

export interface ImportDeps {
  connection: Connection
  catalog: Catalog
  random: Random
  nextCreationTime: () => number
}

const ID_RANDOM_BYTES = 16

/** Resolves with the number of documents written. @throws OperationError that names table, line or id, and reason */
export async function importInto(deps: ImportDeps, source: ImportSource, mode: ImportMode): Promise<number> {
  const { connection, catalog } = deps
  const targets = source.tables.map(({ name, rows }) => ({ table: catalog.table(name), name, rows }))
  const cleared = mode === 'replaceAll' ? [...catalog.tables()].filter((table) => !table.system) : []
  if (mode === 'replace') cleared.push(...targets.flatMap(({ table }) => table ?? []))
  for (const table of cleared) clear(connection, table)
  let written = 0
  for (const { table, name, rows } of targets) {
    if (mode === 'requireEmpty' && table && isFilled(connection, table))
      throw new OperationError(`Table "${name}" holds documents: import with replace or append.`)
    for await (const { line, value } of rows()) {
      if (!table || table.system) throw new OperationError(`Table "${name}" of the import is not in the schema of this backend.`)
      const document = complete(deps, table, value, line)
      if (connection.document(document['_id'] as string))
        throw new OperationError(`Table "${name}", line ${line}: the id ${document['_id'] as string} is taken already.`)
      const row = connection.insertDocument(document['_id'] as string, table.number, JSON.stringify(document))
      for (const index of table.indexes.values()) connection.addEntry(index.id, keyOf(index, document), row)
      updateSearchIndexes(connection, table.searchIndexes.values(), row, null, document)
      written++
    }
  }
  return written
}

/** Tables whose number in the import's ids is another than here, with the wanted number. */
export function renumbered(catalog: Catalog, source: ImportSource): Map<TableInfo, number> {
  const found = new Map<TableInfo, number>()
  for (const { name } of source.tables) {
    const table = catalog.table(name)
    const number = source.numbers.get(name)
    if (table && number !== undefined && number !== table.number) found.set(table, number)
  }
  // An export does not name the number of stored files, but their ids have it.
  const [file] = source.files?.contents.keys() ?? []
  const storage = catalog.table(STORAGE)!
  const number = file === undefined ? null : tableNumberOf(file)
  if (number !== null && number !== storage.number) found.set(storage, number)
  return found
}

function complete(deps: ImportDeps, table: TableInfo, value: JsonObject, line: number): JsonObject {
  const where = `Table "${table.name}", line ${line}`
  const { _id, _creationTime, ...given } = value
  const id = _id ?? encodeId(table.number, deps.random.bytes(ID_RANDOM_BYTES))
  if (typeof id !== 'string' || tableNumberOf(id) !== table.number) {
    const number = typeof id === 'string' ? tableNumberOf(id) : null
    throw new OperationError(
      number === null
        ? `${where}: ${JSON.stringify(id)} is not an id.`
        : `${where}: the id ${JSON.stringify(id)} is of table number ${number}, "${table.name}" has number ${table.number} here.`,
    )
  }
  const creationTime = _creationTime ?? deps.nextCreationTime()
  if (typeof creationTime !== 'number') throw new OperationError(`${where}: \`_creationTime\` must be a number of milliseconds.`)
  let document: JsonObject
  try {
    const fields = convexToJson(jsonToConvex(given)) as JsonObject // canonical, and refused when it is no Convex value
    const reserved = Object.keys(fields).find((field) => field.startsWith('_'))
    if (reserved !== undefined) throw new Error(`Field '${reserved}' starts with an underscore`)
    document = { ...fields, _creationTime: creationTime, _id: id }
    checkShape(document, sizeOf(document))
  } catch (error) {
    throw new OperationError(`${where}: ${(error as Error).message}.`, { cause: error })
  }
  const problem = schemaProblem(deps.catalog, table, document)
  if (problem) throw new OperationError(`Line ${line}: ${describeDocumentProblem(table.name, id, problem)}`)
  return document
}

function clear(connection: Connection, table: TableInfo): void {
  for (const index of table.indexes.values()) connection.run('DELETE FROM entries WHERE index_id = ?', index.id)
  clearSearchIndexes(connection, table.searchIndexes.values())
  connection.run('DELETE FROM documents WHERE table_number = ?', table.number)
}

function isFilled(connection: Connection, table: TableInfo): boolean {
  return connection.all('SELECT 1 FROM documents WHERE table_number = ? LIMIT 1', table.number).length > 0
}
