/** Writing to a task's thread: message, mentions, subscriptions, deliveries and activity in one transaction. */
import type { Doc, Id } from '../_generated/dataModel.js'
import type { MutationCtx } from '../_generated/server.js'
import { recordActivity } from './activity.js'
import type { Actor } from './actors.js'
import { bindToMessage, toAttachment } from './attachments.js'
import { fanOut } from './fanOut.js'
import type { ResolvedMentions } from './mentions.js'
import { resolveMentions } from './mentions.js'
import { isStop, stopTask } from './stop.js'
import { subscribe } from './subscriptions.js'

export interface NewMessage {
  readonly author: Actor
  readonly content: string
  readonly deliveryId?: Id<'deliveries'> | null
  readonly key?: string | null
  /** Already checked: the author's own, of this task, part of no other message. */
  readonly attachments?: readonly Doc<'attachments'>[]
}

const NOBODY: ResolvedMentions = { all: false, mentions: [] }

/**
 * Posts a message and tells those who must know. A person's `/stop` is for nobody: it stands in the thread, and what is under way for
 * the task ends.
 * @throws LIMIT for too many mentions, LANE_FULL if a mentioned agent's queue for this task is full
 */
export async function postMessage(ctx: MutationCtx, task: Doc<'tasks'>, posted: NewMessage): Promise<Id<'messages'>> {
  const { author, content, attachments = [] } = posted
  const stops = author.type === 'user' && isStop(content)
  const { all, mentions } = stops ? NOBODY : await resolveMentions(ctx, task.accountId, author, content)
  const messageId = await ctx.db.insert('messages', {
    accountId: task.accountId,
    taskId: task._id,
    authorType: author.type,
    authorId: author.id,
    authorName: author.name,
    content,
    mentions,
    mentionsAll: all,
    deliveryId: posted.deliveryId ?? null,
    key: posted.key ?? null,
    attachments: attachments.map(toAttachment),
    editedAt: null,
    deletedAt: null,
  })
  await bindToMessage(ctx, attachments, messageId)
  if (author.type !== 'system') await subscribe(ctx, task, { type: author.type, id: author.id })
  for (const party of mentions) await subscribe(ctx, task, party)
  await recordActivity(ctx, task.accountId, {
    type: 'message_created',
    actor: author,
    targetId: messageId,
    targetName: task.title,
    taskId: task._id,
  })
  if (stops) await stopTask(ctx, task, author)
  else await fanOut(ctx, task, await justWritten(ctx, messageId), { mentions, mentionsAll: all, followers: true, except: [] })
  return messageId
}

/** The row as this transaction has left it. */
export async function justWritten(ctx: MutationCtx, messageId: Id<'messages'>): Promise<Doc<'messages'>> {
  const message = await ctx.db.get(messageId)
  if (!message) throw new Error('A row just written is gone.')
  return message
}
