/** A task's thread as people see and write it. */
import { paginationOptsValidator, paginationResultValidator } from 'convex/server'
import type { Infer } from 'convex/values'
import { v } from 'convex/values'
import { LIMITS } from '@mission-control/shared/limits'
import type { Doc } from './_generated/dataModel.js'
import { memberMutation, memberQuery } from './lib/functions.js'
import { refuse } from './lib/errors.js'
import { getOwned } from './lib/owned.js'
import { pageWithin } from './lib/paging.js'
import { checkText } from './lib/text.js'
import { nullable, vActorType, vAttachment, vPartyType } from './lib/validators.js'
import { userActor } from './model/actors.js'
import { takeUploads } from './model/attachments.js'
import { findCandidates } from './model/candidates.js'
import { editMessage, removeMessage } from './model/messageChanges.js'
import { findByKey, scopedKey } from './model/keys.js'
import { postMessage } from './model/thread.js'

const vMessage = v.object({
  id: v.id('messages'),
  taskId: v.id('tasks'),
  author: v.object({ type: vActorType, id: v.string(), name: v.string() }),
  /** Empty once it is deleted. */
  content: v.string(),
  mentions: v.array(v.object({ type: vPartyType, id: v.string(), name: v.string() })),
  mentionsAll: v.boolean(),
  deliveryId: nullable(v.id('deliveries')),
  attachments: v.array(vAttachment),
  createdAt: v.number(),
  editedAt: nullable(v.number()),
  deletedAt: nullable(v.number()),
})

const toMessage = (row: Doc<'messages'>): Infer<typeof vMessage> => ({
  id: row._id,
  taskId: row.taskId,
  author: { type: row.authorType, id: row.authorId, name: row.authorName },
  content: row.content,
  mentions: row.mentions,
  mentionsAll: row.mentionsAll,
  deliveryId: row.deliveryId,
  attachments: row.attachments,
  createdAt: row._creationTime,
  editedAt: row.editedAt,
  deletedAt: row.deletedAt,
})

/**
 * Message, mentions, subscriptions, deliveries and activity commit together. `/stop` and nothing else stops what is under way.
 *
 * `key`: a retried call with the same key answers with the first call's message and does nothing; keys of other authors do not matter.
 * `attachmentIds`: the caller's own uploads for this task that no message has yet.
 */
export const post = memberMutation('member')({
  args: {
    taskId: v.id('tasks'),
    content: v.string(),
    attachmentIds: v.optional(v.array(v.id('attachments'))),
    key: v.optional(v.string()),
  },
  returns: v.id('messages'),
  handler: async (ctx, { taskId, content, attachmentIds = [], key }) => {
    const author = userActor(ctx.member)
    const task = await getOwned(ctx, ctx.accountId, 'tasks', taskId)
    const scoped = scopedKey(author, key)
    const known = await findByKey(ctx, 'messages', ctx.accountId, scoped)
    if (known) return known.taskId === task._id ? known._id : refuse('CONFLICT', 'The key was used for another task.')
    checkText('content', content, LIMITS.messageChars, { required: true })
    if (task.status === 'archived') refuse('INVALID', 'The task is archived.')
    const attachments = await takeUploads(ctx, task, author, attachmentIds)
    return await postMessage(ctx, task, { author, content, key: scoped, attachments })
  },
})

/** Newest first; deleted ones stand in their places without their text. */
export const list = memberQuery('member')({
  args: { taskId: v.id('tasks'), paginationOpts: paginationOptsValidator },
  returns: paginationResultValidator(vMessage),
  handler: async (ctx, { taskId, paginationOpts }) => {
    await getOwned(ctx, ctx.accountId, 'tasks', taskId)
    const page = await ctx.db
      .query('messages')
      .withIndex('by_account_task', (q) => q.eq('accountId', ctx.accountId).eq('taskId', taskId))
      .order('desc')
      .paginate(pageWithin(paginationOpts))
    return { ...page, page: page.page.map(toMessage) }
  },
})

export const get = memberQuery('member')({
  args: { messageId: v.id('messages') },
  returns: vMessage,
  handler: async (ctx, { messageId }) => toMessage(await getOwned(ctx, ctx.accountId, 'messages', messageId)),
})

/** For its author. Whoever is mentioned for the first time is told; an agent that was not told yet gets the new text only. */
export const edit = memberMutation('member')({
  args: { messageId: v.id('messages'), content: v.string() },
  returns: v.null(),
  handler: async (ctx, { messageId, content }) => {
    checkText('content', content, LIMITS.messageChars, { required: true })
    const message = await getOwned(ctx, ctx.accountId, 'messages', messageId)
    const task = await getOwned(ctx, ctx.accountId, 'tasks', message.taskId)
    await editMessage(ctx, task, message, userActor(ctx.member), content)
    return null
  },
})

/** For its author, admins and owners: text and files are gone, the place in the thread stays. */
export const remove = memberMutation('member')({
  args: { messageId: v.id('messages') },
  returns: v.null(),
  handler: async (ctx, { messageId }) => {
    const message = await getOwned(ctx, ctx.accountId, 'messages', messageId)
    const task = await getOwned(ctx, ctx.accountId, 'tasks', message.taskId)
    await removeMessage(ctx, task, message, userActor(ctx.member), ctx.member.role !== 'member')
    return null
  },
})

/** Agents and members whose slug or name begins with the prefix, in any case, at most 20 of each; an empty one finds the first. */
export const candidates = memberQuery('member')({
  args: { prefix: v.string() },
  returns: v.object({
    agents: v.array(v.object({ id: v.id('agents'), slug: v.string(), name: v.string(), icon: nullable(v.string()) })),
    members: v.array(v.object({ userId: v.string(), name: v.string() })),
  }),
  handler: async (ctx, { prefix }) => {
    checkText('prefix', prefix, LIMITS.nameChars)
    return await findCandidates(ctx, ctx.accountId, prefix)
  },
})
