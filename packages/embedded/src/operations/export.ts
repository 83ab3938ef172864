/**
 * The data as text, in the layout of Convex exports: a zip with `_tables/documents.jsonl` and one `<table>/documents.jsonl` per
 * table. Values are in Convex's JSON encoding ($integer, $bytes, $float), so nothing is lost and no side file is needed to read
 * them. One snapshot, one document in memory at a time.
 */
import { Readable, type Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { ZipFile } from 'yazl'
import type { Connection } from '../storage/connection.ts'
import { storedCatalog } from '../storage/stored.ts'

export interface ExportSummary {
  tables: number
  documents: number
}

const CHUNK_CHARACTERS = 64 * 1024 // lines handed to the compressor at once: few calls, little memory
const ABOUT = `# Export of an embedded Convex-compatible backend

One folder per table, \`documents.jsonl\` in it with one document per line in Convex's JSON encoding. \`_tables\` names the table
numbers that are part of every id. Scheduled functions and cron state are not part of an export.
`

/** Writes the zip to `out` and ends it. `connection` must not be used by anybody else meanwhile. */
export async function exportZip(connection: Connection, out: Writable): Promise<ExportSummary> {
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
        done(null, Readable.from(lines(connection, number, () => documents++)))
      })
    }
    zip.end()
    await pipeline(content, out)
    return { tables: tables.length, documents }
  } finally {
    connection.exec('ROLLBACK')
  }
}

export const TABLES_ENTRY = '_tables/documents.jsonl'
export const entryOf = (table: string): string => `${table}/documents.jsonl`

function* lines(connection: Connection, tableNumber: number, counted: () => void): Generator<Buffer> {
  let text = ''
  for (const row of connection.iterate('SELECT json FROM documents WHERE table_number = ? ORDER BY row', tableNumber)) {
    counted()
    text += `${row['json'] as string}\n`
    if (text.length < CHUNK_CHARACTERS) continue
    yield Buffer.from(text)
    text = ''
  }
  if (text !== '') yield Buffer.from(text)
}
