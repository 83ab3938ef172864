/**
 * The reference: graphile-worker on PostgreSQL, the fastest queue of its kind, measured as our delivery is. From the moment the sender knows
 * of the commit of a job to the start of that job in a worker process of its own, one job after the other with a random pause in between.
 * It does less: there is no claim with a context, and no gateway behind it.
 */
import { fileURLToPath } from 'node:url'
import { loadOfMachine } from '@mission-control/host/numbers'
import { untilAborted } from '@mission-control/host/until-aborted'
import type { BenchContext } from '../context.ts'
import type { Latency } from '../report.ts'
import { latencyOf, latencyText } from '../report.ts'
import { startChild } from '../stage/child.ts'
import { machineMs } from '../stage/machine-clock.ts'
import { findPostgres, startPostgres } from './postgres.ts'

/** `at` on the machine's clock. */
interface Started {
  readonly type: 'started'
  readonly key: string
  readonly at: number
}
export type FromWorker = Started | { readonly type: 'ready' }

export interface Reference extends Latency {
  /** Of PostgreSQL. */
  readonly version: string
}

const JOBS = { full: 2_000, quick: 50 }
const WARM_UP = 50
const PAUSE_MS = 20

/** @returns `null`, said once, where PostgreSQL is not installed */
export async function measureReference(context: BenchContext): Promise<Reference | null> {
  const { clock, random, note, signal, quick } = context
  const bin = findPostgres(process.env)
  if (bin === null) {
    note('no PostgreSQL on this machine (looked for initdb and postgres): graphile-worker is left out')
    return null
  }
  // Loaded here: who has no PostgreSQL does not need it.
  const { makeWorkerUtils } = await import('graphile-worker')
  await using postgres = await startPostgres(bin, clock, signal)
  await using opened = new AsyncDisposableStack()
  const { connectionString } = postgres
  const utils = await makeWorkerUtils({ connectionString })
  opened.defer(() => utils.release())
  await utils.migrate()
  const worker = opened.use(
    startChild<never, FromWorker>(fileURLToPath(new URL('./worker-main.ts', import.meta.url)), {
      BENCH_POSTGRES: connectionString,
      NO_LOG_SUCCESS: '1',
    }),
  )
  await worker.next((message) => message.type === 'ready')
  const found: number[] = []
  for (let n = -WARM_UP; n < (quick ? JOBS.quick : JOBS.full); n += 1) {
    const key = String(n)
    const started = worker.next((message): message is Started => message.type === 'started' && message.key === key)
    await utils.addJob('deliver', { key })
    const committed = machineMs()
    const { at } = await untilAborted(started, signal)
    if (n >= 0) found.push(at - committed)
    await clock.sleep(random.next() * PAUSE_MS, signal)
  }
  const latency = latencyOf(found)
  note(`graphile-worker on ${postgres.version}: commit to start ${latencyText(latency)}; ${loadOfMachine()}`)
  return { ...latency, version: postgres.version }
}
