/**
 * What a transaction leaves to be added to totals (docs/decisions/0006). One that ends many turns schedules each kind of total once:
 * scheduled one by one they would be two mutations more for every turn.
 */
import { internal } from '../_generated/api.js'
import type { Id } from '../_generated/dataModel.js'
import type { MutationCtx } from '../_generated/server.js'
import type { AgentUsage } from './usage.js'

interface Folds {
  readonly usage: AgentUsage[]
  readonly notices: Id<'notifications'>[]
}
/** Nobody but this file knows that a context may carry them. */
type FoldingCtx = MutationCtx & { readonly folds?: Folds }

/** Runs `work`; what it counts is scheduled together at its end. All of it must be about this account. */
export async function countingTogether<T>(
  ctx: MutationCtx,
  accountId: Id<'accounts'>,
  work: (ctx: MutationCtx) => Promise<T>,
): Promise<T> {
  const folds: Folds = { usage: [], notices: [] }
  const result = await work({ ...ctx, folds } as FoldingCtx)
  if (folds.usage.length > 0) {
    await ctx.scheduler.runAfter(0, internal.usage.add, { accountId, added: folds.usage })
  }
  if (folds.notices.length > 0) await ctx.scheduler.runAfter(0, internal.notifications.fold, { ids: folds.notices })
  return result
}

export async function countUsage(ctx: MutationCtx, accountId: Id<'accounts'>, added: AgentUsage): Promise<void> {
  const { folds } = ctx as FoldingCtx
  if (folds) folds.usage.push(added)
  else await ctx.scheduler.runAfter(0, internal.usage.add, { accountId, added: [added] })
}

export async function countUnread(ctx: MutationCtx, ids: readonly Id<'notifications'>[]): Promise<void> {
  if (ids.length === 0) return
  const { folds } = ctx as FoldingCtx
  if (folds) folds.notices.push(...ids)
  else await ctx.scheduler.runAfter(0, internal.notifications.fold, { ids: [...ids] })
}
