/**
 * The hourly check of the lanes' invariants on each account's oldest open items. It should never find anything: each repair leaves
 * a row that the runtime's page counts.
 */
import type { DeliveryState } from '@mission-control/shared/enums'
import { internal } from '../_generated/api.js'
import type { Id } from '../_generated/dataModel.js'
import type { MutationCtx } from '../_generated/server.js'
import { now } from '../lib/clock.js'
import { LIMITS } from '@mission-control/shared/limits'
import { promoteNext } from './enqueue.js'
import type { Item, Lane } from './lanes.js'
import { getLane, patchItem } from './lanes.js'
import { completeRun } from './runs.js'

const ACCOUNTS_PER_STEP = 50
/** Oldest items looked at per open state. */
const ITEMS_PER_STATE = 50
/** Queued rows counted in one run: a transaction may read 32,000 documents. */
const ROWS_COUNTED = 10_000
const HEAD_STATES = ['claimed', 'ready', 'waiting'] as const satisfies readonly DeliveryState[]

/** Schedules one job per account, a page of accounts at a time. */
export async function forEachAccount(
  ctx: MutationCtx,
  job: 'audit' | 'retain' | 'standup',
  cursor: string | null,
): Promise<void> {
  const page = await ctx.db.query('accounts').paginate({ cursor, numItems: ACCOUNTS_PER_STEP })
  const [one, all] = {
    audit: [internal.maintenance.audit, internal.maintenance.auditAll] as const,
    retain: [internal.maintenance.retain, internal.maintenance.retainAll] as const,
    standup: [internal.standup.write, internal.standup.writeAll] as const,
  }[job]
  for (const account of page.page) await ctx.scheduler.runAfter(0, one, { accountId: account._id })
  if (!page.isDone) await ctx.scheduler.runAfter(0, all, { cursor: page.continueCursor })
}

export async function auditAccount(ctx: MutationCtx, accountId: Id<'accounts'>): Promise<void> {
  const laneIds = new Set<Id<'lanes'>>()
  for (const state of [...HEAD_STATES, 'queued'] as const) {
    const items = await ctx.db
      .query('deliveries')
      .withIndex('by_account_state_due', (q) => q.eq('accountId', accountId).eq('state', state))
      .take(ITEMS_PER_STATE)
    for (const item of items) laneIds.add(item.laneId)
  }
  const budget = { rows: ROWS_COUNTED }
  for (const laneId of laneIds) await auditLane(ctx, await getLane(ctx, laneId), budget)
}

async function auditLane(ctx: MutationCtx, lane: Lane, budget: { rows: number }): Promise<void> {
  const heads: Item[] = []
  for (const state of HEAD_STATES) heads.push(...(await inState(ctx, lane, state, 2)))
  const head = heads.find((item) => item._id === lane.activeId) ?? heads[0] ?? null
  const extra = heads.filter((item) => item._id !== head?._id)

  // I1: at most one of claimed, ready, waiting, and it is the lane's active item.
  if (lane.activeId !== (head?._id ?? null)) {
    await ctx.db.patch(lane._id, { activeId: head?._id ?? null })
    await recordRepair(ctx, lane, `activeId was ${lane.activeId ?? 'null'}, not ${head?._id ?? 'null'}`)
  }
  for (const item of extra) {
    if (item.state === 'claimed') await completeRun(ctx, item, 'lapsed', 'a second head of its lane', null)
    await patchItem(ctx, item, { state: 'queued', dueAt: now(), hold: null, claimedBy: null, claimedAt: null })
    await recordRepair(ctx, lane, `a second head ${item._id} went back to the queue`)
  }
  const queued = await inState(ctx, lane, 'queued', 1)
  if (budget.rows > 0) await auditCount(ctx, lane, budget)
  // I2: an open lane with a queue has a head.
  if (head === null && queued.length > 0 && lane.closed === null) {
    await promoteNext(ctx, lane._id)
    await recordRepair(ctx, lane, 'a queue without a head')
  }
}

async function auditCount(ctx: MutationCtx, lane: Lane, budget: { rows: number }): Promise<void> {
  // One more than the limit: a redrive may go above it.
  const queued = await inState(ctx, lane, 'queued', LIMITS.queuedPerLane + 1)
  budget.rows -= queued.length
  const { queued: counted } = await getLane(ctx, lane._id)
  if (counted === queued.length || queued.length > LIMITS.queuedPerLane) return
  await ctx.db.patch(lane._id, { queued: queued.length })
  await recordRepair(ctx, lane, `queued was ${counted}, not ${queued.length}`)
}

async function inState(ctx: MutationCtx, lane: Lane, state: DeliveryState, limit: number): Promise<Item[]> {
  return await ctx.db
    .query('deliveries')
    .withIndex('by_lane_state_seq', (q) => q.eq('accountId', lane.accountId).eq('laneId', lane._id).eq('state', state))
    .take(limit)
}

async function recordRepair(ctx: MutationCtx, lane: Lane, what: string): Promise<void> {
  await ctx.db.insert('laneRepairs', { accountId: lane.accountId, laneId: lane._id, what })
}
