/**
 * The stack's data folder: made, proved writable, and never emptied unless it is one of ours. A marker file says so, because a demo
 * starts from nothing and must not take somebody's documents for its own old data.
 */
import { existsSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'

const MARKER = '.mission-control-data'

/** What an older or half-made folder of ours may hold besides the marker. */
const isEmpty = (folder: string) => readdirSync(folder).length === 0

/** Whether a stack has been started with this folder. */
export const isDataFolder = (folder: string): boolean => existsSync(path.join(folder, MARKER))

export interface DataFolderOptions {
  /** Empty it first. */
  readonly fresh: boolean
}

/**
 * @throws Error with one sentence that names the folder and `--data-dir`
 */
export function openDataFolder(folder: string, { fresh }: DataFolderOptions): void {
  const refuse = (why: string): never => {
    throw new Error(`The data folder ${folder} cannot be used: ${why}. Choose another with --data-dir.`)
  }
  const found = statSync(folder, { throwIfNoEntry: false })
  if (found && !found.isDirectory()) refuse('it is a file')
  try {
    if (found && !isEmpty(folder) && !readdirSync(folder).includes(MARKER)) {
      refuse('it holds something that is not Mission Control data, which would be mixed up or lost')
    }
    if (found && fresh)
      for (const entry of readdirSync(folder)) rmSync(path.join(folder, entry), { recursive: true, force: true })
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    writeFileSync(path.join(folder, MARKER), 'Made by Mission Control; ./mc demo empties this folder at each start.\n', {
      mode: 0o600,
    })
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === undefined) throw error
    refuse(WHY[code] ?? `the system says ${code}`)
  }
}

const WHY: Readonly<Record<string, string>> = {
  EACCES: 'this user may not write there',
  EPERM: 'this user may not write there',
  EROFS: 'the file system is read-only',
  ENOTDIR: 'a part of the path is a file',
  ENOENT: 'it cannot be created there',
  ENOSPC: 'the disk is full',
}
