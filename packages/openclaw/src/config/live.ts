/**
 * Changes to the configuration of a running gateway. Agents are added and changed by one patch for all of them, effective when
 * the call returns; a removal is a call of its own and slow, because the gateway closes the agent's database.
 */
import { z } from 'zod'
import type { Client } from '../client.ts'
import { GatewayError, isGatewayError } from '../errors.ts'
import type { AgentEntry } from './agents.ts'
import { agentSections, serverName } from './agents.ts'

/** Another writer may slip in between reading the hash and patching; more than this many times in a row is no accident. */
const PATCH_ATTEMPTS = 5

/** Eleven agents in one patch took 4.5 s. */
const PATCH_TIMEOUT_MS = 120_000

/** Removing one agent took 11.6 s. */
const DELETE_TIMEOUT_MS = 60_000

const Config = z.object({ hash: z.string(), config: z.record(z.string(), z.unknown()) })
const AgentsList = z.object({
  agents: z.array(z.object({ id: z.string(), name: z.string().optional(), workspace: z.string().optional() })),
})

export interface LiveAgent {
  readonly slug: string
  readonly name: string | null
  readonly workspace: string | null
}

/** The agents the gateway knows right now, its internal one included. */
export async function listAgents(client: Client, signal: AbortSignal): Promise<LiveAgent[]> {
  const { payload } = await client.request('agents.list', {}, { signal })
  return read(AgentsList, payload, 'agents.list').agents.map(({ id, name, workspace }) => ({
    slug: id,
    name: name ?? null,
    workspace: workspace ?? null,
  }))
}

/** Adds or changes agents, all in one write; they can be addressed when this resolves. */
export async function putAgents(client: Client, agents: readonly AgentEntry[], signal: AbortSignal): Promise<void> {
  if (agents.length > 0) await patchConfig(client, agentSections(agents), signal)
}

/** Takes an agent out of the gateway and keeps its workspace. An agent that is not there is fine. */
export async function removeAgent(client: Client, slug: string, signal: AbortSignal): Promise<void> {
  try {
    await client.request('agents.delete', { agentId: slug, deleteFiles: false }, { signal, timeoutMs: DELETE_TIMEOUT_MS })
  } catch (error) {
    if (!isGatewayError(error) || !/not found|no longer exists|unknown agent/i.test(error.message)) throw error
  }
  const config = await getConfig(client, signal)
  if (hasServer(config.config, slug)) await patchConfig(client, { mcp: { servers: { [serverName(slug)]: null } } }, signal)
}

/**
 * Makes an entry for an agent that was deleted once; `putAgents` completes it. OpenClaw 2026.9.6 keeps a mark of each deletion that only
 * `agents.create` takes away: an entry that a patch brings back is refused its turns, and the gateway then asks to be restarted.
 * @param scratch a folder for files that `agents.create` writes; the caller's to remove
 */
export async function recreateAgent(client: Client, slug: string, scratch: string, signal: AbortSignal): Promise<void> {
  try {
    await client.request('agents.create', { name: slug, workspace: scratch }, { signal, timeoutMs: PATCH_TIMEOUT_MS })
  } catch (error) {
    // It says so after it has taken the mark away.
    if (!isGatewayError(error) || !/already exists/.test(error.message)) throw error
  }
}

/** Merges `patch` into the configuration (null removes a key). Throws CONFIG_CONFLICT when others keep writing. */
export async function patchConfig(client: Client, patch: Readonly<Record<string, unknown>>, signal: AbortSignal): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const { hash } = await getConfig(client, signal)
    try {
      await client.request(
        'config.patch',
        { baseHash: hash, raw: JSON.stringify(patch) },
        { signal, timeoutMs: PATCH_TIMEOUT_MS },
      )
      return
    } catch (error) {
      if (!isGatewayError(error) || error.code !== 'CONFIG_CONFLICT' || attempt === PATCH_ATTEMPTS) throw error
    }
  }
}

/** The live configuration, secrets blanked by the gateway, and the hash a patch must name. */
export async function getConfig(client: Client, signal: AbortSignal): Promise<{ hash: string; config: Record<string, unknown> }> {
  const { payload } = await client.request('config.get', {}, { signal })
  return read(Config, payload, 'config.get')
}

function hasServer(config: Record<string, unknown>, slug: string): boolean {
  const parsed = z.object({ mcp: z.object({ servers: z.record(z.string(), z.unknown()) }) }).safeParse(config)
  return parsed.success && serverName(slug) in parsed.data.mcp.servers
}

function read<T>(schema: z.ZodType<T>, payload: unknown, method: string): T {
  const parsed = schema.safeParse(payload)
  if (parsed.success) return parsed.data
  throw new GatewayError('GATEWAY_PROTOCOL', `${method} answered in an unknown shape: ${parsed.error.issues[0]?.message ?? ''}`)
}
