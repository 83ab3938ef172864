/** Deletes what is older than it needs to be, a batch at a time; a full batch schedules the next. */
import { TERMINAL_DELIVERY_STATES } from '@mission-control/shared/enums'
import { internal } from '../_generated/api.js'
import type { Id } from '../_generated/dataModel.js'
import type { MutationCtx } from '../_generated/server.js'
import { now } from '../lib/clock.js'
import type { Item } from './lanes.js'

const DAY_MS = 86_400_000
/** Settled deliveries with their runs, and installations that are gone. */
export const KEEP_DELIVERIES_MS = 30 * DAY_MS
export const KEEP_ACTIVITIES_MS = 365 * DAY_MS
/** Rows one transaction deletes. */
const BATCH = 500
/** Rows kept for an item beside itself that are looked at in one batch: runs, and parts of kept replies. */
const RUNS_PER_ITEM = 50
const PARTS_PER_ITEM = 20

export async function retainAccount(ctx: MutationCtx, accountId: Id<'accounts'>): Promise<void> {
  let left = BATCH
  for (const state of TERMINAL_DELIVERY_STATES) left -= await deleteItems(ctx, accountId, state, left)
  left -= await deleteActivities(ctx, accountId, left)
  left -= await deleteRuntimes(ctx, accountId, left)
  if (left <= 0) await ctx.scheduler.runAfter(0, internal.maintenance.retain, { accountId })
}

async function deleteItems(
  ctx: MutationCtx,
  accountId: Id<'accounts'>,
  state: (typeof TERMINAL_DELIVERY_STATES)[number],
  limit: number,
): Promise<number> {
  if (limit <= 0) return 0
  const old = ctx.db.query('deliveries').withIndex('by_account_state_due', (q) =>
    q
      .eq('accountId', accountId)
      .eq('state', state)
      .lt('dueAt', now() - KEEP_DELIVERIES_MS),
  )
  let deleted = 0
  for (const item of await old.take(limit)) {
    deleted += await deleteItem(ctx, item)
    if (deleted >= limit) break
  }
  return deleted
}

/** The item goes last, so that one with many rows is finished by the next batch. */
async function deleteItem(ctx: MutationCtx, item: Item): Promise<number> {
  const { accountId, _id } = item
  const parts = await ctx.db
    .query('replyParts')
    .withIndex('by_delivery', (q) => q.eq('accountId', accountId).eq('deliveryId', _id))
    .take(PARTS_PER_ITEM)
  for (const part of parts) await ctx.db.delete(part._id)
  const runs = await ctx.db
    .query('agentRuns')
    .withIndex('by_delivery', (q) => q.eq('accountId', accountId).eq('deliveryId', _id))
    .take(RUNS_PER_ITEM)
  for (const run of runs) await ctx.db.delete(run._id)
  const more = parts.length === PARTS_PER_ITEM || runs.length === RUNS_PER_ITEM
  if (!more) await ctx.db.delete(_id)
  return parts.length + runs.length + Number(!more)
}

async function deleteActivities(ctx: MutationCtx, accountId: Id<'accounts'>, limit: number): Promise<number> {
  if (limit <= 0) return 0
  const old = await ctx.db
    .query('activities')
    .withIndex('by_account', (q) => q.eq('accountId', accountId).lt('_creationTime', now() - KEEP_ACTIVITIES_MS))
    .take(limit)
  for (const row of old) await ctx.db.delete(row._id)
  return old.length
}

async function deleteRuntimes(ctx: MutationCtx, accountId: Id<'accounts'>, limit: number): Promise<number> {
  if (limit <= 0) return 0
  const gone = await ctx.db
    .query('runtimes')
    .withIndex('by_account_role', (q) => q.eq('accountId', accountId).eq('role', 'gone'))
    .take(limit)
  const old = gone.filter((row) => row.lastSeenAt < now() - KEEP_DELIVERIES_MS)
  for (const row of old) await ctx.db.delete(row._id)
  return old.length
}
