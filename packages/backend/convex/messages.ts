/** A task's thread as people see and write it. */
import { paginationOptsValidator, paginationResultValidator } from 'convex/server'
import { v } from 'convex/values'
import { LIMITS } from '@mission-control/shared/limits'
import { memberMutation, memberQuery } from './lib/functions.js'
import { refuse } from './lib/errors.js'
import { getOwned } from './lib/owned.js'
import { pageWithin } from './lib/paging.js'
import { checkText } from './lib/text.js'
import { nullable, vActorType, vPartyType } from './lib/validators.js'
import { userActor } from './model/actors.js'
import { postMessage } from './model/thread.js'

const vMessage = v.object({
  id: v.id('messages'),
  author: v.object({ type: vActorType, id: v.string(), name: v.string() }),
  content: v.string(),
  mentions: v.array(v.object({ type: vPartyType, id: v.string(), name: v.string() })),
  mentionsAll: v.boolean(),
  deliveryId: nullable(v.id('deliveries')),
  createdAt: v.number(),
})

/** Message, mentions, subscriptions, deliveries and activity commit together. */
export const post = memberMutation('member')({
  args: { taskId: v.id('tasks'), content: v.string() },
  returns: v.id('messages'),
  handler: async (ctx, { taskId, content }) => {
    checkText('content', content, LIMITS.messageChars, { required: true })
    const task = await getOwned(ctx, ctx.accountId, 'tasks', taskId)
    if (task.status === 'archived') refuse('INVALID', 'The task is archived.')
    return await postMessage(ctx, task, { author: userActor(ctx.member), content })
  },
})

/** Newest first. */
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
    return {
      ...page,
      page: page.page.map((row) => ({
        id: row._id,
        author: { type: row.authorType, id: row.authorId, name: row.authorName },
        content: row.content,
        mentions: row.mentions,
        mentionsAll: row.mentionsAll,
        deliveryId: row.deliveryId,
        createdAt: row._creationTime,
      })),
    }
  },
})
