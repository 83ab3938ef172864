/**
 * One runtime: wires the parts and owns the order of start and stop.
 *
 *   start  data folder lock -> health (not ready), agents' tools -> backend and hello -> gateway -> agent sync -> delivery, heartbeats -> ready
 *   stop   not ready -> no claims, heartbeats, sync -> turns up to the grace -> the rest ended and given back -> gateway -> tools
 *          -> health -> goodbye -> lock
 *
 * A backend or gateway that is down at the start is waited for. No process signals here, no exit: see cli.ts.
 */
import { randomUUID } from 'node:crypto'
import type { Clock, Random } from '@mission-control/shared/clock'
import type { AgentTools } from './agent-tools/agent-tools.ts'
import { createAgentTools } from './agent-tools/agent-tools.ts'
import { createTurnsInFlight } from './agent-tools/turns-in-flight.ts'
import type { AgentHost } from './agent-sync/host.ts'
import type { Brain } from './brain/brain.ts'
import { observeBrain } from './brain/observed.ts'
import { settlingTogether } from './brain/settling-together.ts'
import type { Env, RuntimeConfig } from './config/load.ts'
import { createConvexBrain } from './convex-client.ts'
import type { DataDir } from './data-dir.ts'
import { openDataDir, recordedPort } from './data-dir.ts'
import { openGateway } from './gateway-host.ts'
import type { GatewayLink } from './gateway.ts'
import { createTurns } from './gateway.ts'
import type { Conditions } from './health/conditions.ts'
import { CONDITION_NAMES, createConditions } from './health/conditions.ts'
import type { Metrics } from './health/metrics.ts'
import { createMetrics } from './health/metrics.ts'
import type { HealthPage } from '@mission-control/shared/health'
import { healthPage, notReady } from './health/report.ts'
import type { HealthServer, HealthSource } from './health/server.ts'
import { startHealthServer } from './health/server.ts'
import type { Stats } from './health/stats.ts'
import { createStats } from './health/stats.ts'
import type { Log } from './log.ts'
import type { Loops } from './loops.ts'
import type { Redactor } from './redact.ts'
import { createRedactor, secretsOf } from './redact.ts'
import { createLoops } from './loops.ts'
import type { Gateway } from '@mission-control/openclaw/gateway'
import type { GatewayState } from './turns.ts'

export interface RuntimeDeps {
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  /** Our environment; the gateway's child gets an allow-list of it. */
  readonly env: Env
  /** The one that `log` uses: it learns secrets as they come up. */
  readonly redactor?: Redactor
  /** In place of the official clients. */
  readonly brain?: Brain
  /** In place of packages/openclaw's host. */
  readonly gateway?: RuntimeGateway
}

/** What the runtime needs of a gateway; `openGateway` is the real one. */
export interface RuntimeGateway {
  readonly gateway: Gateway
  readonly link: GatewayLink
  readonly agents: AgentHost
  /** Of the gateway that is connected; waits for one. Rejects with the signal's reason or why there is none. */
  bootId(signal: AbortSignal): Promise<string>
  /** Brings the gateway up and keeps trying; never rejects. Resolves when `signal` aborts. */
  run(signal: AbortSignal): Promise<void>
  /** Ends our own gateway; leaves somebody else's alone. */
  stop(graceMs: number): Promise<void>
}

/** A gateway that outlived a killed runtime knows the port it had: a free one is picked only if that is gone. */
export function toolsPorts({ tools, dataDir }: RuntimeConfig): number[] {
  const before = tools.port === 0 ? recordedPort(dataDir, 'tools') : null
  return before === null ? [tools.port] : [before, 0]
}

export type StopReason = 'stopped' | 'restart'

export interface Runtime extends AsyncDisposable {
  /**
   * Resolves when everything runs that does not depend on somebody else: lock taken, health pages up. Rejects with
   * FolderError, PortError or the system's error.
   */
  start(): Promise<void>
  /** Resolves when the runtime has stopped; rejects when it cannot go on (first hello refused, a defect in a loop). */
  readonly done: Promise<StopReason>
  /** Drains and stops; `done` resolves with it. Safe to call twice. */
  stop(reason?: StopReason): Promise<void>
  health(): HealthPage
  /** Empty when work is being taken. */
  notReady(): string[]
  readonly healthPort: number | null
  readonly loops: Loops
}

/** Time for goodbye after everything else, ms. */
const GOODBYE_MS = 2_000
/** For the last answers of the tools: their turns have ended by then, ms. */
const TOOLS_GRACE_MS = 500

