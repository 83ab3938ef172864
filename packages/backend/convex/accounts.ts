/** Accounts: the unit that members, agents, tasks and one runtime belong to. */
import { v } from 'convex/values'
import { LIMITS } from '@mission-control/shared/limits'
import { internalMutation, memberMutation, memberQuery, userMutation, userQuery } from './lib/functions.js'
import { nullable, oneOf, vBudgets, vMemberRole, vPermissions, vRetention, vRuntimeCommand } from './lib/validators.js'
import { userActor } from './model/actors.js'
import { removeAccount, removeAccountStep } from './model/accountRemoval.js'
import { createAccount, getAccount } from './model/accounts.js'
import * as settings from './model/accountSettings.js'
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
  /** IANA name: when the account's day begins. */
  timeZone: v.string(),
  /** What agents may do, unless their own layer says otherwise. What it does not name is the product's default. */
  permissionDefaults: vPermissions.partial(),
  budgets: vBudgets,
  retention: vRetention,
  /** The caller's. */
  role: vMemberRole,
})

/** The caller becomes its owner. */
export const create = userMutation({
  args: { name: v.string() },
  returns: v.id('accounts'),
  handler: async (ctx, { name }) => {
    return await createAccount(ctx, ctx.identity, settings.checkAccountName(name))
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
    const [account, { paused }] = await Promise.all([getAccount(ctx, ctx.accountId), getSignals(ctx, ctx.accountId)])
    const { _id: id, name, execution, agentLimit, leadAgentId, timeZone, permissionDefaults, budgets, retention } = account
    const shared = { id, name, execution, agentLimit, leadAgentId, paused, timeZone, permissionDefaults, budgets, retention }
    return { ...shared, role: ctx.member.role }
  },
})

/**
 * Its name, the time zone its days are counted in, and how many agents it may have (1 to 1,000; those there are stay). What is not
 * given stays. @throws INVALID | LIMIT
 */
export const update = memberMutation('admin')({
  args: { name: v.optional(v.string()), timeZone: v.optional(v.string()), agentLimit: v.optional(v.number()) },
  returns: v.null(),
  handler: async (ctx, fields) => {
    await settings.updateAccount(ctx, await getAccount(ctx, ctx.accountId), userActor(ctx.member), fields)
    return null
  },
})

/** The account's whole layer of agent permissions. What agents may do follows in the same transaction. */
export const setPermissionDefaults = memberMutation('admin')({
  args: { permissionDefaults: vPermissions.partial() },
  returns: v.null(),
  handler: async (ctx, { permissionDefaults }) => {
    const account = await getAccount(ctx, ctx.accountId)
    await settings.setPermissionDefaults(ctx, account, userActor(ctx.member), permissionDefaults)
    return null
  },
})

/**
 * Deletes the account with everything in it, for good. At once nobody is a member any more and no runtime gets in; the rows and
 * files follow in steps.
 * @param name the account's name, once more, so that nobody deletes the wrong one
 * @throws INVALID for another name
 */
export const remove = memberMutation('owner')({
  args: { name: v.string() },
  returns: v.null(),
  handler: async (ctx, { name }) => {
    await removeAccount(ctx, await getAccount(ctx, ctx.accountId), userActor(ctx.member), name)
    return null
  },
})

export const removeStep = internalMutation({
  args: { accountId: v.id('accounts') },
  returns: v.null(),
  handler: async (ctx, { accountId }): Promise<null> => {
    await removeAccountStep(ctx, accountId)
    return null
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
    if (command === null && signals.command === null) return null
    await ctx.db.patch(signals._id, { command, controlSeq: signals.controlSeq + 1, commandSeq: signals.commandSeq + 1 })
    await recordActivity(ctx, ctx.accountId, {
      type: 'runtime_commanded',
      actor: userActor(ctx.member),
      targetId: ctx.accountId,
      targetName: 'runtime',
      detail: command ?? `${signals.command} taken back`,
    })
    return null
  },
})
