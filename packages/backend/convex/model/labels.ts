/** Labels of tasks. Lower case with single spaces, so that `Bug` and ` bug` are one label. */
import { LIMITS } from '@mission-control/shared/limits'
import type { Doc } from '../_generated/dataModel.js'
import type { MutationCtx } from '../_generated/server.js'
import { refuse } from '../lib/errors.js'
import { checkText, nameKey } from '../lib/text.js'

/**
 * The labels as they are stored: in the order given, each once.
 * @throws LIMIT | INVALID (an empty one)
 */
export function checkLabels(labels: readonly string[]): string[] {
  const kept = labels.map((label) => nameKey(checkText('A label', label, LIMITS.labelChars, { required: true })))
  const distinct = [...new Set(kept)]
  if (distinct.length > LIMITS.labelsPerTask) {
    refuse('LIMIT', `A task may have ${LIMITS.labelsPerTask} labels; this would be ${distinct.length}.`)
  }
  return distinct
}

/**
 * Keeps the rows that tasks are found by: one per label, none once the task is archived, so that old work does not crowd the list
 * of a label.
 */
export async function keepLabelRows(
  ctx: MutationCtx,
  task: Pick<Doc<'tasks'>, '_id' | 'accountId' | 'status' | 'labels'>,
): Promise<void> {
  const { _id: taskId, accountId } = task
  const wanted = new Set(task.status === 'archived' ? [] : task.labels)
  const rows = await ctx.db
    .query('taskLabels')
    .withIndex('by_account_task', (q) => q.eq('accountId', accountId).eq('taskId', taskId))
    .take(LIMITS.labelsPerTask)
  for (const row of rows) if (!wanted.delete(row.label)) await ctx.db.delete(row._id)
  for (const label of wanted) await ctx.db.insert('taskLabels', { accountId, taskId, label })
}
