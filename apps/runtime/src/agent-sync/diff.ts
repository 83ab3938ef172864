/** What must change so that the gateway and the workspaces match the roster. Pure. */
import type { RosterEntry } from '@mission-control/shared/service-contract'

/** An agent as the gateway's configuration has it. */
export interface HostedAgent {
  readonly slug: string
  readonly name: string
  /** `null`: the gateway's default. */
  readonly model: string | null
  readonly workspace: string | null
  /** Address of its tools, or `null`. */
  readonly toolsUrl: string | null
}

/** What a plan must know of the place where agents live. */
export interface Place {
  /** Whether an agent of the gateway may be removed by us. */
  isOurs(slug: string): boolean
  workspaceOf(slug: string): string
  /** Address of the agent's tools as it must stand in the gateway; changes with its token. `null`: none. */
  toolsUrlOf(agentId: string): string | null
}

/** What was last written for an agent; survives restarts. */
export interface AppliedAgent {
  readonly agentId: string
  readonly slug: string
  /** See `filesKey`. */
  readonly filesKey: string
}

export interface SyncPlan {
  /** Agents whose workspace files must be written: their profiles are fetched first. */
  readonly files: readonly RosterEntry[]
  /** Agents to add to or change in the gateway configuration. */
  readonly put: readonly RosterEntry[]
  /** Slugs to take out of the gateway: ours, and no longer in the roster. */
  readonly remove: readonly string[]
  /** Workspaces that move with a renamed agent, so that it keeps its memory. */
  readonly renamed: readonly { readonly from: string; readonly to: string }[]
  readonly added: readonly string[]
  readonly updated: readonly string[]
  readonly unchanged: number
}

/** Changes exactly when a workspace file would: its profile, or what our own files say about the agent. */
export const filesKey = ({ profileHash, slug, name, role, lead }: RosterEntry): string =>
  JSON.stringify([profileHash, slug, name, role, lead])

/**
 * @param hosted `null` when there is no gateway to ask: only files can be brought up to date
 */
export function planSync(
  roster: readonly RosterEntry[],
  hosted: readonly HostedAgent[] | null,
  applied: readonly AppliedAgent[],
  place: Place,
): SyncPlan {
  const appliedById = new Map(applied.map((agent) => [agent.agentId, agent]))
  const hostedBySlug = new Map((hosted ?? []).map((agent) => [agent.slug, agent]))
  const wanted = new Set(roster.map(({ slug }) => slug))
  const files = roster.filter((agent) => appliedById.get(agent.id)?.filesKey !== filesKey(agent))
  const put =
    hosted === null
      ? []
      : roster.filter((agent) => {
          const there = hostedBySlug.get(agent.slug)
          return (
            there?.name !== agent.name ||
            there.model !== agent.model ||
            there.workspace !== place.workspaceOf(agent.slug) ||
            there.toolsUrl !== place.toolsUrlOf(agent.id)
          )
        })
  const renamed = roster.flatMap(({ id, slug }) => {
    const from = appliedById.get(id)?.slug
    return from !== undefined && from !== slug && !wanted.has(from) ? [{ from, to: slug }] : []
  })
  const touched = new Set([...files, ...put].map(({ slug }) => slug))
  const isNew = ({ id, slug }: RosterEntry) => !appliedById.has(id) || (hosted !== null && !hostedBySlug.has(slug))
  const changed = roster.filter(({ slug }) => touched.has(slug))
  return {
    files,
    put,
    remove: (hosted ?? []).map(({ slug }) => slug).filter((slug) => !wanted.has(slug) && place.isOurs(slug)),
    renamed,
    added: changed.filter(isNew).map(({ slug }) => slug),
    updated: changed.filter((agent) => !isNew(agent)).map(({ slug }) => slug),
    unchanged: roster.length - changed.length,
  }
}
