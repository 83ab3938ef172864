/**
 * Keeps the write-ahead log bounded. SQLite's own checkpoint would run inside a COMMIT, on the hot path; this one runs when the
 * writer has nothing to do, or at the latest when the log has grown so far that waiting costs more than the pause.
 */
import { statSync } from 'node:fs'
import type { Connection } from './connection.ts'

const WORTH_WHILE_BYTES = 4 * 1024 * 1024 // SQLite's own default of 1,000 pages
const URGENT_BYTES = 32 * 1024 * 1024 // never let a busy writer go past this

export function createCheckpointer(path: string, onDisk: boolean, connection: Connection) {
  let checkpointed = 0
  function size(): number {
    return statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0
  }
  return {
    noticeIdle(): void {
      if (!onDisk) return
      // A passive checkpoint empties the log logically, the file keeps its size: count from what was there last time.
      if (size() - checkpointed >= WORTH_WHILE_BYTES || size() >= URGENT_BYTES) {
        connection.all('PRAGMA wal_checkpoint(PASSIVE)')
        checkpointed = size()
      }
    },
    close(): void {
      if (onDisk) connection.all('PRAGMA wal_checkpoint(TRUNCATE)')
    },
  }
}
