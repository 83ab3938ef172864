/**
 * Keeps the write-ahead log bounded. SQLite's own checkpoint would run inside a COMMIT, before the answer; this one runs after a
 * batch was answered. A reader that holds an old snapshot makes it stop short; the next one goes on from there.
 */
import { statSync } from 'node:fs'
import type { Log } from '../engine.ts'
import type { Connection } from './connection.ts'

/**
 * Twice SQLite's own default of 1,000 pages: under load most of them are the same pages again, copied once a checkpoint. The log is cut back
 * to `journal_size_limit` when it starts over.
 */
const CHECKPOINT_BYTES = 8 * 1024 * 1024
/** A log that could not start over, because somebody reads it, is looked at again when it has grown by this much. */
const AGAIN_BYTES = 1024 * 1024

export function createCheckpointer(path: string, onDisk: boolean, connection: Connection, log: Log) {
  const size = () => statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0
  /** Never throws: what was committed is safe in the log, and whoever opens the database next goes on from it. */
  function checkpoint(mode: 'PASSIVE' | 'TRUNCATE'): void {
    try {
      connection.all(`PRAGMA wal_checkpoint(${mode})`)
    } catch (error) {
      log.warn('the write-ahead log could not be checkpointed; it grows until that works', { error: String(error) })
    }
  }

  /** Size of the log at the last checkpoint; 0 once it has started over. */
  let checkedAt = 0
  return {
    afterBatch(): void {
      if (!onDisk) return
      const bytes = size()
      if (bytes < checkedAt) checkedAt = 0
      if (bytes < Math.max(CHECKPOINT_BYTES, checkedAt + AGAIN_BYTES)) return
      checkpoint('PASSIVE')
      checkedAt = bytes
    },
    close(): void {
      if (onDisk) checkpoint('TRUNCATE')
    },
  }
}
