/**
 * What a search index holds, kept in step with the documents inside the caller's transaction. An index is one FTS5 table without
 * content: the texts are in `documents` already. What is taken out has to be named exactly as it was put in, which the terms of
 * the old document are. (FTS5's `contentless_delete` would not need it, but never takes a deleted document out of its statistics,
 * so that scores would depend on the past.)
 */
import { createHash } from 'node:crypto'
import type { Connection } from '../storage/connection.ts'
import type { WrittenKey } from '../transactions/footprint.ts'
import { fieldAt, type Json } from '../values/json.ts'
import { encodeKey } from '../values/keys.ts'
import type { SearchIndexInfo } from './definition.ts'
import { tokenize } from './tokenize.ts'

/** Terms separated by spaces: FTS5's ascii tokenizer parts them there and nowhere else. */
export interface SearchEntry {
  filters: string
  text: string
}

const HASH_DIGITS = 32 // 128 bits: two values of a filter field never meet
const SHOWN_CHARACTERS = 40 // of a text, in traces

export const createTable = (name: string): string =>
  `CREATE VIRTUAL TABLE ${name} USING fts5(filters, text, content='', tokenize='ascii')`

/** The term that stands for a value of a filter field. `undefined` is a value too. */
export function filterTerm(index: SearchIndexInfo, field: string, value: Json | undefined): string {
  const hash = createHash('sha256')
    .update(encodeKey([value]))
    .digest('hex')
  return index.filterFields.indexOf(field).toString(36) + hash.slice(0, HASH_DIGITS)
}

/** What the index holds of a document; null when the search field is not a string. */
export function entryOf(index: SearchIndexInfo, document: Json): SearchEntry | null {
  const text = fieldAt(document, index.searchField)
  if (typeof text !== 'string') return null
  const filters = index.filterFields.map((field) => filterTerm(index, field, fieldAt(document, field)))
  return { filters: filters.join(' '), text: tokenize(text).join(' ') }
}

/**
 * Brings `indexes` from `before` to `after` (null: there is no such document) and tells what changed in them. A document whose terms
 * and filter fields stay as they are changes nothing.
 */
export function updateSearchIndexes(
  connection: Connection,
  indexes: Iterable<SearchIndexInfo>,
  row: number,
  before: Json | null,
  after: Json | null,
): WrittenKey[] {
  const written: WrittenKey[] = []
  for (const index of indexes) {
    if (index.fts === null || (before !== null && after !== null && sameFields(index, before, after))) continue
    const old = before === null ? null : entryOf(index, before)
    const next = after === null ? null : entryOf(index, after)
    if (!old && !next) continue
    if (old && next && old.text === next.text && old.filters === next.filters) continue
    if (old) removeEntry(connection, index.fts, row, old)
    if (next) addEntry(connection, index.fts, row, next)
    written.push({ index, ...(old && { before: keyOfEntry(old) }), ...(next && { after: keyOfEntry(next) }) })
  }
  return written
}

export function addEntry(connection: Connection, fts: string, row: number, { filters, text }: SearchEntry): void {
  connection.run(`INSERT INTO ${fts} (rowid, filters, text) VALUES (?, ?, ?)`, row, filters, text)
}

function removeEntry(connection: Connection, fts: string, row: number, { filters, text }: SearchEntry): void {
  connection.run(`INSERT INTO ${fts} (${fts}, rowid, filters, text) VALUES ('delete', ?, ?, ?)`, row, filters, text)
}

/** Empties `indexes`: their table lost all its documents. */
export function clearSearchIndexes(connection: Connection, indexes: Iterable<SearchIndexInfo>): void {
  for (const { fts } of indexes) if (fts !== null) connection.run(`INSERT INTO ${fts} (${fts}) VALUES ('delete-all')`)
}

function sameFields(index: SearchIndexInfo, before: Json, after: Json): boolean {
  const text = fieldAt(before, index.searchField)
  const next = fieldAt(after, index.searchField)
  if (typeof text !== 'string' && typeof next !== 'string') return true
  return (
    text === next &&
    index.filterFields.every((field) => encodeKey([fieldAt(before, field)]).equals(encodeKey([fieldAt(after, field)])))
  )
}

/** A stand-in for the entry in write sets: short, readable, and another for another entry. */
function keyOfEntry({ filters, text }: SearchEntry): Buffer {
  const fingerprint = createHash('sha256').update(`${filters}\n${text}`).digest('hex').slice(0, HASH_DIGITS)
  return encodeKey([text.slice(0, SHOWN_CHARACTERS), fingerprint])
}
