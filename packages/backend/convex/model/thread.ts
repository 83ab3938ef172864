/** Writing to a task's thread: message, mentions, subscriptions, deliveries and activity in one transaction. */
import { LIMITS } from '@mission-control/shared/limits'
import { internal } from '../_generated/api.js'
import type { Doc, Id } from '../_generated/dataModel.js'
import type { MutationCtx } from '../_generated/server.js'
import { refuse } from '../lib/errors.js'
import { recordActivity } from './activity.js'
import type { Actor } from './actors.js'
import { enqueue } from './enqueue.js'
import { resolveMentions } from './mentions.js'
import { notifyEach, tellFull } from './notices.js'
import type { FanOutCursor, Recipient } from './recipients.js'
import { FAN_OUT_START, nextRecipients } from './recipients.js'
import { subscribe } from './subscriptions.js'

export interface NewMessage {
  readonly author: Actor
  readonly content: string
  readonly deliveryId?: Id<'deliveries'> | null
  readonly key?: string | null
}

/**
 * Posts a message and tells those who must know.
 * @throws LIMIT for too many mentions, LANE_FULL if a mentioned agent's queue for this task is full
 */
export async function postMessage(ctx: MutationCtx, task: Doc<'tasks'>, message: NewMessage): Promise<Id<'messages'>> {
  const { author, content } = message
  const { all, mentions } = await resolveMentions(ctx, task.accountId, author, content)
  const messageId = await ctx.db.insert('messages', {
    accountId: task.accountId,
    taskId: task._id,
    authorType: author.type,
    authorId: author.id,
    authorName: author.name,
    content,
    mentions,
    mentionsAll: all,
    deliveryId: message.deliveryId ?? null,
    key: message.key ?? null,
    attachments: [],
    editedAt: null,
    deletedAt: null,
  })
  if (author.type !== 'system') await subscribe(ctx, task, { type: author.type, id: author.id })
  for (const party of mentions) await subscribe(ctx, task, party)
  await recordActivity(ctx, task.accountId, {
    type: 'message_created',
    actor: author,
    targetId: messageId,
    targetName: task.title,
    taskId: task._id,
  })
  await fanOut(ctx, task, messageId)
  return messageId
}

/** A few recipients are told at once; for more the message commits with one scheduled mutation that goes on in steps. */
async function fanOut(ctx: MutationCtx, task: Doc<'tasks'>, messageId: Id<'messages'>): Promise<void> {
  const message = await ctx.db.get(messageId)
  if (!message) return
  const first = await nextRecipients(ctx, message, FAN_OUT_START, LIMITS.fanOutStep + 1)
  if (first.recipients.length > LIMITS.fanOutStep) {
    await ctx.scheduler.runAfter(0, internal.fanOut.message, { messageId, cursor: FAN_OUT_START })
    return
  }
  await tellPeople(ctx, task, message, first.recipients)
  for (const recipient of first.recipients) {
    const told = await tellAgent(ctx, task, message, recipient)
    if (told !== 'full') continue
    // Whoever names an agent hears that it cannot be reached; a follower's full queue is no reason to refuse the message.
    if (recipient.why === 'mention') {
      refuse('LANE_FULL', `The queue of a mentioned agent is full for this task (${LIMITS.queuedPerLane} items).`)
    }
    await tellDropped(ctx, task, recipient)
  }
}

/** One scheduled step: up to LIMITS.fanOutStep recipients. */
export async function fanOutStep(ctx: MutationCtx, messageId: Id<'messages'>, cursor: FanOutCursor): Promise<void> {
  const message = await ctx.db.get(messageId)
  const task = message ? await ctx.db.get(message.taskId) : null
  if (!message || !task) return
  const { recipients, next } = await nextRecipients(ctx, message, cursor, LIMITS.fanOutStep)
  if (next !== null) await ctx.scheduler.runAfter(0, internal.fanOut.message, { messageId, cursor: next })
  await tellPeople(ctx, task, message, recipients)
  for (const recipient of recipients) {
    if ((await tellAgent(ctx, task, message, recipient)) === 'full') await tellDropped(ctx, task, recipient)
  }
}

/** The message did not get into the agent's full queue. */
async function tellDropped(ctx: MutationCtx, task: Doc<'tasks'>, { id }: Recipient): Promise<void> {
  const agent = await findAgent(ctx, id)
  if (agent) await tellFull(ctx, agent, task._id)
}

/** All of them with one scheduled fold of their unread counts. */
async function tellPeople(
  ctx: MutationCtx,
  task: Doc<'tasks'>,
  message: Doc<'messages'>,
  recipients: readonly Recipient[],
): Promise<void> {
  const told = recipients
    .filter(({ type }) => type === 'user')
    .map(({ id, why }) => {
      const title = why === 'mention' ? `${message.authorName} mentioned you` : `${message.authorName} wrote`
      const notice = { type: why, title: `${title} in "${task.title}"`, taskId: task._id, messageId: message._id }
      return { userId: id, notice }
    })
  await notifyEach(ctx, task.accountId, told)
}

async function tellAgent(
  ctx: MutationCtx,
  task: Doc<'tasks'>,
  message: Doc<'messages'>,
  { type, id, why }: Recipient,
): Promise<'told' | 'full'> {
  if (type !== 'agent') return 'told'
  const agent = await findAgent(ctx, id)
  // An archived task wakes nobody, whatever is written to it.
  if (agent?.accountId !== task.accountId || task.status === 'archived') return 'told'
  const result = await enqueue(ctx, { type: why, agent, taskId: task._id, messageId: message._id, depth: 0 })
  return result === 'full' ? 'full' : 'told'
}

async function findAgent(ctx: MutationCtx, id: string): Promise<Doc<'agents'> | null> {
  const known = ctx.db.normalizeId('agents', id)
  return known === null ? null : await ctx.db.get(known)
}
