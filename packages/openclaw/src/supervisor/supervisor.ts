/**
 * Keeps one OpenClaw gateway running.
 *
 * start: a gateway recorded by an earlier life of this installation is adopted when it lives and answers the handshake (its turns
 * go on), ended when it lives and does not answer, else a new one is started. From then on a death leads to a new start with
 * backoff, except for the deaths only a person can do something about. stop: SIGTERM, SIGKILL at the deadline, no child left; or
 * the gateway is kept for the next life.
 */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Client, Connected } from '../client.ts'
import { createClient } from '../client.ts'
import { prepareConfigFile } from '../config/file.ts'
import { GatewayError, isGatewayError, messageOf } from '../errors.ts'
import { OPENCLAW_MIN_NODE } from '../version.ts'
import { HEALTHY_AFTER_MS, restartDelay } from './backoff.ts'
import { gatewayEnv } from './env.ts'
import { meaningOf } from './exit.ts'
import type { ProcessEnd, RunningProcess } from './process.ts'
import { adoptProcess, endProcess, killGroup, readLogTail, startProcess } from './process.ts'
import { readRecord, removeRecord, writeRecord } from './record.ts'
import { waitUntilReady } from './ready.ts'
import type { GatewayHost, HostDeps, HostEvent, HostState, HostStatus, StopOptions } from './types.ts'

/** Module load and opening the databases took 9 to 46 s on two cores; a loaded machine doubles that. */
const START_GRACE_MS = 120_000

/** A healthy gateway answers the handshake in well under a second; a busy one may block for several. */
const ADOPT_HANDSHAKE_MS = 15_000

/** From SIGTERM to SIGKILL. Turns are aborted before we get here, an idle gateway is gone in 2 to 4 s. */
const STOP_GRACE_MS = 10_000

export interface SupervisorOptions {
  /** Script to run with Node: the installation's openclaw.mjs. */
  readonly entry: string
  /** Everything of this gateway: state, configuration, log, home, record. */
  readonly stateDir: string
  readonly port: number
  /** The configuration wanted at a start. Only read while the gateway is not running. */
  readonly config: (gateway: GatewayFacts) => Readonly<Record<string, unknown>>
  /** Our environment; only an allow-list of it is passed on. */
  readonly env: Readonly<Record<string, string | undefined>>
  /** Variables for the model provider. */
  readonly modelEnv?: Readonly<Record<string, string>>
  /** Fixed token; drawn once and remembered when absent. */
  readonly token?: string
  readonly startGraceMs?: number
}

/** What the supervisor decides and a configuration has to repeat: the options of `initialConfig` of the same names. */
export interface GatewayFacts {
  readonly port: number
  readonly token: string
  readonly logFile: string
}

export interface GatewayPaths {
  readonly config: string
  /** What the process prints. */
  readonly log: string
  /** What OpenClaw logs. It rotates this file itself. */
  readonly openclawLog: string
  readonly record: string
  readonly token: string
  readonly home: string
}

export function gatewayPaths(stateDir: string): GatewayPaths {
  return {
    config: join(stateDir, 'openclaw.json'),
    log: join(stateDir, 'gateway.log'),
    openclawLog: join(stateDir, 'openclaw.log'),
    record: join(stateDir, 'gateway.process.json'),
    token: join(stateDir, 'gateway.token'),
    home: join(stateDir, 'home'),
  }
}

