/** `/stop`: as a line of the thread and as a button it does the same. */
import { LIMITS } from '@mission-control/shared/limits'
import type { Doc } from '../_generated/dataModel.js'
import type { MutationCtx, QueryCtx } from '../_generated/server.js'
import { recordActivity } from './activity.js'
import type { Actor } from './actors.js'
import { getSignals } from './signals.js'
import { sweep } from './sweep.js'

/** Nothing but the command: a sentence about /stop stops nothing. */
export const isStop = (content: string): boolean => content.trim().toLowerCase() === '/stop'

/** Ends everything that is under way for a task: what waits is skipped, what runs is aborted, and no late reply appears. */
export async function stopTask(ctx: MutationCtx, task: Doc<'tasks'>, actor: Actor): Promise<void> {
  await sweep(ctx, { kind: 'stop', accountId: task.accountId, taskId: task._id })
  await recordActivity(ctx, task.accountId, {
    type: 'delivery_stopped',
    actor,
    targetId: task._id,
    targetName: task.title,
    taskId: task._id,
  })
}

/**
 * Whether the task was stopped after a write whose telling goes on in steps: what it has yet to enqueue is meant too.
 * @param at of the write, in ms since the epoch
 * @param stopSeq of the account at the write: while it stands there was no stop at all, and nothing else is read
 */
export async function wasStopped(
  ctx: { db: QueryCtx['db'] },
  { accountId, _id }: Doc<'tasks'>,
  at: number,
  stopSeq: number,
): Promise<boolean> {
  if ((await getSignals(ctx, accountId)).stopSeq === stopSeq) return false
  const next = await ctx.db
    .query('activities')
    .withIndex('by_account_task', (q) => q.eq('accountId', accountId).eq('taskId', _id).gt('_creationTime', at))
    .take(LIMITS.pageSize)
  return next.some(({ type }) => type === 'delivery_stopped')
}
