/**
 * The agents' tools as one handle: listens, knows the agents' tokens, brings each call to the backend. Up before the gateway gets
 * turns, closed after they have ended.
 */
import path from 'node:path'
import type { Clock, Random } from '@mission-control/shared/clock'
import type { AgentToolsServer } from '@mission-control/openclaw/config/agents'
import type { ObservedBrain } from '../brain/brain.ts'
import type { Log } from '../log.ts'
import { addressFor, baseUrl } from './address.ts'
import type { ToolCallRequest } from './call.ts'
import { callTool } from './call.ts'
import { hostname } from './guard.ts'
import type { Mcp } from './mcp.ts'
import { createRefusalLog } from '../http/refusal-log.ts'
import type { ToolsLimits, ToolsServer } from './server.ts'
import { startToolsServer } from './server.ts'
import { PortError } from '../http/port-error.ts'
import { createMcpSessions } from './sessions.ts'
import type { AgentTokens } from './tokens.ts'
import { openAgentTokens } from './tokens.ts'
import type { TurnsInFlight } from './turns-in-flight.ts'

export interface ToolsConfig {
  readonly host: string
  /** Where gateways reach us; `null`: where we listen. */
  readonly url: string | null
}

export interface AgentToolsDeps {
  readonly brain: ObservedBrain
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly turns: TurnsInFlight
  /** See CallDeps. */
  bootId(signal: AbortSignal): Promise<string>
}

export interface AgentToolsOptions {
  readonly tools: ToolsConfig
  readonly dataDir: string
  /** Of the runtime; told to clients. */
  readonly version: string
  readonly limits?: Partial<ToolsLimits>
}

/** What the gateway's configuration must say about an agent's tools. */
export interface ToolsDirectory {
  /** Gives exactly these agents a token; see AgentTokens. */
  keep(agentIds: readonly string[]): Promise<void>
  /** `null`: the endpoint does not listen, or the agent has no token. */
  entryOf(agentId: string): AgentToolsServer | null
}

export interface AgentTools {
  /**
   * Listens on the first of these ports that is free.
   * @throws PortError about the last one, or the system's error when the tokens cannot be read
   */
  start(ports: readonly number[]): Promise<{ readonly host: string; readonly port: number }>
  readonly directory: ToolsDirectory
  status(): ToolsStatus
  close(graceMs: number): Promise<void>
}

export interface ToolsStatus {
  readonly listening: boolean
  /** MCP sessions whose lane is known. */
  readonly sessions: number
  /** Tool calls since the start. */
  readonly calls: number
  /** Of these, refused or failed: the agent was told why. */
  readonly refused: number
  /** Requests turned away before they were calls. */
  readonly rejected: number
}

const TOKENS_FILE = 'agent-tokens.json'

export function createAgentTools(deps: AgentToolsDeps, options: AgentToolsOptions): AgentTools {
  const { random } = deps
  const { tools, dataDir } = options
  const sessions = createMcpSessions(random)
  const refusals = createRefusalLog(deps, 'a request to the tools endpoint was refused')
  let tokens: AgentTokens | null = null
  let server: ToolsServer | null = null
  let calls = 0
  let refused = 0

  return {
    async start(ports) {
      const opened = await openAgentTokens(path.join(dataDir, TOKENS_FILE), random)
      tokens = opened
      let loaded: Promise<Mcp> | null = null
      const mcp = () => (loaded ??= import('./mcp.ts').then(({ createMcp }) => createMcp(options)))
      const name = tools.url === null ? null : hostname(tools.url)
      const serverDeps = {
        ...deps,
        refusals,
        sessions,
        mcp,
        agentOf: (token: string) => opened.agentOf(token),
        async call(request: ToolCallRequest, signal: AbortSignal) {
          calls += 1
          const answer = await callTool({ ...deps, sessions }, request, signal)
          if (answer.isError) refused += 1
          return answer
        },
      }
      const serverOptions = {
        host: tools.host,
        allowedHosts: new Set([tools.host.toLowerCase(), ...(name === null ? [] : [name])]),
        ...(options.limits ? { limits: options.limits } : {}),
      }
      server = await firstFree(ports, (port) => startToolsServer(serverDeps, { ...serverOptions, port }))
      return server
    },
    directory: {
      async keep(agentIds) {
        sessions.keep(new Set(agentIds))
        await tokens?.keep(agentIds)
      },
      entryOf(agentId) {
        const bearer = tokens?.of(agentId) ?? null
        return server === null || bearer === null ? null : { url: addressFor(baseUrl(tools.url, server), bearer), bearer }
      },
    },
    status: () => ({ listening: server !== null, sessions: sessions.count(), calls, refused, rejected: refusals.count() }),
    async close(graceMs) {
      const open = server
      server = null
      await open?.close(graceMs)
    },
  }
}

async function firstFree<T>(ports: readonly number[], listen: (port: number) => Promise<T>): Promise<T> {
  const [port = 0, ...others] = ports
  try {
    return await listen(port)
  } catch (error) {
    if (!(error instanceof PortError && error.isTaken) || others.length === 0) throw error
    return firstFree(others, listen)
  }
}

/**
 * The directory of a runtime that listens elsewhere, or would: for looking only.
 * @param port where it listens; `null` when nobody knows
 */
export async function readToolsDirectory(
  { tools, dataDir }: Pick<AgentToolsOptions, 'tools' | 'dataDir'>,
  port: number | null,
  random: Random,
): Promise<ToolsDirectory> {
  const tokens = await openAgentTokens(path.join(dataDir, TOKENS_FILE), random)
  return {
    keep: () => Promise.reject(new Error('a look changes no tokens')),
    entryOf(agentId) {
      const bearer = tokens.of(agentId)
      if (port === null || bearer === null) return null
      return { url: addressFor(baseUrl(tools.url, { host: tools.host, port }), bearer), bearer }
    },
  }
}
