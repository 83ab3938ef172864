/**
 * Whether a search index holds exactly the terms of its documents. Both sides are summed up in one number that does not depend on
 * the order, so that neither has to fit into memory; SQLite's `integrity_check` has looked at the inside of the index before.
 */
import type { Connection } from '../storage/connection.ts'
import type { Json } from '../values/json.ts'
import type { SearchIndexInfo } from './definition.ts'
import { entryOf } from './entries.ts'

/** `add` every document of the table, then ask for `problem`. */
export function createSearchCheck(connection: Connection, index: SearchIndexInfo & { outdated?: boolean }) {
  const { fts, outdated } = index
  const expected = createSum()
  let entries = 0

  return {
    add(row: number, document: Json): void {
      if (fts === null || outdated) return
      const entry = entryOf(index, document)
      if (!entry) return
      entries++
      for (const column of ['filters', 'text'] as const) {
        for (const [offset, term] of entry[column].split(' ').entries()) if (term !== '') expected.add(column, row, offset, term)
      }
    },
    /** What is wrong, or null. */
    problem(): string | null {
      if (fts === null || outdated) return null // an outdated one is built again at the next start
      const [{ n } = { n: 0 }] = connection.all(`SELECT count(*) AS n FROM ${fts}_docsize`) as { n: number }[]
      if (n !== entries) return `search index ${index.name} has ${n} entries for ${entries} documents with text`
      const terms = `temp.terms_of_${fts}`
      connection.exec(`CREATE VIRTUAL TABLE ${terms} USING fts5vocab(main, ${fts}, instance)`)
      const found = createSum()
      for (const row of connection.iterate(`SELECT term, doc, col, "offset" AS at FROM ${terms}`))
        found.add(row['col'] as string, row['doc'] as number, row['at'] as number, row['term'] as string)
      connection.exec(`DROP TABLE ${terms}`)
      return found.total() === expected.total() ? null : `search index ${index.name} has other terms than its documents`
    },
  }
}

/** Names of stored search indexes that belong to no table. */
export function strayedSearchIndexes(connection: Connection): string[] {
  if (connection.all(`SELECT 1 FROM sqlite_master WHERE name = 'search_indexes'`).length === 0) return []
  const rows = connection.all('SELECT name FROM search_indexes WHERE table_number NOT IN (SELECT number FROM tables)')
  return rows.map((row) => row['name'] as string)
}

const MODULUS = 2 ** 52 // a hash more is still an exact number

function createSum() {
  let sum = 0
  return {
    add(column: string, row: number, offset: number, term: string): void {
      let hash = 0x811c9dc5 // FNV-1a
      for (const char of `${column}/${row}/${offset}/${term}`) hash = Math.imul(hash ^ char.codePointAt(0)!, 0x01000193) >>> 0
      sum = (sum + hash) % MODULUS
    },
    total: () => sum,
  }
}
