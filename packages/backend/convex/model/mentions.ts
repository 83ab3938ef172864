/** From the names in a text to the members and agents they stand for. */
import { LIMITS } from '@mission-control/shared/limits'
import { parseMentions } from '@mission-control/shared/mentions'
import type { Doc, Id } from '../_generated/dataModel.js'
import type { QueryCtx } from '../_generated/server.js'
import { refuse } from '../lib/errors.js'
import type { Actor } from './actors.js'
import { samePerson } from './actors.js'

export interface ResolvedMentions {
  readonly all: boolean
  readonly mentions: Doc<'messages'>['mentions']
}

/** People who may share one name; all of them are meant then. */
const SAME_NAME = 5

/**
 * Unquoted names match an agent's slug or a one-word display name, quoted ones a display name. Unknown names are text. The author
 * never mentions himself: nobody is told of his own act.
 * @throws LIMIT for a person's message with too many names
 */
export async function resolveMentions(
  ctx: { db: QueryCtx['db'] },
  accountId: Id<'accounts'>,
  author: Actor,
  content: string,
): Promise<ResolvedMentions> {
  const { all, names } = parseMentions(content)
  // An agent's text is never refused for what it says: the names beyond the limit are text.
  if (author.type === 'user' && names.length > LIMITS.mentionsPerMessage) {
    refuse('LIMIT', `The message mentions ${names.length} names; the limit is ${LIMITS.mentionsPerMessage}.`)
  }
  const found = new Map<string, Doc<'messages'>['mentions'][number]>()
  for (const { name, quoted } of names.slice(0, LIMITS.mentionsPerMessage)) {
    const agents = await agentsNamed(ctx, accountId, name, quoted)
    const members = await ctx.db
      .query('memberships')
      .withIndex('by_account_nameKey', (q) => q.eq('accountId', accountId).eq('nameKey', name))
      .take(SAME_NAME)
    const parties = [
      ...agents.map((agent) => ({ type: 'agent' as const, id: agent._id, name: agent.name })),
      ...members.map((member) => ({ type: 'user' as const, id: member.userId, name: member.name })),
    ]
    for (const party of parties) if (!samePerson(party, author)) found.set(`${party.type}:${party.id}`, party)
  }
  return { all, mentions: [...found.values()].slice(0, LIMITS.mentionsPerMessage) }
}

async function agentsNamed(
  ctx: { db: QueryCtx['db'] },
  accountId: Id<'accounts'>,
  name: string,
  quoted: boolean,
): Promise<Doc<'agents'>[]> {
  if (!quoted) {
    const agent = await ctx.db
      .query('agents')
      .withIndex('by_account_slug', (q) => q.eq('accountId', accountId).eq('slug', name))
      .unique()
    if (agent) return [agent]
  }
  return await ctx.db
    .query('agents')
    .withIndex('by_account_nameKey', (q) => q.eq('accountId', accountId).eq('nameKey', name))
    .take(SAME_NAME)
}
