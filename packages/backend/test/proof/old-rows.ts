/** What a long life leaves behind in an account, put there in seconds. */
import type { Id } from '../../convex/_generated/dataModel.js'
import type { MutationCtx } from '../../convex/_generated/server.js'

/** Rows of each kind one transaction inserts; four kinds, and a transaction may write 16,000 documents. */
export const BATCH = 1_500

/** Runs a function inside a mutation: an engine, or a test's view of one. */
interface Engine {
  run<T>(body: (ctx: MutationCtx) => Promise<T>): Promise<T>
}

/**
 * Copies of rows that the functions wrote themselves: `count` messages of the task with the deliveries, activities and notifications
 * they caused. The task must have a message, the account a delivered item, the user a notification.
 * @param have how many there are already
 */
export async function insertHistory(
  engine: Engine,
  { accountId, taskId, userId }: { readonly accountId: Id<'accounts'>; readonly taskId: Id<'tasks'>; readonly userId: string },
  count: number,
  have: number,
): Promise<void> {
  await engine.run(async (ctx) => {
    const message = await ctx.db
      .query('messages')
      .withIndex('by_account_task', (q) => q.eq('accountId', accountId).eq('taskId', taskId))
      .first()
    const item = await ctx.db
      .query('deliveries')
      .withIndex('by_account_state_due', (q) => q.eq('accountId', accountId).eq('state', 'delivered'))
      .first()
    const activity = await ctx.db
      .query('activities')
      .withIndex('by_account_type', (q) => q.eq('accountId', accountId).eq('type', 'message_created'))
      .first()
    const notice = await ctx.db
      .query('notifications')
      .withIndex('by_account_user', (q) => q.eq('accountId', accountId).eq('userId', userId))
      .first()
    if (!message || !item || !activity || !notice) throw new Error('There is nothing to copy.')
    for (let i = 0; i < count; i++) {
      const n = have + i
      await ctx.db.insert('messages', { ...copy(message), content: `alpha history ${n}`, deliveryId: null, mentions: [] })
      await ctx.db.insert('deliveries', { ...copy(item), seq: 1_000_000_000 + n, dueAt: item.dueAt + n / 1_000 })
      await ctx.db.insert('activities', copy(activity))
      await ctx.db.insert('notifications', { ...copy(notice), readAt: null, counted: true, key: null })
    }
  })
}

export function copy<R extends { readonly _id: string; readonly _creationTime: number }>(
  row: R,
): Omit<R, '_id' | '_creationTime'> {
  const { _id, _creationTime, ...fields } = row
  return fields
}
