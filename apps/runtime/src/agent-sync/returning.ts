/**
 * OpenClaw 2026.9.6 keeps a mark of each agent it has deleted, which nobody can see. One that comes back by a patch of the configuration leaves
 * the whole gateway without answers; `recreateAgent` takes the mark away. Pure.
 */

export interface KnownSlugs {
  /** The gateway has them now. */
  readonly there: ReadonlySet<string>
  /** We have put them there at some time. */
  readonly ever: ReadonlySet<string>
  /** Others than us may have removed agents of it. */
  readonly othersRemove: boolean
}

/** The agents that may carry such a mark: they are made by a call of their own before they are put. */
export const mayReturn = <T extends { readonly slug: string }>(
  agents: readonly T[],
  { there, ever, othersRemove }: KnownSlugs,
): T[] => agents.filter(({ slug }) => !there.has(slug) && (othersRemove || ever.has(slug)))
