/**
 * Mission Control as real processes, with a network between them that can fail:
 *
 *   person ──> backend <── link ── runtime ── link ──> gateway ──> model
 *                      <── link ── standby ── link ──┘
 *
 * The embedded backend on a data folder, the runtime as `start` runs it, and the stand-in gateway. Person and model are ours and live on.
 * With an OpenClaw installed the runtime supervises the real gateway instead, and there is no link to it.
 */
import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { bundleFunctions } from '@mission-control/backend/bundle'
import type { Clock } from '@mission-control/shared/clock'
import type { Model } from './model.ts'
import { startModel } from './model.ts'
import type { Person } from './person.ts'
import { createPerson } from './person.ts'
import { steadyPort } from './ports.ts'
import type { Program, ProgramOptions } from './program.ts'
import { createProgram } from './program.ts'
import { startRealGateway } from './real-gateway.ts'
import type { Proxy } from './proxy.ts'
import { startProxy } from './proxy.ts'

export interface StageOptions {
  readonly clock: Clock
  /** Time passes so many times as fast for backend, runtime and gateway. */
  readonly scale: number
  readonly agents: readonly string[]
  /** The program of the runtime. */
  readonly runtime: string
  /** A second runtime, with a data folder of its own, that takes over. */
  readonly standby?: boolean
  /** The backend's data folder is a file system of its own with this many MiB. */
  readonly diskMiB?: number
  /** `openclaw.mjs`: the runtime starts and supervises the real gateway. Needs scale 1 and no standby. */
  readonly openclawBin?: string
  /** Ends all its processes at once, also while it starts. The stage must be disposed all the same. */
  readonly signal?: AbortSignal
}

/** A runtime with its two links. */
export interface RuntimeSide {
  readonly program: Program
  readonly toBackend: Proxy
  readonly toGateway: Proxy
}

/** Ours, or the real one, which the runtime starts again by itself: `start` waits for that. */
export type Gateway = Pick<Program, 'name' | 'pid' | 'running' | 'start' | 'kill' | 'pause' | 'resume' | 'lastWords'>

export interface Stage extends AsyncDisposable {
  readonly clock: Clock
  readonly scale: number
  readonly backend: Program
  readonly gateway: Gateway
  readonly runtimes: readonly RuntimeSide[]
  /** The runtime that said last that it is active. */
  active(): RuntimeSide
  /** Resolves when another runtime than this one has become active. */
  takenOverFrom(side: RuntimeSide, signal: AbortSignal): Promise<void>
  readonly person: Person
  readonly model: Model
  /** Of the backend. Behind a mount of its own where `diskMiB` was asked for: see `diskPath`. */
  readonly dataDir: string
  /** The data folder as its process sees it. */
  diskPath(): string
  /** A data folder to look into with SQLite; nothing may be under way. Of a small disk it is a copy, made while the backend stands still. */
  readableDataDir(): string
}

const entry = (owner: string, file: string) =>
  path.join(path.dirname(createRequire(import.meta.url).resolve(`${owner}/package.json`)), file)
const GATEWAY_TOKEN = 'proof-gateway-token'
/** Shortest interval that keeps the idle lease as short as the busy one (45 s): three of these. */
const CHECK_IN_MS = 15_000
/** Above what a round has under way: what is measured is recovery, and not a place in the queue. */
const CONCURRENCY = 8

