/** What was used, and how much of each cap is left. */
import { paginationOptsValidator, paginationResultValidator } from 'convex/server'
import { v } from 'convex/values'
import { internalMutation, memberQuery } from './lib/functions.js'
import { getOwned } from './lib/owned.js'
import { pageWithin } from './lib/paging.js'
import { nullable, oneOf, usageSums, vUsagePeriod } from './lib/validators.js'
import { CAPS } from '@mission-control/shared/budgets'
import { isLive } from './model/accounts.js'
import { recallStep, vRecall } from './model/setBudgets.js'
import { budgetState, listUsage, summarize } from './model/usageReport.js'

const vCapState = v.object({
  cap: oneOf(CAPS),
  period: vUsagePeriod,
  limit: v.number(),
  used: v.number(),
  over: v.boolean(),
  until: v.number(),
})

/**
 * Each cap that is set, of the account (`agentId` null) or an agent, with what is used of it and when it begins anew.
 * @param at the caller's time in ms: a query that read the clock itself would never fire again when the period ends
 */
export const state = memberQuery('member')({
  args: { agentId: nullable(v.id('agents')), at: v.number() },
  returns: v.array(vCapState),
  handler: async (ctx, { agentId, at }) => {
    const agent = agentId === null ? null : await getOwned(ctx, ctx.accountId, 'agents', agentId)
    return await budgetState(ctx, ctx.accountId, agent, at)
  },
})

/** Hours or days of the account (`agentId` null) or an agent within [from, to), oldest first; empty ones have no row. */
export const list = memberQuery('member')({
  args: {
    agentId: nullable(v.id('agents')),
    period: vUsagePeriod,
    from: v.number(),
    to: v.number(),
    paginationOpts: paginationOptsValidator,
  },
  returns: paginationResultValidator(v.object({ start: v.number(), ...usageSums })),
  handler: async (ctx, { paginationOpts, ...which }) =>
    await listUsage(ctx, { accountId: ctx.accountId, ...which }, pageWithin(paginationOpts)),
})

/** Agents with what each used on each day of [from, to), at most 92 days and 20 agents a page, by slug. */
export const summary = memberQuery('member')({
  args: { from: v.number(), to: v.number(), paginationOpts: paginationOptsValidator },
  returns: paginationResultValidator(
    v.object({
      agentId: v.id('agents'),
      slug: v.string(),
      name: v.string(),
      total: v.object(usageSums),
      days: v.array(v.object({ start: v.number(), ...usageSums })),
    }),
  ),
  handler: async (ctx, { from, to, paginationOpts }) =>
    await summarize(ctx, ctx.accountId, { from, to }, pageWithin(paginationOpts)),
})

export const recall = internalMutation({
  args: { job: vRecall },
  returns: v.null(),
  handler: async (ctx, { job }): Promise<null> => {
    if (await isLive(ctx, job.accountId)) await recallStep(ctx, job)
    return null
  },
})
