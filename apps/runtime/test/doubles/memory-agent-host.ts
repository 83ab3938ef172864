/** Gateway configuration and workspaces in memory. */
import type { AppliedAgent, HostedAgent } from '../../src/agent-sync/diff.ts'
import type { AgentHost } from '../../src/agent-sync/host.ts'

export interface MemoryAgentHost extends AgentHost {
  readonly hosted: Map<string, HostedAgent>
  readonly workspaces: Map<string, string>
  readonly log: string[]
  /** Slugs whose configuration is refused. */
  readonly bad: Set<string>
  gatewayThere: boolean
  /** How often what was applied has been recorded. */
  appliedWrites: number
}

export function createMemoryAgentHost(): MemoryAgentHost {
  let applied: readonly AppliedAgent[] = []
  const host: MemoryAgentHost = {
    hosted: new Map(),
    workspaces: new Map(),
    log: [],
    bad: new Set(),
    gatewayThere: true,
    appliedWrites: 0,
    list: async () => (host.gatewayThere ? [...host.hosted.values()] : null),
    async put(agents) {
      host.log.push(`put ${agents.map(({ slug }) => slug).join(',')}`)
      const bad = agents.find(({ slug }) => host.bad.has(slug))
      if (bad) throw new Error(`the gateway refuses ${bad.slug}`)
      for (const { slug, name, model } of agents) host.hosted.set(slug, { slug, name, model, workspace: slug })
    },
    async remove(slug) {
      host.log.push(`remove ${slug}`)
      host.hosted.delete(slug)
    },
    workspaceOf: (slug) => slug,
    isOurs: (slug) => slug !== 'internal',
    async writeWorkspace(agent, profile) {
      host.log.push(`write ${agent.slug}`)
      host.workspaces.set(agent.slug, profile.soul)
    },
    async renameWorkspace(from, to) {
      host.log.push(`rename ${from} ${to}`)
    },
    readApplied: async () => [...applied],
    async writeApplied(agents) {
      host.appliedWrites += 1
      applied = agents
    },
  }
  return host
}
