/** Pages of tasks by one thing they have in common. Each is one range of an index. */
import type { PaginationOptions, PaginationResult } from 'convex/server'
import type { TaskStatus } from '@mission-control/shared/enums'
import type { Doc, Id } from '../_generated/dataModel.js'
import type { QueryCtx } from '../_generated/server.js'
import { refuse } from '../lib/errors.js'
import { pageWithin, TASKS_LOOKED_UP } from '../lib/paging.js'
import { nameKey } from '../lib/text.js'

export interface TaskFilter {
  readonly status?: TaskStatus | undefined
  readonly label?: string | undefined
  /** An agent's id or a member's user id. */
  readonly assigneeId?: string | undefined
  /** Milliseconds since the epoch. */
  readonly dueBefore?: number | undefined
}

type Ctx = { db: QueryCtx['db'] }
type Page = PaginationResult<Doc<'tasks'>>

/**
 * One page of tasks: of a status (by rank), of a label (newest label first), of an assignee (by status), of an assignee in one
 * status, or of a status and due before a time (earliest first). Archived tasks come by status only.
 * @throws INVALID for another combination, or a page that is too large
 */
export async function listTasks(
  ctx: Ctx,
  accountId: Id<'accounts'>,
  { status, label, assigneeId, dueBefore }: TaskFilter,
  paginationOpts: PaginationOptions,
): Promise<Page> {
  const options = pageWithin(paginationOpts)
  const given = [label, assigneeId, dueBefore].filter((value) => value !== undefined).length
  if (given === 0 && status !== undefined) return await byStatus(ctx, accountId, status).paginate(options)
  if (given === 1 && dueBefore !== undefined && status !== undefined) {
    return await dueIn(ctx, accountId, status, dueBefore).paginate(options)
  }
  const few = { ...options, numItems: Math.min(options.numItems, TASKS_LOOKED_UP) }
  if (given === 1 && assigneeId !== undefined) {
    return await withTasks(ctx, await ofAssignee(ctx, accountId, assigneeId, status).paginate(few))
  }
  if (given === 1 && label !== undefined && status === undefined) {
    return await withTasks(ctx, await withLabel(ctx, accountId, nameKey(label)).order('desc').paginate(few))
  }
  return refuse('INVALID', 'List tasks by status, by label, by assignee, by assignee and status, or by dueBefore and status.')
}

const byStatus = (ctx: Ctx, accountId: Id<'accounts'>, status: TaskStatus) =>
  ctx.db.query('tasks').withIndex('by_account_status_rank', (q) => q.eq('accountId', accountId).eq('status', status))

/** Tasks without a due date sort before every number. */
const dueIn = (ctx: Ctx, accountId: Id<'accounts'>, status: TaskStatus, dueBefore: number) =>
  ctx.db
    .query('tasks')
    .withIndex('by_account_status_due', (q) =>
      q.eq('accountId', accountId).eq('status', status).gt('dueAt', null).lt('dueAt', dueBefore),
    )

/** Of all states `archived` comes first in the alphabet, so that a range can leave it out. */
const ofAssignee = (ctx: Ctx, accountId: Id<'accounts'>, assigneeId: string, status: TaskStatus | undefined) =>
  ctx.db.query('assignments').withIndex('by_account_assignee_status', (q) => {
    const own = q.eq('accountId', accountId).eq('assigneeId', assigneeId)
    return status === undefined ? own.gt('status', 'archived') : own.eq('status', status)
  })

const withLabel = (ctx: Ctx, accountId: Id<'accounts'>, label: string) =>
  ctx.db.query('taskLabels').withIndex('by_account_label', (q) => q.eq('accountId', accountId).eq('label', label))

async function withTasks(ctx: Ctx, page: PaginationResult<{ taskId: Id<'tasks'> }>): Promise<Page> {
  const tasks = await Promise.all(page.page.map((row) => ctx.db.get(row.taskId)))
  return { ...page, page: tasks.filter((task) => task !== null) }
}
