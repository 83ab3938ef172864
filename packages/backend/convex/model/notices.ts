/** Telling people. One row per person; nobody is told of their own act, because callers leave the actor out. */
import type { Infer } from 'convex/values'
import { v } from 'convex/values'
import { LIMITS } from '@mission-control/shared/limits'
import { internal } from '../_generated/api.js'
import type { Doc, Id } from '../_generated/dataModel.js'
import type { MutationCtx } from '../_generated/server.js'
import { nullable, vNotificationType } from '../lib/validators.js'
import { findMember } from './accounts.js'
import { recordActivity } from './activity.js'
import { SYSTEM } from './actors.js'
import { countUnread } from './folds.js'
import type { Item } from './lanes.js'
import { isMuted } from './preferences.js'

const vNotice = v.object({
  type: vNotificationType,
  title: v.string(),
  taskId: v.optional(nullable(v.id('tasks'))),
  messageId: v.optional(nullable(v.id('messages'))),
  deliveryId: v.optional(nullable(v.id('deliveries'))),
  /** Told once: dropped while an earlier notice with this key is unread. */
  key: v.optional(v.string()),
})
/** Who is told what. */
export const vTold = v.array(v.object({ userId: v.string(), notice: vNotice }))
export type Notice = Readonly<Infer<typeof vNotice>>
type Told = readonly { readonly userId: string; readonly notice: Notice }[]

/** Owners or admins one notice goes to at most, each. An account with more has other ways to tell them. */
const MANAGERS = 50

/**
 * Tells one person. Nothing is told to somebody who is no member (any more) or has muted the type.
 * Whoever tells several people in one transaction uses notifyEach, which schedules once for all of them.
 */
export async function notify(ctx: MutationCtx, accountId: Id<'accounts'>, userId: string, notice: Notice): Promise<void> {
  await notifyEach(ctx, accountId, [{ userId, notice }])
}

/**
 * Tells each person its notice: a few at once, more in a scheduled mutation, because one transaction may have several such causes, as
 * when all turns of a runtime die with it. The unread counts follow in one scheduled mutation (model/inbox.ts).
 */
export async function notifyEach(ctx: MutationCtx, accountId: Id<'accounts'>, told: Told): Promise<void> {
  if (told.length <= LIMITS.fanOutStep) return await tellPeople(ctx, accountId, told)
  await ctx.scheduler.runAfter(0, internal.notifications.tell, { accountId, told: [...told] })
}

export async function tellPeople(ctx: MutationCtx, accountId: Id<'accounts'>, told: Told): Promise<void> {
  const ids: Id<'notifications'>[] = []
  for (const { userId, notice } of told) {
    if (await wants(ctx, accountId, userId, notice)) ids.push(await insertNotice(ctx, accountId, userId, notice))
  }
  await countUnread(ctx, accountId, ids)
}

async function wants(ctx: MutationCtx, accountId: Id<'accounts'>, userId: string, notice: Notice): Promise<boolean> {
  const member = await findMember(ctx, accountId, userId)
  if (!member || (await isMuted(ctx, accountId, userId, notice.type))) return false
  const { key } = notice
  if (key === undefined) return true
  const told = await ctx.db
    .query('notifications')
    .withIndex('by_account_user_key', (q) => q.eq('accountId', accountId).eq('userId', userId).eq('key', key).eq('readAt', null))
    .first()
  return told === null
}

async function insertNotice(
  ctx: MutationCtx,
  accountId: Id<'accounts'>,
  userId: string,
  notice: Notice,
): Promise<Id<'notifications'>> {
  return await ctx.db.insert('notifications', {
    accountId,
    userId,
    type: notice.type,
    title: notice.title,
    taskId: notice.taskId ?? null,
    messageId: notice.messageId ?? null,
    deliveryId: notice.deliveryId ?? null,
    key: notice.key ?? null,
    readAt: null,
    counted: false,
  })
}

/** Owners and admins, and whoever else is named. */
export async function notifyManagers(
  ctx: MutationCtx,
  accountId: Id<'accounts'>,
  notice: Notice,
  also: readonly string[] = [],
): Promise<void> {
  const people = new Set(also)
  for (const role of ['owner', 'admin'] as const) {
    const members = await ctx.db
      .query('memberships')
      .withIndex('by_account_role', (q) => q.eq('accountId', accountId).eq('role', role))
      .take(MANAGERS)
    for (const member of members) people.add(member.userId)
  }
  const told = [...people].map((userId) => ({ userId, notice }))
  await notifyEach(ctx, accountId, told)
}

/** A delivery used up its attempts, or can never work: owners, admins and the author are told. */
export async function tellDead(ctx: MutationCtx, item: Item, reason: string): Promise<void> {
  const [agent, message] = await Promise.all([ctx.db.get(item.agentId), item.messageId ? ctx.db.get(item.messageId) : null])
  const who = agent?.name ?? 'An agent'
  const author = message?.authorType === 'user' ? [message.authorId] : []
  const title = `${who} could not be reached: ${reason}`
  const notice = { type: 'dead_letter', title, taskId: item.taskId, messageId: item.messageId, deliveryId: item._id } as const
  await notifyManagers(ctx, item.accountId, notice, author)
  await recordActivity(ctx, item.accountId, {
    type: 'delivery_dead',
    actor: SYSTEM,
    targetId: item._id,
    targetName: who,
    taskId: item.taskId,
    detail: reason,
  })
}

/** The gateway or the model is misconfigured: one unread alert per cause, however many items meet it. */
export async function tellConfiguration(ctx: MutationCtx, item: Item, reason: string): Promise<void> {
  await notifyManagers(ctx, item.accountId, { type: 'runtime_status', title: reason, key: `configuration:${reason}` })
}

/** Agents asked each other too often in one chain: nothing is enqueued, people are told once per task. */
export async function tellTooDeep(ctx: MutationCtx, agent: Doc<'agents'>, taskId: Id<'tasks'> | null): Promise<void> {
  await notifyManagers(ctx, agent.accountId, {
    type: 'dead_letter',
    title: `A chain of agent requests ended before ${agent.name}: it was too long.`,
    taskId,
    key: `depth:${taskId ?? agent._id}`,
  })
}

/** A lane is full: the item was not enqueued. */
export async function tellFull(ctx: MutationCtx, agent: Doc<'agents'>, taskId: Id<'tasks'> | null): Promise<void> {
  await notifyManagers(ctx, agent.accountId, {
    type: 'dead_letter',
    title: `${agent.name} has a full queue here; new items are dropped until it gets shorter.`,
    taskId,
    key: `full:${agent._id}:${taskId ?? ''}`,
  })
}
