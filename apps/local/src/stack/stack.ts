/**
 * The one-machine stack: embedded backend, model, gateway and runtime as one supervised group.
 *
 *   start:  backend (and scripted model) -> `prepare` fills the account -> fake gateway, if asked for -> runtime, which starts its own
 *           OpenClaw gateway -> ready
 *   stop:   runtime (drains, stops its gateway, says goodbye to the backend) -> fake gateway -> model -> backend
 *
 * A part that ends by itself is started again, a few times; after that the whole stack stops and says what the part said last.
 */
import path from 'node:path'
import { bundleFunctions } from '@mission-control/backend/bundle'
import { freePort } from '@mission-control/host/ports'
import { nameProcess } from '@mission-control/host/processes'
import { startModelServer } from '@mission-control/openclaw/testing/model-server'
import type { Clock } from '@mission-control/shared/clock'
import type { ModelEnv } from '../model.ts'
import { scriptedModel } from '../model.ts'
import { openLocalIssuer } from '../sign-in/local-issuer.ts'
import { entryOf } from './entries.ts'
import type { Part } from './part.ts'
import { startPart } from './part.ts'
import { partEnv } from './part-env.ts'
import type { StackRecord } from './record.ts'
import { removeRecord, writeRecord } from './record.ts'

export interface StackPorts {
  /** 0 picks a free port. */
  readonly backend: number
  readonly site: number
  readonly health: number
  /** Of the agents' tools. */
  readonly tools: number
  readonly gateway: number
}

export interface Prepared {
  readonly accountId: string
  readonly serviceToken: string
  readonly taskId: string | null
}

export interface StackOptions {
  readonly kind: StackRecord['kind']
  /** Opened by `openDataFolder`. */
  readonly dataDir: string
  readonly ports: StackPorts
  readonly fakeGateway: boolean
  /** `openclaw.mjs`; not needed for the fake gateway. */
  readonly openclawBin: string | null
  /** `null`: the scripted one. */
  readonly model: ModelEnv | null
  readonly respond?: NonNullable<Parameters<typeof startModelServer>[0]>['respond']
  /** More of the backend's environment: other issuers than the local one. */
  readonly backendEnv?: Readonly<Record<string, string>>
  readonly clock: Clock
  /** Fills the account once the backend answers, before the runtime starts. */
  readonly prepare: (backend: { url: string; adminKeyFile: string }) => Promise<Prepared>
  readonly onProgress: (event: StackEvent) => void
}

export type StackEvent =
  | { readonly type: 'ready'; readonly part: string; readonly detail: string; readonly tookMs: number }
  | { readonly type: 'waiting'; readonly part: string; readonly detail: string }
  | { readonly type: 'restarted'; readonly part: string; readonly detail: string }

export interface Stack extends AsyncDisposable {
  readonly backendUrl: string
  readonly adminKeyFile: string
  readonly healthUrl: string
  readonly account: Prepared
  readonly modelLabel: string
  /** Rejects when a part cannot be kept running. Never resolves. */
  readonly failed: Promise<never>
  /** Stops everything in order; safe to call twice. */
  stop(): Promise<void>
}

const STOP_GRACE_MS = { runtime: 60_000, other: 10_000 } // the runtime's own STOP_TIMEOUT is 45 s
/** A crash is started again this often within one run of the stack; more than that is no accident. */
const MAX_RESTARTS = 5
/** Exit codes of the runtime that another start would only repeat: usage, configuration, authentication. */
const HOPELESS_EXITS: readonly (number | null)[] = [2, 3, 4]

