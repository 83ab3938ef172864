/** Gateway configuration and workspaces in memory. */
import type { AppliedAgent, HostedAgent } from '../../src/agent-sync/diff.ts'
import { workspaceFiles } from '../../src/agent-texts/workspace.ts'
import type { AgentHost } from '../../src/agent-sync/host.ts'

export interface MemoryAgentHost extends AgentHost {
  readonly hosted: Map<string, HostedAgent>
  readonly workspaces: Map<string, string>
  readonly log: string[]
  /** What was written last. */
  readonly files: Map<string, Record<string, string>>
  /** Slugs whose configuration is refused. */
  readonly bad: Set<string>
  /** Slugs whose workspace cannot be written. */
  readonly unwritable: Set<string>
  /** Slugs that the gateway does not let go. */
  readonly stuck: Set<string>
  gatewayThere: boolean
  /** How often what was applied has been recorded. */
  appliedWrites: number
}

export function createMemoryAgentHost(): MemoryAgentHost {
  let applied: readonly AppliedAgent[] = []
  /** Agent ids by slug. */
  const madeFor = new Map<string, string>()
  const host: MemoryAgentHost = {
    hosted: new Map(),
    workspaces: new Map(),
    log: [],
    files: new Map(),
    bad: new Set(),
    unwritable: new Set(),
    stuck: new Set(),
    gatewayThere: true,
    appliedWrites: 0,
    list: async () => (host.gatewayThere ? [...host.hosted.values()] : null),
    async put(agents) {
      host.log.push(`put ${agents.map(({ slug }) => slug).join(',')}`)
      const bad = agents.find(({ slug }) => host.bad.has(slug))
      if (bad) throw new Error(`the gateway refuses ${bad.slug}`)
      for (const { id, slug, name, model } of agents) {
        // As the gateway would: sessions belong to the entry, whoever it is made for next.
        const other = madeFor.get(slug)
        if (other !== undefined && other !== id) throw new Error(`${slug} would get the sessions of ${other}`)
        madeFor.set(slug, id)
        host.hosted.set(slug, { slug, name, model, workspace: slug, toolsUrl: null })
      }
    },
    async remove(slug) {
      host.log.push(`remove ${slug}`)
      if (host.stuck.has(slug)) throw new Error(`${slug} cannot be removed`)
      madeFor.delete(slug)
      host.hosted.delete(slug)
    },
    workspaceOf: (slug) => slug,
    toolsUrlOf: () => null,
    keepTools: async () => undefined,
    isOurs: (slug) => slug !== 'internal',
    async writeWorkspace(agent, profile) {
      host.log.push(`write ${agent.slug}`)
      if (host.unwritable.has(agent.slug)) throw new Error(`the folder of ${agent.slug} cannot be written`)
      host.workspaces.set(agent.slug, profile.soul)
      host.files.set(agent.slug, workspaceFiles(agent, profile))
      return []
    },
    async moveWorkspaces(renamed) {
      host.log.push(...renamed.map(({ from, to }) => `move ${from} ${to}`))
      const moved = renamed.map(({ from, to }) => [to, host.workspaces.get(from)] as const)
      for (const { from } of renamed) host.workspaces.delete(from)
      for (const [to, soul] of moved) if (soul !== undefined) host.workspaces.set(to, soul)
      return new Map()
    },
    readApplied: async () => [...applied],
    async writeApplied(agents) {
      host.appliedWrites += 1
      applied = agents
    },
  }
  return host
}
