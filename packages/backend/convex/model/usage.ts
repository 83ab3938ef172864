/**
 * What agents used, summed up per agent and account, per hour and day of UTC. A run counts where it was claimed. It is a turn unless
 * nothing can have reached a model: the claim was given back, got lost, or failed before anything was sent.
 *
 * The sums are shared rows, so no settle writes them: the end of a run schedules one mutation that adds what it brought. Only where
 * a cap on turns holds is the turn counted by the claim itself; the run's end then gives it back if it was none.
 */
import type { UsagePeriod } from '@mission-control/shared/enums'
import { USAGE_PERIODS } from '@mission-control/shared/enums'
import type { Usage } from '@mission-control/shared/budgets'
import { NO_USAGE, periodStart, toMicroUsd, toTokens } from '@mission-control/shared/budgets'
import type { RunUsage } from '@mission-control/shared/service-contract'
import type { Doc, Id } from '../_generated/dataModel.js'
import type { MutationCtx, QueryCtx } from '../_generated/server.js'
import { countUsage } from './folds.js'

/** Whose usage: an agent's, or (`agentId` null) the account's. */
export interface Scope {
  readonly accountId: Id<'accounts'>
  readonly agentId: Id<'agents'> | null
}

/** The row of the hour or day that `at` lies in; `null` while nothing was used. */
export async function findUsage(
  ctx: { db: QueryCtx['db'] },
  { accountId, agentId }: Scope,
  period: UsagePeriod,
  at: number,
): Promise<Doc<'usage'> | null> {
  return await ctx.db
    .query('usage')
    .withIndex('by_account_agent_period', (q) =>
      q.eq('accountId', accountId).eq('agentId', agentId).eq('period', period).eq('start', periodStart(period, at)),
    )
    .unique()
}

/** Adds to one row, which begins at nothing. */
export async function addToRow(
  ctx: MutationCtx,
  scope: Scope,
  period: UsagePeriod,
  at: number,
  add: Usage,
): Promise<Id<'usage'>> {
  const row = await findUsage(ctx, scope, period, at)
  const { accountId, agentId } = scope
  if (!row)
    return await ctx.db.insert('usage', { accountId, agentId, period, start: periodStart(period, at), ...add, reached: [] })
  await ctx.db.patch(row._id, plus(row, add))
  return row._id
}

/** What a turn that was claimed at `at` brings to its agent. */
export interface AgentUsage {
  readonly agentId: Id<'agents'>
  readonly at: number
  readonly add: Usage
}

/** Adds to the agents' and the account's hours and days: once to each row, however many turns there are. */
export async function addUsage(ctx: MutationCtx, accountId: Id<'accounts'>, added: readonly AgentUsage[]): Promise<void> {
  const rows = new Map<string, { scope: Scope; period: UsagePeriod; at: number; sum: Usage }>()
  for (const { agentId, at, add } of added) {
    for (const scope of [
      { accountId, agentId },
      { accountId, agentId: null },
    ]) {
      for (const period of USAGE_PERIODS) {
        const key = `${scope.agentId ?? ''}|${period}|${periodStart(period, at)}`
        rows.set(key, { scope, period, at, sum: plus(rows.get(key)?.sum ?? NO_USAGE, add) })
      }
    }
  }
  for (const { scope, period, at, sum } of rows.values()) await addToRow(ctx, scope, period, at, sum)
}

const plus = (a: Usage, b: Usage): Usage => ({
  turns: a.turns + b.turns,
  inputTokens: a.inputTokens + b.inputTokens,
  outputTokens: a.outputTokens + b.outputTokens,
  microUsd: a.microUsd + b.microUsd,
})

type Run = Pick<Doc<'agentRuns'>, 'accountId' | 'agentId' | 'claimedAt' | 'outcome' | 'sentAt' | 'turnCounted'>

const isTurn = ({ outcome, sentAt }: Run): boolean =>
  outcome !== 'released' && outcome !== 'orphaned' && !(outcome === 'failed' && sentAt === null)

/** Once for each run, when it ends. @param run as it ended */
export async function countRun(ctx: MutationCtx, run: Run, usage: RunUsage | null): Promise<void> {
  await schedule(ctx, run, { ...costOf(usage), turns: Number(isTurn(run)) - Number(run.turnCounted) })
}

/** What a run used became known only after its end. */
export async function countLate(ctx: MutationCtx, run: Run, usage: RunUsage): Promise<void> {
  await schedule(ctx, run, costOf(usage))
}

const costOf = (usage: RunUsage | null): Usage =>
  usage === null
    ? NO_USAGE
    : {
        turns: 0,
        inputTokens: toTokens(usage.inputTokens),
        outputTokens: toTokens(usage.outputTokens),
        microUsd: toMicroUsd(usage.costUsd),
      }

/** The amounts travel with the call: a scheduled mutation runs exactly once, and nothing it reads can make it count twice. */
async function schedule(ctx: MutationCtx, { accountId, agentId, claimedAt: at }: Run, add: Usage): Promise<void> {
  if (Object.values(add).every((amount) => amount === 0)) return
  await countUsage(ctx, accountId, { agentId, at, add })
}
