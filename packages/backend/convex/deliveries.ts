/** What people see of the queue: the states beside a thread, and /stop. */
import { v } from 'convex/values'
import { LIMITS } from '@mission-control/shared/limits'
import { memberMutation, memberQuery } from './lib/functions.js'
import { getOwned } from './lib/owned.js'
import { nullable, vDeliveryState, vDeliveryType } from './lib/validators.js'
import { userActor } from './model/actors.js'
import { recordActivity } from './model/activity.js'
import { findRun } from './model/runs.js'
import { sweep } from './model/sweep.js'

/** The newest deliveries of a task with the times of their newest attempt, newest first. */
export const forTask = memberQuery('member')({
  args: { taskId: v.id('tasks') },
  returns: v.array(
    v.object({
      id: v.id('deliveries'),
      type: vDeliveryType,
      state: vDeliveryState,
      agentId: v.id('agents'),
      messageId: nullable(v.id('messages')),
      replyId: nullable(v.id('messages')),
      attempts: v.number(),
      reason: nullable(v.string()),
      stopping: v.boolean(),
      committedAt: v.number(),
      claimedAt: nullable(v.number()),
      sentAt: nullable(v.number()),
      acceptedAt: nullable(v.number()),
      repliedAt: nullable(v.number()),
      endedAt: nullable(v.number()),
    }),
  ),
  handler: async (ctx, { taskId }) => {
    await getOwned(ctx, ctx.accountId, 'tasks', taskId)
    const items = await ctx.db
      .query('deliveries')
      .withIndex('by_account_task', (q) => q.eq('accountId', ctx.accountId).eq('taskId', taskId))
      .order('desc')
      .take(LIMITS.pageSize)
    return await Promise.all(
      items.map(async (item) => {
        const run = await findRun(ctx, item)
        const { _id: id, type, state, agentId, messageId, replyId, attempts, reason, committedAt } = item
        return {
          ...{ id, type, state, agentId, messageId, replyId, attempts, reason, committedAt },
          stopping: item.state === 'claimed' && item.stopAt !== null,
          claimedAt: run?.claimedAt ?? null,
          sentAt: run?.sentAt ?? null,
          acceptedAt: run?.acceptedAt ?? null,
          repliedAt: run?.repliedAt ?? null,
          endedAt: run?.endedAt ?? null,
        }
      }),
    )
  },
})

/** Ends everything that is under way for a task: what waits is skipped, what runs is aborted, and no late reply appears. */
export const stop = memberMutation('member')({
  args: { taskId: v.id('tasks') },
  returns: v.null(),
  handler: async (ctx, { taskId }) => {
    const task = await getOwned(ctx, ctx.accountId, 'tasks', taskId)
    await sweep(ctx, { kind: 'stop', accountId: ctx.accountId, taskId: task._id })
    await recordActivity(ctx, ctx.accountId, {
      type: 'delivery_stopped',
      actor: userActor(ctx.member),
      targetId: task._id,
      targetName: task.title,
      taskId: task._id,
    })
    return null
  },
})
