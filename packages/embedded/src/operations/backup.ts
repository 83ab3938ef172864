/**
 * A consistent copy of the database in one file, of a running or a stopped backend. The copy is made by the process that asks:
 * it reads one WAL snapshot, so a running backend goes on serving and writing, and is not held up by the copying.
 */
import { closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { openConnection } from '../storage/connection.ts'
import { OperationError } from './errors.ts'
import { openForReading } from './open.ts'

/**
 * Writes `file`, which must not exist; it appears only when it is complete, checked and on the disk. Resolves with its bytes.
 * @throws OperationError in one sentence
 */
export function backup(dataDir: string, file: string): { file: string; bytes: number } {
  const target = resolve(file)
  if (existsSync(target)) throw new OperationError(`${target} exists already: choose another name, or move it away.`)
  if (!existsSync(dirname(target))) throw new OperationError(`There is no folder ${dirname(target)}: create it first.`)
  const partial = `${target}.partial`
  rmSync(partial, { force: true })
  const source = openForReading(dataDir)
  try {
    closeSync(openSync(partial, 'wx', 0o600)) // holds secrets as the database does; SQLite accepts an empty file
    source.run('VACUUM INTO ?', partial)
    verify(partial)
    sync(partial)
    renameSync(partial, target)
    sync(dirname(target))
  } catch (error) {
    if (error instanceof OperationError) throw error
    throw new OperationError(`The backup could not be written to ${target}: ${(error as Error).message}.`, { cause: error })
  } finally {
    source.close()
    rmSync(partial, { force: true })
  }
  return { file: target, bytes: statSync(target).size }
}

function verify(file: string): void {
  const copy = openConnection(file, { readOnly: true })
  try {
    const [first] = copy.all('PRAGMA integrity_check(1)')
    if (first?.['integrity_check'] !== 'ok')
      throw new OperationError(
        `The copy is damaged (${String(first?.['integrity_check'])}): run \`mission-control-backend check\` on the data folder.`,
      )
  } finally {
    copy.close()
  }
}

function sync(path: string): void {
  const handle = openSync(path, 'r')
  try {
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
}
