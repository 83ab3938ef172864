/** `/stop`: as a line of the thread and as a button it does the same. */
import type { Doc } from '../_generated/dataModel.js'
import type { MutationCtx } from '../_generated/server.js'
import { recordActivity } from './activity.js'
import type { Actor } from './actors.js'
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
