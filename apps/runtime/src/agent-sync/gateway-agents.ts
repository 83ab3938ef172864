/** The AgentHost over packages/openclaw: configuration by patch, workspaces on disk, what was applied in one file beside them. */
import { readFile, rm } from 'node:fs/promises'
import path from 'node:path'
import { z } from 'zod'
import { writeFileAtomically } from '@mission-control/openclaw/atomic-file'
import type { Client } from '@mission-control/openclaw/client'
import { serverName } from '@mission-control/openclaw/config/agents'
import { parseJsonOrNull } from '@mission-control/shared/json'
import { INTERNAL_AGENT } from '@mission-control/openclaw/config/initial'
import { getConfig, patchConfig, putAgents, recreateAgent, removeAgent } from '@mission-control/openclaw/config/live'
import { writeWorkspace } from '@mission-control/openclaw/workspace/files'
import type { ToolsDirectory } from '../agent-tools/agent-tools.ts'
import { moveWorkspaces } from '@mission-control/openclaw/workspace/move'
import type { AppliedAgent, HostedAgent } from './diff.ts'
import type { AgentHost } from './host.ts'
import { mayReturn } from './returning.ts'
import { workspaceFiles } from '../agent-texts/workspace.ts'

export interface GatewayAgentsOptions {
  /** `null` while there is no gateway. */
  readonly client: () => Client | null
  readonly workspaceRoot: string
  readonly dataDir: string
  readonly tools: ToolsDirectory
  /**
   * Not started by us: others may have removed agents of it that we never had. Who comes to one that has agents is made by a call of its
   * own (returning.ts), which takes a tenth of a second to half of one.
   */
  readonly shared: boolean
}

/**
 * The part of the gateway's configuration that says which agents there are and where their tools are. A model is a name or an object
 * with the name in it. Secrets are blanked there, addresses are not.
 */
const Entries = z.object({
  agents: z.object({
    entries: z.record(
      z.string(),
      z.object({
        name: z.string().optional(),
        workspace: z.string().optional(),
        model: z.union([z.string(), z.object({ primary: z.string().optional() })]).optional(),
      }),
    ),
  }),
  mcp: z.object({ servers: z.record(z.string(), z.object({ url: z.string().optional() })).optional() }).optional(),
})
const Applied = z.array(z.object({ agentId: z.string(), slug: z.string(), filesKey: z.string(), entry: z.string().nullable() }))

export function createGatewayAgents({ client, workspaceRoot, dataDir, tools, shared }: GatewayAgentsOptions): AgentHost {
  const appliedFile = path.join(dataDir, 'agents.json')
  const folder = (slug: string) => path.join(workspaceRoot, slug)
  /** Everything we ever put there; agents of an external gateway that are not in it are not ours to remove. */
  let ours = new Set<string>()
  /** Slugs of all agents that we ever put there, also those removed since: the gateway remembers a deletion for good. */
  const everFile = path.join(dataDir, 'agent-slugs.json')
  const readEver = async () => {
    const parsed = z.array(z.string()).safeParse(parseJsonOrNull(await readOr(everFile, '[]')))
    return new Set(parsed.success ? parsed.data : [])
  }
  /** Slugs of the gateway's agents, as of the last `list`. */
  let there = new Set<string>()
  /** It had agents of somebody, as of the last `list`. */
  let used = false
  /** Agents whose entry names a model, as of the last `list`. */
  let withModel = new Set<string>()
  const connected = (): Client => {
    const found = client()
    if (found?.current == null) throw new Error('the gateway is not connected')
    return found
  }

  return {
    async list(signal): Promise<HostedAgent[] | null> {
      if (client()?.current == null) return null
      const { config } = await getConfig(connected(), signal)
      const parsed = Entries.safeParse(config)
      if (!parsed.success)
        throw new Error(`the gateway's configuration has an unknown shape: ${parsed.error.issues[0]?.message ?? ''}`)
      const servers = parsed.data.mcp?.servers ?? {}
      const hosted = Object.entries(parsed.data.agents.entries).map(([slug, { name, model, workspace }]) => ({
        slug,
        name: name ?? slug,
        model: (typeof model === 'string' ? model : model?.primary) ?? null,
        workspace: workspace ?? null,
        toolsUrl: servers[serverName(slug)]?.url ?? null,
      }))
      there = new Set(hosted.map(({ slug }) => slug))
      used = hosted.some(({ slug }) => slug !== INTERNAL_AGENT)
      withModel = new Set(hosted.filter(({ model }) => model !== null).map(({ slug }) => slug))
      return hosted
    },
    async put(agents, signal) {
      const entries = agents.map(({ id, slug, name, model }) => {
        const server = tools.entryOf(id)
        const optional = { ...(model === null ? {} : { model }), ...(server === null ? {} : { tools: server }) }
        return { slug, name, workspace: folder(slug), ...optional }
      })
      const ever = await readEver()
      const scratch = path.join(dataDir, 'returning')
      const returning = mayReturn(agents, { there, ever, othersRemove: shared && used })
      for (const { slug } of returning) await recreateAgent(connected(), slug, path.join(scratch, slug), signal)
      // On record before they are there: a slug that is on it for nothing costs one call, one that is missing costs the gateway.
      const known = new Set([...ever, ...agents.map(({ slug }) => slug)])
      if (known.size > ever.size) await writeFileAtomically(everFile, `${JSON.stringify([...known])}\n`, 0o600)
      await putAgents(connected(), entries, signal)
      for (const { slug } of agents) there.add(slug)
      if (returning.length > 0) await rm(scratch, { recursive: true, force: true })
      // A patch merges: a model that was taken back must be removed by name.
      const unset = agents.filter(({ slug, model }) => model === null && withModel.has(slug))
      if (unset.length === 0) return
      const without = Object.fromEntries(unset.map(({ slug }) => [slug, { model: null }]))
      await patchConfig(connected(), { agents: { entries: without } }, signal)
    },
    async remove(slug, signal) {
      await removeAgent(connected(), slug, signal)
      there.delete(slug)
    },
    workspaceOf: folder,
    toolsUrlOf: (agentId) => tools.entryOf(agentId)?.url ?? null,
    keepTools: (agentIds) => tools.keep(agentIds),
    isOurs: (slug) => slug !== INTERNAL_AGENT && ours.has(slug),
    async writeWorkspace(agent, profile) {
      const { kept } = await writeWorkspace(folder(agent.slug), agent.id, workspaceFiles(agent, profile))
      return kept
    },
    moveWorkspaces: (renamed) =>
      moveWorkspaces(renamed.map(({ agentId, from, to }) => ({ owner: agentId, from: folder(from), to: folder(to) }))),
    async readApplied(): Promise<AppliedAgent[]> {
      const text = await readOr(appliedFile, '[]')
      const parsed = Applied.safeParse(parseJsonOrNull(text))
      // A damaged file costs one full write of all workspaces, nothing else.
      const applied = parsed.success ? parsed.data : []
      ours = new Set([...ours, ...applied.map(({ slug }) => slug)])
      return applied
    },
    async writeApplied(applied) {
      ours = new Set([...ours, ...applied.map(({ slug }) => slug)])
      await writeFileAtomically(appliedFile, `${JSON.stringify(applied)}\n`, 0o600)
    },
  }
}

const readOr = (file: string, otherwise: string): Promise<string> =>
  readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return otherwise
    throw error
  })
