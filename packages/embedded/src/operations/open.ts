/** Looks at a data folder from outside: read-only, whether a backend serves it or not. */
import { folderHolder } from '@mission-control/host/folder-lock'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { openConnection, type Connection } from '../storage/connection.ts'
import type { Catalog } from '../storage/catalog.ts'
import { storedCatalog } from '../storage/stored.ts'
import { OperationError, reasonOf } from './errors.ts'

export const DATABASE_FILE = 'convex.sqlite'

export function databaseFile(dataDir: string): string {
  const file = join(dataDir, DATABASE_FILE)
  if (!existsSync(file))
    throw new OperationError(`There is no backend data in ${dataDir}: give the backend's folder with --data-dir.`)
  return file
}

/** The pid of the backend that serves the folder, `unknown`, or null when none does. */
export const ownerOf = (dataDir: string): number | 'unknown' | null => folderHolder(dataDir, 'owner')

/** Opens the database read-only. In a transaction it sees one state, however much a running backend writes meanwhile. */
export function openForReading(dataDir: string): Connection {
  const file = databaseFile(dataDir)
  try {
    return openConnection(file, { readOnly: true })
  } catch (error) {
    throw new OperationError(`${file} cannot be opened: ${error instanceof Error ? error.message : String(error)}.`, {
      cause: error,
    })
  }
}

/** The stored catalog. @throws OperationError when the database is another program's or of another format */
export function readableCatalog(connection: Connection, dataDir: string): Catalog {
  try {
    return storedCatalog(connection)
  } catch (error) {
    throw new OperationError(`The data in ${dataDir} cannot be read: ${reasonOf(error)}.`, { cause: error })
  }
}
