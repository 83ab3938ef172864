/** Scheduled steps of telling more than a few recipients. */
import { v } from 'convex/values'
import { internalMutation } from './lib/functions.js'
import { nullable, oneOf } from './lib/validators.js'
import { fanOutStep, vFanOutStep } from './model/fanOut.js'
import { tellAgentsStep } from './model/tell.js'

export const message = internalMutation({
  args: vFanOutStep,
  returns: v.null(),
  handler: async (ctx, step): Promise<null> => {
    await fanOutStep(ctx, step)
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
    await tellAgentsStep(ctx, told)
    return null
  },
})
