/** The account's one signals row: counters that the runtime subscribes to, each bumped exactly when it must act. */
import type { Doc, Id } from '../_generated/dataModel.js'
import type { MutationCtx, QueryCtx } from '../_generated/server.js'

/** Every account has its row from its first transaction on. */
export async function getSignals(ctx: { db: QueryCtx['db'] }, accountId: Id<'accounts'>): Promise<Doc<'signals'>> {
  const row = await ctx.db
    .query('signals')
    .withIndex('by_account', (q) => q.eq('accountId', accountId))
    .unique()
  if (!row) throw new Error(`Account ${accountId} has no signals row.`)
  return row
}

export type Counter = 'rosterVersion' | 'stopSeq' | 'controlSeq'

export async function bump(ctx: MutationCtx, accountId: Id<'accounts'>, counter: Counter): Promise<void> {
  const row = await getSignals(ctx, accountId)
  await ctx.db.patch(row._id, { [counter]: row[counter] + 1 })
}

/**
 * The active runtime if it carries this epoch ("mine" in the contract). Two point reads: `claim` must read no range that another
 * mutation writes.
 */
export async function activeRuntime(
  ctx: { db: QueryCtx['db'] },
  signals: Doc<'signals'>,
  epoch: number,
): Promise<Doc<'runtimes'> | null> {
  const runtime = signals.activeRuntimeId === null ? null : await ctx.db.get(signals.activeRuntimeId)
  return runtime?.role === 'active' && runtime.epoch === epoch ? runtime : null
}
