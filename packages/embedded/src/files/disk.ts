/**
 * Contents of stored files, one file each in a folder of the data folder. A content is complete and on the disk under a name of
 * its own before its document is inserted, and takes the document's id as its name inside that transaction.
 */
import { createHash, randomUUID } from 'node:crypto'
import { closeSync, fsyncSync, mkdirSync, openAsBlob, opendirSync, openSync, renameSync, rmSync } from 'node:fs'
import { open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { StorageError } from '../errors.ts'
import { tableNumberOf } from '../values/ids.ts'

/** A content that no document names yet. */
export interface Written {
  name: string
  /** Bytes. */
  size: number
  /** Hexadecimal. */
  sha256: string
}
export interface ContentStore {
  /** Takes the content chunk by chunk: memory does not grow with it. Leaves nothing behind when it fails. */
  write(chunks: AsyncIterable<Uint8Array>): Promise<Written>
  discard(written: Written): Promise<void>
  /** Gives the content its document's id. Synchronous, because it happens inside the transaction. */
  adopt(written: Written, id: string): void
  remove(id: string): Promise<void>
  /** Bytes `start` to `end`, both included. Null when there is no such content. */
  read(id: string, start: number, end: number): Promise<Readable | null>
  /** Null when there is no such content. */
  blob(id: string, type: string): Promise<Blob | null>
  /** Removes what no document names: left by a crash between writing, commit and removal. Returns how many. */
  removeOrphans(exists: (id: string) => boolean): number
}

/** Names that begin so are contents on their way in. */
export const PARTIAL = '.partial-'

/** Where a data folder keeps the contents. */
export const filesFolder = (dataDir: string): string => join(dataDir, 'files')

export function createDiskStore(folder: string): ContentStore {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const pathOf = (name: string) => join(folder, name)
  const nullWhenMissing = (error: NodeJS.ErrnoException): null => {
    if (error.code === 'ENOENT') return null
    throw error
  }

  return {
    async write(chunks) {
      const name = `${PARTIAL}${randomUUID()}`
      const hash = createHash('sha256')
      let size = 0
      try {
        const file = await onDisk(open(pathOf(name), 'wx', 0o600))
        try {
          for await (const chunk of chunks) {
            hash.update(chunk)
            size += chunk.byteLength
            await onDisk(file.appendFile(chunk))
          }
          await onDisk(file.sync())
        } finally {
          await file.close()
        }
      } catch (error) {
        await rm(pathOf(name), { force: true })
        throw error
      }
      return { name, size, sha256: hash.digest('hex') }
    },
    discard: ({ name }) => rm(pathOf(name), { force: true }),
    adopt({ name }, id) {
      renameSync(pathOf(name), pathOf(id))
      const handle = openSync(folder, 'r')
      try {
        fsyncSync(handle) // the name must survive a power cut if the document does
      } finally {
        closeSync(handle)
      }
    },
    remove: (id) => rm(pathOf(id), { force: true }),
    async read(id, start, end) {
      const file = await open(pathOf(id), 'r').catch(nullWhenMissing)
      return file && file.createReadStream({ start, end })
    },
    async blob(id, type) {
      const there = await open(pathOf(id), 'r').catch(nullWhenMissing)
      if (!there) return null
      await there.close()
      return openAsBlob(pathOf(id), { type }) // read when it is used, not before
    },
    removeOrphans(exists) {
      let removed = 0
      const directory = opendirSync(folder)
      try {
        for (let entry = directory.readSync(); entry; entry = directory.readSync()) {
          const { name } = entry
          const orphan = name.startsWith(PARTIAL) || (tableNumberOf(name) !== null && !exists(name))
          if (!orphan) continue
          rmSync(pathOf(name), { force: true })
          removed++
        }
      } finally {
        directory.closeSync()
      }
      return removed
    },
  }
}

/** A full or broken disk is the server's failure; one that comes from where the content is read is not. */
async function onDisk<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    throw new StorageError(`The file could not be written: ${(error as Error).message}`, { cause: error })
  }
}
