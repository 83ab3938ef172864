/** Agents as people manage them. */
import { v } from 'convex/values'
import { LIMITS } from '@mission-control/shared/limits'
import type { Doc, Id } from './_generated/dataModel.js'
import type { MemberQueryCtx } from './lib/functions.js'
import { memberMutation, memberQuery } from './lib/functions.js'
import { refuse } from './lib/errors.js'
import { getOwned } from './lib/owned.js'
import { nullable, vAgentStatus, vBudgets, vPermissionChange, vPermissionOrigins, vPermissions } from './lib/validators.js'
import { userActor } from './model/actors.js'
import { recordActivity } from './model/activity.js'
import { removeAgent } from './model/agentRemoval.js'
import { getAccount } from './model/accounts.js'
import { permissionOrigins } from './model/permissions.js'
import { saysOverBudget } from './model/budgets.js'
import { createAgent, getProfile, setPaused, updateAgent } from './model/agents.js'
import { agentStatus, findPresence } from './model/presence.js'
import { claimedItems } from './model/runtimes.js'
import { setAgentBudgets } from './model/setBudgets.js'
import { bump, getSignals } from './model/signals.js'

const settings = {
  role: v.optional(v.string()),
  /** A name of the dashboard's icon set: lower-case letters, digits and hyphens. */
  icon: v.optional(nullable(v.string())),
  model: v.optional(nullable(v.string())),
  heartbeatMinutes: v.optional(v.number()),
  /** The agent's own layer over the account's and the product's defaults; `null` takes an override back. */
  permissions: v.optional(vPermissionChange),
  profile: v.optional(v.object({ soul: v.optional(v.string()), identity: v.optional(v.string()), user: v.optional(v.string()) })),
}
const agentFields = {
  id: v.id('agents'),
  slug: v.string(),
  name: v.string(),
  role: v.string(),
  icon: nullable(v.string()),
  model: nullable(v.string()),
  heartbeatMinutes: v.number(),
  paused: v.boolean(),
  lead: v.boolean(),
  permissions: vPermissions,
  status: vAgentStatus,
  statusReason: nullable(v.string()),
}
const vAgent = v.object(agentFields)
const vProfile = v.object({ soul: v.string(), identity: v.string(), user: v.string() })

export const create = memberMutation('admin')({
  args: { slug: v.string(), name: v.string(), ...settings },
  returns: v.id('agents'),
  handler: async (ctx, fields) => {
    return await createAgent(ctx, await getAccount(ctx, ctx.accountId), userActor(ctx.member), fields)
  },
})

export const update = memberMutation('admin')({
  args: { agentId: v.id('agents'), slug: v.optional(v.string()), name: v.optional(v.string()), ...settings },
  returns: v.null(),
  handler: async (ctx, { agentId, ...fields }) => {
    const [account, agent] = await Promise.all([getAccount(ctx, ctx.accountId), getOwned(ctx, ctx.accountId, 'agents', agentId)])
    await updateAgent(ctx, account, agent, userActor(ctx.member), fields)
    return null
  },
})

/** Caps of one agent, all three; `null` for none. The account's hold beside them. */
export const setBudgets = memberMutation('admin')({
  args: { agentId: v.id('agents'), budgets: vBudgets },
  returns: v.null(),
  handler: async (ctx, { agentId, budgets }) => {
    await setAgentBudgets(ctx, await getOwned(ctx, ctx.accountId, 'agents', agentId), userActor(ctx.member), budgets)
    return null
  },
})

/** All agents, by slug; page on with the last slug seen. */
export const list = memberQuery('member')({
  args: { after: v.optional(v.string()) },
  returns: v.array(vAgent),
  handler: async (ctx, { after = '' }) => {
    const agents = await ctx.db
      .query('agents')
      .withIndex('by_account_slug', (q) => q.eq('accountId', ctx.accountId).gt('slug', after))
      .take(LIMITS.pageSize)
    return await withStatus(ctx, agents)
  },
})

export const get = memberQuery('member')({
  args: { agentId: v.id('agents') },
  returns: v.object({ ...agentFields, permissionsFrom: vPermissionOrigins, budgets: vBudgets, profile: vProfile }),
  handler: async (ctx, { agentId }) => {
    const account = await getAccount(ctx, ctx.accountId)
    const agent = await getOwned(ctx, ctx.accountId, 'agents', agentId)
    const [line] = await withStatus(ctx, [agent])
    if (!line) return refuse('NOT_FOUND', 'The agent is gone.')
    const { soul, identity, user } = await getProfile(ctx, agent)
    const permissionsFrom = permissionOrigins(account, agent.permissionOverrides)
    return { ...line, permissionsFrom, budgets: agent.budgets, profile: { soul, identity, user } }
  },
})

async function withStatus(ctx: MemberQueryCtx, agents: Doc<'agents'>[]) {
  const [account, signals, claimed] = await Promise.all([
    ctx.db.get(ctx.accountId),
    getSignals(ctx, ctx.accountId),
    claimedItems(ctx, ctx.accountId),
  ])
  const busy = new Set<Id<'agents'>>(claimed.map((item) => item.agentId))
  return await Promise.all(
    agents.map(async (agent) => {
      const { _id: id, slug, name, role, icon, model, heartbeatMinutes, paused, permissions } = agent
      const presence = await findPresence(ctx, ctx.accountId, id)
      const status = agentStatus({
        stored: presence?.status ?? 'offline',
        paused,
        runtimeActive: signals.activeRuntimeId !== null,
        claimed: busy.has(id),
      })
      return {
        ...{ id, slug, name, role, icon, model, heartbeatMinutes, paused, permissions, status },
        lead: account?.leadAgentId === id,
        statusReason: presence && (status === 'error' || saysOverBudget(presence)) ? presence.reason : null,
      }
    }),
  )
}

export const pause = memberMutation('member')({
  args: { agentId: v.id('agents') },
  returns: v.null(),
  handler: async (ctx, { agentId }) => {
    await setPaused(ctx, await getOwned(ctx, ctx.accountId, 'agents', agentId), userActor(ctx.member), true)
    return null
  },
})

export const resume = memberMutation('member')({
  args: { agentId: v.id('agents') },
  returns: v.null(),
  handler: async (ctx, { agentId }) => {
    await setPaused(ctx, await getOwned(ctx, ctx.accountId, 'agents', agentId), userActor(ctx.member), false)
    return null
  },
})

export const remove = memberMutation('admin')({
  args: { agentId: v.id('agents') },
  returns: v.null(),
  handler: async (ctx, { agentId }) => {
    const account = await getAccount(ctx, ctx.accountId)
    await removeAgent(ctx, account, await getOwned(ctx, ctx.accountId, 'agents', agentId), userActor(ctx.member))
    return null
  },
})

/** One agent at most is the squad lead; `null` for none. */
export const setLead = memberMutation('admin')({
  args: { agentId: nullable(v.id('agents')) },
  returns: v.null(),
  handler: async (ctx, { agentId }) => {
    const account = await getAccount(ctx, ctx.accountId)
    const agent = agentId === null ? null : await getOwned(ctx, ctx.accountId, 'agents', agentId)
    if (account.leadAgentId === agentId) return null
    await ctx.db.patch(ctx.accountId, { leadAgentId: agentId })
    await bump(ctx, ctx.accountId, 'rosterVersion')
    await recordActivity(ctx, ctx.accountId, {
      type: 'account_updated',
      actor: userActor(ctx.member),
      targetId: ctx.accountId,
      targetName: account.name,
      detail: agent ? `lead: ${agent.slug}` : 'no lead',
    })
    return null
  },
})
