/** What people are told. Everything here is about the caller's own rows. */
import { paginationOptsValidator, paginationResultValidator } from 'convex/server'
import { v } from 'convex/values'
import { internalMutation, memberMutation, memberQuery } from './lib/functions.js'
import { pageWithin } from './lib/paging.js'
import { nullable, vNotificationType } from './lib/validators.js'
import { isLive } from './model/accounts.js'
import { unreadCount as countUnread } from './model/inbox.js'
import { listNotices, markAllStep, markSome, removeOne, vReadAll } from './model/mail.js'
import { tellPeople, vTold } from './model/notices.js'
import { mutedTypes, setMuted } from './model/preferences.js'

const vNotice = v.object({
  id: v.id('notifications'),
  type: vNotificationType,
  title: v.string(),
  taskId: nullable(v.id('tasks')),
  messageId: nullable(v.id('messages')),
  deliveryId: nullable(v.id('deliveries')),
  readAt: nullable(v.number()),
  createdAt: v.number(),
})

/** Newest first: all, the unread ones, or those of one type. */
export const list = memberQuery('member')({
  args: { unread: v.optional(v.boolean()), type: v.optional(vNotificationType), paginationOpts: paginationOptsValidator },
  returns: paginationResultValidator(vNotice),
  handler: async (ctx, { paginationOpts, ...which }) => {
    const page = await listNotices(ctx, ctx.member, which, pageWithin(paginationOpts))
    return {
      ...page,
      page: page.page.map(({ _id: id, _creationTime: createdAt, type, title, taskId, messageId, deliveryId, readAt }) => ({
        ...{ id, type, title, taskId, messageId, deliveryId, readAt, createdAt },
      })),
    }
  },
})

/** One document read. A notice that has just been written is counted a moment later. */
export const unreadCount = memberQuery('member')({
  args: {},
  returns: v.number(),
  handler: async (ctx) => await countUnread(ctx, ctx.accountId, ctx.member.userId),
})

/** Up to LIMITS.pageSize of them, all or none. Somebody else's is as good as none. */
export const markRead = memberMutation('member')({
  args: { notificationIds: v.array(v.id('notifications')) },
  returns: v.null(),
  handler: async (ctx, { notificationIds }) => {
    await markSome(ctx, ctx.member, notificationIds)
    return null
  },
})

/** Everything that is here now; what arrives later stays unread. The first 200 at once, the others in scheduled steps. */
export const markAllRead = memberMutation('member')({
  args: {},
  returns: v.null(),
  handler: async (ctx) => {
    await markAllStep(ctx, { accountId: ctx.accountId, userId: ctx.member.userId, until: null })
    return null
  },
})

export const remove = memberMutation('member')({
  args: { notificationId: v.id('notifications') },
  returns: v.null(),
  handler: async (ctx, { notificationId }) => {
    await removeOne(ctx, ctx.member, notificationId)
    return null
  },
})

export const getPreferences = memberQuery('member')({
  args: {},
  returns: v.object({ muted: v.array(vNotificationType) }),
  handler: async (ctx) => ({ muted: await mutedTypes(ctx, ctx.accountId, ctx.member.userId) }),
})

/** Replaces the muted types; UNMUTABLE_NOTIFICATION_TYPES are refused. */
export const setPreferences = memberMutation('member')({
  args: { muted: v.array(vNotificationType) },
  returns: v.null(),
  handler: async (ctx, { muted }) => {
    await setMuted(ctx, ctx.accountId, ctx.member.userId, muted)
    return null
  },
})

/** Scheduled by a transaction that tells more than a few people. */
export const tell = internalMutation({
  args: { accountId: v.id('accounts'), told: vTold },
  returns: v.null(),
  handler: async (ctx, { accountId, told }): Promise<null> => {
    if (await isLive(ctx, accountId)) await tellPeople(ctx, accountId, told)
    return null
  },
})

export const readAll = internalMutation({
  args: { job: vReadAll },
  returns: v.null(),
  handler: async (ctx, { job }): Promise<null> => {
    if (await isLive(ctx, job.accountId)) await markAllStep(ctx, job)
    return null
  },
})
