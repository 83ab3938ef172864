/** What must change so that the gateway and the workspaces match the roster. Pure. */
import type { RosterEntry } from '@mission-control/shared/service-contract'
import { filesKey } from '../agent-texts/workspace.ts'

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
  /** Or `gone:<slug>` for an entry of the gateway whose agent is not in the roster any more. */
  readonly agentId: string
  /** Under which its workspace stands. */
  readonly slug: string
  /** See agent-texts/workspace.ts. */
  readonly filesKey: string
  /** The entry of the gateway that was made for it, by slug; `null` for none. */
  readonly entry: string | null
}

/** A workspace that follows its agent to another slug, so that it keeps its memory. */
export interface Renamed {
  readonly agentId: string
  readonly from: string
  readonly to: string
}

export interface SyncPlan {
  /** Agents whose workspace files must be written: their profiles are fetched first. */
  readonly files: readonly RosterEntry[]
  /** Agents to add to or change in the gateway configuration. */
  readonly put: readonly RosterEntry[]
  /** Slugs to take out of the gateway: ours, and no longer in the roster. */
  readonly remove: readonly string[]
  /**
   * Slugs that another agent has now: the gateway must forget the one that had it first. Its sessions would pass for the new one's. And those
   * whose agent the gateway takes for a deleted one.
   */
  readonly replace: readonly string[]
  readonly renamed: readonly Renamed[]
  readonly added: readonly string[]
  readonly updated: readonly string[]
  readonly unchanged: number
}

/**
 * @param hosted `null` when there is no gateway to ask: only files can be brought up to date
 * @param takenForDeleted slugs that the gateway has, and refuses as those of deleted agents: they are made anew
 */
export function planSync(
  roster: readonly RosterEntry[],
  hosted: readonly HostedAgent[] | null,
  applied: readonly AppliedAgent[],
  place: Place,
  takenForDeleted: ReadonlySet<string> = new Set(),
): SyncPlan {
  const appliedById = new Map(applied.map((agent) => [agent.agentId, agent]))
  const ownerOf = new Map(applied.map(({ agentId, entry }) => [entry, agentId]))
  const hostedBySlug = new Map((hosted ?? []).map((agent) => [agent.slug, agent]))
  const wanted = new Set(roster.map(({ slug }) => slug))
  const replace = roster
    .filter(({ slug }) => hostedBySlug.has(slug))
    .filter(({ id, slug }) => takenForDeleted.has(slug) || (place.isOurs(slug) && (ownerOf.get(slug) ?? id) !== id))
    .map(({ slug }) => slug)
  const replaced = new Set(replace)
  const files = roster.filter((agent) => appliedById.get(agent.id)?.filesKey !== filesKey(agent))
  const put =
    hosted === null
      ? []
      : roster.filter((agent) => {
          const there = replaced.has(agent.slug) ? undefined : hostedBySlug.get(agent.slug)
          return (
            there?.name !== agent.name ||
            there.model !== agent.model ||
            there.workspace !== place.workspaceOf(agent.slug) ||
            there.toolsUrl !== place.toolsUrlOf(agent.id)
          )
        })
  const renamed = roster.flatMap(({ id, slug }) => {
    const from = appliedById.get(id)?.slug
    return from !== undefined && from !== slug ? [{ agentId: id, from, to: slug }] : []
  })
  const touched = new Set([...files, ...put].map(({ slug }) => slug))
  const isNew = ({ id, slug }: RosterEntry) => !appliedById.has(id) || (hosted !== null && !hostedBySlug.has(slug))
  const changed = roster.filter(({ slug }) => touched.has(slug))
  return {
    files,
    put,
    remove: (hosted ?? []).map(({ slug }) => slug).filter((slug) => !wanted.has(slug) && place.isOurs(slug)),
    replace,
    renamed,
    added: changed.filter(isNew).map(({ slug }) => slug),
    updated: changed.filter((agent) => !isNew(agent)).map(({ slug }) => slug),
    unchanged: roster.length - changed.length,
  }
}

/**
 * Slugs of agents that must wait for a turn: those whose folder would move away under it, those whose slug still belongs to another
 * agent at work, and whoever moves to where one of them still is.
 */
export function waitingFor(plan: SyncPlan, roster: readonly RosterEntry[], isBusy: (slug: string) => boolean): Set<string> {
  const waiting = new Set([
    ...plan.renamed.filter(({ from }) => isBusy(from)).map(({ to }) => to),
    ...plan.replace.filter(isBusy),
  ])
  const known = new Set(roster.map(({ slug }) => slug))
  for (let size = -1; size !== waiting.size;) {
    size = waiting.size
    for (const { from, to } of plan.renamed) if (waiting.has(to) && known.has(from)) waiting.add(from)
  }
  return waiting
}
