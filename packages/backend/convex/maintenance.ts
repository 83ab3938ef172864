/** What the crons run: thin entries over model/. */
import { v } from 'convex/values'
import { internalMutation } from './lib/functions.js'
import { nullable } from './lib/validators.js'
import { continueRemovals } from './model/accountRemoval.js'
import { isLive } from './model/accounts.js'
import { auditAccount, forEachAccount } from './model/audit.js'
import { foldCounters as fold } from './model/counters.js'
import { expireRuntime as expire, lapseExpired } from './model/lapse.js'
import { retainAccount } from './model/retention.js'

export const lapse = internalMutation({
  args: {},
  returns: v.null(),
  handler: async (ctx): Promise<null> => {
    await lapseExpired(ctx)
    return null
  },
})

export const expireRuntime = internalMutation({
  args: { runtimeId: v.id('runtimes') },
  returns: v.null(),
  handler: async (ctx, { runtimeId }): Promise<null> => {
    await expire(ctx, runtimeId)
    return null
  },
})

const overAccounts = { cursor: v.optional(nullable(v.string())) }
const ofAccount = { accountId: v.id('accounts') }

export const auditAll = internalMutation({
  args: overAccounts,
  returns: v.null(),
  handler: async (ctx, { cursor = null }): Promise<null> => {
    await forEachAccount(ctx, 'audit', cursor)
    return null
  },
})

export const audit = internalMutation({
  args: ofAccount,
  returns: v.null(),
  handler: async (ctx, { accountId }): Promise<null> => {
    if (await isLive(ctx, accountId)) await auditAccount(ctx, accountId)
    return null
  },
})

export const retainAll = internalMutation({
  args: overAccounts,
  returns: v.null(),
  handler: async (ctx, { cursor = null }): Promise<null> => {
    await forEachAccount(ctx, 'retain', cursor)
    return null
  },
})

export const retain = internalMutation({
  args: ofAccount,
  returns: v.null(),
  handler: async (ctx, { accountId }): Promise<null> => {
    await retainAccount(ctx, accountId)
    return null
  },
})

/** Deletions of accounts that have come to a halt go on. */
export const removals = internalMutation({
  args: {},
  returns: v.null(),
  handler: async (ctx): Promise<null> => {
    await continueRemovals(ctx)
    return null
  },
})

/** Not a cron: scheduled by every change that is counted. */
export const foldCounters = internalMutation({
  args: ofAccount,
  returns: v.null(),
  handler: async (ctx, { accountId }): Promise<null> => {
    await fold(ctx, accountId)
    return null
  },
})
