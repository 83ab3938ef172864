/** What a board and lists of tasks show: cards, without the long texts. */
import type { Infer } from 'convex/values'
import { v } from 'convex/values'
import { LIMITS } from '@mission-control/shared/limits'
import type { Doc, Id } from '../_generated/dataModel.js'
import type { QueryCtx } from '../_generated/server.js'
import { byteBudget, takeWithin } from '../lib/budget.js'
import { cutText } from '../lib/text.js'
import { nullable, oneOf, vParty, vTaskStatus } from '../lib/validators.js'
import { countTasks } from './counters.js'

/** In the order people read them. Archived tasks are only counted. */
export const BOARD_STATUSES = ['inbox', 'assigned', 'in_progress', 'review', 'done', 'blocked'] as const

const CARD_TITLE_CHARS = 200
const CARD_REASON_CHARS = 300
/** Bytes of rows one column may read, so that six columns of the longest descriptions stay below the 16 MiB of a function. */
const COLUMN_BYTES = 2_000_000

export const vCard = v.object({
  id: v.id('tasks'),
  title: v.string(),
  status: vTaskStatus,
  priority: v.number(),
  labels: v.array(v.string()),
  dueAt: nullable(v.number()),
  assignees: v.array(vParty),
  blockedReason: nullable(v.string()),
  statusChangedAt: v.number(),
})
export type Card = Infer<typeof vCard>

export const vBoard = v.object({
  columns: v.array(
    v.object({
      status: oneOf(BOARD_STATUSES),
      /** Of all tasks in this status. */
      count: v.number(),
      /** The first by priority, then by the newest change of status: LIMITS.boardColumn, fewer if their texts are very long. */
      cards: v.array(vCard),
    }),
  ),
  archived: v.number(),
})

export const toCard = (task: Doc<'tasks'>): Card => ({
  id: task._id,
  title: cutText(task.title, CARD_TITLE_CHARS),
  status: task.status,
  priority: task.priority,
  labels: task.labels,
  dueAt: task.dueAt,
  assignees: task.assignees,
  blockedReason: task.blockedReason === null ? null : cutText(task.blockedReason, CARD_REASON_CHARS),
  statusChangedAt: task.statusChangedAt,
})

/** Reads the cards it shows and the counters, so that it runs again only for tasks that move or change. */
export async function readBoard(ctx: { db: QueryCtx['db'] }, accountId: Id<'accounts'>): Promise<Infer<typeof vBoard>> {
  const counts = await countTasks(ctx, accountId)
  const columns = await Promise.all(
    BOARD_STATUSES.map(async (status) => {
      const tasks = ctx.db
        .query('tasks')
        .withIndex('by_account_status_rank', (q) => q.eq('accountId', accountId).eq('status', status))
      const { rows } = await takeWithin(tasks, LIMITS.boardColumn, byteBudget(COLUMN_BYTES))
      return { status, count: counts[status], cards: rows.map(toCard) }
    }),
  )
  return { columns, archived: counts.archived }
}
