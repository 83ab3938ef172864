/** Who follows a thread: its creator, its authors, the mentioned and the assignees. */
import type { PartyType } from '@mission-control/shared/enums'
import type { Doc, Id } from '../_generated/dataModel.js'
import type { MutationCtx, QueryCtx } from '../_generated/server.js'
import type { Party } from './actors.js'

type Task = Pick<Doc<'tasks'>, '_id' | 'accountId'>

export const findSubscription = (ctx: { db: QueryCtx['db'] }, task: Task, { type, id }: Party) =>
  ctx.db
    .query('subscriptions')
    .withIndex('by_account_task_type_subscriber', (q) =>
      q.eq('accountId', task.accountId).eq('taskId', task._id).eq('subscriberType', type).eq('subscriberId', id),
    )
    .unique()

/** @returns false if it was so already */
export async function subscribe(ctx: MutationCtx, task: Task, party: Party): Promise<boolean> {
  if (await findSubscription(ctx, task, party)) return false
  const { type, id } = party
  await ctx.db.insert('subscriptions', {
    accountId: task.accountId,
    taskId: task._id,
    subscriberType: type,
    subscriberId: id,
  })
  return true
}

/** @returns false if it was so already */
export async function unsubscribe(ctx: MutationCtx, task: Task, party: Party): Promise<boolean> {
  const row = await findSubscription(ctx, task, party)
  if (row) await ctx.db.delete(row._id)
  return row !== null
}

/** The subscribers of one type; page on with `after`, the last id seen. */
export async function listSubscribers(
  ctx: { db: QueryCtx['db'] },
  accountId: Id<'accounts'>,
  taskId: Id<'tasks'>,
  type: PartyType,
  limit: number,
  after = '',
): Promise<string[]> {
  const rows = await ctx.db
    .query('subscriptions')
    .withIndex('by_account_task_type_subscriber', (q) =>
      q.eq('accountId', accountId).eq('taskId', taskId).eq('subscriberType', type).gt('subscriberId', after),
    )
    .take(limit)
  return rows.map((row) => row.subscriberId)
}
