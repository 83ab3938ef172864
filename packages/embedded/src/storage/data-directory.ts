/**
 * One process owns a data folder. The proof is an exclusive SQLite lock on a small database beside the data: the kernel drops it
 * when the holder dies, kill -9 included, so there is no stale lock file to clean up. The holder's pid is written beside it,
 * only to be named in the error.
 */
import { mkdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

export interface DataDirectory {
  path: string
  release(): void
}

/** Creates the folder when missing. Throws with the holder's pid when another process, or this one, already has it. */
export function openDataDirectory(folder: string): DataDirectory {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const path = realpathSync(folder)
  const pidFile = join(path, 'owner.pid')
  const lock = new DatabaseSync(join(path, 'owner.lock'), { timeout: 0 })
  try {
    lock.exec('PRAGMA journal_mode = DELETE; PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE')
  } catch (error) {
    lock.close()
    const holder = readPid(pidFile)
    throw new Error(
      `The data folder ${path} is in use by another backend${holder ? ` (pid ${holder})` : ''}. Stop it, or use another folder.`,
      {
        cause: error,
      },
    )
  }
  writeFileSync(pidFile, `${process.pid}\n`, { mode: 0o600 })
  return {
    path,
    release() {
      rmSync(pidFile, { force: true })
      lock.close()
    },
  }
}

function readPid(file: string): string | null {
  try {
    return readFileSync(file, 'utf8').trim()
  } catch {
    return null // the holder is between taking the lock and writing its pid
  }
}
