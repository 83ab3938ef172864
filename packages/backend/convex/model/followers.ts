/** Following a thread by choice, and seeing who does. Each change is recorded. */
import type { PaginationOptions, PaginationResult } from 'convex/server'
import type { Doc } from '../_generated/dataModel.js'
import type { MutationCtx, QueryCtx } from '../_generated/server.js'
import { refuse } from '../lib/errors.js'
import { findOwned } from '../lib/owned.js'
import { findMember } from './accounts.js'
import type { Actor, Party } from './actors.js'
import { recordActivity } from './activity.js'
import { subscribe, unsubscribe } from './subscriptions.js'

type Task = Doc<'tasks'>
export interface Follower extends Party {
  readonly name: string
}

/** @throws INVALID for an archived task */
export async function follow(ctx: MutationCtx, task: Task, actor: Actor, follower: Follower): Promise<void> {
  if (task.status === 'archived') refuse('INVALID', 'The task is archived: nobody is told of it any more.')
  if (await subscribe(ctx, task, follower)) await record(ctx, task, actor, `${follower.name} follows`)
}

export async function unfollow(ctx: MutationCtx, task: Task, actor: Actor, follower: Follower): Promise<void> {
  if (await unsubscribe(ctx, task, follower)) await record(ctx, task, actor, `${follower.name} follows no more`)
}

async function record(ctx: MutationCtx, task: Task, actor: Actor, detail: string): Promise<void> {
  await recordActivity(ctx, task.accountId, {
    type: 'subscription_changed',
    actor,
    targetId: task._id,
    targetName: task.title,
    taskId: task._id,
    detail,
  })
}

export async function listFollowers(
  ctx: { db: QueryCtx['db'] },
  { accountId, _id }: Task,
  page: PaginationOptions,
): Promise<PaginationResult<Party & { name: string | null }>> {
  const rows = await ctx.db
    .query('subscriptions')
    .withIndex('by_account_task_type_subscriber', (q) => q.eq('accountId', accountId).eq('taskId', _id))
    .paginate(page)
  const followers = rows.page.map(async ({ subscriberType: type, subscriberId: id }) => {
    const row = type === 'agent' ? await findOwned(ctx, accountId, 'agents', id) : await findMember(ctx, accountId, id)
    return { type, id, name: row?.name ?? null }
  })
  return { ...rows, page: await Promise.all(followers) }
}
