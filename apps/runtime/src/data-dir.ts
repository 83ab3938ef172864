/**
 * The data folder of one installation: its lock, its identity, its paths.
 *
 * One process owns the folder. The proof is an exclusive SQLite lock on a small file: the kernel drops it when the holder dies,
 * `kill -9` included, so there is no stale lock to clean up, and a new process of the same folder proves the old one dead. The pid
 * beside it is only there to be named in the error.
 */
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Random } from '@mission-control/shared/clock'

const LOCK_FILE = 'runtime.lock'
const PID_FILE = 'runtime.pid'
/** Somebody who only looks whether the folder is held has it for less than this. */
const PROBE_PATIENCE_MS = 200

export interface DataDir {
  readonly path: string
  /** The same over restarts: 16 random bytes as hex. */
  readonly instanceId: string
  /** Where the health pages and the gateway were last found; for tools that come later. */
  record(name: 'health', value: object | null): void
  release(): void
}

export class DataDirInUseError extends Error {
  override readonly name = 'DataDirInUseError'
}

/** @throws DataDirInUseError naming the holder, or the system's error when the folder cannot be written */
export function openDataDir(folder: string, random: Random): DataDir {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const lock = takeLock(folder)
  try {
    return {
      path: folder,
      instanceId: instanceIdOf(folder, random),
      record(name, value) {
        const file = path.join(folder, `${name}.json`)
        if (value === null) rmSync(file, { force: true })
        else writeWhole(file, `${JSON.stringify(value)}\n`)
      },
      release: () => lock.close(),
    }
  } catch (error) {
    lock.close()
    throw error
  }
}

/** The identity of a folder that somebody else may hold; `null` before its first use. */
export const readInstanceId = (folder: string): string | null => read(path.join(folder, 'instance-id'))

/**
 * Whether a runtime holds the folder: asks the lock, not the pid file, which may name a process long dead.
 * @returns its pid, `unknown` when it has not been written yet, `null` when nobody holds it
 */
export function holderOf(folder: string): number | 'unknown' | null {
  const file = path.join(folder, LOCK_FILE)
  if (!existsSync(file)) return null
  const probe = new DatabaseSync(file, { timeout: 0 })
  try {
    probe.exec('BEGIN EXCLUSIVE; ROLLBACK')
    return null
  } catch {
    const pid = Number(read(path.join(folder, PID_FILE)))
    return Number.isInteger(pid) && pid > 0 ? pid : 'unknown'
  } finally {
    probe.close()
  }
}

function takeLock(folder: string): DatabaseSync {
  const file = path.join(folder, LOCK_FILE)
  const pidFile = path.join(folder, PID_FILE)
  const lock = new DatabaseSync(file, { timeout: PROBE_PATIENCE_MS })
  try {
    chmodSync(file, 0o600)
    lock.exec('PRAGMA journal_mode = DELETE; PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE')
  } catch (error) {
    lock.close()
    const holder = read(pidFile)
    throw new DataDirInUseError(
      `The data folder ${folder} is in use by another runtime${holder === null ? '' : ` (pid ${holder})`}: stop that one, or set DATA_DIR to another folder.`,
      { cause: error },
    )
  }
  writeWhole(pidFile, `${process.pid}\n`)
  return lock
}

function instanceIdOf(folder: string, random: Random): string {
  const file = path.join(folder, 'instance-id')
  const known = read(file)
  if (known !== null && /^[0-9a-f]{32}$/.test(known)) return known
  const fresh = Buffer.from(random.bytes(16)).toString('hex')
  writeWhole(file, `${fresh}\n`)
  return fresh
}

/** Whoever reads finds the old content or the new, never half of it. */
function writeWhole(file: string, content: string): void {
  writeFileSync(`${file}.new`, content, { mode: 0o600 })
  renameSync(`${file}.new`, file)
}

function read(file: string): string | null {
  try {
    return readFileSync(file, 'utf8').trim()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}
