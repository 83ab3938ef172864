/** Scheduled steps of changes to many rows. */
import { v } from 'convex/values'
import { internalMutation } from './lib/functions.js'
import { forgetAgentStep } from './model/agentRemoval.js'
import { sweep, vSweep, vSweepCursor } from './model/sweep.js'

export const step = internalMutation({
  args: { job: vSweep, after: v.optional(vSweepCursor) },
  returns: v.null(),
  handler: async (ctx, { job, after }): Promise<null> => {
    await sweep(ctx, job, after)
    return null
  },
})

export const forgetAgent = internalMutation({
  args: { accountId: v.id('accounts'), agentId: v.id('agents') },
  returns: v.null(),
  handler: async (ctx, { accountId, agentId }): Promise<null> => {
    await forgetAgentStep(ctx, accountId, agentId)
    return null
  },
})
