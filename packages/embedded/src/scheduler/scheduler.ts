/**
 * Runs what is due. The stored jobs are the truth; a commit that touches them only shortens the sleep. One loop sleeps until
 * the next due job, at most a minute, because wall clocks jump. A job that runs is never started a second time: the state in
 * the database says so for the process, the `running` set for the loop.
 */
import type { Clock } from '@mission-control/shared/clock'
import type { Core } from '../functions/core.ts'
import type { CronsLike } from '../functions/definition.ts'
import type { Registry } from '../functions/registry.ts'
import type { Log } from '../engine.ts'
import { ClosedError, FunctionError } from '../errors.ts'
import { SCHEDULED, type Catalog } from '../storage/catalog.ts'
import type { Snapshots } from '../transactions/snapshots.ts'
import type { Commit, Writer } from '../transactions/writer.ts'
import { syncCrons } from './crons.ts'
import { cleanUp } from './retention.ts'
import { claim, complete, JOB_TABLES, jobsIn, type Job } from './jobs.ts'

const LONGEST_SLEEP_MS = 60_000 // a clock that jumps is noticed within a minute
const MAX_AT_ONCE = 64 // jobs in flight; production allows 8 to 64 by class
const RETRY_MS = 1_000 // after the database refused a job's transaction
const CLEAN_UP_EVERY_MS = 3_600_000

export interface SchedulerDeps {
  core: Core
  writer: Writer
  snapshots: Snapshots
  registry: Registry
  catalog: Catalog
  clock: Clock
  log: Log
  crons: CronsLike | undefined
}

