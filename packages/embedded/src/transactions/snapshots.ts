/**
 * Consistent reads. On disk a few read-only connections each hold one WAL snapshot for the length of a read, so reads never see
 * an uncommitted batch and never block the writer; what they find is told when the disk has it (writer.ts). In memory (one connection only) a read takes its turn between batches.
 */
import { ClosedError } from '../errors.ts'
import type { Catalog } from '../storage/catalog.ts'
import type { Connection } from '../storage/connection.ts'
import { lastCommitTs } from './sequence.ts'
import { createTransaction, type Transaction } from './transaction.ts'
import type { Writer } from './writer.ts'

/** Reads run on one thread, so more connections only help when a handler waits for something other than the database. */
const MAX_READERS = 4

export interface Snapshot {
  ts: bigint
  /** A fresh read-only transaction over this snapshot: own read set, own caps. */
  transaction(): Transaction
}
export type Snapshots = ReturnType<typeof createSnapshots>

/** SQLite rolls back by itself on some failures, and then refuses to do it again. */
function ended(connection: Connection): boolean {
  try {
    connection.exec('ROLLBACK')
    return true
  } catch {
    return false
  }
}

export function createSnapshots(deps: { catalog: Catalog; writer: Writer; openReader: (() => Connection) | null }) {
  const { catalog } = deps
  const idle: Connection[] = []
  const waiting: { resolve(connection: Connection): void; reject(error: Error): void }[] = []
  const borrowed = new Set<Connection>()
  let closed = false

  async function borrow(openReader: () => Connection): Promise<Connection> {
    if (closed) throw new ClosedError('The backend is shutting down.')
    const free = idle.pop() ?? (borrowed.size < MAX_READERS ? openReader() : undefined)
    if (free) {
      borrowed.add(free)
      return free
    }
    return new Promise((resolve, reject) => waiting.push({ resolve, reject }))
  }

  function giveBack(connection: Connection): void {
    const next = waiting.shift()
    if (next) return next.resolve(connection)
    borrowed.delete(connection)
    if (closed) connection.close()
    else idle.push(connection)
  }

  /** One that cannot end its read is not used again; who waits for one gets another. */
  function discard(connection: Connection, openReader: () => Connection): void {
    borrowed.delete(connection)
    connection.close()
    const next = waiting.shift()
    if (next)
      borrow(openReader).then(
        (other) => next.resolve(other),
        (error: Error) => next.reject(error),
      )
  }

  return {
    /** Runs `body` on one snapshot: every transaction it opens sees the same commits. */
    async with<T>(body: (snapshot: Snapshot) => Promise<T>): Promise<T> {
      if (!deps.openReader) {
        const { value } = await deps.writer.read((tx) =>
          body({ ts: tx.snapshotTs, transaction: () => createTransaction({ ...tx.source, write: null }) }),
        )
        return value
      }
      const connection = await borrow(deps.openReader)
      const opened: Transaction[] = []
      try {
        connection.exec('BEGIN')
        const ts = lastCommitTs(connection) // the first read is what fixes the snapshot
        return await body({
          ts,
          transaction: () => {
            const tx = createTransaction({ connection, catalog, snapshotTs: ts, write: null })
            opened.push(tx)
            return tx
          },
        })
      } finally {
        for (const tx of opened) tx.close()
        if (ended(connection)) giveBack(connection)
        else discard(connection, deps.openReader)
        await deps.writer.safe()
      }
    },
    close(): void {
      closed = true
      for (const connection of idle.splice(0)) connection.close()
      for (const waiter of waiting.splice(0)) waiter.reject(new ClosedError('The backend is shutting down.'))
    },
  }
}
