/** Tasks as people handle them. */
import { paginationOptsValidator, paginationResultValidator } from 'convex/server'
import { v } from 'convex/values'
import type { Doc } from './_generated/dataModel.js'
import { memberMutation, memberQuery } from './lib/functions.js'
import { getOwned } from './lib/owned.js'
import { nullable, oneOf, vActorType, vParty, vTaskStatus } from './lib/validators.js'
import { pageWithin } from './lib/paging.js'
import { userActor } from './model/actors.js'
import { assignParties, unassignParty } from './model/assign.js'
import { moveTask } from './model/taskMoves.js'
import { createTask } from './model/tasks.js'

const taskFields = {
  id: v.id('tasks'),
  title: v.string(),
  description: v.string(),
  status: vTaskStatus,
  priority: v.number(),
  blockedReason: nullable(v.string()),
  createdBy: v.object({ type: vActorType, id: v.string(), name: v.string() }),
  createdAt: v.number(),
  statusChangedAt: v.number(),
}
const vTask = v.object(taskFields)

const toTask = (task: Doc<'tasks'>) => ({
  id: task._id,
  title: task.title,
  description: task.description,
  status: task.status,
  priority: task.priority,
  blockedReason: task.blockedReason,
  createdBy: { type: task.createdByType, id: task.createdBy, name: task.createdByName },
  createdAt: task._creationTime,
  statusChangedAt: task.statusChangedAt,
})

/** A new task is in the inbox; its creator follows it. Priority 1 is the highest, 3 the default, 5 the lowest. */
export const create = memberMutation('member')({
  args: { title: v.string(), description: v.optional(v.string()), priority: v.optional(v.number()) },
  returns: v.id('tasks'),
  handler: async (ctx, { title, description, priority }) => {
    return await createTask(ctx, ctx.accountId, userActor(ctx.member), { title, description, priority })
  },
})

export const get = memberQuery('member')({
  args: { taskId: v.id('tasks') },
  returns: v.object({ ...taskFields, assignees: v.array(vParty) }),
  handler: async (ctx, { taskId }) => {
    const task = await getOwned(ctx, ctx.accountId, 'tasks', taskId)
    return { ...toTask(task), assignees: task.assignees }
  },
})

/** Tasks in one status: higher priority first, then the newest change of status. */
export const list = memberQuery('member')({
  args: { status: vTaskStatus, paginationOpts: paginationOptsValidator },
  returns: paginationResultValidator(vTask),
  handler: async (ctx, { status, paginationOpts }) => {
    const page = await ctx.db
      .query('tasks')
      .withIndex('by_account_status_rank', (q) => q.eq('accountId', ctx.accountId).eq('status', status))
      .paginate(pageWithin(paginationOpts))
    return { ...page, page: page.page.map(toTask) }
  },
})

/** Moves a task; with `from`, only if it is still in that state. */
export const updateStatus = memberMutation('member')({
  args: {
    taskId: v.id('tasks'),
    status: vTaskStatus,
    from: v.optional(vTaskStatus),
    reason: v.optional(v.string()),
  },
  returns: vTask,
  handler: async (ctx, { taskId, status, from, reason }) => {
    const task = await getOwned(ctx, ctx.accountId, 'tasks', taskId)
    return toTask(await moveTask(ctx, task, { to: status, from, reason, actor: userActor(ctx.member) }))
  },
})

/** Adds assignees; those that already are stay. From the inbox the task moves to `assigned`. */
export const assign = memberMutation('member')({
  args: { taskId: v.id('tasks'), assignees: v.array(vParty) },
  returns: vTask,
  handler: async (ctx, { taskId, assignees }) => {
    const task = await getOwned(ctx, ctx.accountId, 'tasks', taskId)
    return toTask(await assignParties(ctx, task, userActor(ctx.member), assignees))
  },
})

/** Removes an assignee. Without any left an assigned task goes back to the inbox; one in progress refuses. */
export const unassign = memberMutation('member')({
  args: { taskId: v.id('tasks'), assignee: v.object({ type: oneOf(['user', 'agent']), id: v.string() }) },
  returns: vTask,
  handler: async (ctx, { taskId, assignee }) => {
    const task = await getOwned(ctx, ctx.accountId, 'tasks', taskId)
    return toTask(await unassignParty(ctx, task, userActor(ctx.member), assignee))
  },
})
