/**
 * Names of agent sessions. All lower case, because the gateway folds case. Session keys are names, never credentials.
 *
 * - `agent:{slug}:{accountId}` is the agent's own session.
 * - `agent:{slug}:{accountId}:task:{taskId}` is its session for one task, `:v{n}` from the second generation on.
 */
export interface SessionName {
  readonly slug: string
  readonly accountId: string
  readonly taskId: string | null
  /** 1 for the first; reopening a done task starts the next. */
  readonly generation: number
}

/** Exactly what `sessionKey` writes: the first generation has no number, and none has more digits than a number keeps apart. */
const KEY = /^agent:([a-z][a-z0-9-]{1,39}):([0-9a-z]+)(?::task:([0-9a-z]+)(?::v([2-9]|[1-9][0-9]{1,8}))?)?$/

export function sessionKey({ slug, accountId, taskId, generation }: SessionName): string {
  const base = `agent:${slug}:${accountId}`
  const key = taskId === null ? base : `${base}:task:${taskId}${generation > 1 ? `:v${generation}` : ''}`
  return key.toLowerCase()
}

/** @returns `null` when the text is not one of our session keys */
export function parseSessionKey(key: string): SessionName | null {
  const match = KEY.exec(key)
  if (!match?.[1] || !match[2]) return null
  return { slug: match[1], accountId: match[2], taskId: match[3] ?? null, generation: match[4] ? Number(match[4]) : 1 }
}

export const SLUG_PATTERN = /^[a-z][a-z0-9-]{1,39}$/

/** `main` and the gateway's own namespaces would collide with sessions it makes itself. */
export const RESERVED_SLUGS: readonly string[] = [
  'all',
  'main',
  'subagent',
  'cron',
  'acp',
  'hook',
  'system',
  'gateway',
  'default',
]

/** @returns `null` when the slug may be used, else one sentence why not */
export function refuseSlug(slug: string): string | null {
  if (!SLUG_PATTERN.test(slug)) {
    return `"${slug}" is not a slug: use 2 to 40 lower-case letters, digits and hyphens, starting with a letter.`
  }
  return RESERVED_SLUGS.includes(slug) ? `The slug "${slug}" is reserved; choose another.` : null
}
