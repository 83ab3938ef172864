/** An import into a data folder that no backend serves: one transaction, under the folder's lock. */
import type { Clock, Random } from '@mission-control/shared/clock'
import { lockFolder } from '@mission-control/host/folder-lock'
import { openConnection, type Connection } from '../storage/connection.ts'
import { storedCatalog } from '../storage/stored.ts'
import { createSequence } from '../transactions/sequence.ts'
import { LAST_SYSTEM_TABLE_NUMBER } from '../values/ids.ts'
import { OperationError } from './errors.ts'
import { importInto, renumbered, type ImportMode } from './import.ts'
import type { ImportSource } from './import-source.ts'
import { databaseFile } from './open.ts'

/** Resolves with the number of documents written. Nothing is changed when it throws. */
export async function importStopped(
  dataDir: string,
  source: ImportSource,
  mode: ImportMode,
  deps: { clock: Clock; random: Random },
): Promise<number> {
  const file = databaseFile(dataDir)
  const lock = lockFolder(dataDir, { name: 'owner', holder: 'another backend', change: 'import through it' })
  try {
    const connection = openConnection(file)
    try {
      connection.exec('BEGIN IMMEDIATE')
      adoptNumbers(connection, source, mode)
      const sequence = createSequence(connection, deps.clock)
      const catalog = storedCatalog(connection)
      const written = await importInto(
        { connection, catalog, random: deps.random, nextCreationTime: sequence.nextCreationTime },
        source,
        mode,
      )
      sequence.nextTs()
      sequence.persist()
      connection.exec('COMMIT')
      connection.all('PRAGMA wal_checkpoint(TRUNCATE)')
      return written
    } finally {
      connection.close() // rolls back what was not committed
    }
  } finally {
    lock.release()
  }
}

/** Ids carry their table's number: with everything replaced, the tables take the numbers the import's ids have. */
function adoptNumbers(connection: Connection, source: ImportSource, mode: ImportMode): void {
  const catalog = storedCatalog(connection)
  const wanted = renumbered(catalog, source)
  if (wanted.size === 0) return
  if (mode !== 'replaceAll') {
    const names = [...wanted.keys()].map(({ name }) => name).join(', ')
    throw new OperationError(`The import's ids have other table numbers than this backend (${names}): import with --replace-all.`)
  }
  for (const table of catalog.tables()) {
    if (!table.system) connection.run('DELETE FROM documents WHERE table_number = ?', table.number)
  }
  const change = (from: number, to: number) => {
    connection.run('UPDATE tables SET number = ? WHERE number = ?', to, from)
    connection.run('UPDATE indexes SET table_number = ? WHERE table_number = ?', to, from)
    connection.run('UPDATE search_indexes SET table_number = ? WHERE table_number = ?', to, from)
  }
  // Out of the way first: numbers may be exchanged between tables, or be those of tables the import does not name.
  const taken = new Set([...wanted.values()])
  let free = Math.max(...taken, ...[...catalog.tables()].map(({ number }) => number)) + 1
  const moved = [...catalog.tables()].filter((table) => wanted.has(table) || (taken.has(table.number) && !table.system))
  const aside = new Map(moved.map((table) => [table, free++]))
  for (const [table, number] of aside) change(table.number, number)
  for (const [table, number] of aside) {
    const target = wanted.get(table)
    if (target === undefined) continue
    if (target <= LAST_SYSTEM_TABLE_NUMBER)
      throw new OperationError(`Table "${table.name}" of the import has a system table's number.`)
    change(number, target)
  }
}
