/** Reading usage: the state of caps, series, and what each agent used. */
import type { PaginationOptions, PaginationResult } from 'convex/server'
import type { CapState, Usage } from '@mission-control/shared/budgets'
import { NO_USAGE, PERIOD_MS } from '@mission-control/shared/budgets'
import type { UsagePeriod } from '@mission-control/shared/enums'
import type { Doc, Id } from '../_generated/dataModel.js'
import type { QueryCtx } from '../_generated/server.js'
import { refuse } from '../lib/errors.js'
import { checkInteger } from '../lib/text.js'
import { statesOf } from './budgets.js'
import type { Scope } from './usage.js'

/** Days one summary may cover: a quarter of a year. */
const SUMMARY_DAYS = 92
/** Agents on one page of it: 20 times 92 rows stay far below what a query may read. */
const SUMMARY_AGENTS = 20
/** The last time that ISO dates can write. */
const LAST_MS = 8_640_000_000_000_000

type Ctx = { db: QueryCtx['db'] }
export interface Range {
  readonly from: number
  readonly to: number
}
interface Line extends Usage {
  readonly start: number
}

/** @param agent `null` for the account's own caps */
export async function budgetState(
  ctx: Ctx,
  accountId: Id<'accounts'>,
  agent: Doc<'agents'> | null,
  at: number,
): Promise<CapState[]> {
  checkInteger('at', at, 0, LAST_MS)
  const budgets = agent?.budgets ?? (await ctx.db.get(accountId))?.budgets
  if (!budgets) return refuse('NOT_FOUND', 'The account is gone.')
  return await statesOf(ctx, { accountId, agentId: agent?._id ?? null }, budgets, at)
}

/** @throws INVALID */
function checkRange({ from, to }: Range): void {
  checkInteger('from', from, 0, LAST_MS)
  checkInteger('to', to, 0, LAST_MS)
  if (to <= from) refuse('INVALID', 'to must be later than from.')
}

const rowsOf = (ctx: Ctx, { accountId, agentId }: Scope, period: UsagePeriod, { from, to }: Range) =>
  ctx.db
    .query('usage')
    .withIndex('by_account_agent_period', (q) =>
      q.eq('accountId', accountId).eq('agentId', agentId).eq('period', period).gte('start', from).lt('start', to),
    )

const line = ({ start, turns, inputTokens, outputTokens, microUsd }: Doc<'usage'>): Line => ({
  ...{ start, turns, inputTokens, outputTokens, microUsd },
})

/** @throws INVALID | NOT_FOUND (an agent of another account) */
export async function listUsage(
  ctx: Ctx,
  { period, from, to, ...scope }: Scope & Range & { readonly period: UsagePeriod },
  page: PaginationOptions,
): Promise<PaginationResult<Line>> {
  checkRange({ from, to })
  // Rows of an agent that was deleted are still there to be read; those of another account are not in this one's range.
  const rows = await rowsOf(ctx, scope, period, { from, to }).paginate(page)
  return { ...rows, page: rows.page.map(line) }
}

/** @throws INVALID | LIMIT */
export async function summarize(ctx: Ctx, accountId: Id<'accounts'>, range: Range, page: PaginationOptions) {
  checkRange(range)
  const days = (range.to - range.from) / PERIOD_MS.day
  if (days > SUMMARY_DAYS) refuse('LIMIT', `A summary covers at most ${SUMMARY_DAYS} days.`)
  const agents = await ctx.db
    .query('agents')
    .withIndex('by_account_slug', (q) => q.eq('accountId', accountId))
    .paginate({ ...page, numItems: Math.min(page.numItems, SUMMARY_AGENTS) })
  const lines = agents.page.map(async ({ _id: agentId, slug, name }) => {
    const rows = await rowsOf(ctx, { accountId, agentId }, 'day', range).take(SUMMARY_DAYS + 1)
    return { agentId, slug, name, total: rows.reduce(plus, NO_USAGE), days: rows.map(line) }
  })
  return { ...agents, page: await Promise.all(lines) }
}

const plus = (sum: Usage, row: Usage): Usage => ({
  turns: sum.turns + row.turns,
  inputTokens: sum.inputTokens + row.inputTokens,
  outputTokens: sum.outputTokens + row.outputTokens,
  microUsd: sum.microUsd + row.microUsd,
})
