/** Crons: the definitions live in code, when each ran last and runs next lives in the database. */
import type { Clock } from '@mission-control/shared/clock'
import type { CronsLike } from '../functions/definition.ts'
import type { Registry } from '../functions/registry.ts'
import { CRONS, SCHEDULED, type Catalog } from '../storage/catalog.ts'
import type { Transaction } from '../transactions/transaction.ts'
import type { Writer } from '../transactions/writer.ts'
import type { Json, JsonObject } from '../values/json.ts'
import { firstRun, nextRun, type Schedule } from './cron-schedule.ts'
import { jobsIn, type Job } from './jobs.ts'

const MAX_CRONS = 1_000
const RECOVERY_BATCH = 500
/** As in production. */
const INTERRUPTED = 'Transient error while executing action'

/** Runs once when the engine opens, before anything else is answered. */
export async function syncCrons(deps: {
  writer: Writer
  catalog: Catalog
  clock: Clock
  registry: Registry
  crons: CronsLike | undefined
}): Promise<void> {
  const { writer, catalog, clock } = deps
  const wanted = new Map(Object.entries(deps.crons?.crons ?? {}))
  for (const [cronName, { name }] of wanted) {
    const fn = await deps.registry.find(name)
    if (!fn || fn.kind === 'query')
      throw new Error(`The cron "${cronName}" runs "${name}", which is not exported as a mutation or an action.`)
  }
  for (const table of [SCHEDULED, CRONS]) {
    while ((await writer.mutate(async (tx) => endInterrupted(tx, catalog, table, clock.now()))).value > 0);
  }
  await writer.mutate(async (tx) => {
    const table = tx.requireTable(CRONS)
    const now = clock.now()
    const stored = new Map<string, Job>()
    for (const job of jobsIn(tx, catalog, CRONS, 'pending', MAX_CRONS)) stored.set(job.cron!.name, job)
    for (const [name, job] of stored) if (!wanted.has(name)) tx.remove(table, job.id)
    for (const [cronName, definition] of wanted) {
      const fields: JsonObject = {
        cronName,
        name: definition.name,
        args: definition.args as Json,
        schedule: definition.schedule as unknown as Json,
      }
      const known = stored.get(cronName)
      if (!known) {
        const scheduledTime = firstRun(cronName, definition.schedule as Schedule, now)
        tx.insert(table, { ...fields, scheduledTime, state: { kind: 'pending' }, lastRun: null, lastError: null })
        continue
      }
      const document = tx.get(known.id)!
      const same = JSON.stringify(document['schedule']) === JSON.stringify(definition.schedule)
      const unchanged =
        same && document['name'] === definition.name && JSON.stringify(document['args']) === JSON.stringify(definition.args)
      if (unchanged) continue
      const scheduledTime = same ? known.scheduledTime : firstRun(cronName, definition.schedule as Schedule, now)
      tx.update(table, known.id, { ...document, ...fields, scheduledTime })
    }
  })
}

/** Actions a previous process left running: they may have had effects, so they are not repeated. Tells how many it ended. */
function endInterrupted(tx: Transaction, catalog: Catalog, table: string, nowMs: number): number {
  const jobs = jobsIn(tx, catalog, table, 'inProgress', RECOVERY_BATCH)
  for (const job of jobs) {
    const document = tx.get(job.id)!
    tx.update(
      tx.requireTable(job.table),
      job.id,
      job.cron
        ? {
            ...document,
            state: { kind: 'pending' },
            scheduledTime: nextRun(job.cron.name, job.cron.schedule, job.scheduledTime, nowMs),
            lastError: INTERRUPTED,
          }
        : { ...document, state: { kind: 'failed', error: INTERRUPTED }, completedTime: nowMs },
    )
  }
  return jobs.length
}
