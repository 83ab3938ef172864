/** Accounts: the unit that members, agents, tasks and one runtime belong to. */
import { v } from 'convex/values'
import { LIMITS } from '@mission-control/shared/limits'
import { memberMutation, memberQuery, userMutation, userQuery } from './lib/functions.js'
import { refuse } from './lib/errors.js'
import { checkText } from './lib/text.js'
import { nullable, oneOf, vBudgets, vMemberRole, vRetention, vRuntimeCommand } from './lib/validators.js'
import { userActor } from './model/actors.js'
import { createAccount, getAccount } from './model/accounts.js'
import { recordActivity } from './model/activity.js'
import { setRetention as setAccountRetention } from './model/retention.js'
import { setAccountBudgets } from './model/setBudgets.js'
import { getSignals } from './model/signals.js'

const vAccount = v.object({
  id: v.id('accounts'),
  name: v.string(),
  execution: oneOf(['runtime', 'factory']),
  agentLimit: v.number(),
  leadAgentId: nullable(v.id('agents')),
  paused: v.boolean(),
  role: vMemberRole,
})

/** The caller becomes its owner. */
export const create = userMutation({
  args: { name: v.string() },
  returns: v.id('accounts'),
  handler: async (ctx, { name }) => {
    checkText('name', name, LIMITS.nameChars, { required: true })
    return await createAccount(ctx, ctx.identity, name.trim())
  },
})

/** Accounts a person is a member of, one page. */
export const listMine = userQuery({
  args: {},
  returns: v.array(v.object({ id: v.id('accounts'), name: v.string(), role: vMemberRole })),
  handler: async (ctx) => {
    const rows = await ctx.db
      .query('memberships')
      .withIndex('by_user', (q) => q.eq('userId', ctx.identity.tokenIdentifier))
      .take(LIMITS.pageSize)
    const accounts = await Promise.all(rows.map(async ({ accountId, role }) => ({ account: await ctx.db.get(accountId), role })))
    return accounts.flatMap(({ account, role }) => (account ? [{ id: account._id, name: account.name, role }] : []))
  },
})

export const get = memberQuery('member')({
  args: {},
  returns: vAccount,
  handler: async (ctx) => {
    const [account, { paused }] = await Promise.all([ctx.db.get(ctx.accountId), getSignals(ctx, ctx.accountId)])
    if (!account) return refuse('NOT_FOUND', 'The account is gone.')
    const { _id: id, name, execution, agentLimit, leadAgentId } = account
    return { id, name, execution, agentLimit, leadAgentId, paused, role: ctx.member.role }
  },
})

/** Paused, nothing is claimed; turns that run go on to their end. */
export const setPaused = memberMutation('admin')({
  args: { paused: v.boolean() },
  returns: v.null(),
  handler: async (ctx, { paused }) => {
    const signals = await getSignals(ctx, ctx.accountId)
    if (signals.paused === paused) return null
    await ctx.db.patch(signals._id, { paused })
    await recordActivity(ctx, ctx.accountId, {
      type: 'account_updated',
      actor: userActor(ctx.member),
      targetId: ctx.accountId,
      targetName: 'account',
      detail: paused ? 'paused' : 'resumed',
    })
    return null
  },
})

/** Caps of the whole account, all three; `null` for none. What waits for a reset is looked at anew at once. */
export const setBudgets = memberMutation('admin')({
  args: { budgets: vBudgets },
  returns: v.null(),
  handler: async (ctx, { budgets }) => {
    await setAccountBudgets(ctx, await getAccount(ctx, ctx.accountId), userActor(ctx.member), budgets)
    return null
  },
})

/** Days that settled deliveries, activities and notifications are kept, all three. */
export const setRetention = memberMutation('admin')({
  args: { retention: vRetention },
  returns: v.null(),
  handler: async (ctx, { retention }) => {
    await setAccountRetention(ctx, await getAccount(ctx, ctx.accountId), userActor(ctx.member), retention)
    return null
  },
})

/** Asks the runtime to restart or to drain; `null` takes the request back. */
export const setCommand = memberMutation('admin')({
  args: { command: nullable(vRuntimeCommand) },
  returns: v.null(),
  handler: async (ctx, { command }) => {
    const signals = await getSignals(ctx, ctx.accountId)
    await ctx.db.patch(signals._id, { command, controlSeq: signals.controlSeq + 1, commandSeq: signals.commandSeq + 1 })
    return null
  },
})
