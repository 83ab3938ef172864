/** Is this data folder sound? Looks and changes nothing; every line says what to do. One snapshot, one document at a time. */
import { statSync } from 'node:fs'
import { statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { holdContents } from '../files/hold.ts'
import { forEachDocument, keyOf, type Catalog, type TableInfo } from '../storage/catalog.ts'
import { createSearchCheck, strayedSearchIndexes } from '../search/check.ts'
import type { Connection } from '../storage/connection.ts'
import { storedCatalog } from '../storage/stored.ts'
import { describeDocumentProblem, schemaProblem } from '../validators/document.ts'
import { tableNumberOf } from '../values/ids.ts'
import { fieldAt, type Json } from '../values/json.ts'
import { checkFiles } from './check-files.ts'
import { listed, MAX_LISTED, RESTORE, type CheckLine } from './check-lines.ts'
import { databaseFile, openForReading, ownerOf } from './open.ts'

export type { CheckLine } from './check-lines.ts'

export interface CheckOptions {
  /** Document types the stored documents are to match instead of those they were accepted with. By table name. */
  documentTypes?: ReadonlyMap<string, Json>
  /** Also reads every stored file and compares its checksum. */
  deep?: boolean
}

const FAIL_FREE_BYTES = 64 * 1024 * 1024 // a write-ahead log and a checkpoint must fit
const WARN_FREE_BYTES = 1024 * 1024 * 1024

/** @throws OperationError when there is no database to look at */
export async function check(dataDir: string, options: CheckOptions = {}): Promise<CheckLine[]> {
  const file = databaseFile(dataDir)
  const lines: CheckLine[] = [owner(dataDir), await space(dataDir, file), ...permissions(dataDir)]
  // Only a running backend removes contents, and only while it runs is it no change that the hold leaves its file.
  const hold = ownerOf(dataDir) === null ? null : holdContents(dataDir)
  let connection: Connection | undefined
  try {
    connection = openForReading(dataDir)
    connection.exec('BEGIN') // every line speaks of one state
    lines.push(integrity(connection))
    lines.push(...contents(connection, options))
    lines.push(...(await checkFiles(dataDir, connection, { deep: options.deep ?? false, served: hold !== null })))
  } catch (error) {
    lines.push({ status: 'fail', what: 'database', found: `It cannot be read: ${(error as Error).message} ${RESTORE}` })
  } finally {
    connection?.close()
    hold?.release()
  }
  return lines
}

function owner(dataDir: string): CheckLine {
  const pid = ownerOf(dataDir)
  return { status: 'pass', what: 'lock', found: pid === null ? 'no backend is running' : `served by the backend with pid ${pid}` }
}

async function space(dataDir: string, file: string): Promise<CheckLine> {
  const { bavail, bsize } = await statfs(dataDir)
  const free = bavail * bsize
  const size = statSync(file).size + (statSync(`${file}-wal`, { throwIfNoEntry: false })?.size ?? 0)
  const found = `${mebibytes(free)} free, ${mebibytes(size)} used by the database`
  if (free < FAIL_FREE_BYTES)
    return { status: 'fail', what: 'disk space', found: `${found}. Free some now: writes are about to fail.` }
  if (free < Math.max(WARN_FREE_BYTES, size))
    return { status: 'warn', what: 'disk space', found: `${found}. Free some: a backup needs as much as the database.` }
  return { status: 'pass', what: 'disk space', found }
}

function permissions(dataDir: string): CheckLine[] {
  return ['admin-key', 'convex.sqlite'].map((name) => {
    const path = join(dataDir, name)
    const mode = statSync(path, { throwIfNoEntry: false })?.mode
    const what = `permissions of ${name}`
    if (mode === undefined) return { status: 'warn', what, found: 'the file is missing; the backend makes one when it starts.' }
    if (process.platform === 'win32' || (mode & 0o077) === 0) return { status: 'pass', what, found: 'its owner only' }
    return { status: 'warn', what, found: `others can read it (mode ${(mode & 0o777).toString(8)}). Run chmod 600 ${path}` }
  })
}

function integrity(connection: Connection): CheckLine {
  const rows = connection.all(`PRAGMA integrity_check(${MAX_LISTED})`).map((row) => String(row['integrity_check']))
  if (rows.length === 1 && rows[0] === 'ok') return { status: 'pass', what: 'integrity', found: 'SQLite finds no damage' }
  return { status: 'fail', what: 'integrity', found: `${rows.join('; ')}. ${RESTORE}` }
}

function contents(connection: Connection, options: CheckOptions): CheckLine[] {
  const stored = storedCatalog(connection)
  const catalog = options.documentTypes ? withTypes(stored, options.documentTypes) : stored
  const index = listed('indexes', `Entries and documents disagree. ${RESTORE}`)
  const schema = listed('documents', 'Repair them with the functions that accept them, or widen the schema.')
  const entryAt = 'SELECT row FROM entries WHERE index_id = ? AND key = ?'
  let documents = 0
  const known = new Set<number>()
  for (const table of catalog.tables()) {
    let own = 0
    const searches = [...table.searchIndexes.values()].map((search) => createSearchCheck(connection, search))
    forEachDocument(connection, table.number, (row, document, id) => {
      own++
      if (fieldAt(document, '_id') !== id || tableNumberOf(id) !== table.number)
        schema.add(`table "${table.name}", id ${id}, field "_id": it is not the id the document is stored under`)
      const problem = schemaProblem(catalog, table, document)
      if (problem) schema.add(describeDocumentProblem(table.name, id, problem))
      for (const info of table.indexes.values()) {
        if (connection.all(entryAt, info.id, keyOf(info, document))[0]?.['row'] !== row)
          index.add(`index ${info.name} has no entry for id ${id}`)
      }
      for (const search of searches) search.add(row, document)
    })
    for (const search of searches) {
      const problem = search.problem()
      if (problem !== null) index.add(problem)
    }
    for (const info of table.indexes.values()) {
      known.add(info.id)
      const [{ n: entries } = { n: 0 }] = connection.all('SELECT count(*) AS n FROM entries WHERE index_id = ?', info.id) as {
        n: number
      }[]
      if (entries !== own) index.add(`index ${info.name} has ${entries} entries for ${own} documents`)
    }
    documents += own
  }
  for (const name of strayedSearchIndexes(connection))
    index.add(`there is a search index of a table that does not exist (${name})`)
  for (const row of connection.all('SELECT DISTINCT index_id FROM entries')) {
    if (!known.has(row['index_id'] as number))
      index.add(`there are entries of an index that does not exist (${String(row['index_id'])})`)
  }
  for (const row of connection.all('SELECT id FROM documents WHERE table_number NOT IN (SELECT number FROM tables) LIMIT 1'))
    schema.add(`id ${String(row['id'])} belongs to no table`)
  return [...index.lines(`every entry matches its document`), ...schema.lines(`${documents} match the schema`)]
}

function withTypes(catalog: Catalog, types: ReadonlyMap<string, Json>): Catalog {
  const typed = (table: TableInfo): TableInfo => ({ ...table, documentType: types.get(table.name) ?? table.documentType })
  return { ...catalog, tables: () => [...catalog.tables()].map(typed) }
}

const mebibytes = (bytes: number): string => `${Math.round(bytes / 1024 / 1024)} MiB`
