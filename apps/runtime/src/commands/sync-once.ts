/** `sync-once`: one pass of the loops, for debugging. Beside a running runtime it only looks, unless told to take over. */
import { FolderError } from '@mission-control/host/folder-lock'
import { systemClock, systemRandom } from '@mission-control/host/clock'
import { createAgentTools, readToolsDirectory } from '../agent-tools/agent-tools.ts'
import { createTurnsInFlight } from '../agent-tools/turns-in-flight.ts'
import { observeBrain } from '../brain/observed.ts'
import { toBrainError } from '../brain/errors.ts'
import type { Env, LoadedConfig, RuntimeConfig } from '../config/load.ts'
import { createConvexBrain } from '../convex-client.ts'
import { holderOf, openDataDir, readInstanceId, recordedPort } from '../data-dir.ts'
import { EXIT } from '@mission-control/shared/exit-codes'
import { openGateway } from '../gateway-host.ts'
import { createTurns } from '../gateway.ts'
import { createConditions } from '../health/conditions.ts'
import { createStats } from '../health/stats.ts'
import { toolsPorts } from '../runtime.ts'
import { createRedactor, secretsOf } from '../redact.ts'
import { runningGateway } from '../running-gateway.ts'
import { service } from '../service.ts'
import { observe } from '../sync-once/observe.ts'
import { runPass } from '../sync-once/pass.ts'
import type { PassPart, PassReport } from '../sync-once/report.ts'
import { formatReport, PASS_PARTS } from '../sync-once/report.ts'
import type { CommandIo, CommonOptions } from './context.ts'
import { configOf, environmentOf, logFor, reportConfigError } from './context.ts'

export interface SyncOnceOptions extends CommonOptions {
  readonly only?: PassPart[]
  readonly dryRun?: boolean
  readonly json?: boolean
  readonly takeOver?: boolean
}

/** @returns the exit code */
export async function syncOnce(options: SyncOnceOptions, io: CommandIo): Promise<number> {
  let loaded: LoadedConfig & { env: Env }
  try {
    const env = environmentOf(io, options)
    loaded = { ...configOf(env, io), env }
  } catch (error) {
    return reportConfigError(error, io)
  }
  for (const warning of loaded.warnings) io.error(warning)
  try {
    const report = await pass(options, loaded.config, loaded.env, io)
    io.out(options.json ? JSON.stringify(report, null, 2) : formatReport(report))
    return report.failed.length > 0 ? EXIT.degraded : EXIT.ok
  } catch (thrown) {
    if (thrown instanceof FolderError) {
      io.error(thrown.message)
      return thrown.code === 'FOLDER_IN_USE' ? EXIT.failed : EXIT.configuration
    }
    const error = toBrainError(thrown)
    io.error(`${error.message} ${error.whatToDo}`)
    if (error.code === 'TOKEN_REFUSED') return EXIT.authentication
    return error.kind === 'unreachable' ? EXIT.unreachable : EXIT.failed
  }
}

async function pass(options: SyncOnceOptions, config: RuntimeConfig, env: Env, io: CommandIo): Promise<PassReport> {
  const clock = systemClock
  const random = systemRandom
  // The answer is on stdout; of the lines only what went wrong is of interest.
  const redactor = createRedactor(secretsOf(config))
  const log = logFor(options.logLevel ?? 'warn', io, redactor, process.stderr)
  const parts = new Set(options.only ?? PASS_PARTS)
  const running = holderOf(config.dataDir)
  const only = options.dryRun
    ? 'this is a dry run'
    : running !== null && !options.takeOver
      ? `a runtime of this folder runs (pid ${running}); --take-over takes its place`
      : null
  const found = config.externalGateway ?? (await runningGateway(config))
  if (found !== null) redactor.add(found.token)
  const conditions = createConditions(log, redactor)
  const plain = createConvexBrain({
    url: config.convexUrl,
    caller: { accountId: config.accountId, serviceToken: config.serviceToken },
    clock,
  })
  const brain = observeBrain(plain, conditions, clock)
  const turnsInFlight = createTurnsInFlight()
  const toolsOptions = { tools: config.tools, dataDir: config.dataDir, version: config.versions.runtime }
  const tools = createAgentTools(
    { brain, clock, random, log, turns: turnsInFlight, bootId: (signal) => gateway.bootId(signal) },
    toolsOptions,
  )
  const directory =
    only === null
      ? tools.directory
      : await readToolsDirectory(toolsOptions, recordedPort(config.dataDir, 'tools') ?? (config.tools.port || null), random)
  const gateway = openGateway({
    config: { ...config, externalGateway: found },
    env,
    clock,
    random,
    log,
    redactor,
    tools: directory,
  })
  const life = new AbortController()
  const signal = AbortSignal.any([io.stop, life.signal])
  let gatewayRun: Promise<void> = Promise.resolve()
  const dataDir = only === null && running === null ? openDataDir(config.dataDir, random) : null
  try {
    await brain.query(service.signals, {}, signal)
    // Beside a runtime that holds the port, on another one: the gateway is told, and told back by that runtime.
    if (only === null) {
      const { host, port } = await tools.start(running === null ? toolsPorts(config) : [config.tools.port, 0])
      dataDir?.record('tools', { pid: process.pid, host, port })
    }
    // A look starts nothing: without a gateway only files are compared.
    if (only === null || found !== null) gatewayRun = gateway.run(life.signal)
    if (only !== null) {
      for (let i = 0; found !== null && !gateway.link.state().up && i < 50; i += 1) await clock.sleep(100, signal)
      return await observe(parts, { brain, host: gateway.agents, clock, why: only }, signal)
    }
    const report = await runPass(
      parts,
      {
        brain,
        turns: createTurns({ gateway: gateway.gateway, link: gateway.link, clock }),
        agentHost: gateway.agents,
        turnsInFlight,
        clock,
        random,
        log,
        conditions,
        redactor,
        stats: createStats(clock),
        settings: config,
        identity: {
          versions: () => ({ runtime: config.versions.runtime, openclaw: gateway.link.state().version }),
          infrastructure: config.infrastructure,
          intervalMs: config.checkInIntervalMs,
        },
        instanceId: dataDir?.instanceId ?? readInstanceId(config.dataDir) ?? '',
        shutdownGraceMs: config.shutdownGraceMs,
      },
      signal,
    )
    return (
      report ??
      (await observe(parts, { brain, host: gateway.agents, clock, why: 'another runtime is active for this account' }, signal))
    )
  } finally {
    life.abort()
    await gatewayRun
    // One that was started for this pass ends with it; one that was found goes on.
    await gateway.stop(10_000)
    await tools.close(500)
    await plain.close()
    dataDir?.release()
  }
}
