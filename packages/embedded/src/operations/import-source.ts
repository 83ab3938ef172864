/** Where an import comes from: a zip or a folder in export layout, or one file for one table. Nothing is held whole. */
import { createReadStream } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { PassThrough, type Readable } from 'node:stream'
import { openPromise, type Entry } from 'yauzl'
import { OperationError, reasonOf } from './errors.ts'
import { STORAGE_FOLDER, TABLES_ENTRY } from './export.ts'
import { importRows, jsonLines, type ImportFormat, type ImportRow } from './import-rows.ts'

type Open = () => Promise<Readable>
export interface ImportTable {
  name: string
  rows: () => AsyncGenerator<ImportRow>
}
/** The stored files of an export that was made with them. */
export interface ImportedFiles {
  rows: () => AsyncGenerator<ImportRow>
  /** By id. */
  contents: ReadonlyMap<string, Open>
}
export interface ImportSource {
  tables: ImportTable[]
  /** Null when the export was made without them. */
  files: ImportedFiles | null
  /** Table numbers as the ids of the documents carry them; empty when the source does not say. */
  numbers: ReadonlyMap<string, number>
  close(): void
}

/** `table` says for which table a single file is, and how it is written; null for zips and folders. */
export async function openImport(path: string, table: { name: string; format: ImportFormat } | null): Promise<ImportSource> {
  const about = await stat(path).catch(() => null)
  if (!about) throw new OperationError(`There is no file or folder ${path}.`)
  const open = (file: string) => () => Promise.resolve(createReadStream(file))
  if (table) {
    const { name, format } = table
    return {
      tables: [{ name, rows: () => importRows(open(path), name, format) }],
      files: null,
      numbers: new Map(),
      close() {},
    }
  }
  if (about.isDirectory()) {
    const entries = (await readdir(path, { recursive: true })).map((name) => name.replaceAll('\\', '/'))
    return arrange(path, new Map(entries.map((name) => [name, open(join(path, name))])), () => {})
  }
  const unreadable = (error: unknown): never => {
    throw new OperationError(`${path} is not a readable zip file: ${reasonOf(error)}.`, { cause: error })
  }
  const zip = await openPromise(path, { autoClose: false }).catch(unreadable)
  const entries = new Map<string, Open>()
  try {
    for await (const entry of zip.eachEntry() as AsyncIterable<Entry>)
      entries.set(entry.fileName, async () => readable(await zip.openReadStreamPromise(entry).catch(unreadable), unreadable))
  } catch (error) {
    zip.close()
    unreadable(error)
  }
  return arrange(path, entries, () => zip.close()).catch((error: unknown) => {
    zip.close()
    throw error
  })
}

/** The same content, whose damage is told as `unreadable` tells it. */
function readable(content: Readable, unreadable: (error: unknown) => never): Readable {
  const told = new PassThrough()
  content.once('error', (error) => {
    try {
      unreadable(error)
    } catch (sentence) {
      told.destroy(sentence as Error)
    }
  })
  told.once('close', () => content.destroy())
  return content.pipe(told)
}

async function arrange(from: string, entries: ReadonlyMap<string, Open>, close: () => void): Promise<ImportSource> {
  const inside = withoutPrefix(entries)
  const numbers = new Map<string, number>()
  const named = inside.get(TABLES_ENTRY)
  if (named) {
    for await (const { value } of jsonLines(named, '_tables')) {
      const { name, id } = value
      if (typeof name === 'string' && typeof id === 'number') numbers.set(name, id)
    }
  }
  const tables: ImportTable[] = []
  const contents = new Map<string, Open>()
  for (const [path, open] of inside) {
    if (path.startsWith('_components/'))
      throw new OperationError('not supported by the embedded backend: components in an import.')
    const [, folder = '', file = ''] = /^([^/]+)\/([^/]+)$/.exec(path) ?? []
    if (folder === STORAGE_FOLDER) {
      if (file !== 'documents.jsonl') contents.set(file.replace(/\..*$/, ''), open)
    } else if (file === 'generated_schema.jsonl' && !folder.startsWith('_')) await checkEncoding(folder, open)
    else if (file === 'documents.jsonl' && folder !== '_tables') {
      if (folder.startsWith('_')) await refuseSystemTable(folder, open)
      else tables.push({ name: folder, rows: () => importRows(open, folder) })
    }
  }
  const documents = inside.get(`${STORAGE_FOLDER}/documents.jsonl`)
  const files = documents ? { rows: () => importRows(documents, STORAGE_FOLDER), contents } : null
  if (tables.length === 0 && !files) throw new OperationError(`${from} holds no <table>/documents.jsonl: is it an export?`)
  return { tables, files, numbers, close }
}

/** An export that was unpacked and packed again stands in a folder: its name is taken off. */
function withoutPrefix(entries: ReadonlyMap<string, Open>): ReadonlyMap<string, Open> {
  if (entries.has(TABLES_ENTRY)) return entries
  const prefix = [...entries.keys()].find((path) => path.endsWith(`/${TABLES_ENTRY}`))?.slice(0, -TABLES_ENTRY.length)
  if (prefix === undefined) return entries
  return new Map([...entries].flatMap(([path, open]) => (path.startsWith(prefix) ? [[path.slice(prefix.length), open]] : [])))
}

async function refuseSystemTable(name: string, open: Open): Promise<void> {
  for await (const _ of jsonLines(open, name))
    throw new OperationError(`not supported by the embedded backend: ${name} in an import.`)
}

/**
 * Exports say "uniform" when every value is in Convex's JSON encoding. Older ones wrote some values as plain text and described
 * the types here, with exceptions by document behind it; where that leaves anything open, guessing would corrupt values.
 */
async function checkEncoding(table: string, open: Open): Promise<void> {
  let text = ''
  const content = await open()
  content.setEncoding('utf8')
  for await (const chunk of content as AsyncIterable<string>) text += chunk
  const [types = '', ...exceptions] = text.split('\n').filter((line) => line.trim() !== '')
  if (types === '' || types === '"uniform"') return
  const bare = types.replaceAll('\\"', "'").replace(/'[^']*'/g, '') // without the names of fields
  const unclear =
    /\b(int64|float64|bytes|inf|NaN|unknown|set|map)\b|-0\b/.exec(bare)?.[0] ?? (exceptions.length > 0 ? 'exceptions' : null)
  if (unclear !== null)
    throw new OperationError(
      `not supported by the embedded backend: table "${table}" has values written as plain text (${unclear} in generated_schema.jsonl): export again with a current Convex.`,
    )
}
