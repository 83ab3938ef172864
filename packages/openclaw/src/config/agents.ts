/** One agent as an entry of the gateway configuration. Pure; used for the first file and for live patches alike. */
import { createHash } from 'node:crypto'

export interface AgentToolsServer {
  /** Where the agent's tools are served (MCP, streamable HTTP). */
  readonly url: string
  /** The agent's own bearer token. */
  readonly bearer: string
}

export interface AgentEntry {
  /** Agent id: lower case, becomes the second part of its session keys. */
  readonly slug: string
  readonly name: string
  /** Absolute path of its workspace folder. */
  readonly workspace: string
  /** `provider/model`; the gateway's default when absent. */
  readonly model?: string
  readonly tools?: AgentToolsServer
}

/** How long the gateway waits for an answer of the tools server, milliseconds. */
const TOOL_MS = 60_000

const SLUG = /^[a-z0-9][a-z0-9-]{0,62}$/

/** Session keys are lower-cased by the gateway and an agent id is part of them, so only ids that survive that are accepted. */
export function isAgentSlug(text: string): boolean {
  return SLUG.test(text)
}

/** OpenClaw cuts the server's part of a tool name to 30 characters; a cut name would no longer match its allow-list entry. */
const LONGEST_SERVER_NAME = 30
const HASH_CHARACTERS = 8

/** Name of the MCP server entry that belongs to one agent, and prefix of its tools (`<name>__<tool>`). */
export function serverName(slug: string): string {
  const name = `mc-${slug}`
  if (name.length <= LONGEST_SERVER_NAME) return name
  const hash = createHash('sha256').update(slug).digest('hex').slice(0, HASH_CHARACTERS)
  return `${name.slice(0, LONGEST_SERVER_NAME - HASH_CHARACTERS - 1)}-${hash}`
}

/**
 * The parts of a configuration that describe these agents. Every agent may use its own tools server and nobody else's: an
 * MCP request carries no caller identity, so another agent's entry would be another agent's token.
 */
export function agentSections(agents: readonly AgentEntry[]): Record<string, unknown> {
  for (const { slug } of agents) if (!isAgentSlug(slug)) throw new TypeError(`not an agent id: "${slug}"`)
  const withTools = agents.filter((agent) => agent.tools !== undefined)
  return {
    agents: { entries: Object.fromEntries(agents.map((agent) => [agent.slug, entryOf(agent)])) },
    ...(withTools.length === 0
      ? {}
      : { mcp: { servers: Object.fromEntries(withTools.map((agent) => [serverName(agent.slug), serverOf(agent)])) } }),
  }
}

function entryOf(agent: AgentEntry): Record<string, unknown> {
  return {
    name: agent.name,
    workspace: agent.workspace,
    // `gateway` can restart the gateway and edit its configuration: no agent may have it.
    tools: { alsoAllow: [`${serverName(agent.slug)}__*`], deny: ['gateway'] },
    ...(agent.model === undefined ? {} : { model: agent.model }),
  }
}

function serverOf(agent: AgentEntry): Record<string, unknown> {
  return {
    transport: 'streamable-http',
    // As long as OpenClaw waits by default. Said, it holds for the list of tools too, which otherwise may take 1.5 s only.
    requestTimeoutMs: TOOL_MS,
    url: agent.tools?.url,
    headers: { Authorization: `Bearer ${agent.tools?.bearer}` },
  }
}