export function createScheduler(deps: SchedulerDeps) {
  const { core, writer, snapshots, catalog, clock, log } = deps
  const stopping = new AbortController()
  const running = new Map<string, Promise<void>>()
  let nudge = Promise.withResolvers<void>()
  let loop: Promise<void> | null = null
  let cleanedAt = -Infinity

  function wake(): void {
    nudge.resolve()
  }

  /** Pending jobs in order of due time, without those in flight. */
  async function pending(tables: readonly string[] = JOB_TABLES): Promise<Job[]> {
    const jobs = await snapshots.with(async (snapshot) =>
      tables.flatMap((table) => jobsIn(snapshot.transaction(), catalog, table, 'pending', MAX_AT_ONCE + running.size)),
    )
    return jobs.filter((job) => !running.has(job.id)).sort((a, b) => a.scheduledTime - b.scheduledTime)
  }

  async function run(job: Job): Promise<void> {
    const fn = await deps.registry.find(job.name).catch((error: unknown) => {
      log.error('a scheduled function could not be loaded', { function: job.name, error: String(error) })
      return null
    })
    const options = { identity: null, internal: true, requestId: core.newRequestId(), job: job.cron ? null : job.id }
    if (fn?.kind === 'mutation') {
      await writer
        .mutate(async (tx) => {
          if (!claim(tx, job, clock.now())) return
          const error = await failureOf(job, () => tx.nested(() => core.mutationIn(tx, fn, job.args, options)))
          complete(tx, job, clock.now(), error)
        })
        .catch((error: unknown) => failWhole(job, error))
      return
    }
    const claimed = await writer.mutate(async (tx) => claim(tx, job, clock.now()))
    if (!claimed.value) return
    const error = fn?.kind === 'action' ? await failureOf(job, () => core.execute(fn, job.args, options)) : notRunnable(job)
    await completeAction(job, error)
  }

  /** The mutation was refused as a whole (it left no room to write how it ended): the job fails, it is not run again and again. */
  async function failWhole(job: Job, error: unknown): Promise<void> {
    if (!(error instanceof FunctionError)) throw error
    noteFailure(job, error.message)
    await writer.mutate(async (tx) => {
      if (claim(tx, job, clock.now())) complete(tx, job, clock.now(), error.message)
    })
  }

  /** A bundle newer than the job may have lost its function. */
  function notRunnable(job: Job): string {
    const error = `Could not find public function for '${job.name}'. Is it still exported, as a mutation or an action?`
    noteFailure(job, error)
    return error
  }

  /** The action has run, and nobody will look at the job again before a restart: until its end is written, nothing else will do. */
  async function completeAction(job: Job, error: string | null): Promise<void> {
    for (;;) {
      try {
        await writer.mutate(async (tx) => complete(tx, job, clock.now(), error))
        return
      } catch (failure) {
        if (failure instanceof ClosedError || stopping.signal.aborted) throw failure
        log.error('the end of a scheduled action could not be written; it is tried again', {
          function: job.name,
          error: String(failure),
        })
        await clock.sleep(RETRY_MS, stopping.signal).catch(() => {})
      }
    }
  }

  async function failureOf(job: Job, body: () => Promise<unknown>): Promise<string | null> {
    try {
      await body()
      return null
    } catch (error) {
      if (!(error instanceof FunctionError)) throw error
      noteFailure(job, error.message)
      return error.message
    }
  }

  function noteFailure(job: Job, error: string): void {
    log.warn('a scheduled function failed', { function: job.name, error, ...(job.cron && { cron: job.cron.name }) })
  }

  /** Starts a job; resolves when it has ended. Errors of the database leave it pending, to be tried again. */
  function start(job: Job): Promise<void> {
    const done = run(job)
      .catch(async (error: unknown) => {
        if (error instanceof ClosedError) return
        log.error('a scheduled function could not run', { function: job.name, error: String(error) })
        await clock.sleep(RETRY_MS, stopping.signal).catch(() => {})
      })
      .finally(() => {
        running.delete(job.id)
        wake()
      })
    running.set(job.id, done)
    return done
  }

  /** Only a closed backend ends the loop: a database that refuses once must not stop everything scheduled for good. */
  async function forever(): Promise<void> {
    while (!stopping.signal.aborted) {
      try {
        await pass()
      } catch (error) {
        if (error instanceof ClosedError) return
        log.error('the scheduler could not look for work; it tries again', { error: String(error) })
        await clock.sleep(RETRY_MS, stopping.signal).catch(() => {})
      }
    }
  }

  async function pass(): Promise<void> {
    nudge = Promise.withResolvers<void>()
    const now = clock.now()
    const jobs = await pending()
    for (const job of jobs) if (job.scheduledTime <= now && running.size < MAX_AT_ONCE) void start(job)
    if (now - cleanedAt >= CLEAN_UP_EVERY_MS) {
      await writer.mutate(async (tx) => cleanUp(tx, catalog, now))
      cleanedAt = now
    }
    const next = jobs.find((job) => job.scheduledTime > now)
    await sleepUntil(next?.scheduledTime ?? Infinity)
  }

  /** The time left is taken right before sleeping: the clock may have moved while the jobs were read. */
  async function sleepUntil(atMs: number): Promise<void> {
    const timer = new AbortController()
    const signal = AbortSignal.any([timer.signal, stopping.signal])
    const slept = clock.sleep(Math.max(0, Math.min(atMs - clock.now(), LONGEST_SLEEP_MS)), signal).catch(() => {})
    await Promise.race([slept, nudge.promise])
    timer.abort('awake')
  }

  return {
    wake,
    /** Brings stored crons in line with the code, and ends actions that a previous process left running. */
    open: () => syncCrons({ writer, catalog, clock, registry: deps.registry, crons: deps.crons }),
    start(): void {
      loop ??= forever()
    },
    noticeCommit(commit: Commit): void {
      if (commit.writes.some((write) => JOB_TABLES.includes(write.table))) wake()
    },
    /**
     * Runs due scheduled functions one after another until none is due, then those they scheduled. With `advance` time is
     * moved to the next due one, until nothing is pending. Crons are left alone: they never end.
     */
    async finish(advance: ((toMs: number) => void | Promise<void>) | null): Promise<number> {
      for (let ran = 0; ;) {
        await Promise.all(running.values())
        const [job] = await pending([SCHEDULED])
        if (!job) return ran
        if (job.scheduledTime > clock.now()) {
          if (!advance) return ran
          await advance(job.scheduledTime)
          if (job.scheduledTime > clock.now()) throw new Error('`advance` did not move the clock to the next scheduled function.')
        }
        if (!running.has(job.id)) await start(job)
        ran++
      }
    },
    /** Runs one cron now, whenever it is due. For tests. */
    async runCron(name: string): Promise<void> {
      const job = (await pending()).find((candidate) => candidate.cron?.name === name)
      if (!job) throw new Error(`There is no pending cron "${name}".`)
      await start(job)
    },
    async stop(): Promise<void> {
      stopping.abort(new ClosedError('The backend is shutting down.'))
      wake()
      await loop
    },
  }
}
