/**
 * Reads whole tables of the in-memory engine as they are committed, past its functions: the checks after each step would otherwise take
 * longer than the steps. A row that has not changed is the same object as before.
 */
import type { EmbeddedOptions } from '@mission-control/embedded'

type Connection = Parameters<NonNullable<EmbeddedOptions['wrapConnection']>>[0]

interface Table {
  readonly name: string
  readonly number: number
}

export interface Mirror {
  /** For the engine's option of this name. */
  readonly wrap: (connection: Connection) => Connection
  /** Once the engine is open. */
  open(tables: Iterable<Table>): void
  /** Oldest first. */
  readonly rows: (table: string) => readonly unknown[]
  /** Tables written to since this was asked last, committed or not. */
  changed(): ReadonlySet<string>
}

interface Kept {
  readonly json: string
  readonly document: unknown
}

export function createMirror(): Mirror {
  const numbers = new Map<string, number>()
  const names = new Map<number, string>()
  const kept = new Map<number, Kept>()
  const tables = new Map<string, readonly unknown[]>()
  const stale = new Set<string>()
  let reported = new Set<string>()
  let connection: Connection | null = null

  function touch(row: number | null, tableNumber: number | null): void {
    const name = tableNumber === null ? null : names.get(tableNumber)
    if (row !== null && name === undefined) return
    for (const one of name ? [name] : names.values()) {
      stale.add(one)
      reported.add(one)
    }
  }

  return {
    wrap(given) {
      connection = given
      /** Of the row that is read right before it is written. */
      let read: { readonly row: number; readonly tableNumber: number } | null = null
      const tableOf = (row: number) => (read?.row === row ? read.tableNumber : null)
      return {
        ...given,
        document(id) {
          const found = given.document(id)
          if (found) read = found
          return found
        },
        insertDocument(id, tableNumber, json) {
          const row = given.insertDocument(id, tableNumber, json)
          touch(row, tableNumber)
          return row
        },
        updateDocument(row, json) {
          touch(row, tableOf(row))
          given.updateDocument(row, json)
        },
        deleteDocument(row) {
          touch(row, tableOf(row))
          given.deleteDocument(row)
        },
      }
    },
    open(all) {
      for (const { name, number } of all) {
        numbers.set(name, number)
        names.set(number, name)
        stale.add(name)
      }
    },
    rows(table) {
      const known = tables.get(table)
      if (known !== undefined && !stale.has(table)) return known
      const number = numbers.get(table)
      if (connection === null || number === undefined) throw new Error(`there is no table "${table}"`)
      stale.delete(table)
      const found = connection.all('SELECT row, json FROM documents WHERE table_number = ? ORDER BY row', number)
      const documents = found.map((entry) => {
        const { row, json } = entry as { row: number; json: string }
        const before = kept.get(row)
        if (before?.json === json) return before.document
        const document: unknown = JSON.parse(json)
        kept.set(row, { json, document })
        return document
      })
      tables.set(table, documents)
      return documents
    },
    changed() {
      const now = reported
      reported = new Set()
      return now
    },
  }
}
