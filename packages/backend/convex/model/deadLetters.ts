/** What people can read of deliveries that died, of each attempt, and of text that its thread did not get. */
import type { PaginationOptions } from 'convex/server'
import type { Id } from '../_generated/dataModel.js'
import type { QueryCtx } from '../_generated/server.js'
import { TASKS_LOOKED_UP } from '../lib/paging.js'
import type { Item } from './lanes.js'

type Ctx = { db: QueryCtx['db'] }

/** A part has up to 750 kB: this many stay below what one answer may carry. */
const PARTS_PER_PAGE = 8

export async function listDead(ctx: Ctx, accountId: Id<'accounts'>, options: PaginationOptions) {
  const items = await ctx.db
    .query('deliveries')
    .withIndex('by_account_state_due', (q) => q.eq('accountId', accountId).eq('state', 'dead'))
    .order('desc')
    .paginate({ ...options, numItems: Math.min(options.numItems, TASKS_LOOKED_UP) })
  const lines = items.page.map(async (item) => {
    const [agent, task] = await Promise.all([ctx.db.get(item.agentId), item.taskId ? ctx.db.get(item.taskId) : null])
    const { _id: id, type, agentId, taskId, messageId, reason, attempts, committedAt, dueAt: diedAt } = item
    const names = { agentName: agent?.name ?? null, taskTitle: task?.title ?? null }
    return { id, type, agentId, taskId, messageId, reason, attempts, committedAt, diedAt, ...names }
  })
  return { ...items, page: await Promise.all(lines) }
}

export async function listRuns(ctx: Ctx, item: Item, options: PaginationOptions) {
  const runs = await ctx.db
    .query('agentRuns')
    .withIndex('by_delivery', (q) => q.eq('accountId', item.accountId).eq('deliveryId', item._id))
    .order('desc')
    .paginate(options)
  const page = runs.page.map((run) => {
    const { fence, turn, outcome, reason, reconcile, claimedAt, sentAt, acceptedAt, repliedAt, endedAt, usage, keptParts } = run
    return { fence, turn, outcome, reason, reconcile, claimedAt, sentAt, acceptedAt, repliedAt, endedAt, usage, keptParts }
  })
  return { ...runs, page }
}

export async function listParts(ctx: Ctx, item: Item, options: PaginationOptions) {
  const parts = await ctx.db
    .query('replyParts')
    .withIndex('by_delivery', (q) => q.eq('accountId', item.accountId).eq('deliveryId', item._id))
    .paginate({ ...options, numItems: Math.min(options.numItems, PARTS_PER_PAGE) })
  return { ...parts, page: parts.page.map(({ fence, n, text }) => ({ fence, n, text })) }
}
