/**
 * Who copies stored files from a data folder (a backup, an export, a check) first holds their contents; a backend removes none
 * while anybody does. A snapshot of the database taken under the hold names only contents that stay: a removal follows the
 * commit that deleted the document, so what was removed before the hold is in no later snapshot.
 *
 * The hold is a shared SQLite lock on a small file, so the kernel frees it when its process dies.
 */
import { chownSync, closeSync, existsSync, openSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

const FILE = 'contents.lock'
const WAIT_MS = 5_000 // for a backend that asks at this very moment

/** Others may hold at the same time. Throws when the folder cannot be written. */
export function holdContents(dataDir: string): { release(): void } {
  const path = join(dataDir, FILE)
  if (!existsSync(path)) create(path, dataDir)
  const lock = new DatabaseSync(path, { timeout: WAIT_MS })
  try {
    lock.exec('BEGIN')
    lock.prepare('SELECT count(*) FROM sqlite_schema').get() // the first read takes the shared lock
  } catch (error) {
    lock.close()
    throw error
  }
  return { release: () => lock.close() }
}

/** Root makes it for whom the folder belongs to, as SQLite does with its own files: the backend must be able to open it. */
function create(path: string, dataDir: string): void {
  closeSync(openSync(path, 'a', 0o600))
  if (process.getuid?.() !== 0) return
  const { uid, gid } = statSync(dataDir)
  chownSync(path, uid, gid)
}

/** Whether anybody holds the contents now. Once this says no, a later hold sees every commit made until then. */
export function contentsHeld(dataDir: string): boolean {
  const path = join(dataDir, FILE)
  if (!existsSync(path)) return false
  const probe = new DatabaseSync(path, { timeout: 0 })
  try {
    probe.exec('BEGIN EXCLUSIVE; ROLLBACK')
    return false
  } catch {
    return true
  } finally {
    probe.close()
  }
}
