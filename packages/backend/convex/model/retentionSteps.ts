/** What is deleted after its time, each from the old end of an index. A step says how many rows it deleted, at most about `limit`. */
import { TERMINAL_DELIVERY_STATES } from '@mission-control/shared/enums'
import { LIMITS } from '@mission-control/shared/limits'
import type { Doc, Id } from '../_generated/dataModel.js'
import type { MutationCtx } from '../_generated/server.js'
import { dropAttachment } from './attachments.js'
import { deleteRows } from './inbox.js'
import type { Item } from './lanes.js'

const DAY_MS = 86_400_000
/** Tokens and invitations that have ended: how they ended stays in the activities. */
const ENDED_DAYS = 90
/** A year of daily sums and a month more, so that this month can be compared with last year's. */
const USAGE_DAYS = 400
const STANDUP_DAYS = 730
/** Uploaded and never sent. */
const UNBOUND_DAYS = 1
/** Gone installations looked at in one run: there are as many as machines, not as messages. */
const RUNTIMES_PER_RUN = 50
/** Rows beside an item that are looked at in one batch: runs, parts of kept replies, effects. */
const BESIDE_ITEM = 50
/** Parts have up to 750 kB each, and a transaction may read 16 MiB: 7 of earlier items and 8 of the last are 11 MB. */
const PARTS_PER_ITEM = 8
/** Items with kept text in one batch, for the same reason. */
const PARTS_PER_BATCH = 8

type Account = Doc<'accounts'>
type Step = (ctx: MutationCtx, account: Account, at: number, limit: number) => Promise<number>

const daysAgo = (at: number, days: number): number => at - days * DAY_MS

async function deleteAll(
  ctx: MutationCtx,
  rows: readonly { readonly _id: Id<'activities' | 'usage' | 'standups' | 'laneRepairs'> }[],
) {
  for (const row of rows) await ctx.db.delete(row._id)
  return rows.length
}

/** Settled deliveries, dead letters too, with all that belongs to them. */
const deliveries: Step = async (ctx, { _id: accountId, retention }, at, limit) => {
  const before = daysAgo(at, retention.deliveriesDays)
  const left = { rows: limit, parts: PARTS_PER_BATCH }
  for (const state of TERMINAL_DELIVERY_STATES) {
    const old = await ctx.db
      .query('deliveries')
      .withIndex('by_account_state_due', (q) => q.eq('accountId', accountId).eq('state', state).lt('dueAt', before))
      .take(left.rows)
    for (const item of old) {
      await deleteItem(ctx, item, left)
      // Full, also where it is the parts that are: the next batch goes on.
      if (left.rows <= 0 || left.parts <= 0) return limit
    }
  }
  return limit - left.rows
}

/** The item goes last, so that one with many rows is finished by the next batch. */
async function deleteItem(ctx: MutationCtx, { accountId, _id }: Item, left: { rows: number; parts: number }): Promise<void> {
  const parts = await ctx.db
    .query('replyParts')
    .withIndex('by_delivery', (q) => q.eq('accountId', accountId).eq('deliveryId', _id))
    .take(PARTS_PER_ITEM)
  const runs = await ctx.db
    .query('agentRuns')
    .withIndex('by_delivery', (q) => q.eq('accountId', accountId).eq('deliveryId', _id))
    .take(BESIDE_ITEM)
  const effects = await ctx.db
    .query('effects')
    .withIndex('by_delivery_key', (q) => q.eq('accountId', accountId).eq('deliveryId', _id))
    .take(BESIDE_ITEM)
  for (const row of [...parts, ...runs, ...effects]) await ctx.db.delete(row._id)
  const more = parts.length === PARTS_PER_ITEM || runs.length === BESIDE_ITEM || effects.length === BESIDE_ITEM
  if (!more) await ctx.db.delete(_id)
  left.rows -= parts.length + runs.length + effects.length + Number(!more)
  left.parts -= parts.length
  // Some of its rows are left: the item is met again, by the next batch.
  if (more) left.rows = 0
}

const activities: Step = async (ctx, { _id: accountId, retention }, at, limit) =>
  await deleteAll(
    ctx,
    await ctx.db
      .query('activities')
      .withIndex('by_account', (q) => q.eq('accountId', accountId).lt('_creationTime', daysAgo(at, retention.activitiesDays)))
      .take(limit),
  )

