/** Who can be mentioned: found by what their mention begins with. */
import type { Id } from '../_generated/dataModel.js'
import type { QueryCtx } from '../_generated/server.js'
import { nameKey } from '../lib/text.js'

const SHOWN = 20

export interface Candidates {
  agents: { id: Id<'agents'>; slug: string; name: string; icon: string | null }[]
  members: { userId: string; name: string }[]
}

export async function findCandidates(
  ctx: { db: QueryCtx['db'] },
  accountId: Id<'accounts'>,
  prefix: string,
): Promise<Candidates> {
  const from = nameKey(prefix)
  const until = `${from}\uffff`
  const bySlug = await ctx.db
    .query('agents')
    .withIndex('by_account_slug', (q) => q.eq('accountId', accountId).gte('slug', from).lt('slug', until))
    .take(SHOWN)
  const byName = await ctx.db
    .query('agents')
    .withIndex('by_account_nameKey', (q) => q.eq('accountId', accountId).gte('nameKey', from).lt('nameKey', until))
    .take(SHOWN)
  const members = await ctx.db
    .query('memberships')
    .withIndex('by_account_nameKey', (q) => q.eq('accountId', accountId).gte('nameKey', from).lt('nameKey', until))
    .take(SHOWN)
  const agents = [...new Map([...bySlug, ...byName].map((agent) => [agent._id, agent])).values()].slice(0, SHOWN)
  return {
    agents: agents.map(({ _id, slug, name, icon }) => ({ id: _id, slug, name, icon })),
    members: members.map(({ userId, name }) => ({ userId, name })),
  }
}
