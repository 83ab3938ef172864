/**
 * What a transaction leaves to be added to totals (docs/decisions/0006). One that ends many turns schedules it once: scheduled one by one
 * it would be two mutations more for every turn.
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
  await schedule(ctx, accountId, folds)
  return result
}

export async function countUsage(ctx: MutationCtx, accountId: Id<'accounts'>, added: AgentUsage): Promise<void> {
  const { folds } = ctx as FoldingCtx
  if (folds) folds.usage.push(added)
  else await schedule(ctx, accountId, { usage: [added], notices: [] })
}

export async function countUnread(
  ctx: MutationCtx,
  accountId: Id<'accounts'>,
  ids: readonly Id<'notifications'>[],
): Promise<void> {
  const { folds } = ctx as FoldingCtx
  if (folds) folds.notices.push(...ids)
  else await schedule(ctx, accountId, { usage: [], notices: [...ids] })
}

async function schedule(ctx: MutationCtx, accountId: Id<'accounts'>, folds: Folds): Promise<void> {
  if (folds.usage.length === 0 && folds.notices.length === 0) return
  await ctx.scheduler.runAfter(0, internal.totals.add, { accountId, ...folds })
}
