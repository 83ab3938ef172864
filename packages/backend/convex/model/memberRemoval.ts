/** What follows when somebody is out of an account: everything that names the person but what the person wrote. */
import { internal } from '../_generated/api.js'
import type { Id } from '../_generated/dataModel.js'
import type { MutationCtx } from '../_generated/server.js'
import { findMember } from './accounts.js'
import type { Actor } from './actors.js'
import { dropAllStep } from './assign.js'
import { deleteRows } from './inbox.js'
import { endInvitationsOf } from './invitations.js'

/** Rows of each kind one step removes. */
const ROWS_PER_STEP = 50

export interface GoneMember {
  readonly accountId: Id<'accounts'>
  readonly userId: string
  readonly name: string
  /** Who ended the membership. */
  readonly actor: Actor
}

/**
 * One step of forgetting somebody who is out: assignments, subscriptions, notifications, and then the invitations left
 * open and what counts and filters notifications.
 * Messages stay, under the name they were written with. Somebody who came back meanwhile keeps what is left.
 */
export async function forgetMemberStep(ctx: MutationCtx, gone: GoneMember): Promise<void> {
  const { accountId, userId } = gone
  if (await findMember(ctx, accountId, userId)) return
  const subscriptions = await ctx.db
    .query('subscriptions')
    .withIndex('by_account_subscriber', (q) => q.eq('accountId', accountId).eq('subscriberId', userId))
    .take(ROWS_PER_STEP)
  for (const row of subscriptions) await ctx.db.delete(row._id)
  const party = { type: 'user' as const, id: userId, name: gone.name }
  const free = await dropAllStep(ctx, accountId, party, gone.actor, `Its only assignee, ${gone.name}, left.`)
  const notices = await ctx.db
    .query('notifications')
    .withIndex('by_account_user', (q) => q.eq('accountId', accountId).eq('userId', userId))
    .take(ROWS_PER_STEP)
  await deleteRows(ctx, notices)
  if (!free || subscriptions.length === ROWS_PER_STEP || notices.length === ROWS_PER_STEP) {
    await ctx.scheduler.runAfter(0, internal.sweeps.forgetMember, { gone })
  } else {
    await endInvitationsOf(ctx, accountId, userId, gone.actor)
    await forgetSettings(ctx, accountId, userId)
  }
}

async function forgetSettings(ctx: MutationCtx, accountId: Id<'accounts'>, userId: string): Promise<void> {
  for (const table of ['preferences', 'inboxes'] as const) {
    const row = await ctx.db
      .query(table)
      .withIndex('by_account_user', (q) => q.eq('accountId', accountId).eq('userId', userId))
      .unique()
    if (row) await ctx.db.delete(row._id)
  }
}
