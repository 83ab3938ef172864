/** Search indexes in the database: numbered once, filled, rebuilt and dropped in the transaction of the schema change. */
import type { Connection } from '../storage/connection.ts'
import type { Json } from '../values/json.ts'
import type { SearchIndexDefinition, SearchIndexInfo } from './definition.ts'
import { addEntry, createTable, entryOf } from './entries.ts'
import { TOKENIZER } from './tokenize.ts'

interface Stored {
  id: number
  name: string
  searchField: string
  filterFields: string[]
  tokenizer: string
}

/** Makes the stored search indexes of a table those of `wanted`. `eachDocument` visits the documents of the table. */
export function reconcileSearchIndexes(
  connection: Connection,
  table: { number: number; name: string },
  wanted: readonly SearchIndexDefinition[],
  eachDocument: (visit: (row: number, document: Json) => void) => void,
): Map<string, SearchIndexInfo> {
  const kept = new Map<string, Stored>()
  for (const stored of storedIndexes(connection, table.number)) {
    if (wanted.some((index) => !index.staged && index.name === stored.name && same(index, stored))) kept.set(stored.name, stored)
    else drop(connection, stored.id)
  }
  const infos = new Map<string, SearchIndexInfo>()
  for (const index of wanted) {
    const known = kept.get(index.name)
    const id = index.staged ? 0 : (known?.id ?? create(connection, table.number, index))
    const info = infoOf(table.name, id, index)
    infos.set(index.name, info)
    if (known || info.fts === null) continue
    const { fts } = info
    eachDocument((row, document) => {
      const entry = entryOf(info, document)
      if (entry) addEntry(connection, fts, row, entry)
    })
  }
  return infos
}

/** The search indexes of a table as the database knows them. `outdated`: built by a version that parts texts differently. */
export function storedSearchIndexes(
  connection: Connection,
  table: { number: number; name: string },
): Map<string, SearchIndexInfo & { outdated: boolean }> {
  return new Map(
    storedIndexes(connection, table.number).map((stored) => [
      stored.name,
      { ...infoOf(table.name, stored.id, stored), outdated: stored.tokenizer !== TOKENIZER },
    ]),
  )
}

function infoOf(table: string, id: number, index: Omit<Stored, 'id' | 'tokenizer'> | SearchIndexDefinition): SearchIndexInfo {
  const { name, searchField, filterFields } = index
  return {
    id: -id,
    name: `${table}.${name}`,
    table,
    fields: [searchField, ...filterFields],
    searchField,
    filterFields,
    fts: id === 0 ? null : ftsTable(id),
  }
}

const ftsTable = (id: number): string => `search_${id}`

function storedIndexes(connection: Connection, tableNumber: number): Stored[] {
  // A folder that an older version wrote, opened for reading.
  if (connection.all(`SELECT 1 FROM sqlite_master WHERE name = 'search_indexes'`).length === 0) return []
  return connection.all('SELECT id, name, definition FROM search_indexes WHERE table_number = ?', tableNumber).map((row) => ({
    ...(JSON.parse(row['definition'] as string) as Pick<Stored, 'searchField' | 'filterFields' | 'tokenizer'>),
    id: row['id'] as number,
    name: row['name'] as string,
  }))
}

function same(index: SearchIndexDefinition, stored: Stored): boolean {
  return definitionOf(index) === definitionOf(stored) && stored.tokenizer === TOKENIZER
}

const definitionOf = ({ searchField, filterFields }: SearchIndexDefinition | Stored): string =>
  JSON.stringify({ searchField, filterFields, tokenizer: TOKENIZER })

function create(connection: Connection, tableNumber: number, index: SearchIndexDefinition): number {
  const sql = 'INSERT INTO search_indexes (table_number, name, definition) VALUES (?, ?, ?)'
  const id = Number(connection.run(sql, tableNumber, index.name, definitionOf(index)).lastInsertRowid)
  connection.exec(createTable(ftsTable(id)))
  return id
}

function drop(connection: Connection, id: number): void {
  connection.exec(`DROP TABLE ${ftsTable(id)}`)
  connection.run('DELETE FROM search_indexes WHERE id = ?', id)
}
