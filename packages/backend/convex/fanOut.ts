/** Scheduled steps of telling more than a few recipients. */
import { v } from 'convex/values'
import { internalMutation } from './lib/functions.js'
import { nullable, oneOf } from './lib/validators.js'
import { isLive } from './model/accounts.js'
import { fanOutStep, vFanOutStep } from './model/fanOut.js'
import { tellAgentsStep } from './model/tell.js'

export const message = internalMutation({
  args: vFanOutStep,
  returns: v.null(),
  handler: async (ctx, step): Promise<null> => {
    const message = await ctx.db.get(step.messageId)
    if (message && (await isLive(ctx, message.accountId))) await fanOutStep(ctx, step)
    return null
  },
})

export const agents = internalMutation({
  args: {
    type: oneOf(['assignment', 'status_change']),
    taskId: v.id('tasks'),
    agentIds: v.array(v.id('agents')),
    note: nullable(v.string()),
    depth: v.number(),
  },
  returns: v.null(),
  handler: async (ctx, told): Promise<null> => {
    const task = await ctx.db.get(told.taskId)
    if (task && (await isLive(ctx, task.accountId))) await tellAgentsStep(ctx, told)
    return null
  },
})
