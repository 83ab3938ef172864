/** Scheduled steps of changes to many rows. */
import { v } from 'convex/values'
import { internalMutation } from './lib/functions.js'
import { vActorType } from './lib/validators.js'
import { isLive } from './model/accounts.js'
import { forgetAgentStep } from './model/agentRemoval.js'
import { forgetMemberStep } from './model/memberRemoval.js'
import { sweep, vSweep, vSweepCursor } from './model/sweep.js'

export const step = internalMutation({
  args: { job: vSweep, after: v.optional(vSweepCursor) },
  returns: v.null(),
  handler: async (ctx, { job, after }): Promise<null> => {
    if (await isLive(ctx, job.accountId)) await sweep(ctx, job, after)
    return null
  },
})

export const forgetAgent = internalMutation({
  args: { accountId: v.id('accounts'), agentId: v.id('agents') },
  returns: v.null(),
  handler: async (ctx, { accountId, agentId }): Promise<null> => {
    if (await isLive(ctx, accountId)) await forgetAgentStep(ctx, accountId, agentId)
    return null
  },
})

const vGoneMember = v.object({
  accountId: v.id('accounts'),
  userId: v.string(),
  name: v.string(),
  actor: v.object({ type: vActorType, id: v.string(), name: v.string() }),
})

export const forgetMember = internalMutation({
  args: { gone: vGoneMember },
  returns: v.null(),
  handler: async (ctx, { gone }): Promise<null> => {
    if (await isLive(ctx, gone.accountId)) await forgetMemberStep(ctx, gone)
    return null
  },
})
