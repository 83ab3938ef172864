/** Removing an agent: its row goes at once, so that nothing new is enqueued; its lanes and assignments follow in steps. */
import { internal } from '../_generated/api.js'
import type { Doc, Id } from '../_generated/dataModel.js'
import type { MutationCtx } from '../_generated/server.js'
import type { Actor } from './actors.js'
import { SYSTEM } from './actors.js'
import { recordActivity } from './activity.js'
import { getProfile } from './agents.js'
import { dropAllStep } from './assign.js'
import { findPresence } from './presence.js'
import { bump } from './signals.js'
import { sweep } from './sweep.js'

/** Rows one step may remove. */
const ROWS_PER_STEP = 50

export async function removeAgent(ctx: MutationCtx, account: Doc<'accounts'>, agent: Doc<'agents'>, actor: Actor): Promise<void> {
  const [profile, presence] = await Promise.all([getProfile(ctx, agent), findPresence(ctx, account._id, agent._id)])
  await ctx.db.delete(agent._id)
  await ctx.db.delete(profile._id)
  if (presence) await ctx.db.delete(presence._id)
  if (account.leadAgentId === agent._id) await ctx.db.patch(account._id, { leadAgentId: null })
  await bump(ctx, account._id, 'rosterVersion')
  await recordActivity(ctx, account._id, { type: 'agent_deleted', actor, targetId: agent._id, targetName: agent.name })
  await sweep(ctx, { kind: 'close', accountId: account._id, agentId: agent._id, reason: 'agent_deleted' })
  await ctx.scheduler.runAfter(0, internal.sweeps.forgetAgent, { accountId: account._id, agentId: agent._id })
}

/** One step of unassigning and unsubscribing; schedules the next while rows are left. */
export async function forgetAgentStep(ctx: MutationCtx, accountId: Id<'accounts'>, agentId: Id<'agents'>): Promise<void> {
  const subscriptions = await ctx.db
    .query('subscriptions')
    .withIndex('by_account_subscriber', (q) => q.eq('accountId', accountId).eq('subscriberId', agentId))
    .take(ROWS_PER_STEP)
  for (const row of subscriptions) await ctx.db.delete(row._id)
  const free = await dropAllStep(ctx, accountId, { type: 'agent', id: agentId }, SYSTEM, 'Its only assignee was deleted.')
  if (!free || subscriptions.length === ROWS_PER_STEP) {
    await ctx.scheduler.runAfter(0, internal.sweeps.forgetAgent, { accountId, agentId })
  }
}
