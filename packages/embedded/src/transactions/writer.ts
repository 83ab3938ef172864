/**
 * The one writer. Mutations run strictly one after another, each in its SAVEPOINT, so they are serializable by construction.
 * A batch is committed as soon as the queue is empty; what queued while that COMMIT ran forms the next batch. There is no timed
 * wait. Callers hear of success and failure only after COMMIT, because a failure may rest on what an earlier mutation of the
 * same batch wrote. When COMMIT fails nobody's work is kept: everyone in the batch is refused and memory goes back too.
 *
 * On disk a commit is answered, published and acted upon once the disk has it. The next batch runs meanwhile and is committed when
 * the disk is free: it would be safe no sooner, and what arrives until then joins it. It may see what is not safe yet, but its own
 * answer waits for a later point of the same log. A disk that refuses leaves unknown what it holds: nothing is written or told any
 * more, and a restart reads what is there.
 *
 * States: idle -> running (BEGIN, mutations) -> waiting for the disk -> committing -> idle | running; a committed batch beside the
 * next one: unsafe -> answered.
 */
import { ClosedError, StorageError } from '../errors.ts'
import type { Catalog } from '../storage/catalog.ts'
import type { Connection } from '../storage/connection.ts'
import type { Sequence } from './sequence.ts'
import type { Write } from './footprint.ts'
import { isDatabaseError } from '../storage/connection.ts'
import { createTransaction, type Transaction, type TransactionDeps } from './transaction.ts'

/** Bounds how much one failed COMMIT can take down, and how long the first caller of a batch waits for the last. */
const MAX_BATCH = 256

export interface Commit {
  ts: bigint
  writes: readonly Write[]
}
export interface WriterDeps {
  connection: Connection
  catalog: Catalog
  sequence: Sequence
  write: Omit<NonNullable<TransactionDeps['write']>, 'nextCreationTime'>
  /** Called after COMMIT, once per mutation that wrote something. */
  onCommit(commit: Commit): void
  /** Called when the commit is safe, before callers are answered, once per mutation that wrote something. */
  onSafe(commit: Commit): void
  /** Resolves when all that was committed is on the disk; null where there is no disk. */
  sync: (() => Promise<void>) | null
  /** Lets the event loop read what arrived meanwhile; null where nothing can arrive (memory mode). */
  turn: (() => Promise<void>) | null
  /** Called after each batch, when no transaction is open: housekeeping. */
  afterBatch(): void
  /** Runs work outside whatever execution happens to be the caller: its context must not leak into other people's. */
  detached<T>(work: () => T): T
}
type Outcome<T> = { ok: true; value: T; ts: bigint } | { ok: false; error: unknown }
interface Item {
  kind: 'write' | 'read'
  run(tx: Transaction, assignTs: () => bigint): Promise<unknown>
  settle(outcome: Outcome<unknown>): void
}
export type Writer = ReturnType<typeof createWriter>

