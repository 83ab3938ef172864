/** What people are told. */
import { paginationOptsValidator, paginationResultValidator } from 'convex/server'
import { v } from 'convex/values'
import { memberMutation, memberQuery } from './lib/functions.js'
import { now } from './lib/clock.js'
import { refuse } from './lib/errors.js'
import { getOwned } from './lib/owned.js'
import { pageWithin } from './lib/paging.js'
import { nullable, vNotificationType } from './lib/validators.js'

/** The caller's own, newest first. */
export const list = memberQuery('member')({
  args: { paginationOpts: paginationOptsValidator },
  returns: paginationResultValidator(
    v.object({
      id: v.id('notifications'),
      type: vNotificationType,
      title: v.string(),
      taskId: nullable(v.id('tasks')),
      messageId: nullable(v.id('messages')),
      deliveryId: nullable(v.id('deliveries')),
      readAt: nullable(v.number()),
      createdAt: v.number(),
    }),
  ),
  handler: async (ctx, { paginationOpts }) => {
    const page = await ctx.db
      .query('notifications')
      .withIndex('by_account_user', (q) => q.eq('accountId', ctx.accountId).eq('userId', ctx.member.userId))
      .order('desc')
      .paginate(pageWithin(paginationOpts))
    return {
      ...page,
      page: page.page.map(({ _id: id, _creationTime: createdAt, type, title, taskId, messageId, deliveryId, readAt }) => ({
        ...{ id, type, title, taskId, messageId, deliveryId, readAt, createdAt },
      })),
    }
  },
})

/** Somebody else's is as good as none. */
export const markRead = memberMutation('member')({
  args: { notificationId: v.id('notifications') },
  returns: v.null(),
  handler: async (ctx, { notificationId }) => {
    const row = await getOwned(ctx, ctx.accountId, 'notifications', notificationId)
    if (row.userId !== ctx.member.userId) return refuse('NOT_FOUND', 'No such notification of yours.')
    if (row.readAt === null) await ctx.db.patch(row._id, { readAt: now() })
    return null
  },
})
