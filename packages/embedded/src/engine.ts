/** Puts the layers together. Owns the order in which they open and close; holds no rule of its own. */
import { lockFolder } from '@mission-control/host/folder-lock'
import { systemClock, systemRandom } from '@mission-control/host/clock'
import type { Clock, Random } from '@mission-control/shared/clock'
import { closeSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { loadAdminKey } from './auth/admin-key.ts'
import { readProviders } from './auth/providers.ts'
import { createTokenVerifier } from './auth/tokens.ts'
import { createDiskStore, filesFolder } from './files/disk.ts'
import { createFiles } from './files/files.ts'
import { contentsHeld } from './files/hold.ts'
import { createMemoryStore } from './files/memory.ts'
import { createFileUrls } from './files/urls.ts'
import { createDeployment } from './deployment/deployment.ts'
import { createCore } from './functions/core.ts'
import { tableDefinitions, type Functions } from './functions/definition.ts'
import { executionStorage } from './functions/execution.ts'
import { installGlobal } from './functions/global.ts'
import { createRegistry } from './functions/registry.ts'
import { createRunner, type Deadlines } from './functions/runner.ts'
import { FunctionError } from './errors.ts'
import { createScheduler } from './scheduler/scheduler.ts'
import { openCatalog, type Catalog, type TableInfo } from './storage/catalog.ts'
import { openConnection, type Connection } from './storage/connection.ts'
import { createLogSync } from './storage/log-sync.ts'
import { createStorageCalls } from './syscalls/storage.ts'
import { createLiveSets } from './sync/live.ts'
import { createSequence } from './transactions/sequence.ts'
import { createSnapshots } from './transactions/snapshots.ts'
import { createWriter } from './transactions/writer.ts'
import { createCheckpointer } from './storage/checkpoint.ts'
import { eventLoopTurn } from './transactions/turn.ts'
import { schemaProblem } from './validators/document.ts'
import type { Json } from './values/json.ts'

export interface Log {
  info(message: string, fields?: Record<string, unknown>): void
  warn(message: string, fields?: Record<string, unknown>): void
  error(message: string, fields?: Record<string, unknown>): void
}
export interface EngineOptions {
  functions: Functions
  /** Folder of the database; created when missing. Exactly one of `dataDir` and `memory`. */
  dataDir?: string
  memory?: boolean
  clock?: Clock
  random?: Random
  /** What functions see as `process.env` (through the bundle's defines). Default: the process's own. */
  env?: Readonly<Record<string, string | undefined>>
  log?: Log
  deadlines?: Partial<Deadlines>
  /** Largest file that one upload over HTTP may bring. Default 1 GiB; production has no cap, but a disk of its own. */
  maxUploadBytes?: number
  /** Whether scheduled functions and crons run by themselves. Default: yes, except in memory without a clock of its own. */
  autoSchedule?: boolean
  /** Fault injection for tests: stands between the engine and its writing connection. */
  wrapConnection?: (connection: Connection) => Connection
  /** For tests: replaces how the log is brought to the disk. */
  wrapSync?: (sync: () => Promise<void>) => () => Promise<void>
}

const DEADLINES: Deadlines = {
  transactionMs: 1_000, // user time of a query or mutation in production
  actionMs: 10 * 60_000, // Node actions in production
}
const MAX_UPLOAD_BYTES = 1024 ** 3
const silent: Log = { info() {}, warn() {}, error() {} }

export type Engine = Awaited<ReturnType<typeof openEngine>>

export async function openEngine(options: EngineOptions) {
  if (Boolean(options.dataDir) === Boolean(options.memory)) throw new Error('Give exactly one of `dataDir` and `memory: true`.')
  installGlobal()
  const base = options.clock ?? systemClock
  let offsetMs = 0
  const clock: Clock = {
    ...base,
    now: () => base.now() + offsetMs,
    monotonic: () => base.monotonic(),
    sleep: base.sleep.bind(base),
    timeout: base.timeout.bind(base),
  }
  const random = options.random ?? systemRandom
  const log = options.log ?? silent
  const env = options.env ?? process.env
  const verifyToken = await createTokenVerifier(readProviders(options.functions.auth, env), clock)

  const directory = options.dataDir
    ? lockFolder(options.dataDir, { name: 'owner', holder: 'another backend', change: 'use another folder' })
    : null
  const path = directory ? join(directory.folder, 'convex.sqlite') : ':memory:'
  let opened: Connection | undefined
  try {
    if (directory) makePrivate(path)
    opened = openConnection(path)
    const connection = options.wrapConnection?.(opened) ?? opened
    const catalog = openCatalog(connection, tableDefinitions(options.functions.schema), schemaProblem)
    const sequence = createSequence(connection, clock)
    const logSync = directory ? createLogSync(path) : null
    const sync = logSync && (options.wrapSync?.(logSync.sync) ?? logSync.sync)
    const checkpointer = createCheckpointer(path, directory !== null, connection, log)
    const files = createFiles({
      store: directory ? createDiskStore(filesFolder(directory.folder)) : createMemoryStore(),
      held: directory ? () => contentsHeld(directory.folder) : () => false,
      log,
    })
    const orphans = files.removeOrphans((id) => connection.document(id) !== undefined)
    if (orphans > 0) log.info('removed stored files that no document names', { count: orphans })
    const writer = createWriter({
      connection,
      catalog,
      sequence,
      write: {
        randomBytes: (length) => random.bytes(length),
        checkDocument: (table, document) => checkDocument(catalog, table, document),
      },
      onCommit: (commit) => files.noticeCommit(commit),
      onSafe(commit) {
        files.noticeSafe(commit)
        try {
          live.publish(commit)
          scheduler.noticeCommit(commit)
        } catch (error) {
          // The commit stands: its callers must be answered whatever becomes of those who watch.
          log.error('a commit could not be published', { error: String(error) })
        }
      },
      sync,
      turn: directory ? eventLoopTurn : null,
      afterBatch() {
        files.afterBatch()
        checkpointer.afterBatch()
      },
      detached: (work) => executionStorage().exit(work),
    })
    const openReader = () => openConnection(path, { readOnly: true })
    const snapshots = createSnapshots({
      catalog,
      writer,
      openReader: directory ? openReader : null,
    })
    const deployment = createDeployment({
      env,
      random,
      log,
      disk: directory ? { folder: directory.folder, openReader } : null,
      files,
      parts: () => ({ catalog, registry, writer, sequence, live }),
    })
    const registry = createRegistry({ ...options.functions.modules, ...deployment.modules })
    const adminKey = loadAdminKey(directory?.folder ?? null, directory ? systemRandom : random)
    let servedAt: string | null = null
    const storage = createStorageCalls({
      files,
      urls: createFileUrls({
        adminKey,
        now: () => clock.now(),
        randomBytes: (length) => random.bytes(length),
        origin: () => env['CONVEX_CLOUD_URL'] ?? servedAt,
      }),
      mutate: async (body) => (await writer.mutate(async (tx) => body(tx))).value,
      read: (body) => snapshots.with(async (snapshot) => body(snapshot.transaction())),
    })
    const core = createCore({ registry, writer, snapshots, storage, now: () => clock.now() })
    core.useRunner(
      createRunner({
        catalog,
        clock,
        random,
        env,
        log,
        deadlines: { ...DEADLINES, ...options.deadlines },
        syscalls: () => core.syscalls,
      }),
    )
    const live = createLiveSets({ core, snapshots })
    const scheduler = createScheduler({ core, writer, snapshots, registry, catalog, clock, log, crons: options.functions.crons })
    await scheduler.open()
    if (options.autoSchedule ?? !(options.memory && !options.clock)) scheduler.start()

    let closing: Promise<void> | null = null
    async function close(): Promise<void> {
      core.close()
      await scheduler.stop()
      await writer.close()
      deployment.close()
      snapshots.close()
      checkpointer.close()
      logSync?.close()
      connection.close()
      directory?.release()
    }
    return {
      functions: options.functions,
      core,
      live,
      snapshots,
      scheduler,
      registry,
      catalog,
      clock,
      random,
      log,
      directory,
      stats: writer.stats,
      adminKey,
      storage,
      maxUploadBytes: options.maxUploadBytes ?? MAX_UPLOAD_BYTES,
      verifyToken,
      writer,
      deployment,
      lastTs: sequence.lastTs,
      /** Where clients reach this backend, for URLs of stored files. `CONVEX_CLOUD_URL` in the environment goes first. */
      serveAt(url: string): void {
        servedAt = url
      },
      /** Moves the engine's own idea of "now" ahead. */
      advanceClock(ms: number): void {
        offsetMs += Math.max(0, ms)
        scheduler.wake()
      },
      /** Stops the scheduler, finishes the queue, checkpoints and gives the folder up. Safe to call twice. */
      close: () => (closing ??= close()),
    }
  } catch (error) {
    opened?.close()
    directory?.release()
    throw error
  }
}

function checkDocument(catalog: Catalog, table: TableInfo, document: Json): void {
  const problem = schemaProblem(catalog, table, document)
  if (problem) {
    throw new FunctionError(
      `Failed to insert or update a document in table "${table.name}" because it does not match the schema: ${problem}`,
    )
  }
}

/** Creates the database file readable by its owner only; SQLite gives its log the same mode. */
function makePrivate(path: string): void {
  closeSync(openSync(path, 'a', 0o600))
}
