/** Lane rows: finding and opening them, and the one way to change an item. Which change is right is decided elsewhere. */
import { sessionKey } from '@mission-control/shared/session-keys'
import type { LanePatch } from '@mission-control/shared/lanes/item'
import type { LanePolicy } from '@mission-control/shared/lanes/policy'
import { DELIVERY_POLICY, HEARTBEAT_POLICY } from '@mission-control/shared/lanes/policy'
import type { DeliveryType } from '@mission-control/shared/enums'
import type { Doc, Id } from '../_generated/dataModel.js'
import type { MutationCtx, QueryCtx } from '../_generated/server.js'

export type Item = Doc<'deliveries'>
export type Lane = Doc<'lanes'>

export const policyOf = (type: DeliveryType): LanePolicy => (type === 'heartbeat' ? HEARTBEAT_POLICY : DELIVERY_POLICY)

export async function findLane(
  ctx: { db: QueryCtx['db'] },
  accountId: Id<'accounts'>,
  agentId: Id<'agents'>,
  taskId: Id<'tasks'> | null,
): Promise<Lane | null> {
  return await ctx.db
    .query('lanes')
    .withIndex('by_agent_task', (q) => q.eq('accountId', accountId).eq('agentId', agentId).eq('taskId', taskId))
    .unique()
}

/** The lane of (agent, task), opened if this is the first item ever. */
export async function ensureLane(ctx: MutationCtx, agent: Doc<'agents'>, taskId: Id<'tasks'> | null): Promise<Lane> {
  const found = await findLane(ctx, agent.accountId, agent._id, taskId)
  if (found) return found
  const id = await ctx.db.insert('lanes', {
    accountId: agent.accountId,
    agentId: agent._id,
    taskId,
    generation: 1,
    sessionKey: sessionKey({ slug: agent.slug, accountId: agent.accountId, taskId, generation: 1 }),
    activeId: null,
    tailId: null,
    nextSeq: 1,
    queued: 0,
    closed: null,
    seenFrom: 0,
    seenAt: 0,
    stopBefore: 0,
    voidEarlier: false,
  })
  return await getLane(ctx, id)
}

/** Lanes are never deleted while an item points to them. */
export async function getLane(ctx: { db: QueryCtx['db'] }, id: Id<'lanes'>): Promise<Lane> {
  const lane = await ctx.db.get(id)
  if (!lane) throw new Error(`Lane ${id} is gone.`)
  return lane
}

/** The item with the rules' patch applied; keeps the lane's count of queued rows. */
export async function patchItem(ctx: MutationCtx, item: Item, patch: LanePatch & Partial<Item>): Promise<Item> {
  await ctx.db.patch(item._id, patch)
  const left = Number(item.state === 'queued')
  const entered = Number((patch.state ?? item.state) === 'queued')
  if (left !== entered) {
    const lane = await getLane(ctx, item.laneId)
    await ctx.db.patch(lane._id, { queued: Math.max(0, lane.queued + entered - left) })
  }
  return { ...item, ...patch }
}
