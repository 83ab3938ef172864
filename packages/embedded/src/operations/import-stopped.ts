/** An import into a data folder that no backend serves: one transaction, under the folder's lock. */
import type { Clock, Random } from '@mission-control/shared/clock'
import { lockFolder } from '@mission-control/host/folder-lock'
import { createDiskStore, filesFolder } from '../files/disk.ts'
import { contentsHeld } from '../files/hold.ts'
import { openConnection, type Connection } from '../storage/connection.ts'
import { storedCatalog } from '../storage/stored.ts'
import { createSequence } from '../transactions/sequence.ts'
import { LAST_SYSTEM_TABLE_NUMBER } from '../values/ids.ts'
import { OperationError } from './errors.ts'
import { importInto, renumbered, type ImportMode } from './import.ts'
import { discardFiles, placeFiles, prepareFiles, type PlacedFiles, type PreparedFile } from './import-files.ts'
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
  const store = createDiskStore(filesFolder(dataDir))
  let prepared: PreparedFile[] | null = null
  let placed: PlacedFiles | null = null
  let committed = false
  try {
    prepared = await prepareFiles(source, store)
    const connection = openConnection(file)
    try {
      connection.exec('BEGIN IMMEDIATE')
      adoptNumbers(connection, source, mode)
      const sequence = createSequence(connection, deps.clock)
      const catalog = storedCatalog(connection)
      const into = { connection, catalog, random: deps.random, nextCreationTime: sequence.nextCreationTime }
      const written = await importInto(into, source, mode)
      placed = placeFiles(into, store, prepared, mode)
      sequence.nextTs()
      sequence.persist()
      connection.exec('COMMIT')
      committed = true
      connection.all('PRAGMA wal_checkpoint(TRUNCATE)')
      return written + placed.written
    } finally {
      connection.close() // rolls back what was not committed
    }
  } finally {
    await discardFiles(store, prepared)
    // While somebody copies them, replaced contents stay: the next start removes them.
    const unwanted = committed ? (contentsHeld(dataDir) ? [] : placed!.replaced) : (placed?.adopted ?? [])
    for (const id of unwanted) await store.remove(id)
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
    if (!table.system || wanted.has(table)) connection.run('DELETE FROM documents WHERE table_number = ?', table.number)
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
    if (target <= LAST_SYSTEM_TABLE_NUMBER !== table.system)
      throw new OperationError(`Table "${table.name}" of the import has a system table's number.`)
    if (table.system && catalog.tableByNumber(target))
      throw new OperationError(
        `The stored files of the import have ids of table number ${target}, which "${catalog.tableByNumber(target)!.name}" has here: import without its _storage folder.`,
      )
    change(number, target)
  }
}
