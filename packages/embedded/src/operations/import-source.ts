/** Where an import comes from: a zip or a folder in export layout, or one file of JSON lines. Read line by line. */
import { createReadStream } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { openPromise, type Entry } from 'yauzl'
import { isObject, type Json, type JsonObject } from '../values/json.ts'
import { OperationError } from './errors.ts'
import { TABLES_ENTRY } from './export.ts'

export interface ImportTable {
  name: string
  open: () => Promise<Readable>
}
export interface ImportSource {
  tables: ImportTable[]
  /** Table numbers as the ids of the documents carry them; empty when the source does not say. */
  numbers: ReadonlyMap<string, number>
  close(): void
}

/** A document at its cap is 1 MiB; escapes can make its JSON several times that. */
const MAX_LINE_CHARACTERS = 16 * 1024 * 1024

/** `table` names the table of a file of JSON lines; null for zips and folders. */
export async function openImport(path: string, table: string | null): Promise<ImportSource> {
  const about = await stat(path).catch(() => null)
  if (!about) throw new OperationError(`There is no file or folder ${path}.`)
  const open = (file: string) => () => Promise.resolve(createReadStream(file))
  if (table !== null) return { tables: [{ name: table, open: open(path) }], numbers: new Map(), close() {} }
  if (about.isDirectory()) {
    const entries = (await readdir(path, { recursive: true })).map((name) => name.replaceAll('\\', '/'))
    return arrange(new Map(entries.map((name) => [name, open(join(path, name))])), () => {})
  }
  const zip = await openPromise(path, { autoClose: false }).catch((error: unknown) => {
    throw new OperationError(`${path} is not a readable zip file: ${(error as Error).message}.`, { cause: error })
  })
  const entries = new Map<string, () => Promise<Readable>>()
  for await (const entry of zip.eachEntry() as AsyncIterable<Entry>)
    entries.set(entry.fileName, () => zip.openReadStreamPromise(entry))
  return arrange(entries, () => zip.close())
}

async function arrange(entries: ReadonlyMap<string, () => Promise<Readable>>, close: () => void): Promise<ImportSource> {
  const numbers = new Map<string, number>()
  const named = entries.get(TABLES_ENTRY)
  if (named) {
    for await (const { value } of jsonLines(named, '_tables')) {
      const { name, id } = value
      if (typeof name === 'string' && typeof id === 'number') numbers.set(name, id)
    }
  }
  const tables: ImportTable[] = []
  for (const [path, open] of entries) {
    const name = /^([^/]+)\/documents\.jsonl$/.exec(path)?.[1]
    if (path.startsWith('_components/'))
      throw new OperationError('not supported by the embedded backend: components in an import.')
    if (name === undefined || name === '_tables') continue
    if (name.startsWith('_')) {
      for await (const _ of jsonLines(open, name))
        throw new OperationError(`not supported by the embedded backend: ${name} in an import.`)
      continue
    }
    tables.push({ name, open })
  }
  for (const [path, open] of entries) {
    if (!path.endsWith('/generated_schema.jsonl') || path.startsWith('_')) continue
    await refusePlainValues(path.split('/')[0]!, await open())
  }
  if (tables.length === 0) throw new OperationError('The import holds no <table>/documents.jsonl: is it an export?')
  return { tables, numbers, close }
}

/** Exports of other backends write some values as plain text and describe them in a side file. Guessing would corrupt them. */
async function refusePlainValues(table: string, content: Readable): Promise<void> {
  for await (const chunk of content as AsyncIterable<Buffer>) {
    const found = /int64|bytes|infinity|nan|negative_zero/i.exec(chunk.toString('utf8'))?.[0]
    if (found)
      throw new OperationError(
        `not supported by the embedded backend: table "${table}" has values described in generated_schema.jsonl (${found}).`,
      )
  }
}

/** The objects of a file of JSON lines with their line numbers. Empty lines are skipped. */
export async function* jsonLines(
  open: () => Promise<Readable>,
  table: string,
): AsyncGenerator<{ line: number; value: JsonObject }> {
  let line = 0
  for await (const text of splitLines(await open(), table)) {
    line++
    if (text.trim() === '') continue
    let value: Json
    try {
      value = JSON.parse(text) as Json
    } catch (error) {
      throw new OperationError(`Table "${table}", line ${line} is not JSON: ${(error as Error).message}.`, { cause: error })
    }
    if (!isObject(value)) throw new OperationError(`Table "${table}", line ${line} is not a document: expected a JSON object.`)
    yield { line, value }
  }
}

async function* splitLines(content: Readable, table: string): AsyncGenerator<string> {
  let rest = ''
  content.setEncoding('utf8')
  for await (const chunk of content as AsyncIterable<string>) {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop()!
    if (rest.length > MAX_LINE_CHARACTERS)
      throw new OperationError(`Table "${table}" has a line that is too long to be a document.`)
    yield* lines
  }
  if (rest !== '') yield rest
}