const laneRepairs: Step = async (ctx, { _id: accountId, retention }, at, limit) =>
  await deleteAll(
    ctx,
    await ctx.db
      .query('laneRepairs')
      .withIndex('by_account', (q) => q.eq('accountId', accountId).lt('_creationTime', daysAgo(at, retention.activitiesDays)))
      .take(limit),
  )

/** Read or not: what nobody looked at for that long is not news. */
const notifications: Step = async (ctx, { _id: accountId, retention }, at, limit) => {
  const old = await ctx.db
    .query('notifications')
    .withIndex('by_account', (q) => q.eq('accountId', accountId).lt('_creationTime', daysAgo(at, retention.notificationsDays)))
    .take(limit)
  await deleteRows(ctx, old)
  return old.length
}

const usage: Step = async (ctx, { _id: accountId }, at, limit) =>
  await deleteAll(
    ctx,
    await ctx.db
      .query('usage')
      .withIndex('by_account_start', (q) => q.eq('accountId', accountId).lt('start', daysAgo(at, USAGE_DAYS)))
      .take(limit),
  )

/** Dates compare as texts. */
const standups: Step = async (ctx, { _id: accountId }, at, limit) => {
  const date = new Date(daysAgo(at, STANDUP_DAYS)).toISOString().slice(0, 'YYYY-MM-DD'.length)
  const old = await ctx.db
    .query('standups')
    .withIndex('by_account_date', (q) => q.eq('accountId', accountId).lt('date', date))
    .take(limit)
  return await deleteAll(ctx, old)
}

/** An account has LIMITS.tokensPerAccount of them at most, so all are looked at. */
const tokens: Step = async (ctx, { _id: accountId }, at, limit) => {
  const rows = await ctx.db
    .query('serviceTokens')
    .withIndex('by_account_lookup', (q) => q.eq('accountId', accountId))
    .take(Math.min(limit, LIMITS.tokensPerAccount))
  const old = rows.filter(({ endedAt }) => endedAt !== null && endedAt < daysAgo(at, ENDED_DAYS))
  for (const { _id } of old) {
    const use = await ctx.db
      .query('tokenUse')
      .withIndex('by_account_token', (q) => q.eq('accountId', accountId).eq('tokenId', _id))
      .unique()
    if (use) await ctx.db.delete(use._id)
    await ctx.db.delete(_id)
  }
  return old.length
}

/** By their creation: an invitation lives for days, so that those made before the line and ended after it are few. */
const invitations: Step = async (ctx, { _id: accountId }, at, limit) => {
  const before = daysAgo(at, ENDED_DAYS)
  let deleted = 0
  for (const state of ['accepted', 'revoked', 'expired'] as const) {
    const rows = await ctx.db
      .query('invitations')
      .withIndex('by_account_state', (q) => q.eq('accountId', accountId).eq('state', state).lt('_creationTime', before))
      .take(Math.max(1, limit - deleted))
    const old = rows.filter(({ endedAt }) => endedAt !== null && endedAt < before)
    for (const row of old) await ctx.db.delete(row._id)
    deleted += old.length
  }
  return deleted
}

/** Files that never became part of a message. */
const attachments: Step = async (ctx, { _id: accountId }, at, limit) => {
  const old = await ctx.db
    .query('attachments')
    .withIndex('by_account_bound', (q) =>
      q.eq('accountId', accountId).eq('bound', false).lt('_creationTime', daysAgo(at, UNBOUND_DAYS)),
    )
    .take(limit)
  for (const row of old) await dropAttachment(ctx, row)
  return old.length
}

const runtimes: Step = async (ctx, { _id: accountId, retention }, at, limit) => {
  const gone = await ctx.db
    .query('runtimes')
    .withIndex('by_account_role', (q) => q.eq('accountId', accountId).eq('role', 'gone'))
    .take(Math.min(limit, RUNTIMES_PER_RUN))
  const old = gone.filter((row) => row.lastSeenAt < daysAgo(at, retention.deliveriesDays))
  for (const row of old) await ctx.db.delete(row._id)
  return old.length
}

/** In this order, until a batch is full. */
export const RETENTION_STEPS: readonly Step[] = [
  deliveries,
  activities,
  notifications,
  usage,
  standups,
  tokens,
  invitations,
  attachments,
  runtimes,
  laneRepairs,
]
