/** Tasks as people handle them. */
import { paginationOptsValidator, paginationResultValidator } from 'convex/server'
import type { Infer } from 'convex/values'
import { v } from 'convex/values'
import type { Doc } from './_generated/dataModel.js'
import { memberMutation, memberQuery } from './lib/functions.js'
import { getOwned } from './lib/owned.js'
import { nullable, vActorType, vParty, vTaskStatus } from './lib/validators.js'
import { userActor } from './model/actors.js'
import { assignParties, unassignParty } from './model/assign.js'
import { readBoard, toCard, vBoard, vCard } from './model/board.js'
import { findByKey, scopedKey } from './model/keys.js'
import { DEFAULT_HITS, searchTasks, vTaskHit } from './model/search.js'
import { listTasks } from './model/taskLists.js'
import { moveTask } from './model/taskMoves.js'
import { createTask, updateTask } from './model/tasks.js'

const vTask = v.object({
  id: v.id('tasks'),
  title: v.string(),
  description: v.string(),
  status: vTaskStatus,
  priority: v.number(),
  labels: v.array(v.string()),
  dueAt: nullable(v.number()),
  assignees: v.array(vParty),
  blockedReason: nullable(v.string()),
  createdBy: v.object({ type: vActorType, id: v.string(), name: v.string() }),
  createdAt: v.number(),
  statusChangedAt: v.number(),
})

const toTask = (task: Doc<'tasks'>): Infer<typeof vTask> => ({
  id: task._id,
  title: task.title,
  description: task.description,
  status: task.status,
  priority: task.priority,
  labels: task.labels,
  dueAt: task.dueAt,
  assignees: task.assignees,
  blockedReason: task.blockedReason,
  createdBy: { type: task.createdByType, id: task.createdBy, name: task.createdByName },
  createdAt: task._creationTime,
  statusChangedAt: task.statusChangedAt,
})

/** What people may set beside the title. Priority 1 is the highest, 3 the default, 5 the lowest; `dueAt` in ms since the epoch. */
const optionalFields = {
  description: v.optional(v.string()),
  priority: v.optional(v.number()),
  labels: v.optional(v.array(v.string())),
  dueAt: v.optional(nullable(v.number())),
}

/**
 * A new task is in the inbox, or `assigned` if it has assignees; its creator follows it. `key`: a repeated call with the same key
 * answers with the first call's task and does nothing.
 */
export const create = memberMutation('member')({
  args: { title: v.string(), ...optionalFields, assignees: v.optional(v.array(vParty)), key: v.optional(v.string()) },
  returns: v.id('tasks'),
  handler: async (ctx, { key, ...task }) => {
    const actor = userActor(ctx.member)
    const scoped = scopedKey(actor, key)
    const known = await findByKey(ctx, 'tasks', ctx.accountId, scoped)
    return known?._id ?? (await createTask(ctx, ctx.accountId, actor, task, scoped))
  },
})

/** Changes what is given and leaves the rest. Archived tasks refuse. */
export const update = memberMutation('member')({
  args: { taskId: v.id('tasks'), title: v.optional(v.string()), ...optionalFields },
  returns: vTask,
  handler: async (ctx, { taskId, ...change }) => {
    const task = await getOwned(ctx, ctx.accountId, 'tasks', taskId)
    return toTask(await updateTask(ctx, task, userActor(ctx.member), change))
  },
})

export const get = memberQuery('member')({
  args: { taskId: v.id('tasks') },
  returns: vTask,
  handler: async (ctx, { taskId }) => toTask(await getOwned(ctx, ctx.accountId, 'tasks', taskId)),
})

/** A column per status with its count and its first cards. It runs again only when a task moves or a shown one changes. */
export const board = memberQuery('member')({
  args: {},
  returns: vBoard,
  handler: async (ctx) => await readBoard(ctx, ctx.accountId),
})

/** Cards by status, label, assignee (with or without a status), or status and due date. Archived ones by status only. */
export const list = memberQuery('member')({
  args: {
    status: v.optional(vTaskStatus),
    label: v.optional(v.string()),
    assignee: v.optional(vParty),
    dueBefore: v.optional(v.number()),
    paginationOpts: paginationOptsValidator,
  },
  returns: paginationResultValidator(vCard),
  handler: async (ctx, { assignee, paginationOpts, ...filter }) => {
    const page = await listTasks(ctx, ctx.accountId, { ...filter, assigneeId: assignee?.id }, paginationOpts)
    return { ...page, page: page.page.map(toCard) }
  },
})

/** Tasks by title and description, best first. No words: nothing is found. Archived ones come too unless a status is given. */
export const search = memberQuery('member')({
  args: { text: v.string(), status: v.optional(vTaskStatus), limit: v.optional(v.number()) },
  returns: v.array(vTaskHit),
  handler: async (ctx, { text, status, limit = DEFAULT_HITS }) => await searchTasks(ctx, ctx.accountId, text, { status, limit }),
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
  args: { taskId: v.id('tasks'), assignee: vParty },
  returns: vTask,
  handler: async (ctx, { taskId, assignee }) => {
    const task = await getOwned(ctx, ctx.accountId, 'tasks', taskId)
    return toTask(await unassignParty(ctx, task, userActor(ctx.member), assignee))
  },
})
