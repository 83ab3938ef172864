/** What the agents around a thread are doing, from their lanes and the heads of these; nothing is stored for it. */
import type { Infer } from 'convex/values'
import { v } from 'convex/values'
import { isTerminal } from '@mission-control/shared/lanes/guards'
import { LIMITS } from '@mission-control/shared/limits'
import type { Doc } from '../_generated/dataModel.js'
import type { QueryCtx } from '../_generated/server.js'
import { nullable, oneOf, vDeliveryType } from '../lib/validators.js'
import type { Item, Lane } from './lanes.js'
import { shownUntil } from './seen.js'

/**
 * `typing`: a turn runs. `stopping`: it is being aborted. `queued`: it waits for its turn. `retrying`: an attempt failed, or it was put
 * off, and it is tried again. `waiting`: held back until somebody acts, as while its agent is paused. `failed`: given up.
 */
const vDoing = oneOf(['typing', 'stopping', 'queued', 'retrying', 'waiting', 'failed'])

export const vThreadState = v.array(
  v.object({
    agentId: v.id('agents'),
    /** `null` when there is nothing to do. */
    doing: nullable(vDoing),
    /** What for. */
    type: nullable(vDeliveryType),
    deliveryId: nullable(v.id('deliveries')),
    /** Why it failed, was put off or waits. */
    reason: nullable(v.string()),
    /** When it is tried again, in ms since the epoch; `null` unless `retrying`. */
    nextTryAt: nullable(v.number()),
    /** More items wait behind it. */
    behind: v.number(),
    /** The agent has been shown the messages created in these spans, both ends included, by turns that were answered or that run. */
    seen: v.array(v.object({ from: v.number(), until: v.number() })),
  }),
)
type AgentState = Infer<typeof vThreadState>[number]
type Ctx = { db: QueryCtx['db'] }

/** One entry per lane of the task, at most LIMITS.pageSize. Reads nothing that belongs to another task, so that it does not re-run. */
export async function readThreadState(ctx: Ctx, { accountId, _id }: Doc<'tasks'>): Promise<AgentState[]> {
  const lanes = await ctx.db
    .query('lanes')
    .withIndex('by_task', (q) => q.eq('accountId', accountId).eq('taskId', _id))
    .take(LIMITS.pageSize)
  return await Promise.all(lanes.map((lane) => stateOf(ctx, lane)))
}

async function stateOf(ctx: Ctx, lane: Lane): Promise<AgentState> {
  const head = lane.activeId === null ? null : await ctx.db.get(lane.activeId)
  const item = head ?? (await lastIfDead(ctx, lane))
  const seen = lane.seenAt > 0 ? [{ from: lane.seenFrom, until: lane.seenAt }] : []
  if (head?.state === 'claimed' && head.shownFrom !== null) {
    seen.push({ from: head.shownFrom, until: await shownUntil(ctx, head) })
  }
  return {
    agentId: lane.agentId,
    ...(item ? doingOf(item) : NOTHING),
    type: item?.type ?? null,
    deliveryId: item?._id ?? null,
    behind: lane.queued,
    seen,
  }
}

const NOTHING: Pick<AgentState, 'doing' | 'reason' | 'nextTryAt'> = { doing: null, reason: null, nextTryAt: null }

/** The newest item of an idle lane, if it was given up: nobody works on what it was about. */
async function lastIfDead(ctx: Ctx, lane: Lane): Promise<Item | null> {
  const last = lane.tailId === null ? null : await ctx.db.get(lane.tailId)
  return last?.state === 'dead' ? last : null
}

function doingOf(item: Item): Pick<AgentState, 'doing' | 'reason' | 'nextTryAt'> {
  const { reason, hold, dueAt } = item
  if (item.state === 'claimed') return { doing: item.stopAt === null ? 'typing' : 'stopping', reason: null, nextTryAt: null }
  if (item.state === 'waiting') return { doing: 'waiting', reason: hold, nextTryAt: null }
  if (isTerminal(item)) return { doing: 'failed', reason, nextTryAt: null }
  return reason === null ? { doing: 'queued', reason: null, nextTryAt: null } : { doing: 'retrying', reason, nextTryAt: dueAt }
}
