/** Looks into the backend's own database, read-only, past all of its functions: what stands there must be whole and explain itself. */
import { statSync } from 'node:fs'
import path from 'node:path'
import { check } from '@mission-control/embedded/operations/check'
import { DATABASE_FILE, openForReading, readableCatalog } from '@mission-control/embedded/operations/open'
import { forEachDocument } from '@mission-control/embedded/storage/catalog'
import type { Doc } from '@mission-control/backend/convex/_generated/dataModel'

export interface DatabaseFacts {
  readonly deliveries: number
  /** Rows of the journal: one per attempt. */
  readonly runs: number
  /** Sentences; empty when all is as it must be. */
  readonly violations: readonly string[]
}

/** What says nothing about the contents: a small or shared disk is the point of some stages. */
const NOT_JUDGED: ReadonlySet<string> = new Set(['disk space'])
const ENDED: ReadonlySet<string> = new Set(['delivered', 'skipped', 'dead'])
const MOST_ATTEMPTS = 5

/** Call it when all is quiet: what is under way is taken for a violation. The backend may run. */
export async function inspectDatabase(dataDir: string): Promise<DatabaseFacts> {
  const violations = (await check(dataDir))
    .filter(({ status, what }) => status === 'fail' && !NOT_JUDGED.has(what))
    .map(({ what, found }) => `${what}: ${found}`)
  const connection = openForReading(dataDir)
  try {
    connection.exec('BEGIN')
    const catalog = readableCatalog(connection, dataDir)
    const rows = <T>(name: string): T[] => {
      const table = catalog.table(name)
      if (table === undefined) throw new Error(`there is no table ${name}`)
      const found: T[] = []
      forEachDocument(connection, table.number, (_row, document) => found.push(document as T))
      return found
    }
    const deliveries = rows<Doc<'deliveries'>>('deliveries')
    const runs = rows<Doc<'agentRuns'>>('agentRuns')
    const perDelivery = Map.groupBy(runs, ({ deliveryId }) => deliveryId)
    for (const { _id, state, fence, attempts } of deliveries) {
      const own = perDelivery.get(_id) ?? []
      if (!ENDED.has(state)) violations.push(`delivery ${_id} is still ${state}`)
      if (own.length !== fence) violations.push(`delivery ${_id} was claimed ${fence} times and has ${own.length} runs`)
      if (attempts > MOST_ATTEMPTS) violations.push(`delivery ${_id} had ${attempts} attempts`)
      const open = own.filter(({ outcome, endedAt }) => outcome === 'open' || endedAt === null)
      if (open.length > 0) violations.push(`delivery ${_id} has ${open.length} runs that never ended`)
    }
    for (const { what } of rows<Doc<'laneRepairs'>>('laneRepairs')) violations.push(`the audit had to repair a lane: ${what}`)
    return { deliveries: deliveries.length, runs: runs.length, violations }
  } finally {
    connection.close()
  }
}

/** Bytes of the database and of its write-ahead log. */
export function databaseBytes(dataDir: string): { database: number; log: number } {
  const size = (name: string) => statSync(path.join(dataDir, name), { throwIfNoEntry: false })?.size ?? 0
  return { database: size(DATABASE_FILE), log: size(`${DATABASE_FILE}-wal`) }
}
