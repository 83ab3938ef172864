/** Where agents live, simulated: the gateway's configuration over the simulated socket, folders and what was applied on a disk that survives. */
import type { Client } from '@mission-control/openclaw/client'
import { INTERNAL_AGENT } from '@mission-control/openclaw/config/initial'
import { serverName } from '@mission-control/openclaw/config/agents'
import { getConfig, putAgents, recreateAgent, removeAgent } from '@mission-control/openclaw/config/live'
import type { AppliedAgent } from '@mission-control/runtime/agent-sync/diff'
import type { AgentHost } from '@mission-control/runtime/agent-sync/host'
import { mayReturn } from '@mission-control/runtime/agent-sync/returning'

/** Survives the process. */
export interface AgentDisk {
  applied: readonly AppliedAgent[]
  /** Slugs that were ever put into the gateway. */
  readonly ever: Set<string>
}

export const newAgentDisk = (): AgentDisk => ({ applied: [], ever: new Set() })

interface Entry {
  readonly name?: string
  readonly workspace?: string
  readonly model?: string
}
interface Config {
  readonly agents: { readonly entries: Readonly<Record<string, Entry>> }
  readonly mcp?: { readonly servers?: Readonly<Record<string, { readonly url?: string }>> }
}

/** @param toolsAt where this installation's tools are, as the gateway's entries name it */
export function createSimulatedAgentHost(client: Client, disk: AgentDisk, toolsAt: string): AgentHost {
  const urlOf = (agentId: string) => `${toolsAt}/${agentId}`
  let there = new Set<string>()
  let used = false
  return {
    async list(signal) {
      if (client.current === null) return null
      const { agents, mcp } = (await getConfig(client, signal)).config as unknown as Config
      there = new Set(Object.keys(agents.entries))
      used = Object.keys(agents.entries).some((slug) => slug !== INTERNAL_AGENT)
      return Object.entries(agents.entries).map(([slug, { name, workspace, model }]) => ({
        ...{ slug, name: name ?? slug, model: model ?? null, workspace: workspace ?? null },
        toolsUrl: mcp?.servers?.[serverName(slug)]?.url ?? null,
      }))
    },
    async put(agents, signal) {
      for (const { slug } of mayReturn(agents, { there, ever: disk.ever, othersRemove: used }))
        await recreateAgent(client, slug, `/scratch/${slug}`, signal)
      for (const { slug } of agents) disk.ever.add(slug)
      const entries = agents.map(({ id, slug, name, model }) => ({
        ...{ slug, name, workspace: slug, tools: { url: urlOf(id), bearer: id } },
        ...(model === null ? {} : { model }),
      }))
      await putAgents(client, entries, signal)
      for (const { slug } of agents) there.add(slug)
    },
    async remove(slug, signal) {
      await removeAgent(client, slug, signal)
      there.delete(slug)
    },
    isOurs: (slug) => slug !== INTERNAL_AGENT && disk.ever.has(slug),
    workspaceOf: (slug) => slug,
    toolsUrlOf: urlOf,
    keepTools: async () => undefined,
    writeWorkspace: async () => [],
    moveWorkspaces: async () => new Map(),
    readApplied: async () => [...disk.applied],
    writeApplied: async (applied) => void (disk.applied = applied),
  }
}
