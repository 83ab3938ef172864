/** Putting items into lanes: `enqueue`, `activate` and the promotion of the next item. */
import { LIMITS } from '@mission-control/shared/limits'
import { canAbsorb } from '@mission-control/shared/lanes/guards'
import { newItem } from '@mission-control/shared/lanes/item'
import { transition } from '@mission-control/shared/lanes/transition'
import type { DeliveryType } from '@mission-control/shared/enums'
import type { Doc, Id } from '../_generated/dataModel.js'
import type { MutationCtx } from '../_generated/server.js'
import { now } from '../lib/clock.js'
import type { Item, Lane } from './lanes.js'
import { ensureLane, findLane, getLane, patchItem, policyOf } from './lanes.js'
import { tellTooDeep } from './notices.js'

export interface NewDelivery {
  readonly type: DeliveryType
  readonly agent: Doc<'agents'>
  readonly taskId: Id<'tasks'> | null
  readonly messageId: Id<'messages'> | null
  readonly note?: string | null
  readonly depth: number
  readonly askedFrom?: Id<'lanes'> | null
}

export type Enqueued = 'enqueued' | 'coalesced' | 'closed' | 'full' | 'too_deep'

/** What an item waits for while its agent is paused. */
export const HOLD_PAUSED = 'agent_paused'

/**
 * Adds an item to the tail of its lane; an idle lane makes it the head at once.
 * @param promote false while the caller is about to promote the next item itself: those already queued go first
 * @returns what became of it; the caller decides whether `full` is an error (a person's message) or a notice (fan-out, follow-up)
 */
export async function enqueue(ctx: MutationCtx, delivery: NewDelivery, { promote = true } = {}): Promise<Enqueued> {
  if (delivery.depth > LIMITS.depth) {
    await tellTooDeep(ctx, delivery.agent, delivery.taskId)
    return 'too_deep'
  }
  const lane = await ensureLane(ctx, delivery.agent, delivery.taskId)
  if (lane.closed !== null) return 'closed'
  if (await absorb(ctx, lane, delivery)) return 'coalesced'
  if (lane.queued >= LIMITS.queuedPerLane) return 'full'
  const item = await append(ctx, lane, delivery)
  if (promote && lane.activeId === null) await activate(ctx, item)
  return 'enqueued'
}

/** Inserts the row as `queued` at the tail, and nothing more. */
export async function append(ctx: MutationCtx, lane: Lane, delivery: NewDelivery): Promise<Item> {
  const at = now()
  const id = await ctx.db.insert('deliveries', {
    ...newItem(lane.nextSeq, at),
    accountId: lane.accountId,
    laneId: lane._id,
    agentId: lane.agentId,
    taskId: lane.taskId,
    type: delivery.type,
    messageId: delivery.messageId,
    unseenFrom: await createdAt(ctx, delivery.messageId),
    note: delivery.note ?? null,
    depth: delivery.depth,
    askedFrom: delivery.askedFrom ?? null,
    committedAt: at,
    sessionKey: lane.sessionKey,
    seenFrom: 0,
    seenAt: 0,
    voidEarlier: false,
    turnCode: null,
    shownFrom: null,
    redriven: false,
    replyId: null,
  })
  await ctx.db.patch(lane._id, { nextSeq: lane.nextSeq + 1, tailId: id, queued: lane.queued + 1 })
  const item = await ctx.db.get(id)
  if (!item) throw new Error('A row just inserted is gone.')
  return item
}

/**
 * An unsent thread_update at the tail takes over the message instead of a second item. Steps of a large fan-out may come late: an
 * older message joins what the item stands for, and the newer one stays what it is about.
 */
async function absorb(ctx: MutationCtx, lane: Lane, delivery: NewDelivery): Promise<boolean> {
  if (delivery.type !== 'thread_update' || lane.tailId === null) return false
  const tail = await ctx.db.get(lane.tailId)
  if (tail?.type !== 'thread_update' || !canAbsorb(tail)) return false
  const [shown, added] = [await createdAt(ctx, tail.messageId), await createdAt(ctx, delivery.messageId)]
  if (added === null) return false
  const isNewer = shown === null || added > shown
  await ctx.db.patch(tail._id, {
    ...(isNewer ? { messageId: delivery.messageId } : {}),
    unseenFrom: Math.min(tail.unseenFrom ?? added, added),
    committedAt: now(),
  })
  return true
}

/**
 * An edit names an agent whose update on this very message was never sent: that item becomes the mention, instead of a second one.
 * @returns false if there is no such item
 */
export async function raiseToMention(ctx: MutationCtx, agent: Doc<'agents'>, message: Doc<'messages'>): Promise<boolean> {
  const lane = await findLane(ctx, agent.accountId, agent._id, message.taskId)
  const tail = lane === null || lane.tailId === null ? null : await ctx.db.get(lane.tailId)
  if (tail?.type !== 'thread_update' || tail.messageId !== message._id || !canAbsorb(tail)) return false
  // One that stands for earlier messages too stays what it is.
  if (tail.unseenFrom !== message._creationTime) return false
  await ctx.db.patch(tail._id, { type: 'mention' })
  return true
}

async function createdAt(ctx: MutationCtx, messageId: Id<'messages'> | null): Promise<number | null> {
  return messageId === null ? null : ((await ctx.db.get(messageId))?._creationTime ?? null)
}

/** Makes a queued item the head of its idle, open lane. */
export async function activate(ctx: MutationCtx, item: Item): Promise<Item> {
  const lane = await getLane(ctx, item.laneId)
  if (lane.activeId !== null || lane.closed !== null) return item
  const agent = await ctx.db.get(item.agentId)
  const hold = agent?.paused ? HOLD_PAUSED : null
  const result = transition(item, { type: 'activate', hold }, now(), policyOf(item.type), lane)
  if (result.kind !== 'changed') return item
  await ctx.db.patch(lane._id, { activeId: item._id })
  const { seenFrom, seenAt, voidEarlier } = lane
  // A redriven item whose turn may have been sent is looked for in the session it was sent to.
  const sessionKey = item.turnOpen ? item.sessionKey : lane.sessionKey
  return await patchItem(ctx, item, { ...result.patch, sessionKey, seenFrom, seenAt, voidEarlier })
}

/** First queued by seq becomes the head of an idle lane. */
export async function promoteNext(ctx: MutationCtx, laneId: Id<'lanes'>): Promise<void> {
  const lane = await getLane(ctx, laneId)
  if (lane.activeId !== null || lane.closed !== null) return
  const next = await ctx.db
    .query('deliveries')
    .withIndex('by_lane_state_seq', (q) => q.eq('accountId', lane.accountId).eq('laneId', lane._id).eq('state', 'queued'))
    .first()
  if (next) await activate(ctx, next)
}
