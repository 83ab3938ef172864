/** The documents in a file of an import, one at a time: JSON lines, CSV, or one JSON array. */
import type { Readable } from 'node:stream'
import { isObject, type Json, type JsonObject } from '../values/json.ts'
import { csvRecords } from './csv.ts'
import { OperationError } from './errors.ts'

export interface ImportRow {
  /** Where it stands in the file, from 1. In an array: its place. */
  line: number
  value: JsonObject
}
export type ImportFormat = 'jsonLines' | 'csv' | 'jsonArray'
type Open = () => Promise<Readable>

/** A document at its cap is 1 MiB; escapes can make its JSON several times that. */
const MAX_LINE_CHARACTERS = 16 * 1024 * 1024
/** An array is read whole: production has the same cap, and JSON lines are there for more. */
const MAX_ARRAY_BYTES = 16 * 1024 * 1024
const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i

/** `table` is for messages. Throws an OperationError that names table, line and reason. */
export function importRows(open: Open, table: string, format: ImportFormat = 'jsonLines'): AsyncGenerator<ImportRow> {
  return { jsonLines, csv: csvRows, jsonArray }[format](open, table)
}

/** Empty lines are skipped. */
export async function* jsonLines(open: Open, table: string): AsyncGenerator<ImportRow> {
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

/** As in production: the first record names the fields, a cell that reads as a number is one, every other cell is text. */
async function* csvRows(open: Open, table: string): AsyncGenerator<ImportRow> {
  let names: string[] | null = null
  for await (const { line, cells } of csvRecords(await open(), MAX_LINE_CHARACTERS)) {
    if (!names) {
      names = cells.map((cell) => cell.trim())
      const twice = names.find((name, at) => names!.indexOf(name) !== at)
      if (twice !== undefined || names.includes(''))
        throw new OperationError(
          `Table "${table}": the first line of the CSV must name every field once (${JSON.stringify(twice ?? '')}).`,
        )
      continue
    }
    if (cells.length !== names.length)
      throw new OperationError(
        `Table "${table}", line ${line} has ${cells.length} cells, the first line names ${names.length} fields.`,
      )
    yield { line, value: Object.fromEntries(names.map((name, at) => [name, cellValue(cells[at]!)])) }
  }
  if (!names) throw new OperationError(`Table "${table}": the CSV is empty; its first line must name the fields.`)
}

const cellValue = (cell: string): string | number => (NUMBER.test(cell) ? Number(cell) : cell)

async function* jsonArray(open: Open, table: string): AsyncGenerator<ImportRow> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of (await open()) as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > MAX_ARRAY_BYTES)
      throw new OperationError(
        `Table "${table}": a JSON array may have ${MAX_ARRAY_BYTES} bytes at most; import JSON lines instead (one document per line, .jsonl).`,
      )
    chunks.push(chunk)
  }
  let array: Json
  try {
    array = JSON.parse(Buffer.concat(chunks).toString('utf8')) as Json
  } catch (error) {
    throw new OperationError(`Table "${table}": the file is not JSON: ${(error as Error).message}.`, { cause: error })
  }
  if (!Array.isArray(array)) throw new OperationError(`Table "${table}": the file is not a JSON array of documents.`)
  for (const [at, value] of array.entries()) {
    if (!isObject(value))
      throw new OperationError(`Table "${table}", element ${at + 1} is not a document: expected a JSON object.`)
    yield { line: at + 1, value }
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
