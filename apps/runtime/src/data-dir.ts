/**
 * The data folder of one installation: its lock, its identity, its paths. A new process of the same folder that gets the lock has
 * proved the old one dead, which is what lets it take over at once.
 */
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { folderHolder, lockFolder } from '@mission-control/host/folder-lock'
import type { Random } from '@mission-control/shared/clock'

const LOCK_NAME = 'runtime'

export interface DataDir {
  readonly path: string
  /** The same over restarts: 16 random bytes as hex. */
  readonly instanceId: string
  /** Where the health pages and the agents' tools were last found; for tools that come later. */
  record(name: 'health' | 'tools', value: object | null): void
  release(): void
}

/** @throws FolderError naming the holder, or or saying that it cannot be used */
export function openDataDir(folder: string, random: Random): DataDir {
  const lock = lockFolder(folder, { name: LOCK_NAME, holder: 'another runtime', change: 'set DATA_DIR to another folder' })
  try {
    return {
      path: folder,
      instanceId: instanceIdOf(folder, random),
      record(name, value) {
        const file = path.join(folder, `${name}.json`)
        if (value === null) rmSync(file, { force: true })
        else writeWhole(file, `${JSON.stringify(value)}\n`)
      },
      release: () => lock.release(),
    }
  } catch (error) {
    lock.release()
    throw error
  }
}

/** The identity of a folder that somebody else may hold; `null` before its first use. */
export const readInstanceId = (folder: string): string | null => read(path.join(folder, 'instance-id'))

/** The port in what was recorded last: by a runtime that runs, or one that was killed. `null`: nothing of use. */
export function recordedPort(folder: string, name: 'health' | 'tools'): number | null {
  const text = read(path.join(folder, `${name}.json`))
  const port = /"port":(\d{1,5})\b/.exec(text ?? '')?.[1]
  return port === undefined ? null : Number(port)
}

/** Pid of the runtime that holds the folder, `unknown` before it has written it, `null` when nobody does. */
export const holderOf = (folder: string) => folderHolder(folder, LOCK_NAME)

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
