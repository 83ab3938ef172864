/**
 * Deleting an account. The first transaction shuts everybody out: members, invited, runtimes and their open subscriptions. Scheduled
 * steps then remove what is left, and the account's own row last, in the transaction that has found every table empty.
 *
 * Each step looks at all tables anew, so that it does not matter what the one before did, or that it never ran: a cron takes up
 * deletions that have come to a halt.
 */
import { LIMITS } from '@mission-control/shared/limits'
import { internal } from '../_generated/api.js'
import type { Doc, Id } from '../_generated/dataModel.js'
import type { MutationCtx } from '../_generated/server.js'
import { now } from '../lib/clock.js'
import { refuse } from '../lib/errors.js'
import type { OwnedTable } from '../lib/owned.js'
import { ACCOUNT_TABLES, rowsOf } from './accountTables.js'
import type { Actor } from './actors.js'
import { recordActivity } from './activity.js'

/** Rows one step removes. */
const ROWS_PER_STEP = 500
/** Bytes of rows one step reads: half of what Convex allows. A step of long texts removes fewer rows. */
const BYTES_PER_STEP = 8_000_000
/** A step takes far less than a second: after this long without one, nothing is scheduled any more. */
export const STALLED_MS = 10 * 60_000
/** Halted deletions one run of the cron takes up. */
const TAKEN_UP = 20
/** At most one runtime of an account is active; a few more cost nothing to look for. */
const ACTIVE_RUNTIMES = 10

/** @throws INVALID unless `name` is the account's name */
export async function removeAccount(ctx: MutationCtx, account: Doc<'accounts'>, actor: Actor, name: string): Promise<void> {
  const { _id: accountId } = account
  if (name !== account.name) {
    refuse('INVALID', 'The name is not that of the account: repeat it exactly to delete the account with everything in it.')
  }
  await ctx.db.patch(accountId, { deletingAt: now() })
  await recordActivity(ctx, accountId, { type: 'account_deleting', actor, targetId: accountId, targetName: account.name })
  const members = await rowsOf(ctx, accountId, 'memberships').take(LIMITS.membersPerAccount)
  const tokens = await rowsOf(ctx, accountId, 'serviceTokens').take(LIMITS.tokensPerAccount)
  const invitations = await ctx.db
    .query('invitations')
    .withIndex('by_account_state', (q) => q.eq('accountId', accountId).eq('state', 'pending'))
    .take(LIMITS.invitationsPerAccount)
  // Its lease would run out meanwhile: the cron that looks over all accounts must not meet it.
  const runtimes = await ctx.db
    .query('runtimes')
    .withIndex('by_account_role', (q) => q.eq('accountId', accountId).eq('role', 'active'))
    .take(ACTIVE_RUNTIMES)
  for (const { _id } of [...members, ...tokens, ...invitations, ...runtimes]) await ctx.db.delete(_id)
  await ctx.scheduler.runAfter(0, internal.accounts.removeStep, { accountId })
}

/** One step: some rows of the first table that has any, or at last the account itself. For an account that stays it does nothing. */
export async function removeAccountStep(ctx: MutationCtx, accountId: Id<'accounts'>): Promise<void> {
  const account = await ctx.db.get(accountId)
  if (account === null || account.deletingAt === null) return
  for (const table of ACCOUNT_TABLES) {
    if ((await rowsOf(ctx, accountId, table).first()) === null) continue
    await removeSome(ctx, accountId, table)
    await ctx.db.patch(accountId, { deletingAt: now() })
    await ctx.scheduler.runAfter(0, internal.accounts.removeStep, { accountId })
    return
  }
  await ctx.db.delete(accountId)
}

async function removeSome(ctx: MutationCtx, accountId: Id<'accounts'>, table: OwnedTable): Promise<void> {
  // A page, because only pages end early where rows are large.
  const page = { cursor: null, numItems: ROWS_PER_STEP, maximumBytesRead: BYTES_PER_STEP }
  for (const row of (await rowsOf(ctx, accountId, table).paginate(page)).page) {
    if ('storageId' in row && (await ctx.db.system.get(row.storageId)) !== null) await ctx.storage.delete(row.storageId)
    await ctx.db.delete(row._id)
  }
}

/** Takes up deletions that have come to a halt, the longest halted first. */
export async function continueRemovals(ctx: MutationCtx): Promise<void> {
  const halted = await ctx.db
    .query('accounts')
    .withIndex('by_deletingAt', (q) => q.gt('deletingAt', null).lt('deletingAt', now() - STALLED_MS))
    .take(TAKEN_UP)
  for (const { _id: accountId } of halted) {
    // Last in line: one that fails again must not keep the others waiting.
    await ctx.db.patch(accountId, { deletingAt: now() })
    await ctx.scheduler.runAfter(0, internal.accounts.removeStep, { accountId })
  }
}
