/** Setting caps, and looking anew at what waits because of the old ones. */
import type { Infer } from 'convex/values'
import { v } from 'convex/values'
import type { Budgets } from '@mission-control/shared/budgets'
import { CAPS, MAX_CAP, NO_USAGE } from '@mission-control/shared/budgets'
import { LIMITS } from '@mission-control/shared/limits'
import { internal } from '../_generated/api.js'
import type { Doc, Id } from '../_generated/dataModel.js'
import type { MutationCtx } from '../_generated/server.js'
import { now } from '../lib/clock.js'
import { checkInteger } from '../lib/text.js'
import { nullable } from '../lib/validators.js'
import type { Actor } from './actors.js'
import { recordActivity } from './activity.js'
import { applyEvent } from './apply.js'
import { clearStatus, OVER_BUDGET } from './budgets.js'
import { findRun } from './runs.js'
import type { AgentUsage } from './usage.js'
import { addUsage } from './usage.js'

/** Waiting items one step looks at. */
const ITEMS_PER_STEP = 200

/** @throws INVALID */
export async function setAccountBudgets(
  ctx: MutationCtx,
  account: Doc<'accounts'>,
  actor: Actor,
  budgets: Budgets,
): Promise<void> {
  checkBudgets(budgets)
  if (same(account.budgets, budgets)) return
  await ctx.db.patch(account._id, { budgets })
  if (budgets.turnsPerHour !== null) await countOpenTurns(ctx, account._id, null)
  await recordActivity(ctx, account._id, {
    ...({ type: 'account_updated', actor, targetId: account._id, targetName: account.name, detail: text(budgets) } as const),
  })
  await recallStep(ctx, { accountId: account._id, agentId: null, since: now(), cursor: null })
}

/** @throws INVALID */
export async function setAgentBudgets(ctx: MutationCtx, agent: Doc<'agents'>, actor: Actor, budgets: Budgets): Promise<void> {
  checkBudgets(budgets)
  if (same(agent.budgets, budgets)) return
  await ctx.db.patch(agent._id, { budgets })
  if (budgets.turnsPerHour !== null) await countOpenTurns(ctx, agent.accountId, agent._id)
  await recordActivity(ctx, agent.accountId, {
    ...({ type: 'agent_updated', actor, targetId: agent._id, targetName: agent.name, detail: text(budgets) } as const),
  })
  await clearStatus(ctx, agent.accountId, agent._id)
  await recallStep(ctx, { accountId: agent.accountId, agentId: agent._id, since: now(), cursor: null })
}

/**
 * Turns that were claimed while no cap on turns held count at their end. Under the new cap they count now, or as many more could begin.
 * @param agentId `null`: of all agents
 */
async function countOpenTurns(ctx: MutationCtx, accountId: Id<'accounts'>, agentId: Id<'agents'> | null): Promise<void> {
  const claimed = await ctx.db
    .query('deliveries')
    .withIndex('by_account_state_due', (q) => q.eq('accountId', accountId).eq('state', 'claimed'))
    .take(LIMITS.heldItems)
  const added: AgentUsage[] = []
  for (const item of claimed) {
    if (agentId !== null && item.agentId !== agentId) continue
    const run = await findRun(ctx, item)
    if (!run || run.turnCounted) continue
    await ctx.db.patch(run._id, { turnCounted: true })
    added.push({ agentId: run.agentId, at: run.claimedAt, add: { ...NO_USAGE, turns: 1 } })
  }
  await addUsage(ctx, accountId, added)
}

function checkBudgets(budgets: Budgets): void {
  for (const cap of CAPS) {
    const limit = budgets[cap]
    if (limit !== null) checkInteger(cap, limit, 0, MAX_CAP)
  }
}

const same = (a: Budgets, b: Budgets): boolean => CAPS.every((cap) => a[cap] === b[cap])
const text = (budgets: Budgets): string => `budgets: ${CAPS.map((cap) => `${cap} ${budgets[cap] ?? 'none'}`).join(', ')}`

export const vRecall = v.object({
  accountId: v.id('accounts'),
  agentId: nullable(v.id('agents')),
  /** Items due after this are looked at: what is recalled leaves the range. */
  since: v.number(),
  cursor: nullable(v.string()),
})

/** A cap has changed: what waits for the reset is looked at anew, by the next claim. 200 waiting heads a step. */
export async function recallStep(ctx: MutationCtx, job: Infer<typeof vRecall>): Promise<void> {
  const { accountId, agentId, since, cursor } = job
  const page = await ctx.db
    .query('deliveries')
    .withIndex('by_account_state_due', (q) => q.eq('accountId', accountId).eq('state', 'ready').gt('dueAt', since))
    .paginate({ cursor, numItems: ITEMS_PER_STEP })
  for (const item of page.page) {
    if (agentId !== null && item.agentId !== agentId) continue
    const result = await applyEvent(ctx, item, { type: 'recall', reason: OVER_BUDGET })
    if (result.kind === 'changed') await clearStatus(ctx, accountId, item.agentId)
  }
  if (!page.isDone) await ctx.scheduler.runAfter(0, internal.usage.recall, { job: { ...job, cursor: page.continueCursor } })
}
