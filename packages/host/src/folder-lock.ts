/**
 * One process owns a folder. The proof is an exclusive SQLite lock on a small file in it: the kernel drops it when the holder dies,
 * `kill -9` included, so there is no stale lock to clean up, and whoever gets it has proved the last holder dead. The pid beside it is
 * only there to be named in the error.
 */
import {
  accessSync,
  chmodSync,
  constants,
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  writeFileSync,
} from 'node:fs'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'

export interface FolderLock {
  /** The folder, absolute and without links. */
  readonly folder: string
  release(): void
}

/** The folder is held by another process, or cannot be used at all. The message is one sentence for the operator. */
export class FolderError extends Error {
  override readonly name = 'FolderError'
  /** In use may pass by itself; unusable does not. */
  readonly code: 'FOLDER_IN_USE' | 'FOLDER_UNUSABLE'
  constructor(code: FolderError['code'], message: string, cause: unknown) {
    super(message, { cause })
    this.code = code
  }
}

export interface FolderLockOptions {
  /** Base name of the two files, e.g. `runtime` for `runtime.lock` and `runtime.pid`. */
  readonly name: string
  /** Who holds it, for the error: "another runtime". */
  readonly holder: string
  /** How to use another folder, for the error: "set DATA_DIR". */
  readonly change: string
}

/**
 * Creates the folder when missing, for its owner only, and takes its lock.
 * @throws FolderError
 */
export function lockFolder(folder: string, { name, holder, change }: FolderLockOptions): FolderLock {
  const real = usable(folder, change)
  const file = path.join(real, `${name}.lock`)
  const pidFile = path.join(real, `${name}.pid`)
  const lock = new DatabaseSync(file, { timeout: 0 })
  try {
    chmodSync(file, 0o600)
    lock.exec('PRAGMA journal_mode = DELETE; PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE')
  } catch (error) {
    lock.close()
    const pid = pidIn(pidFile)
    throw new FolderError(
      'FOLDER_IN_USE',
      `The data folder ${real} is in use by ${holder}${pid === null ? '' : ` (pid ${pid})`}: stop that one, or ${change}.`,
      error,
    )
  }
  writeFileSync(`${pidFile}.new`, `${process.pid}\n`, { mode: 0o600 })
  renameSync(`${pidFile}.new`, pidFile)
  return { folder: real, release: () => lock.close() }
}

function usable(folder: string, change: string): string {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    accessSync(folder, constants.W_OK | constants.X_OK)
    return realpathSync(folder)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new FolderError(
      'FOLDER_UNUSABLE',
      `The data folder ${folder} cannot be created or written (${code}): correct its owner or path, or ${change}.`,
      error,
    )
  }
}

/**
 * Whether somebody holds the folder: asks the lock, not the pid file, which may name a process long dead. Changes nothing.
 * @returns the holder's pid, `unknown` when it has not been written yet, `null` when nobody holds it
 */
export function folderHolder(folder: string, name: string): number | 'unknown' | null {
  const file = path.join(folder, `${name}.lock`)
  if (!existsSync(file)) return null
  const probe = new DatabaseSync(file, { timeout: 0 })
  try {
    probe.exec('BEGIN EXCLUSIVE; ROLLBACK')
    return null
  } catch {
    const pid = Number(pidIn(path.join(folder, `${name}.pid`)))
    return Number.isInteger(pid) && pid > 0 ? pid : 'unknown'
  } finally {
    probe.close()
  }
}

/** `null` while the holder is between taking the lock and writing its pid. */
function pidIn(file: string): string | null {
  try {
    return readFileSync(file, 'utf8').trim()
  } catch {
    return null
  }
}