export function createRuntime(config: RuntimeConfig, deps: RuntimeDeps): Runtime {
  const { clock, random, log } = deps
  const redactor = deps.redactor ?? createRedactor(secretsOf(config))
  const conditions: Conditions = createConditions(log, redactor)
  const metrics: Metrics = createMetrics()
  const stats: Stats = createStats(clock, metrics.events)
  const done = Promise.withResolvers<StopReason>()
  done.promise.catch(() => undefined)
  const startedAt = clock.monotonic()
  const gatewayLife = new AbortController()
  const caller = { accountId: config.accountId, serviceToken: config.serviceToken }
  let dataDir: DataDir | null = null
  let server: HealthServer | null = null
  let stopping: Promise<void> | null = null
  let running: Promise<void> = Promise.resolve()
  let gatewayRun: Promise<void> = Promise.resolve()

  const plain = deps.brain ?? createConvexBrain({ url: config.convexUrl, caller, clock })
  const brain = settlingTogether(observeBrain(plain, conditions, clock), clock)
  const turnsInFlight = createTurnsInFlight()
  const tools: AgentTools = createAgentTools(
    { brain, clock, random, log, turns: turnsInFlight, bootId: (signal) => gateway.bootId(signal) },
    { tools: config.tools, dataDir: config.dataDir, version: config.versions.runtime },
  )
  const gateway = deps.gateway ?? openGateway({ config, env: deps.env, clock, random, log, redactor, tools: tools.directory })
  const versions = () => ({
    runtime: config.versions.runtime,
    openclaw: config.versions.openclaw ?? gateway.link.state().version,
  })

  const gatewayIs = ({ up, reason }: GatewayState) => conditions.set('gateway', up ? null : reason)
  const unwatchGateway = gateway.link.onChange(gatewayIs)

  let loops: Loops | null = null
  function makeLoops(instanceId: string): Loops {
    return createLoops({
      brain,
      turns: createTurns({ gateway: gateway.gateway, link: gateway.link, clock }),
      agentHost: gateway.agents,
      turnsInFlight,
      clock,
      random,
      log,
      conditions,
      redactor,
      stats,
      settings: config,
      identity: { versions, infrastructure: config.infrastructure, intervalMs: config.checkInIntervalMs },
      instanceId,
      boot: randomUUID(),
      onRestart() {
        log.info({}, 'a restart was asked for')
        void stop('restart')
      },
      onFirstActive() {
        // A runtime that stands by starts no gateway and misses none.
        gatewayIs(gateway.link.state())
        gatewayRun = gateway.run(gatewayLife.signal)
      },
    })
  }

  const view = () => ({
    config,
    clock,
    startedAt,
    conditions,
    stats,
    loops,
    brain: plain,
    link: gateway.link,
    versions,
    stopping: stopping !== null,
    tools: tools.status(),
  })

  const pages: HealthSource = {
    page: () => healthPage(view()),
    notReady: () => notReady(view()),
    async metrics() {
      const oldest = loops?.period()?.delivery.oldestCommittedAt() ?? null
      const text = await metrics.render({
        page: healthPage(view()),
        ready: notReady(view()).length === 0,
        conditions: CONDITION_NAMES.filter((name) => conditions.get(name) !== null),
        oldestHeldAgeSeconds: oldest === null ? 0 : (clock.monotonic() - oldest) / 1000,
      })
      return { contentType: metrics.contentType, text }
    },
  }

  async function start(): Promise<void> {
    dataDir = openDataDir(config.dataDir, random)
    try {
      loops = makeLoops(dataDir.instanceId)
      server = await startHealthServer(pages, { ...config.health, log, clock })
      dataDir.record('health', { pid: process.pid, host: server.host, port: server.port })
      const { host, port } = await tools.start(toolsPorts(config))
      dataDir.record('tools', { pid: process.pid, host, port })
      log.info(
        {
          host: server.host,
          port: server.port,
          dataDir: config.dataDir,
          toolsPort: port,
          convexUrl: config.convexUrl,
          version: config.versions.runtime,
        },
        'runtime started',
      )
    } catch (error) {
      await tools.close(0)
      await server?.close()
      dataDir.release()
      await plain.close()
      throw error
    }
    running = loops.run()
    running.catch((error: unknown) => {
      void stop().finally(() => done.reject(error))
    })
  }

  async function stopOnce(reason: StopReason): Promise<void> {
    const begun = clock.monotonic()
    const left = () => Math.max(0, config.stopTimeoutMs - GOODBYE_MS - (clock.monotonic() - begun))
    log.info({ graceMs: config.shutdownGraceMs }, 'stopping')
    await loops?.stop({ graceMs: config.shutdownGraceMs, signal: clock.timeout(left()) })
    gatewayLife.abort()
    await gatewayRun
    unwatchGateway() // that it goes away now is no news
    await gateway.stop(Math.max(1_000, left()))
    await tools.close(TOOLS_GRACE_MS)
    // Where the tools were stays on record: with TOOLS_PORT=0 the next start listens there again, where the gateway's entries point.
    await server?.close()
    dataDir?.record('health', null)
    await loops?.goOffline(clock.timeout(GOODBYE_MS))
    await plain.close()
    dataDir?.release()
    log.info({ ms: Math.round(clock.monotonic() - begun) }, 'stopped')
    const failed = await running.then(
      () => null,
      (error: unknown) => error,
    )
    if (failed === null) done.resolve(reason)
  }

  const stop = (reason: StopReason = 'stopped'): Promise<void> => (stopping ??= stopOnce(reason))
  return {
    start,
    done: done.promise,
    stop,
    health: () => healthPage(view()),
    notReady: () => notReady(view()),
    get healthPort() {
      return server?.port ?? null
    },
    get loops() {
      if (loops === null) throw new Error('the runtime has not been started')
      return loops
    },
    [Symbol.asyncDispose]: () => stop(),
  }
}
