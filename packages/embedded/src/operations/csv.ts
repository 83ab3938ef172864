/** Comma-separated values (RFC 4180), record by record: quoted cells may hold commas, line breaks and doubled quotes. */
import type { Readable } from 'node:stream'
import { OperationError } from './errors.ts'

export interface CsvRecord {
  /** Line of the file on which the record begins, from 1. */
  line: number
  cells: string[]
}
/** plain: outside quotes. quoted: inside. closed: behind a quote that ends the cell, or is the first of a doubled one. */
type State = 'plain' | 'quoted' | 'closed'

/** Empty lines are skipped. `maxCharacters` bounds one record. */
export async function* csvRecords(content: Readable, maxCharacters: number): AsyncGenerator<CsvRecord> {
  let state: State = 'plain'
  let cell = ''
  let cells: string[] = []
  let [line, begin, length] = [1, 1, 0]

  function endCell(): void {
    cells.push(state === 'plain' && cell.endsWith('\r') ? cell.slice(0, -1) : cell)
    cell = ''
    state = 'plain'
  }
  function endRecord(): CsvRecord | null {
    endCell()
    const record = { line: begin, cells }
    cells = []
    length = 0
    begin = line
    return record.cells.length === 1 && record.cells[0] === '' ? null : record
  }

  content.setEncoding('utf8')
  for await (const chunk of content as AsyncIterable<string>) {
    for (const char of chunk) {
      if (char === '\n') line++
      if (++length > maxCharacters) throw new OperationError(`The CSV record at line ${begin} is too long to be a document.`)
      if (state === 'quoted') {
        if (char === '"') state = 'closed'
        else cell += char
      } else if (char === ',') endCell()
      else if (char === '\n') {
        const record = endRecord()
        if (record) yield record
      } else if (char === '"' && (state === 'closed' || cell === '')) {
        if (state === 'closed') cell += char
        state = 'quoted'
      } else if (state === 'closed' && char !== '\r')
        throw new OperationError(
          `Line ${line} of the CSV has text behind a closing quote: double a quote that is part of the text.`,
        )
      else if (state !== 'closed') cell += char
    }
  }
  if (state === 'quoted')
    throw new OperationError(`The CSV ends inside a quoted cell that begins in the record at line ${begin}.`)
  const last = cells.length > 0 || cell !== '' ? endRecord() : null
  if (last) yield last
}
