/**
 * Deletes what is older than it needs to be, a batch at a time; a full batch schedules the next. Each step reads only the old end of
 * an index (model/retentionSteps.ts), so that a run without work costs the same however much there is.
 */
import { internal } from '../_generated/api.js'
import type { Doc, Id } from '../_generated/dataModel.js'
import type { MutationCtx } from '../_generated/server.js'
import { now } from '../lib/clock.js'
import { checkInteger } from '../lib/text.js'
import type { Actor } from './actors.js'
import { recordActivity } from './activity.js'
import { RETENTION_STEPS } from './retentionSteps.js'

type Retention = Doc<'accounts'>['retention']

/** Rows one transaction deletes. */
const BATCH = 500
/** Days that may be set. A record of what happened is of no use if it is gone within a month. */
const BOUNDS: Readonly<Record<keyof Retention, readonly [min: number, max: number]>> = {
  deliveriesDays: [1, 3_650],
  activitiesDays: [30, 3_650],
  notificationsDays: [1, 3_650],
}

/** One batch. An account that is being deleted loses everything by itself. */
export async function retainAccount(ctx: MutationCtx, accountId: Id<'accounts'>): Promise<void> {
  const account = await ctx.db.get(accountId)
  if (account?.deletingAt !== null) return
  let left = BATCH
  for (const step of RETENTION_STEPS) {
    if (left > 0) left -= await step(ctx, account, now(), left)
  }
  if (left <= 0) await ctx.scheduler.runAfter(0, internal.maintenance.retain, { accountId })
}

/** @throws INVALID for days out of bounds */
export async function setRetention(ctx: MutationCtx, account: Doc<'accounts'>, actor: Actor, days: Retention): Promise<void> {
  const names = Object.keys(BOUNDS) as (keyof Retention)[]
  for (const name of names) checkInteger(name, days[name], ...BOUNDS[name])
  const changed = names.filter((name) => days[name] !== account.retention[name])
  if (changed.length === 0) return
  await ctx.db.patch(account._id, { retention: days })
  await recordActivity(ctx, account._id, {
    type: 'account_updated',
    actor,
    targetId: account._id,
    targetName: account.name,
    detail: `retention: ${changed.map((name) => `${name} ${account.retention[name]} -> ${days[name]}`).join(', ')}`,
  })
}
