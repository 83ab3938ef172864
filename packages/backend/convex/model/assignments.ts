/**
 * Who works on a task, twice: `assignments` rows, which carry the task's status, so that an agent's open work is one index range;
 * and `tasks.assignees`, so that a board reads one row per task. Only this file writes either.
 */
import { LIMITS } from '@mission-control/shared/limits'
import type { TaskStatus } from '@mission-control/shared/enums'
import type { Doc } from '../_generated/dataModel.js'
import type { MutationCtx, QueryCtx } from '../_generated/server.js'
import type { Party } from './actors.js'
import { samePerson } from './actors.js'

/** All assignees of a task: at most LIMITS.assigneesPerTask. */
export async function listAssignments(ctx: { db: QueryCtx['db'] }, task: Doc<'tasks'>): Promise<Doc<'assignments'>[]> {
  return await ctx.db
    .query('assignments')
    .withIndex('by_account_task_assignee', (q) => q.eq('accountId', task.accountId).eq('taskId', task._id))
    .take(LIMITS.assigneesPerTask)
}

export interface AssigneeChange {
  /** None of whom is an assignee yet. */
  readonly add?: readonly Party[]
  readonly remove?: Party
}

/** Adds or removes assignees and nothing else: no move, no activity, nobody is told. @returns the task as it is now */
export async function changeAssignees(
  ctx: MutationCtx,
  { _id: taskId }: Doc<'tasks'>,
  { add = [], remove }: AssigneeChange,
): Promise<Doc<'tasks'>> {
  // Read again: the caller's copy may be older than a change it made itself.
  const task = await ctx.db.get(taskId)
  if (!task) throw new Error(`Task ${taskId} is gone.`)
  const { accountId, status } = task
  for (const { type, id } of add) {
    await ctx.db.insert('assignments', { accountId, taskId, assigneeType: type, assigneeId: id, status })
  }
  if (remove) {
    const rows = await listAssignments(ctx, task)
    const row = rows.find((one) => samePerson({ type: one.assigneeType, id: one.assigneeId }, remove))
    if (row) await ctx.db.delete(row._id)
  }
  const kept = remove ? task.assignees.filter((party) => !samePerson(party, remove)) : task.assignees
  const assignees = [...kept, ...add.map(({ type, id }) => ({ type, id }))]
  await ctx.db.patch(taskId, { assignees })
  return { ...task, assignees }
}

export async function keepStatus(ctx: MutationCtx, rows: readonly Doc<'assignments'>[], status: TaskStatus): Promise<void> {
  for (const row of rows) if (row.status !== status) await ctx.db.patch(row._id, { status })
}