export async function startStage(options: StageOptions): Promise<Stage> {
  const { clock, scale } = options
  const folder = mkdtempSync(path.join(os.tmpdir(), 'mission-control-proof-'))
  const inFolder = (...names: string[]) => path.join(folder, ...names)
  const cleanups: (() => unknown)[] = [() => rmSync(folder, { recursive: true, force: true })]
  const close = async () => {
    for (const cleanup of cleanups.toReversed()) await cleanup()
  }
  const env = processEnv(scale, clock)
  const end = options.signal === undefined ? {} : { signal: options.signal }
  const program = (options: ProgramOptions): Program => {
    const made = createProgram({ ...options, ...end })
    cleanups.push(() => made.kill())
    return made
  }
  try {
    const functions = inFolder('functions.mjs')
    await bundleFunctions({ outFile: functions })
    const model = await startModel()
    cleanups.push(() => model[Symbol.asyncDispose]())
    const ports = { backend: await steadyPort(), gateway: await steadyPort() }
    const dataDir = inFolder('backend')
    mkdirSync(dataDir)
    const backend = program({
      name: 'backend',
      args: [
        ...[entry('@mission-control/embedded', 'bin/mission-control-backend.mjs'), 'serve', '--functions', functions],
        ...['--data-dir', dataDir, '--port', String(ports.backend), '--site-port', '0'],
      ],
      env,
      wrapper: options.diskMiB === undefined ? [] : onSmallDisk(dataDir, options.diskMiB),
      isReady: (line) => line['ready'] === true,
    })
    await backend.start()
    const diskPath = () => (options.diskMiB === undefined ? dataDir : `/proc/${backend.pid}/root${dataDir}`)
    const person = await createPerson(`http://127.0.0.1:${ports.backend}`, path.join(diskPath(), 'admin-key'), clock)
    for (const slug of options.agents) await person.createAgent(slug)
    const { openclawBin } = options
    const real =
      openclawBin === undefined
        ? null
        : await startRealGateway({ bin: openclawBin, model, dataDir: inFolder('runtime'), port: ports.gateway, clock, ...end })
    if (real) cleanups.push(() => real.close())
    const standIn = () =>
      program({
        name: 'gateway',
        args: [
          fileURLToPath(new URL('gateway-main.ts', import.meta.url)),
          ...['--port', String(ports.gateway), '--transcript', inFolder('gateway-transcript.jsonl'), '--model', model.url],
        ],
        env: { ...env, FAKE_GATEWAY_TOKEN: GATEWAY_TOKEN },
        isReady: (line) => line['event'] === 'listening',
      })
    const gateway = real?.gateway ?? standIn()
    if (!real) await gateway.start()

    let active: RuntimeSide | null = null
    const onActive = new Set<() => void>()
    const runtimes: RuntimeSide[] = []
    for (const name of options.standby === true ? ['runtime', 'standby'] : ['runtime']) {
      const toBackend = await startProxy(ports.backend, clock)
      cleanups.push(() => toBackend[Symbol.asyncDispose]())
      const toGateway = await startProxy(ports.gateway, clock)
      cleanups.push(() => toGateway[Symbol.asyncDispose]())
      const side: RuntimeSide = {
        program: program({
          name,
          args: [options.runtime, 'start'],
          env: {
            ...env,
            ACCOUNT_ID: person.accountId,
            SERVICE_TOKEN: person.serviceToken,
            CONVEX_URL: `http://127.0.0.1:${toBackend.port}`,
            ...(real?.env ?? { OPENCLAW_GATEWAY_URL: `ws://127.0.0.1:${toGateway.port}`, OPENCLAW_GATEWAY_TOKEN: GATEWAY_TOKEN }),
            DATA_DIR: inFolder(name),
            WORKSPACE_ROOT: inFolder('workspaces'),
            HEALTH_PORT: '0',
            TOOLS_PORT: '0',
            HEALTH_CHECK_INTERVAL: String(CHECK_IN_MS),
            SHUTDOWN_GRACE: '0',
            DELIVERY_CONCURRENCY: String(CONCURRENCY),
          },
          isReady: ({ msg }) => msg === 'active' || isStandingBy(msg),
        }),
        toBackend,
        toGateway,
      }
      side.program.listen(({ msg }) => {
        if (msg !== 'active') return
        active = side
        for (const listener of onActive) listener()
      })
      runtimes.push(side)
      await side.program.start()
    }
    if (real) await gateway.start()
    return {
      clock,
      scale,
      backend,
      gateway,
      runtimes,
      active() {
        if (active === null) throw new Error('no runtime is active')
        return active
      },
      async takenOverFrom(side, signal) {
        const done = Promise.withResolvers<void>()
        const look = () => {
          if (active !== side) done.resolve()
        }
        const abort = () => done.reject(new Error('no other runtime took over in time'))
        onActive.add(look)
        signal.addEventListener('abort', abort, { once: true })
        look()
        await done.promise.finally(() => {
          onActive.delete(look)
          signal.removeEventListener('abort', abort)
        })
      },
      person,
      model,
      dataDir,
      diskPath,
      readableDataDir() {
        if (options.diskMiB === undefined) return dataDir
        // SQLite resolves the way into the other name space and ends up in ours.
        const copy = inFolder(`copy-${clock.monotonic()}`)
        backend.pause()
        try {
          cpSync(diskPath(), copy, { recursive: true })
        } finally {
          backend.resume()
        }
        return copy
      },
      [Symbol.asyncDispose]: close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

const isStandingBy = (msg: unknown): boolean => typeof msg === 'string' && msg.startsWith('another runtime is active')

/** Enough to run, nothing of the user's; and the clock of the stage. */
function processEnv(scale: number, clock: Clock): Record<string, string> {
  const inherited = Object.fromEntries(
    ['PATH', 'HOME', 'TMPDIR'].flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : [])),
  ) as Record<string, string>
  const base = { ...inherited, NODE_ENV: 'production', LOG_LEVEL: 'info' }
  if (scale === 1) return base
  const preload = pathToFileURL(fileURLToPath(new URL('scaled-time.ts', import.meta.url))).href
  return { ...base, NODE_OPTIONS: `--import=${preload}`, TIME_SCALE: String(scale), TIME_SCALE_FROM: String(clock.now()) }
}

/** In a mount namespace of its own, so that no root is needed where users may have namespaces. Gone with the process. */
const onSmallDisk = (folder: string, mebibytes: number): string[] => [
  ...['unshare', '--user', '--map-root-user', '--mount', 'sh', '-c'],
  `mount -t tmpfs -o size=${mebibytes}m tmpfs "$0" && exec "$@"`,
  folder,
]