export function createWriter(deps: WriterDeps) {
  const { connection, catalog, sequence } = deps
  const queue: Item[] = []
  const stats = { commits: 0, mutations: 0 }
  let active: Promise<void> | null = null
  /** Resolves when there is more in the queue. */
  let arrival = Promise.withResolvers<void>()
  /** The batch that is committed and not answered yet, until the disk has it; never rejects. */
  let unsafe: Promise<void> | null = null
  let closed = false
  let broken: StorageError | null = null
  /** The disk refused what is committed: nothing that is read may be told any more. */
  let lost = false

  function submit<T>(kind: Item['kind'], run: Item['run']): Promise<{ value: T; ts: bigint }> {
    if (closed) return Promise.reject(broken ?? new ClosedError('The backend is shutting down.'))
    const { promise, resolve, reject } = Promise.withResolvers<{ value: T; ts: bigint }>()
    queue.push({
      kind,
      run,
      settle: (outcome) => {
        if (outcome.ok) resolve({ value: outcome.value as T, ts: outcome.ts })
        else reject(outcome.error instanceof Error ? outcome.error : new Error(String(outcome.error)))
      },
    })
    arrival.resolve()
    active ??= deps.detached(drain)
    return promise
  }

  async function drain(): Promise<void> {
    // Start on a fresh microtask, so that callers of the same tick share the first batch too.
    await Promise.resolve()
    try {
      while (queue.length > 0) {
        if (queue[0]!.kind === 'read') await runRead(queue.shift()!)
        else await runBatch()
        if (deps.turn) await deps.turn()
        deps.afterBatch()
      }
    } catch (error) {
      // Not even a rollback worked, so what the connection holds is unknown: nothing may be written through it again.
      breakOff(error)
    } finally {
      active = null
    }
  }

  /** Refuses `unanswered`, all that waits, and from now on everybody. */
  function breakOff(error: unknown, unanswered: readonly Item[] = []): void {
    closed = true
    broken ??= new StorageError(`The database cannot be written any more: ${messageOf(error)}. Restart the backend.`, {
      cause: error,
    })
    for (const item of [...unanswered, ...queue.splice(0)]) item.settle({ ok: false, error: broken })
  }

  async function runBatch(): Promise<void> {
    const mark = sequence.mark()
    const done: { item: Item; outcome: Outcome<unknown>; writes: readonly Write[] }[] = []
    try {
      connection.exec('BEGIN IMMEDIATE')
      for (;;) {
        arrival = Promise.withResolvers()
        while (queue.length > 0 && queue[0]!.kind === 'write' && done.length < MAX_BATCH) {
          const item = queue.shift()!
          done.push({ item, outcome: { ok: false, error: null }, writes: [] })
          done[done.length - 1] = { item, ...(await runMutation(item)) }
        }
        if (unsafe === null) break
        await (done.length < MAX_BATCH ? Promise.race([unsafe, arrival.promise]) : unsafe)
        if (lost && broken) throw broken
      }
      if (mark.changed()) sequence.persist()
      connection.exec('COMMIT')
    } catch (error) {
      const refused = new StorageError(`The database refused the transaction: ${messageOf(error)}. Nothing of it was kept.`, {
        cause: error,
      })
      mark.takeBack()
      // Before the rollback, which may fail too; they hear of it only after it.
      for (const { item } of done) item.settle({ ok: false, error: refused })
      rollback()
      return
    }
    stats.commits++
    stats.mutations += done.length
    const commits = done.flatMap(({ outcome, writes }) => (outcome.ok && writes.length > 0 ? [{ ts: outcome.ts, writes }] : []))
    for (const commit of commits) deps.onCommit(commit)
    const answer = () => {
      for (const commit of commits) deps.onSafe(commit)
      for (const { item, outcome } of done) item.settle(outcome)
    }
    // Whatever writes takes a timestamp.
    if (deps.sync === null || !mark.changed()) return answer()
    unsafe = whenSafe(deps.sync(), answer).catch((error: unknown) => {
      lost = true
      breakOff(
        error,
        done.map(({ item }) => item),
      )
    })
  }

  async function whenSafe(synced: Promise<void>, answer: () => void): Promise<void> {
    try {
      await synced
    } finally {
      unsafe = null
    }
    answer()
  }

  /** Errors of the handler are outcomes; errors of the database leave through the batch. */
  async function runMutation(item: Item): Promise<{ outcome: Outcome<unknown>; writes: readonly Write[] }> {
    const tx = createTransaction({
      connection,
      catalog,
      snapshotTs: sequence.lastTs(),
      write: { ...deps.write, nextCreationTime: sequence.nextCreationTime },
    })
    connection.exec('SAVEPOINT mutation')
    let assigned: bigint | null = null
    const assignTs = () => (assigned ??= sequence.nextTs())
    try {
      const value = await item.run(tx, assignTs)
      tx.close()
      if (tx.failure) throw tx.failure
      const writes = tx.written()
      const ts = writes.length > 0 ? assignTs() : (assigned ?? sequence.lastTs())
      connection.exec('RELEASE mutation')
      return { outcome: { ok: true, value, ts }, writes }
    } catch (error) {
      tx.close()
      if (tx.failure ?? isDatabaseError(error)) throw tx.failure ?? error
      connection.exec('ROLLBACK TO mutation')
      connection.exec('RELEASE mutation')
      return { outcome: { ok: false, error }, writes: [] }
    }
  }

  async function runRead(item: Item): Promise<void> {
    const tx = createTransaction({ connection, catalog, snapshotTs: sequence.lastTs(), write: null })
    try {
      item.settle({ ok: true, value: await item.run(tx, sequence.lastTs), ts: tx.snapshotTs })
    } catch (error) {
      item.settle({ ok: false, error })
    } finally {
      tx.close()
    }
  }

  function rollback(): void {
    try {
      connection.exec('ROLLBACK')
    } catch (error) {
      // SQLite rolls back by itself on some failures (disk full, I/O): then there is nothing left to roll back.
      if (!messageOf(error).includes('no transaction is active')) throw error
    }
  }

  return {
    stats,
    /** False once it refuses work: closing, or the database failed for good. */
    isOpen: () => !closed,
    /** How many transactions wait for their turn. */
    waiting: () => queue.length,
    /** Runs `run` as the next transaction; resolves after its COMMIT. */
    mutate: <T>(run: (tx: Transaction, assignTs: () => bigint) => Promise<T>) => submit<T>('write', run),
    /** Runs `run` between batches on the writer's own connection: the snapshot of memory mode. */
    read: <T>(run: (tx: Transaction) => Promise<T>) => submit<T>('read', run),
    /**
     * Resolves when all that is committed so far is on the disk: what was read of it may be told then.
     * @throws StorageError when the disk refused it
     */
    async safe(): Promise<void> {
      await unsafe
      if (lost && broken) throw broken
    },
    /** Refuses new work and resolves when everything accepted so far is committed and answered. */
    async close(): Promise<void> {
      closed = true
      await active
      await unsafe
    },
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
