/** A member's own notifications: listing, reading and removing them. */
import type { PaginationOptions, PaginationResult } from 'convex/server'
import type { Infer } from 'convex/values'
import { v } from 'convex/values'
import type { NotificationType } from '@mission-control/shared/enums'
import { LIMITS } from '@mission-control/shared/limits'
import { internal } from '../_generated/api.js'
import type { Doc, Id } from '../_generated/dataModel.js'
import type { MutationCtx, QueryCtx } from '../_generated/server.js'
import { now } from '../lib/clock.js'
import { refuse } from '../lib/errors.js'
import { findOwned } from '../lib/owned.js'
import { nullable } from '../lib/validators.js'
import { deleteRows, readRows } from './inbox.js'

/** Rows one step marks read. */
const ROWS_PER_STEP = 200

type Member = Doc<'memberships'>
type Notification = Doc<'notifications'>
export interface Which {
  readonly unread?: boolean | undefined
  readonly type?: NotificationType | undefined
}

export async function listNotices(
  ctx: { db: QueryCtx['db'] },
  { accountId, userId }: Member,
  { unread = false, type }: Which,
  page: PaginationOptions,
): Promise<PaginationResult<Notification>> {
  const table = ctx.db.query('notifications')
  const rows =
    type !== undefined
      ? unread
        ? table.withIndex('by_account_user_type_read', (q) =>
            q.eq('accountId', accountId).eq('userId', userId).eq('type', type).eq('readAt', null),
          )
        : table.withIndex('by_account_user_type', (q) => q.eq('accountId', accountId).eq('userId', userId).eq('type', type))
      : unread
        ? table.withIndex('by_account_user_read', (q) => q.eq('accountId', accountId).eq('userId', userId).eq('readAt', null))
        : table.withIndex('by_account_user', (q) => q.eq('accountId', accountId).eq('userId', userId))
  return await rows.order('desc').paginate(page)
}

/** @throws NOT_FOUND, also for a row of another member */
async function getMine(ctx: { db: QueryCtx['db'] }, member: Member, id: string): Promise<Notification> {
  const row = await findOwned(ctx, member.accountId, 'notifications', id)
  return row?.userId === member.userId ? row : refuse('NOT_FOUND', 'No such notification of yours.')
}

/** @throws NOT_FOUND | LIMIT; then none of them is marked */
export async function markSome(ctx: MutationCtx, member: Member, ids: readonly Id<'notifications'>[]): Promise<void> {
  if (ids.length > LIMITS.pageSize) refuse('LIMIT', `At most ${LIMITS.pageSize} notifications at once.`)
  const rows = await Promise.all([...new Set(ids)].map((id) => getMine(ctx, member, id)))
  await readRows(ctx, rows, now())
}

/** @throws NOT_FOUND */
export async function removeOne(ctx: MutationCtx, member: Member, id: Id<'notifications'>): Promise<void> {
  await deleteRows(ctx, [await getMine(ctx, member, id)])
}

/** `until`: creation time of the newest row the click could see. */
export const vReadAll = v.object({ accountId: v.id('accounts'), userId: v.string(), until: nullable(v.number()) })

/**
 * Marks what is unread, oldest first, and schedules the next step while there is more. The first step looks up the newest row there
 * is: later ones are of no concern to any step.
 */
export async function markAllStep(ctx: MutationCtx, { accountId, userId, until }: Infer<typeof vReadAll>): Promise<void> {
  const unread = (last: number) =>
    ctx.db
      .query('notifications')
      .withIndex('by_account_user_read', (q) =>
        q.eq('accountId', accountId).eq('userId', userId).eq('readAt', null).lte('_creationTime', last),
      )
  const last = until ?? (await unread(Number.MAX_SAFE_INTEGER).order('desc').first())?._creationTime
  if (last === undefined) return
  const rows = await unread(last).take(ROWS_PER_STEP)
  await readRows(ctx, rows, now())
  if (rows.length === ROWS_PER_STEP) {
    await ctx.scheduler.runAfter(0, internal.notifications.readAll, { job: { accountId, userId, until: last } })
  }
}
