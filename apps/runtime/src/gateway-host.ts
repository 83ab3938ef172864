/**
 * The gateway this runtime works with: its own supervised one, somebody else's, or none yet. Says whether it is up and why not, and
 * gives the agent sync its configuration and workspaces.
 */
import type { Clock, Random } from '@mission-control/shared/clock'
import { untilAborted } from '@mission-control/host/until-aborted'
import { initialConfig } from '@mission-control/openclaw/config/initial'
import { chooseModel, modelEnv } from '@mission-control/openclaw/config/model'
import { isGatewayError } from '@mission-control/openclaw/errors'
import type { Gateway } from '@mission-control/openclaw/gateway'
import { createGateway } from '@mission-control/openclaw/official-gateway'
import { createExternalGateway } from '@mission-control/openclaw/supervisor/external'
import { locateOpenClaw } from '@mission-control/openclaw/supervisor/locate'
import { openSupervisor } from '@mission-control/openclaw/supervisor/open'
import type { GatewayHost } from '@mission-control/openclaw/supervisor/types'
import type { ToolsDirectory } from './agent-tools/agent-tools.ts'
import { createGatewayAgents } from './agent-sync/gateway-agents.ts'
import type { Env, RuntimeConfig } from './config/load.ts'
import type { Log } from './log.ts'
import type { Redactor } from './redact.ts'
import { backoffMs } from './until-answered.ts'
import { runningGateway } from './running-gateway.ts'
import type { RuntimeGateway } from './runtime.ts'
import type { GatewayState } from './turns.ts'

export interface GatewayHostDeps {
  readonly config: RuntimeConfig
  readonly env: Env
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly tools: ToolsDirectory
  /** Learns the token of our own gateway. */
  readonly redactor: Redactor
}

/** A person may install or repair something while we run. */
const RETRY_CAP_MS = 60_000
/** An external gateway that does not answer is tried again by its client; this is how long one look waits. */
const CONNECT_MS = 15_000

const STARTING = 'the gateway is starting'

