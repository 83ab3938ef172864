/**
 * Stored files: a document in `_storage` and a content under the document's id.
 *
 * written (partial) -> adopted inside a transaction -> kept      when that transaction commits
 *                                                   -> removed   when it does not (looked at after its batch)
 * kept -> removed when the disk has the commit that removed the document
 * A crash at any point leaves at most a content without a document, which the next start removes; never the other way round.
 * While somebody copies contents (`hold.ts`) none is removed: they wait, and go with a later batch or at the next start.
 */
import type { Log } from '../engine.ts'
import { FunctionError, StorageError } from '../errors.ts'
import { STORAGE } from '../storage/catalog.ts'
import type { Transaction } from '../transactions/transaction.ts'
import type { Commit } from '../transactions/writer.ts'
import { tableNumberOf } from '../values/ids.ts'
import type { JsonObject } from '../values/json.ts'
import type { ContentStore, Written } from './disk.ts'

export type Files = ReturnType<typeof createFiles>

export interface FilesDeps {
  store: ContentStore
  /** Whether somebody copies contents from the folder now. */
  held: () => boolean
  log: Log
}

export function createFiles({ store, held, log }: FilesDeps) {
  /** Adopted in a transaction whose end is not known yet. */
  const undecided = new Set<string>()
  /** To be removed as soon as nobody copies. */
  const waiting = new Set<string>()

  /** When it cannot be told they count as held: a content too many goes at the next start, one too few is lost. */
  let told = false
  function areHeld(): boolean {
    try {
      return held()
    } catch (error) {
      if (!told) log.error('stored files are not removed: it cannot be told whether they are copied', { error: String(error) })
      told = true
      return true
    }
  }

  function remove(id: string): void {
    if (areHeld()) waiting.add(id)
    else removeNow(id)
  }

  function removeNow(id: string): void {
    store.remove(id).catch((error: unknown) => {
      log.error('a stored file could not be removed; the next start tries again', { id, error: String(error) })
    })
  }

  /** The document of a file, or null. Throws when `id` is no id of a file. */
  function find(tx: Transaction, id: unknown, method: string): JsonObject | null {
    const number = typeof id === 'string' ? tableNumberOf(id) : null
    if (number === null || tx.catalog.tableByNumber(number)?.name !== STORAGE)
      throw new FunctionError(`Invalid argument \`storageId\` for \`${method}\`: ${JSON.stringify(id)} is not the ID of a file.`)
    return tx.get(id as string)
  }

  return {
    store,
    /** Removes a content whose document is gone, as soon as nobody copies it. Never throws: the commit stands. */
    remove,
    /** Inserts the document of a written content. Whoever wrote it discards it when this throws. */
    insert(tx: Transaction, written: Written, contentType: string | null): string {
      const { sha256, size } = written
      const id = tx.insert(tx.requireTable(STORAGE), { sha256, size, ...(contentType !== null && { contentType }) })
      undecided.add(id)
      try {
        store.adopt(written, id)
      } catch (error) {
        const failure = new StorageError(`The file could not be kept: ${(error as Error).message}`, { cause: error })
        tx.fail(failure) // a handler that catches this must not commit a document without its content
        throw failure
      }
      return id
    },
    find,
    delete(tx: Transaction, id: unknown): void {
      if (!find(tx, id, 'storage.delete')) throw new FunctionError(`storage.delete: there is no file ${String(id)}.`)
      tx.remove(tx.requireTable(STORAGE), id as string)
    },
    noticeCommit({ writes }: Commit): void {
      for (const { table, id } of writes) if (table === STORAGE) undecided.delete(id)
    },
    /** The disk has the commit: what it deleted does not come back. */
    noticeSafe({ writes }: Commit): void {
      for (const { table, id, keys } of writes) {
        if (table === STORAGE && keys.every((key) => key.after === undefined)) remove(id)
      }
    },
    /** No transaction is open: what no commit has named was rolled back. */
    afterBatch(): void {
      for (const id of undecided) remove(id)
      undecided.clear()
      if (waiting.size === 0 || areHeld()) return
      for (const id of waiting) removeNow(id)
      waiting.clear()
    },
    /** Removes contents that no document names: left by a crash. Returns how many; none while somebody copies. */
    removeOrphans(exists: (id: string) => boolean): number {
      return areHeld() ? 0 : store.removeOrphans(exists)
    },
  }
}