/** Nothing happens before `start`. `token` must have been read or drawn already: see `openSupervisor`. */
export function createSupervisor(deps: HostDeps, options: SupervisorOptions & { readonly token: string }): GatewayHost {
  const { clock } = deps
  const paths = gatewayPaths(options.stateDir)
  const url = `ws://127.0.0.1:${options.port}`
  const client: Client = createClient({ clock }, { url, token: options.token, connectNow: false })
  const log = (event: HostEvent) => deps.log?.(event)

  let state: HostState = 'stopped'
  let running: RunningProcess | null = null
  let adopted = false
  let deaths = 0
  let deathsInARow = 0
  let startMs: number | null = null
  let lastError: GatewayError | null = null
  /** Aborts everything that starts or restarts. One per start..stop. */
  let life = new AbortController()
  let watching: Promise<void> = Promise.resolve()
  /** Set by `stop`, for good: the client is closed with it. */
  let ended = false
  const changeListeners = new Set<(status: HostStatus) => void>()
  const changed = () => {
    for (const listener of changeListeners) listener(status())
  }
  const enter = (next: HostState) => {
    state = next
    changed()
  }
  // First in line, so that whoever hears of a boot sees a running gateway.
  client.onBoot(() => enter('running'))
  client.onChange(changed)

  async function start(signal?: AbortSignal): Promise<Connected> {
    if (ended) throw new Error('the supervisor was stopped, its connection is closed')
    if (state !== 'stopped' && state !== 'failed') throw new Error(`the supervisor is ${state}`)
    life = new AbortController()
    lastError = null
    enter('starting')
    const both = signal === undefined ? life.signal : AbortSignal.any([signal, life.signal])
    try {
      const connected = (await tryAdopt(both)) ?? (await startUntilUp(both))
      watching = watch(life.signal)
      return connected
    } catch (error) {
      if (state !== 'failed') enter('stopped')
      throw error
    }
  }

  /** The gateway of an earlier life, when it is alive and answers. */
  async function tryAdopt(signal: AbortSignal): Promise<Connected | null> {
    const record = await readRecord(paths.record)
    if (record === null) return null
    const found = await adoptProcess(clock, record.pid, record.startTime)
    if (found === null) return null
    if (record.port === options.port && record.token === options.token) {
      try {
        client.reconnect()
        const connected = await client.connected(AbortSignal.any([signal, clock.timeout(ADOPT_HANDSHAKE_MS)]))
        running = found
        adopted = true
        startMs = null
        enter('running')
        log({ level: 'info', message: 'adopted the running gateway', pid: found.pid })
        return connected
      } catch (error) {
        signal.throwIfAborted()
        log({ level: 'warn', message: `the recorded gateway does not answer, ending it: ${messageOf(error)}`, pid: found.pid })
      }
    } else {
      log({ level: 'warn', message: 'the recorded gateway has another port or token, ending it', pid: found.pid })
    }
    await endProcess(clock, found, STOP_GRACE_MS)
    await removeRecord(paths.record)
    return null
  }

  async function startUntilUp(signal: AbortSignal): Promise<Connected> {
    for (;;) {
      try {
        return await startOnce(signal)
      } catch (error) {
        signal.throwIfAborted()
        lastError = isGatewayError(error) ? error : new GatewayError('GATEWAY_START_FAILED', messageOf(error), { cause: error })
        if (lastError.class === 'configuration') {
          enter('failed')
          log({ level: 'error', message: `${lastError.message} ${lastError.whatToDo}` })
          throw lastError
        }
        deaths += 1
        deathsInARow += 1
        state = 'waiting'
        const delay = restartDelay(deathsInARow)
        log({ level: 'warn', message: `${lastError.message}; next start in ${delay} ms` })
        changed()
        await clock.sleep(delay, signal)
      }
    }
  }

  async function startOnce(signal: AbortSignal): Promise<Connected> {
    adopted = false
    enter('starting')
    if (!isRecentEnough(process.versions.node, OPENCLAW_MIN_NODE)) {
      throw new GatewayError(
        'OPENCLAW_NODE_TOO_OLD',
        `OpenClaw needs Node ${OPENCLAW_MIN_NODE} or newer, this is ${process.versions.node}`,
      )
    }
    await mkdir(paths.home, { recursive: true })
    await prepareConfigFile(
      paths.config,
      options.config({ port: options.port, token: options.token, logFile: paths.openclawLog }),
    )
    signal.throwIfAborted()
    const begun = clock.monotonic()
    const child = await startProcess({
      executable: process.execPath,
      args: [options.entry, 'gateway', 'run'],
      cwd: options.stateDir,
      env: gatewayEnv(options.env, {
        stateDir: options.stateDir,
        configFile: paths.config,
        home: paths.home,
        model: options.modelEnv ?? {},
      }),
      logFile: paths.log,
    })
    running = child
    await writeRecord(paths.record, { pid: child.pid, startTime: child.startTime, port: options.port, token: options.token })
    const grace = clock.timeout(options.startGraceMs ?? START_GRACE_MS)
    try {
      const connected = await waitUntilReady(
        { clock },
        { port: options.port, client, child, explain },
        AbortSignal.any([signal, grace]),
      )
      startMs = Math.round(clock.monotonic() - begun)
      enter('running')
      log({ level: 'info', message: 'the gateway is ready', pid: child.pid, ms: startMs })
      return connected
    } catch (error) {
      await endProcess(clock, child, STOP_GRACE_MS)
      await removeRecord(paths.record)
      running = null
      signal.throwIfAborted()
      if (grace.aborted) throw new GatewayError('GATEWAY_START_FAILED', 'the gateway was not ready in time', { cause: error })
      throw error
    }
  }

  /** One death after the other, until stopped or beyond repair. */
  async function watch(signal: AbortSignal): Promise<void> {
    const stopped = new Promise<null>((resolve) => signal.addEventListener('abort', () => resolve(null), { once: true }))
    while (running !== null && !signal.aborted) {
      const process = running
      const since = clock.monotonic()
      const end = await Promise.race([process.ended, stopped])
      if (end === null) return
      killGroup(process.pid)
      running = null
      if (clock.monotonic() - since > HEALTHY_AFTER_MS) deathsInARow = 0
      deaths += 1
      deathsInARow += 1
      lastError = await explain(end, process)
      const restart = lastError.class !== 'configuration'
      enter(restart ? 'waiting' : 'failed')
      const delay = restartDelay(deathsInARow)
      log({
        level: 'error',
        message: `${lastError.message}; ${restart ? `next start in ${delay} ms` : lastError.whatToDo}`,
        pid: process.pid,
      })
      if (!restart) return
      try {
        await clock.sleep(delay, signal)
        await startUntilUp(signal)
      } catch {
        return // stopped, or failed for good: both are in the state
      }
    }
  }

  async function explain(end: ProcessEnd, { logStart }: RunningProcess): Promise<GatewayError> {
    const meaning = meaningOf({ ...end, logTail: await readLogTail(paths.log, logStart) })
    return new GatewayError(meaning.code, meaning.message)
  }

  async function stop({ keepGateway = false, graceMs = STOP_GRACE_MS }: StopOptions = {}): Promise<void> {
    ended = true
    life.abort(new Error('the supervisor was stopped'))
    await watching
    const process = running
    running = null
    enter('stopped')
    await client.close()
    if (process === null || keepGateway) return
    await endProcess(clock, process, graceMs)
    await removeRecord(paths.record)
  }

  const status = (): HostStatus => ({
    state,
    kind: adopted ? 'adopted' : 'supervised',
    pid: running?.pid ?? null,
    url,
    bootId: client.current?.bootId ?? null,
    version: client.current?.version ?? null,
    deaths,
    startMs,
    lastError,
  })
  return {
    start,
    stop,
    status,
    client,
    onBoot: (listener) => client.onBoot(listener),
    onDisconnect: (listener) => client.onDisconnect(listener),
    onChange(listener) {
      changeListeners.add(listener)
      return () => changeListeners.delete(listener)
    },
    [Symbol.asyncDispose]: () => stop(),
  }
}

/** Compares `major.minor.patch` by number. */
export function isRecentEnough(version: string, minimum: string): boolean {
  const [have, need] = [version, minimum].map((text) => text.split('.').map(Number))
  const different = [0, 1, 2].find((index) => have?.[index] !== need?.[index])
  return different === undefined || (have?.[different] ?? 0) > (need?.[different] ?? 0)
}
