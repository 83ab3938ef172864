/** Daily summaries. A cron writes them, people read them. */
import { paginationOptsValidator, paginationResultValidator } from 'convex/server'
import type { Infer } from 'convex/values'
import { v } from 'convex/values'
import type { Doc } from './_generated/dataModel.js'
import { internalMutation, memberQuery } from './lib/functions.js'
import { checkDate } from './lib/localDays.js'
import { pageWithin } from './lib/paging.js'
import { nullable } from './lib/validators.js'
import { forEachAccount } from './model/audit.js'
import { latestStandup, standupOf, standups, writeStandup } from './model/standup.js'
import { standupFields } from './tables/work.js'

const vStandup = v.object({
  id: v.id('standups'),
  ...standupFields,
  /** When in progress, blocked and in review were like this. */
  writtenAt: v.number(),
})

const toStandup = ({ _id, _creationTime, accountId: _, ...row }: Doc<'standups'>): Infer<typeof vStandup> => ({
  ...row,
  id: _id,
  writtenAt: _creationTime,
})

/** Of the newest day that has ended; `null` before the first. */
export const latest = memberQuery('member')({
  args: {},
  returns: nullable(vStandup),
  handler: async (ctx) => {
    const row = await latestStandup(ctx, ctx.accountId)
    return row && toStandup(row)
  },
})

/** Of one day, `YYYY-MM-DD`; `null` if there is none. */
export const byDate = memberQuery('member')({
  args: { date: v.string() },
  returns: nullable(vStandup),
  handler: async (ctx, { date }) => {
    const row = await standupOf(ctx, ctx.accountId, checkDate(date))
    return row && toStandup(row)
  },
})

/** Newest day first. */
export const list = memberQuery('member')({
  args: { paginationOpts: paginationOptsValidator },
  returns: paginationResultValidator(vStandup),
  handler: async (ctx, { paginationOpts }) => {
    const page = await standups(ctx, ctx.accountId).order('desc').paginate(pageWithin(paginationOpts))
    return { ...page, page: page.page.map(toStandup) }
  },
})

export const writeAll = internalMutation({
  args: { cursor: v.optional(nullable(v.string())) },
  returns: v.null(),
  handler: async (ctx, { cursor = null }): Promise<null> => {
    await forEachAccount(ctx, 'standup', cursor)
    return null
  },
})

export const write = internalMutation({
  args: { accountId: v.id('accounts') },
  returns: v.null(),
  handler: async (ctx, { accountId }): Promise<null> => {
    await writeStandup(ctx, accountId)
    return null
  },
})