export async function startStack(options: StackOptions, signal: AbortSignal): Promise<Stack> {
  const { clock, dataDir, onProgress } = options
  const parts: Part[] = []
  const stopping = new AbortController()
  const failure = Promise.withResolvers<never>()
  failure.promise.catch(() => undefined)
  const log = (name: string) => path.join(dataDir, 'logs', `${name}.log`)
  const started = clock.monotonic()
  const took = (since: number) => Math.round(clock.monotonic() - since)

  const record = (): StackRecord => ({
    owner: nameProcess(process.pid),
    kind: options.kind,
    parts: parts.map((part) => ({ name: part.name, process: part.process })),
    backendUrl,
    healthUrl,
    accountId: account?.accountId ?? null,
    taskId: account?.taskId ?? null,
  })

  const keep = (make: () => Part, index: number, restarts = 0): void => {
    const part = make()
    parts[index] = part
    writeRecord(dataDir, record())
    void part.exited.then(async (exit) => {
      if (stopping.signal.aborted) return
      const how = exit.signal ?? `exit code ${exit.code}`
      if (restarts >= MAX_RESTARTS || HOPELESS_EXITS.includes(exit.code)) {
        failure.reject(new Error(`The ${part.name} ended (${how}). It said last:\n${part.lastWords()}`))
        return
      }
      onProgress({ type: 'restarted', part: part.name, detail: how })
      await clock.sleep(Math.min(10_000, 500 * 2 ** restarts), stopping.signal).catch(() => undefined)
      if (!stopping.signal.aborted) keep(make, index, restarts + 1)
    })
  }

  const stop = async () => {
    if (stopping.signal.aborted) return
    stopping.abort()
    for (const part of parts.toReversed()) await part.stop(part.name === 'runtime' ? STOP_GRACE_MS.runtime : STOP_GRACE_MS.other)
    await modelServer?.stop()
    removeRecord(dataDir)
  }

  const port = async (wanted: number) => (wanted === 0 ? freePort() : wanted)
  const [backendPort, sitePort, healthPort, toolsPort] = [
    await port(options.ports.backend),
    await port(options.ports.site),
    await port(options.ports.health),
    await port(options.ports.tools),
  ]
  const backendUrl = `http://127.0.0.1:${backendPort}`
  const healthUrl = `http://127.0.0.1:${healthPort}`
  const adminKeyFile = path.join(dataDir, 'backend', 'admin-key')
  let account: Prepared | null = null
  const modelServer = options.model ? null : await startModelServer(options.respond ? { respond: options.respond } : {})

  try {
    const model = options.model ?? scriptedModel(modelServer?.baseUrl ?? '')
    const functions = path.join(dataDir, 'functions', 'functions.mjs')
    await bundleFunctions({ outFile: functions })
    const { jwksFile } = await openLocalIssuer(dataDir)
    keep(
      () =>
        startPart({
          name: 'backend',
          args: [
            entryOf('backend'),
            'serve',
            ...['--functions', functions, '--data-dir', path.join(dataDir, 'backend')],
            ...['--port', String(backendPort), '--site-port', String(sitePort)],
          ],
          env: partEnv({ ...options.backendEnv, AUTH_LOCAL_JWKS: jwksFile }),
          cwd: dataDir,
          logFile: log('backend'),
          clock,
        }),
      0,
    )
    const version = await ready(parts[0], `${backendUrl}/version`)
    onProgress({ type: 'ready', part: 'backend', detail: `embedded ${version.trim()}, ${backendUrl}`, tookMs: took(started) })

    account = await options.prepare({ url: backendUrl, adminKeyFile })
    writeRecord(dataDir, record())

    const runtimeStarted = clock.monotonic()
    const gateway = options.fakeGateway ? await startFakeGateway() : await ownGateway()
    if (!options.fakeGateway) {
      onProgress({ type: 'waiting', part: 'gateway', detail: 'OpenClaw is starting, 10 to 40 seconds' })
    }
    keep(
      () =>
        startPart({
          name: 'runtime',
          args: [entryOf('runtime'), 'start'],
          env: partEnv({
            ACCOUNT_ID: account?.accountId ?? '',
            SERVICE_TOKEN: account?.serviceToken ?? '',
            CONVEX_URL: backendUrl,
            HEALTH_PORT: String(healthPort),
            TOOLS_PORT: String(toolsPort),
            DATA_DIR: path.join(dataDir, 'runtime'),
            ...gateway,
            ...model.env,
          }),
          cwd: dataDir,
          logFile: log('runtime'),
          clock,
        }),
      parts.length,
    )
    await ready(parts.at(-1), `${healthUrl}/readyz`)
    onProgress({
      type: 'ready',
      part: 'runtime',
      detail: `online with its gateway, ${healthUrl}/health`,
      tookMs: took(runtimeStarted),
    })
    return {
      backendUrl,
      adminKeyFile,
      healthUrl,
      account,
      modelLabel: model.label,
      failed: failure.promise,
      stop,
      [Symbol.asyncDispose]: stop,
    }
  } catch (error) {
    await stop()
    throw error
  }

  async function ownGateway(): Promise<Record<string, string>> {
    const gatewayPort = await port(options.ports.gateway)
    return { ...(options.openclawBin ? { OPENCLAW_BIN: options.openclawBin } : {}), OPENCLAW_GATEWAY_PORT: String(gatewayPort) }
  }

  async function startFakeGateway(): Promise<Record<string, string>> {
    const fakePort = await port(options.ports.gateway)
    const token = Buffer.from(crypto.getRandomValues(new Uint8Array(16))).toString('hex')
    keep(
      () =>
        startPart({
          name: 'fake gateway',
          args: [
            entryOf('fake-gateway'),
            ...['--port', String(fakePort), '--transcript', path.join(dataDir, 'fake-gateway.json')],
          ],
          env: partEnv({ FAKE_GATEWAY_TOKEN: token }),
          cwd: dataDir,
          logFile: log('fake-gateway'),
          clock,
        }),
      parts.length,
    )
    await ready(parts.at(-1), `http://127.0.0.1:${fakePort}/readyz`)
    return { OPENCLAW_GATEWAY_URL: `ws://127.0.0.1:${fakePort}`, OPENCLAW_GATEWAY_TOKEN: token }
  }

  async function ready(part: Part | undefined, url: string): Promise<string> {
    if (!part) throw new Error(`Nothing was started that could answer at ${url}.`)
    return part.ready(
      async (probe) => {
        const answer = await fetch(url, { signal: probe })
        return answer.ok ? answer.text() : null
      },
      AbortSignal.any([signal, stopping.signal]),
    )
  }
}
