/**
 * The data as text, in the layout of Convex exports: a zip with `_tables/documents.jsonl`, one `<table>/documents.jsonl` per table
 * and, when asked for, the stored files: `_storage/documents.jsonl` and `_storage/<id>.<extension>`. Values are in Convex's JSON
 * encoding ($integer, $bytes, $float), so nothing is lost and no side file is needed to read them. One snapshot, one document or
 * one piece of a file in memory at a time.
 */
import { Readable, type Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { ZipFile } from 'yazl'
import type { Connection } from '../storage/connection.ts'
import { storedCatalog } from '../storage/stored.ts'
import { holdContents } from '../files/hold.ts'
import { extensionOf } from './extensions.ts'
import { openContent, storedFiles, type StoredFile } from './stored-files.ts'

export interface ExportSummary {
  tables: number
  documents: number
  /** Stored files. */
  files: number
}
export interface ExportOptions {
  /** The data folder whose stored files go in too. Default: none do. */
  filesOf?: string
  signal?: AbortSignal
}

const CHUNK_CHARACTERS = 64 * 1024 // lines handed to the compressor at once: few calls, little memory
const ABOUT = `# Export of an embedded Convex-compatible backend

One folder per table, \`documents.jsonl\` in it with one document per line in Convex's JSON encoding. \`_tables\` names the table
numbers that are part of every id. Stored files, when they were asked for, are in \`_storage\`. Scheduled functions, cron state and
environment variables are not part of an export.
`

/** Writes the zip to `out` and ends it. `connection` must not be used by anybody else meanwhile. */
export async function exportZip(connection: Connection, out: Writable, options: ExportOptions = {}): Promise<ExportSummary> {
  const { filesOf } = options
  const hold = filesOf === undefined ? null : holdContents(filesOf)
  connection.exec('BEGIN')
  try {
    const tables = [...storedCatalog(connection).tables()].filter((table) => !table.system)
    const zip = new ZipFile()
    const content = zip.outputStream as Readable
    zip.on('error', (error: Error) => content.destroy(error))
    let documents = 0
    zip.addBuffer(Buffer.from(ABOUT), 'README.md')
    zip.addBuffer(
      Buffer.from(tables.map(({ name, number }) => `${JSON.stringify({ name, id: number })}\n`).join('')),
      TABLES_ENTRY,
    )
    for (const { name, number } of tables) {
      zip.addReadStreamLazy(entryOf(name), (done) => {
        done(null, Readable.from(lines(documentsOf(connection, number, () => documents++))))
      })
    }
    const files = filesOf === undefined ? 0 : addFiles(zip, connection, filesOf)
    zip.end()
    await pipeline(content, out, { signal: options.signal })
    return { tables: tables.length, documents, files }
  } finally {
    connection.exec('ROLLBACK')
    hold?.release()
  }
}

/** Contents are not compressed: most are already, and for the rest it is not worth a processor. */
function addFiles(zip: ZipFile, connection: Connection, dataDir: string): number {
  zip.addReadStreamLazy(entryOf(STORAGE_FOLDER), (done) => done(null, Readable.from(lines(describe(storedFiles(connection))))))
  let files = 0
  for (const file of storedFiles(connection)) {
    files++
    const name = `${STORAGE_FOLDER}/${file.id}${extensionOf(file.contentType)}`
    zip.addReadStreamLazy(name, { compress: false, size: file.size }, (done) => done(null, openContent(dataDir, file)))
  }
  return files
}

function* describe(files: Iterable<StoredFile>): Generator<string> {
  for (const { id, creationTime, sha256, size, contentType } of files)
    yield JSON.stringify({
      _id: id,
      _creationTime: creationTime,
      sha256: Buffer.from(sha256, 'hex').toString('base64'),
      size,
      ...(contentType !== null && { contentType }),
    })
}

export const TABLES_ENTRY = '_tables/documents.jsonl'
export const STORAGE_FOLDER = '_storage'
export const entryOf = (table: string): string => `${table}/documents.jsonl`

function* documentsOf(connection: Connection, tableNumber: number, counted: () => void): Generator<string> {
  for (const row of connection.iterate('SELECT json FROM documents WHERE table_number = ? ORDER BY row', tableNumber)) {
    counted()
    yield row['json'] as string
  }
}

function* lines(texts: Iterable<string>): Generator<Buffer> {
  let text = ''
  for (const line of texts) {
    text += `${line}\n`
    if (text.length < CHUNK_CHARACTERS) continue
    yield Buffer.from(text)
    text = ''
  }
  if (text !== '') yield Buffer.from(text)
}
