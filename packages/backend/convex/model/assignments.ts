/** Who works on a task. Rows carry the task's status, so that an agent's open work is one index range. */
import { LIMITS } from '@mission-control/shared/limits'
import type { TaskStatus } from '@mission-control/shared/enums'
import type { Doc } from '../_generated/dataModel.js'
import type { MutationCtx, QueryCtx } from '../_generated/server.js'

/** All assignees of a task: at most LIMITS.assigneesPerTask. */
export async function listAssignments(ctx: { db: QueryCtx['db'] }, task: Doc<'tasks'>): Promise<Doc<'assignments'>[]> {
  return await ctx.db
    .query('assignments')
    .withIndex('by_account_task_assignee', (q) => q.eq('accountId', task.accountId).eq('taskId', task._id))
    .take(LIMITS.assigneesPerTask)
}

export async function keepStatus(ctx: MutationCtx, rows: readonly Doc<'assignments'>[], status: TaskStatus): Promise<void> {
  for (const row of rows) if (row.status !== status) await ctx.db.patch(row._id, { status })
}
