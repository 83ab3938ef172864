/**
 * The two numbers that only ever grow: commit timestamps (nanoseconds) and creation times (milliseconds). Both are persisted
 * with the batch that used them and taken back when its COMMIT fails, so that memory never runs ahead of the disk.
 */
import type { Clock } from '@mission-control/shared/clock'
import type { Connection } from '../storage/connection.ts'

/** The distance between two doubles near 1.7e12 (2^40 < t < 2^41): the smallest step a creation time can take. */
const CREATION_STEP_MS = 2 ** -12
const LAST_TS = 'last_commit_ts'
const LAST_CREATION = 'last_creation_time'

export type Sequence = ReturnType<typeof createSequence>

export function lastCommitTs(connection: Connection): bigint {
  return BigInt(connection.meta(LAST_TS) ?? '0')
}

export function createSequence(connection: Connection, clock: Clock) {
  let ts = lastCommitTs(connection)
  let creation = Number(connection.meta(LAST_CREATION) ?? '0')
  return {
    lastTs: () => ts,
    nextTs(): bigint {
      const now = BigInt(Math.floor(clock.now())) * 1_000_000n
      ts = now > ts ? now : ts + 1n
      return ts
    },
    nextCreationTime: (): number => {
      const now = clock.now()
      creation = now > creation ? now : creation + CREATION_STEP_MS
      return creation
    },
    /** A point to come back to when the COMMIT fails. */
    mark() {
      const saved = { ts, creation }
      return {
        changed: () => ts !== saved.ts || creation !== saved.creation,
        takeBack(): void {
          ts = saved.ts
          creation = saved.creation
        },
      }
    },
    persist(): void {
      connection.setMeta(LAST_TS, ts.toString())
      connection.setMeta(LAST_CREATION, String(creation))
    },
  }
}
