/** What is remembered of a pass: which folder is whose, and which entry of the gateway was made for whom. Pure. */
import type { RosterEntry } from '@mission-control/shared/service-contract'
import type { AppliedAgent, HostedAgent } from './diff.ts'

export interface PassResult {
  readonly before: readonly AppliedAgent[]
  readonly roster: readonly RosterEntry[]
  /** As it was when the pass began. */
  readonly hosted: readonly HostedAgent[] | null
  /** By agent, with what the pass has written. */
  readonly applied: ReadonlyMap<string, AppliedAgent>
  /** Slugs that the pass has taken out of the gateway, and put into it. */
  readonly removed: ReadonlySet<string>
  readonly put: ReadonlySet<string>
}

/**
 * The roster's agents, and each entry of ours that is still in the gateway and nobody's any more: it is still ours to remove, also
 * after a restart.
 */
export function appliedAfter({ before, roster, hosted, applied, removed, put }: PassResult): AppliedAgent[] {
  const ownerBefore = new Map(before.flatMap(({ agentId, entry }) => (entry === null ? [] : [[entry, agentId] as const])))
  const isThere = (slug: string) =>
    put.has(slug) || (!removed.has(slug) && (hosted === null ? ownerBefore.has(slug) : hosted.some((one) => one.slug === slug)))
  const present = roster.flatMap(({ id, slug }): AppliedAgent[] => {
    const known = applied.get(id)
    if (known === undefined) return []
    // Nobody's before: it was there already, and is this agent's from now on.
    const isOwn = put.has(slug) || (ownerBefore.get(slug) ?? (hosted === null ? null : id)) === id
    return [{ ...known, entry: isThere(slug) && isOwn ? slug : null }]
  })
  const owned = new Set(present.map(({ entry }) => entry))
  const left = [...ownerBefore.keys()].filter((slug) => !owned.has(slug) && isThere(slug))
  return [...present, ...left.map((slug) => ({ agentId: `gone:${slug}`, slug, filesKey: '', entry: slug }))]
}
