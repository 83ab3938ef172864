/** What a member does not want to hear of. */
import type { NotificationType } from '@mission-control/shared/enums'
import { UNMUTABLE_NOTIFICATION_TYPES } from '@mission-control/shared/enums'
import type { Doc, Id } from '../_generated/dataModel.js'
import type { MutationCtx, QueryCtx } from '../_generated/server.js'
import { refuse } from '../lib/errors.js'

export const canMute = (type: NotificationType): boolean => !(UNMUTABLE_NOTIFICATION_TYPES as readonly string[]).includes(type)

async function findPreferences(
  ctx: { db: QueryCtx['db'] },
  accountId: Id<'accounts'>,
  userId: string,
): Promise<Doc<'preferences'> | null> {
  return await ctx.db
    .query('preferences')
    .withIndex('by_account_user', (q) => q.eq('accountId', accountId).eq('userId', userId))
    .unique()
}

export async function mutedTypes(
  ctx: { db: QueryCtx['db'] },
  accountId: Id<'accounts'>,
  userId: string,
): Promise<NotificationType[]> {
  return (await findPreferences(ctx, accountId, userId))?.muted ?? []
}

/** A type that can never be muted is told even where an older row says otherwise. */
export async function isMuted(
  ctx: MutationCtx,
  accountId: Id<'accounts'>,
  userId: string,
  type: NotificationType,
): Promise<boolean> {
  return canMute(type) && (await mutedTypes(ctx, accountId, userId)).includes(type)
}

/**
 * Replaces the muted types. What was told before stays.
 * @throws INVALID for a type that can never be muted
 */
export async function setMuted(
  ctx: MutationCtx,
  accountId: Id<'accounts'>,
  userId: string,
  types: readonly NotificationType[],
): Promise<void> {
  const muted = [...new Set(types)].sort()
  const forced = muted.filter((type) => !canMute(type))
  if (forced.length > 0) refuse('INVALID', `These cannot be muted: ${forced.join(', ')}. Leave them out.`)
  const row = await findPreferences(ctx, accountId, userId)
  if (row) await ctx.db.patch(row._id, { muted })
  else await ctx.db.insert('preferences', { accountId, userId, muted })
}
