/** What is shown as a sum, added after the transaction it comes from (docs/decisions/0006). */
import { v } from 'convex/values'
import { now } from './lib/clock.js'
import { internalMutation } from './lib/functions.js'
import { usageSums } from './lib/validators.js'
import { isLive } from './model/accounts.js'
import { foldUnread } from './model/inbox.js'
import { recallStep } from './model/setBudgets.js'
import { addUsage } from './model/usage.js'

/** Adds what ended turns used and the notices they told. An account that is being deleted counts no more. */
export const add = internalMutation({
  args: {
    accountId: v.id('accounts'),
    usage: v.array(v.object({ agentId: v.id('agents'), at: v.number(), add: v.object(usageSums) })),
    notices: v.array(v.id('notifications')),
  },
  returns: v.null(),
  handler: async (ctx, { accountId, usage, notices }): Promise<null> => {
    if (!(await isLive(ctx, accountId))) return null
    await addUsage(ctx, accountId, usage)
    // A turn given back may be what somebody waits for who was too fast to see it.
    if (usage.some(({ add }) => add.turns < 0)) await recallStep(ctx, { accountId, agentId: null, since: now(), cursor: null })
    await foldUnread(ctx, notices)
    return null
  },
})
