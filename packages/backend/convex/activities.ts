/** The record of what happened. */
import { paginationOptsValidator, paginationResultValidator } from 'convex/server'
import { v } from 'convex/values'
import { memberQuery } from './lib/functions.js'
import { pageWithin } from './lib/paging.js'
import { nullable, vActivityType, vActorType } from './lib/validators.js'

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

/** Newest first, of the account or of one task. */
export const list = memberQuery('member')({
  args: { taskId: v.optional(v.id('tasks')), paginationOpts: paginationOptsValidator },
  returns: paginationResultValidator(vActivity),
  handler: async (ctx, { taskId, paginationOpts }) => {
    const { accountId } = ctx
    const rows =
      taskId === undefined
        ? ctx.db.query('activities').withIndex('by_account', (q) => q.eq('accountId', accountId))
        : ctx.db.query('activities').withIndex('by_account_task', (q) => q.eq('accountId', accountId).eq('taskId', taskId))
    const page = await rows.order('desc').paginate(pageWithin(paginationOpts))
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
