/** What people see of the queue: the states beside a thread, /stop, and what became of what died. */
import { paginationOptsValidator, paginationResultValidator } from 'convex/server'
import { v } from 'convex/values'
import { LIMITS } from '@mission-control/shared/limits'
import { memberMutation, memberQuery } from './lib/functions.js'
import { getOwned } from './lib/owned.js'
import { pageWithin } from './lib/paging.js'
import { nullable, vDeliveryState, vDeliveryType } from './lib/validators.js'
import { userActor } from './model/actors.js'
import { listDead as deadItems, listParts, listRuns } from './model/deadLetters.js'
import { findRun } from './model/runs.js'
import { redriveItem } from './model/settle.js'
import { stopTask } from './model/stop.js'
import { readThreadState, vThreadState } from './model/threadState.js'
import { runFields } from './tables/lanes.js'

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
      /** `ready`: when it may be claimed. `claimed`: its hard deadline. Ended: when that was. */
      dueAt: v.number(),
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
        const { _id: id, type, state, agentId, messageId, replyId, attempts, reason, dueAt, committedAt } = item
        return {
          ...{ id, type, state, agentId, messageId, replyId, attempts, reason, dueAt, committedAt },
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

/**
 * What each agent that was ever told of this thread is doing about it, and what of it it has been shown: typing and "seen by". All of
 * it follows from the queue. Whether people are typing is known nowhere: nothing of this deployment records it.
 */
export const threadState = memberQuery('member')({
  args: { taskId: v.id('tasks') },
  returns: vThreadState,
  handler: async (ctx, { taskId }) => {
    const task = await getOwned(ctx, ctx.accountId, 'tasks', taskId)
    return await readThreadState(ctx, task)
  },
})

/** What posting `/stop` does, without the line in the thread. */
export const stop = memberMutation('member')({
  args: { taskId: v.id('tasks') },
  returns: v.null(),
  handler: async (ctx, { taskId }) => {
    const task = await getOwned(ctx, ctx.accountId, 'tasks', taskId)
    await stopTask(ctx, task, userActor(ctx.member))
    return null
  },
})

const vDead = v.object({
  id: v.id('deliveries'),
  type: vDeliveryType,
  agentId: v.id('agents'),
  /** `null` once the agent or the task is deleted. */
  agentName: nullable(v.string()),
  taskId: nullable(v.id('tasks')),
  taskTitle: nullable(v.string()),
  messageId: nullable(v.id('messages')),
  reason: nullable(v.string()),
  attempts: v.number(),
  committedAt: v.number(),
  diedAt: v.number(),
})

/** What was given up, the newest death first. At most 50 a page. */
export const listDead = memberQuery('member')({
  args: { paginationOpts: paginationOptsValidator },
  returns: paginationResultValidator(vDead),
  handler: async (ctx, { paginationOpts }) => await deadItems(ctx, ctx.accountId, pageWithin(paginationOpts)),
})

/**
 * Tries a dead one once more, at the tail of its lane. For every member: it asks of the agent what writing the message again would.
 * @throws CONFLICT if it is not dead, or its lane is closed
 */
export const redrive = memberMutation('member')({
  args: { deliveryId: v.id('deliveries') },
  returns: v.object({ state: vDeliveryState }),
  handler: async (ctx, { deliveryId }) => {
    const item = await getOwned(ctx, ctx.accountId, 'deliveries', deliveryId)
    return { state: await redriveItem(ctx, item, userActor(ctx.member)) }
  },
})

/** Attempts, the newest first. */
export const runs = memberQuery('member')({
  args: { deliveryId: v.id('deliveries'), paginationOpts: paginationOptsValidator },
  returns: paginationResultValidator(v.object(runFields)),
  handler: async (ctx, { deliveryId, paginationOpts }) =>
    await listRuns(ctx, await getOwned(ctx, ctx.accountId, 'deliveries', deliveryId), pageWithin(paginationOpts)),
})

/** The whole text of replies that were cut or had no thread to go to: parts in order, by attempt. At most 8 a page. */
export const keptReply = memberQuery('member')({
  args: { deliveryId: v.id('deliveries'), paginationOpts: paginationOptsValidator },
  returns: paginationResultValidator(v.object({ fence: v.number(), n: v.number(), text: v.string() })),
  handler: async (ctx, { deliveryId, paginationOpts }) =>
    await listParts(ctx, await getOwned(ctx, ctx.accountId, 'deliveries', deliveryId), pageWithin(paginationOpts)),
})
