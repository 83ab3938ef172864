/** The roster as the runtime sees it. */
import { v } from 'convex/values'
import { LIMITS } from '@mission-control/shared/limits'
import { sessionKey } from '@mission-control/shared/session-keys'
import { serviceMutation, serviceQuery } from '../lib/functions.js'
import { refuse } from '../lib/errors.js'
import { findOwned } from '../lib/owned.js'
import { checkInteger } from '../lib/text.js'
import { getProfile } from '../model/agents.js'
import { findPresence, setPresence } from '../model/presence.js'
import { getSignals } from '../model/signals.js'
import { vAgentReport, vPage, vProfile, vRosterPage } from './contract.js'

export const list = serviceQuery({
  args: vPage,
  returns: vRosterPage,
  handler: async (ctx, { cursor, limit }) => {
    checkInteger('limit', limit, 1, LIMITS.pageSize)
    const { accountId } = ctx
    const [account, signals] = await Promise.all([ctx.db.get(accountId), getSignals(ctx, accountId)])
    const page = await ctx.db
      .query('agents')
      .withIndex('by_account_slug', (q) => q.eq('accountId', accountId))
      .paginate({ cursor, numItems: limit })
    const agents = await Promise.all(
      page.page.map(async (agent) => {
        const { _id: id, slug, name, role, heartbeatMinutes, paused, permissions, model, profileHash } = agent
        const presence = await findPresence(ctx, accountId, id)
        return {
          ...{ id, slug, name, role, heartbeatMinutes, paused, permissions, model, profileHash },
          sessionKey: sessionKey({ slug, accountId, taskId: null, generation: 1 }),
          lead: account?.leadAgentId === id,
          lastHeartbeatSlot: presence?.lastHeartbeatSlot ?? null,
        }
      }),
    )
    return { rosterVersion: signals.rosterVersion, agents, cursor: page.isDone ? null : page.continueCursor }
  },
})

/** Profiles by id; agents that are gone meanwhile are left out. */
export const profiles = serviceQuery({
  args: { ids: v.array(v.string()) },
  returns: v.array(vProfile),
  handler: async (ctx, { ids }) => {
    if (ids.length > LIMITS.profilesPerCall) refuse('LIMIT', `At most ${LIMITS.profilesPerCall} profiles a call.`)
    const found = await Promise.all(
      ids.map(async (id) => {
        const agent = await findOwned(ctx, ctx.accountId, 'agents', id)
        if (!agent) return null
        const { soul, identity, user } = await getProfile(ctx, agent)
        return { id: agent._id, profileHash: agent.profileHash, soul, identity, user }
      }),
    )
    return found.filter((profile) => profile !== null)
  },
})

export const upsertHeartbeat = serviceMutation({
  args: { agents: v.array(vAgentReport) },
  returns: v.null(),
  handler: async (ctx, { agents }) => {
    if (agents.length > LIMITS.dueAgents) refuse('LIMIT', `At most ${LIMITS.dueAgents} agents a call.`)
    for (const { agentId, status, reason } of agents) {
      const agent = await findOwned(ctx, ctx.accountId, 'agents', agentId)
      const shown = status === 'error' ? (reason?.slice(0, LIMITS.reasonChars) ?? 'unknown') : null
      if (agent) await setPresence(ctx, ctx.accountId, agent._id, { status, reason: shown })
    }
    return null
  },
})
