/**
 * Brings SQLite's write-ahead log to the disk beside the work of this thread. With `synchronous = FULL` a COMMIT would keep everybody
 * waiting for the disk; here it only writes, and whoever has promised something waits for this.
 */
import { closeSync, fdatasync, openSync } from 'node:fs'
import { promisify } from 'node:util'

const bringToDisk = promisify(fdatasync)

/** @param database path of the database; its log lies beside it, and has no locks that closing it here could lose */
export function createLogSync(database: string) {
  let file: number | null = null
  return {
    /** Resolves when all that was written to the log before the call is on the disk. Rejects when the system cannot promise that. */
    sync: async (): Promise<void> => {
      file ??= openSync(`${database}-wal`, 'r+')
      await bringToDisk(file)
    },
    /** Nothing may be under way. */
    close(): void {
      if (file !== null) closeSync(file)
      file = null
    },
  }
}
