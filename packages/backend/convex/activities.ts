/** The record of what happened. */
import { paginationOptsValidator, paginationResultValidator } from 'convex/server'
import { v } from 'convex/values'
import { memberQuery } from './lib/functions.js'
import { pageWithin } from './lib/paging.js'
import { nullable, vActivityType, vActorType } from './lib/validators.js'
import { listActivities } from './model/activity.js'

const vActivity = v.object({
  id: v.id('activities'),
  type: vActivityType,
  actor: v.object({ type: vActorType, id: v.string(), name: v.string() }),
  targetId: v.string(),
  targetName: v.string(),
  taskId: nullable(v.id('tasks')),
  detail: nullable(v.string()),
  createdAt: v.number(),
})

/** Newest first: of the account, or of one task, type, actor (a user id or an agent's id) or target. */
export const list = memberQuery('member')({
  args: {
    taskId: v.optional(v.id('tasks')),
    type: v.optional(vActivityType),
    actorId: v.optional(v.string()),
    targetId: v.optional(v.string()),
    paginationOpts: paginationOptsValidator,
  },
  returns: paginationResultValidator(vActivity),
  handler: async (ctx, { paginationOpts, ...filter }) => {
    const page = await listActivities(ctx, ctx.accountId, filter, pageWithin(paginationOpts))
    return {
      ...page,
      page: page.page.map((row) => ({
        id: row._id,
        type: row.type,
        actor: { type: row.actorType, id: row.actorId, name: row.actorName },
        targetId: row.targetId,
        targetName: row.targetName,
        taskId: row.taskId,
        detail: row.detail,
        createdAt: row._creationTime,
      })),
    }
  },
})
