/**
 * A consistent copy of a data folder, of a running or a stopped backend: the database, the stored files it names, the admin key.
 * The copy is a data folder itself. It is made by the process that asks: it reads one WAL snapshot, and holds the contents so that
 * the backend removes none meanwhile; a running backend goes on serving and writing, and is not held up by the copying.
 */
import { closeSync, copyFileSync, createWriteStream, existsSync, fsyncSync, mkdirSync, mkdtempSync, openSync } from 'node:fs'
import { renameSync, rmSync, statSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { filesFolder } from '../files/disk.ts'
import { holdContents } from '../files/hold.ts'
import { openConnection } from '../storage/connection.ts'
import { OperationError, reasonOf } from './errors.ts'
import { DATABASE_FILE, openForReading, readableCatalog } from './open.ts'
import { contentPath, openContent, storedFiles } from './stored-files.ts'

const ADMIN_KEY = 'admin-key'

export interface BackupSummary {
  folder: string
  /** Stored files in it. */
  files: number
  /** Of the database and the files. */
  bytes: number
}

/**
 * Creates `folder`, which must not exist; it appears only when it is complete, checked and on the disk.
 * @throws OperationError in one sentence
 */
export async function backup(dataDir: string, folder: string, signal?: AbortSignal): Promise<BackupSummary> {
  const target = resolve(folder)
  if (existsSync(target)) throw new OperationError(`${target} exists already: choose another name, or move it away.`)
  if (!existsSync(dirname(target))) throw new OperationError(`There is no folder ${dirname(target)}: create it first.`)
  const source = openForReading(dataDir)
  let hold: ReturnType<typeof holdContents> | undefined
  let partial: string | undefined
  try {
    readableCatalog(source, dataDir)
    hold = holdContents(dataDir)
    partial = mkdtempSync(join(dirname(target), `.${basename(target)}.partial-`))
    const database = join(partial, DATABASE_FILE)
    closeSync(openSync(database, 'wx', 0o600)) // holds secrets as the original does; SQLite accepts an empty file
    source.run('VACUUM INTO ?', database)
    if (existsSync(join(dataDir, ADMIN_KEY))) copyFileSync(join(dataDir, ADMIN_KEY), join(partial, ADMIN_KEY))
    const { files, bytes } = await copyContents(dataDir, partial, signal)
    for (const path of [database, filesFolder(partial), partial]) sync(path)
    renameSync(partial, target)
    sync(dirname(target))
    return { folder: target, files, bytes: bytes + statSync(join(target, DATABASE_FILE)).size }
  } catch (error) {
    if (signal?.aborted) throw signal.reason
    if (error instanceof OperationError) throw error
    throw new OperationError(`The backup could not be written to ${target}: ${reasonOf(error)}.`, { cause: error })
  } finally {
    hold?.release()
    source.close()
    if (partial) rmSync(partial, { recursive: true, force: true })
  }
}

/** Everything the copied database names, checked against what it says. */
async function copyContents(dataDir: string, partial: string, signal?: AbortSignal): Promise<{ files: number; bytes: number }> {
  mkdirSync(filesFolder(partial), { mode: 0o700 })
  const copy = openConnection(join(partial, DATABASE_FILE), { readOnly: true })
  let [files, bytes] = [0, 0]
  try {
    const [first] = copy.all('PRAGMA integrity_check(1)')
    if (first?.['integrity_check'] !== 'ok')
      throw new OperationError(
        `The copy is damaged (${String(first?.['integrity_check'])}): run \`mission-control-backend check\` on the data folder.`,
      )
    for (const file of storedFiles(copy)) {
      const out = createWriteStream(contentPath(partial, file.id), { mode: 0o600, flags: 'wx', flush: true })
      await pipeline(openContent(dataDir, file), out, { signal })
      files++
      bytes += file.size
    }
  } finally {
    copy.close()
  }
  return { files, bytes }
}

function sync(path: string): void {
  const handle = openSync(path, 'r')
  try {
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
}