export function openGateway(deps: GatewayHostDeps): RuntimeGateway {
  const { config, clock, random, log } = deps
  const listeners = new Set<(state: GatewayState) => void>()
  let host: GatewayHost | null = null
  let problem: string | null = null
  let wasUp = false
  let last: GatewayState = { up: false, reason: STARTING, version: null }

  function look(): void {
    const connected = host?.client.current ?? null
    const up = connected !== null
    wasUp ||= up
    const reason = up ? null : (problem ?? errorOf(host) ?? (wasUp ? 'the connection to the gateway was lost' : STARTING))
    const version = connected?.version ?? last.version
    if (up === last.up && reason === last.reason && version === last.version) return
    last = { up, reason, version }
    for (const listener of listeners) listener(last)
  }

  async function open(): Promise<GatewayHost> {
    if (config.externalGateway !== null) return createExternalGateway({ clock, random }, config.externalGateway)
    const { entry } = await locateOpenClaw({
      ...(config.openclawBin === null ? {} : { OPENCLAW_BIN: config.openclawBin }),
      ...(deps.env['PATH'] === undefined ? {} : { PATH: deps.env['PATH'] }),
    })
    // One that is adopted gets no new configuration.
    const left = await runningGateway(config)
    if (left !== null) deps.redactor.add(left.token)
    const model = chooseModel(config.model)
    return openSupervisor(
      { clock, random, log: ({ level, message, ...fields }) => log[level]({ ...fields, part: 'gateway' }, message) },
      {
        entry,
        stateDir: config.openclawStateDir,
        port: config.gatewayPort,
        env: deps.env,
        modelEnv: modelEnv(model),
        // Agents follow by patch: the sync is the one that knows the roster.
        config({ port, token }) {
          deps.redactor.add(token)
          return initialConfig({ port, token, model, agents: [], workspaceRoot: config.workspaceRoot })
        },
      },
    )
  }

  async function openAndFollow(): Promise<GatewayHost> {
    const opened = await open()
    // `look` reads `host`, which is set once this has returned; nothing happens to the gateway before `bringUp`.
    opened.onChange(look)
    return opened
  }

  /** Keeps a gateway up for as long as we live: whoever gave up by itself, at the start or later, is tried again with backoff. */
  async function keepUp(signal: AbortSignal): Promise<void> {
    let tries = 0
    while (!signal.aborted) {
      let upAt: number | null = null
      try {
        host ??= await openAndFollow()
        await bringUp(host, signal)
        upAt = clock.monotonic()
        problem = null
        look()
        await untilGivenUp(host, signal)
      } catch (error) {
        if (signal.aborted) return
        problem = problemOf(error)
        look()
        // One that works for a moment only is no reason to start over without a pause.
        tries = upAt !== null && clock.monotonic() - upAt > RETRY_CAP_MS ? 1 : tries + 1
        await clock.sleep(backoffMs(tries, random.next(), 2_000, RETRY_CAP_MS), signal).catch(() => undefined)
      }
    }
  }

  async function bringUp(gatewayHost: GatewayHost, signal: AbortSignal): Promise<void> {
    const { client } = gatewayHost
    const { kind, state } = gatewayHost.status()
    const isOurs = kind !== 'external'
    if (isOurs && (state === 'stopped' || state === 'failed')) {
      await gatewayHost.start(signal)
      return
    }
    // A client that was refused waits for somebody to tell it that things may have changed.
    if (client.lastError !== null) client.reconnect()
    const soon = AbortSignal.any([signal, clock.timeout(CONNECT_MS)])
    await (isOurs ? client.connected(soon) : gatewayHost.start(soon))
  }

  /** Watches a gateway that was up. A lost connection and a death are repaired below us; rejects with what is not, or the abort. */
  function untilGivenUp(gatewayHost: GatewayHost, signal: AbortSignal): Promise<never> {
    const { client } = gatewayHost
    const given = Promise.withResolvers<never>()
    given.promise.catch(() => undefined) // nobody waits for it when the signal came first
    const judge = () => {
      if (client.current !== null) return
      const { state, lastError } = gatewayHost.status()
      if (state === 'failed') given.reject(lastError ?? new Error('the gateway has ended'))
      if (state === 'running' && client.lastError?.class === 'configuration') given.reject(client.lastError)
    }
    const unfollow = gatewayHost.onChange(judge)
    judge()
    return untilAborted(given.promise, signal).finally(unfollow)
  }

  const current = (): GatewayHost => {
    if (host === null) throw new Error('there is no gateway yet')
    return host
  }
  const gateway = lazyGateway(current)
  return {
    gateway,
    link: {
      isOurs: config.externalGateway === null,
      state: () => last,
      onChange(listener) {
        listeners.add(listener)
        return () => listeners.delete(listener)
      },
    },
    agents: createGatewayAgents({
      client: () => host?.client ?? null,
      workspaceRoot: config.workspaceRoot,
      dataDir: config.dataDir,
      tools: deps.tools,
      shared: config.externalGateway !== null,
    }),
    bootId: async (signal) => (await current().client.connected(signal)).bootId,
    run: keepUp,
    stop: async (graceMs) => host?.stop({ graceMs }),
  }
}

/** Of a gateway that runs, the connection knows more; of one that does not, whoever starts it. */
function errorOf(host: GatewayHost | null): string | null {
  if (host === null) return null
  const { state, lastError } = host.status()
  const error = state === 'running' ? host.client.lastError : (lastError ?? host.client.lastError)
  return error === null ? null : problemOf(error)
}

function problemOf(error: unknown): string {
  if (isGatewayError(error)) return `${error.message.replace(/\.$/, '')}. ${error.whatToDo}`
  return error instanceof Error ? error.message : String(error)
}

/** The gateway exists before its host does: turns only run once the link says it is up. */
function lazyGateway(host: () => GatewayHost): Gateway {
  let made: { readonly host: GatewayHost; readonly gateway: Gateway } | null = null
  const gateway = (): Gateway => {
    const current = host()
    if (made?.host !== current) made = { host: current, gateway: createGateway(current.client) }
    return made.gateway
  }
  return {
    send: (request, signal) => gateway().send(request, signal),
    wait: (runId, waitMs, signal) => gateway().wait(runId, waitMs, signal),
    history: (sessionKey, keys, signal) => gateway().history(sessionKey, keys, signal),
    abort: (sessionKey, signal) => gateway().abort(sessionKey, signal),
    onBoot: (listener) => gateway().onBoot(listener),
  }
}
