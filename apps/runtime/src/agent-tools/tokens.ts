/**
 * One bearer token per agent, minted here and known to nobody else but the gateway's configuration. Kept in a file that only this user
 * can read, so that an adopted gateway goes on working after our restart. A token is looked up by its hash: how long that takes says
 * nothing about other tokens.
 */
import { createHash } from 'node:crypto'
import { chmod, readFile } from 'node:fs/promises'
import { writeFileAtomically } from '@mission-control/openclaw/atomic-file'
import type { Random } from '@mission-control/shared/clock'
import { parseJsonOrNull } from '@mission-control/shared/json'
import { z } from 'zod'

const TOKEN_BYTES = 32
const OWNER_ONLY = 0o600
const Stored = z.record(z.string(), z.string().regex(/^mca_[0-9a-f]{64}$/))

/** Any of them within a text. The prefix makes them known by their form, so that no log has to hold a list of all. */
export const AGENT_TOKEN_TEXT = /mca_[0-9a-f]{64}/g

export interface AgentTokens {
  /**
   * Exactly these agents have a token from now on: those of others stop working at once, missing ones are minted and on disk when this
   * resolves. Writes nothing when nothing changes.
   */
  keep(agentIds: readonly string[]): Promise<void>
  of(agentId: string): string | null
  /** Whose token this is, or `null`. */
  agentOf(token: string): string | null
}

/** A file that is missing or damaged is as good as empty: new tokens are minted, and the gateway's entries follow them. */
export async function openAgentTokens(file: string, random: Random): Promise<AgentTokens> {
  let tokens = await read(file)
  let agents = byHash(tokens)

  const set = (next: ReadonlyMap<string, string>) => {
    tokens = next
    agents = byHash(next)
  }

  return {
    async keep(agentIds) {
      const wanted = new Set(agentIds)
      const missing = [...wanted].filter((id) => !tokens.has(id))
      const kept = new Map([...tokens].filter(([id]) => wanted.has(id)))
      if (missing.length === 0 && kept.size === tokens.size) return
      // A removed agent is shut out even if the disk is full; a minted token counts only once it would survive us.
      set(kept)
      const minted = missing.map((id) => [id, `mca_${Buffer.from(random.bytes(TOKEN_BYTES)).toString('hex')}`] as const)
      const next = new Map([...kept, ...minted])
      await writeFileAtomically(file, `${JSON.stringify(Object.fromEntries(next))}\n`, OWNER_ONLY)
      set(next)
    },
    of: (agentId) => tokens.get(agentId) ?? null,
    agentOf: (token) => agents.get(hash(token)) ?? null,
  }
}

const hash = (text: string): string => createHash('sha256').update(text).digest('hex')

const byHash = (tokens: ReadonlyMap<string, string>): ReadonlyMap<string, string> =>
  new Map([...tokens].map(([agentId, token]) => [hash(token), agentId]))

async function read(file: string): Promise<ReadonlyMap<string, string>> {
  try {
    const text = await readFile(file, 'utf8')
    // A backup may have restored it readable for all.
    await chmod(file, OWNER_ONLY)
    const parsed = Stored.safeParse(parseJsonOrNull(text))
    return new Map(parsed.success ? Object.entries(parsed.data) : [])
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return new Map()
    throw error
  }
}
