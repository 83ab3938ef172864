/**
 * Which lane an MCP session belongs to. The gateway keeps one MCP session per agent session and server, so a session once bound stays
 * with its lane. Any id is accepted, also one from before a restart: what it was bound to is learned again. Only bound sessions are kept,
 * because each agent session of the gateway connects to every server, most of them never to call a tool. Bounded: the one used longest
 * ago is forgotten first, and an agent can only push out its own.
 */
import type { Random } from '@mission-control/shared/clock'

/** One per agent and task in the gateway's memory; more than any agent works on in a gateway's life. */
const PER_AGENT = 256
const ID_BYTES = 16
/** What MCP allows in an id, and a length nobody needs more of. */
const ID = /^[\x21-\x7e]{1,128}$/

export interface McpSessions {
  /** A new id. */
  open(): string
  /** Session key of the lane, or `null`. */
  boundTo(agentId: string, id: string): string | null
  /** The first binding holds. */
  bind(agentId: string, id: string, sessionKey: string): void
  close(agentId: string, id: string): void
  /** Forgets everything of agents that are not among these. */
  keep(agentIds: ReadonlySet<string>): void
  /** Bound sessions. */
  count(): number
}

export const isSessionId = (text: string): boolean => ID.test(text)

export function createMcpSessions(random: Random): McpSessions {
  const byAgent = new Map<string, Map<string, string>>()

  function put(agentId: string, id: string, lane: string): void {
    const sessions = byAgent.get(agentId) ?? new Map<string, string>()
    byAgent.set(agentId, sessions)
    sessions.delete(id) // so that it becomes the newest
    sessions.set(id, lane)
    const [oldest] = sessions.keys()
    if (sessions.size > PER_AGENT && oldest !== undefined) sessions.delete(oldest)
  }

  return {
    open: () => Buffer.from(random.bytes(ID_BYTES)).toString('hex'),
    boundTo(agentId, id) {
      const lane = byAgent.get(agentId)?.get(id) ?? null
      if (lane !== null) put(agentId, id, lane)
      return lane
    },
    bind: (agentId, id, sessionKey) => put(agentId, id, byAgent.get(agentId)?.get(id) ?? sessionKey),
    close(agentId, id) {
      const sessions = byAgent.get(agentId)
      sessions?.delete(id)
      if (sessions?.size === 0) byAgent.delete(agentId)
    },
    keep(agentIds) {
      for (const agentId of byAgent.keys()) if (!agentIds.has(agentId)) byAgent.delete(agentId)
    },
    count: () => [...byAgent.values()].reduce((sum, sessions) => sum + sessions.size, 0),
  }
}
