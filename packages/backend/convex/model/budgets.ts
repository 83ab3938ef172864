/** Caps at work: may this agent begin a turn now, and who hears that it may not. */
import type { Budgets, Cap, CapState, Usage } from '@mission-control/shared/budgets'
import { capStates, hasCap, NO_USAGE } from '@mission-control/shared/budgets'
import type { Doc, Id } from '../_generated/dataModel.js'
import type { MutationCtx, QueryCtx } from '../_generated/server.js'
import { now } from '../lib/clock.js'
import { recordActivity } from './activity.js'
import { SYSTEM } from './actors.js'
import { notifyManagers } from './notices.js'
import { findPresence } from './presence.js'
import type { Scope } from './usage.js'
import { addToRow, addUsage, findUsage } from './usage.js'

/** Why a delivery waits, and why a heartbeat is skipped. */
export const OVER_BUDGET = 'over_budget'
/** How the agent's status says it; the time follows. */
const STATUS_PREFIX = 'Over budget'

type Account = Pick<Doc<'accounts'>, '_id' | 'name' | 'budgets'>
type Agent = Pick<Doc<'agents'>, '_id' | 'accountId' | 'name' | 'budgets'>
interface Reached {
  readonly scope: Scope
  readonly name: string
  readonly state: CapState
}
export interface Over {
  /** When every reached cap begins anew. */
  readonly until: number
  readonly reached: readonly Reached[]
}

/** The caps of one scope; reads only the rows whose cap is set. */
export async function statesOf(ctx: { db: QueryCtx['db'] }, scope: Scope, budgets: Budgets, at: number): Promise<CapState[]> {
  if (!hasCap(budgets)) return []
  const used = async (...caps: Cap[]): Promise<Usage> => {
    const period = caps.includes('turnsPerHour') ? 'hour' : 'day'
    return caps.some((cap) => budgets[cap] !== null) ? ((await findUsage(ctx, scope, period, at)) ?? NO_USAGE) : NO_USAGE
  }
  return capStates(budgets, { hour: await used('turnsPerHour'), day: await used('tokensPerDay', 'microUsdPerDay') }, at)
}

/** Whether agent or account have reached a cap; `null` while a turn may begin. Tokens and money of turns in flight are not known. */
export async function overBudget(ctx: MutationCtx, account: Account, agent: Agent): Promise<Over | null> {
  const accountId = account._id
  const levels = [
    { scope: { accountId, agentId: agent._id }, name: agent.name, budgets: agent.budgets },
    { scope: { accountId, agentId: null }, name: account.name, budgets: account.budgets },
  ]
  const reached: Reached[] = []
  for (const { scope, name, budgets } of levels) {
    const states = await statesOf(ctx, scope, budgets, now())
    reached.push(...states.filter(({ over }) => over).map((state) => ({ scope, name, state })))
  }
  return reached.length === 0 ? null : { until: Math.max(...reached.map(({ state }) => state.until)), reached }
}

export const isCapped = (account: Account, agent: Agent): boolean => hasCap(account.budgets) || hasCap(agent.budgets)

/** A cap on turns holds only if the turn counts from its claim on. */
export const mustReserve = (account: Account, agent: Agent): boolean =>
  account.budgets.turnsPerHour !== null || agent.budgets.turnsPerHour !== null

/** A turn begins under caps: it is counted where one of them is on turns, and an older "over budget" is over. */
export async function beginTurn(ctx: MutationCtx, account: Account, agent: Agent): Promise<void> {
  if (mustReserve(account, agent))
    await addUsage(ctx, account._id, [{ agentId: agent._id, at: now(), add: { ...NO_USAGE, turns: 1 } }])
  if (isCapped(account, agent)) await clearStatus(ctx, account._id, agent._id)
}

/** Makes the state visible: the agent's status, one activity and one notice to owners and admins for each cap, period and limit. */
export async function sayOver(ctx: MutationCtx, account: Account, agent: Agent, { until, reached }: Over): Promise<void> {
  const reason = `${STATUS_PREFIX} until ${new Date(until).toISOString()}`
  const presence = await findPresence(ctx, account._id, agent._id)
  // An error keeps its own reason: it needs a person, this only needs time.
  if (presence && presence.status !== 'error' && presence.reason !== reason) await ctx.db.patch(presence._id, { reason })
  for (const one of reached) await tellOnce(ctx, account._id, one)
}

async function tellOnce(ctx: MutationCtx, accountId: Id<'accounts'>, { scope, name, state }: Reached): Promise<void> {
  const { cap, period, limit, used, until } = state
  const row = await findUsage(ctx, scope, period, now())
  const mark = `${cap}:${limit}`
  if (row?.reached.includes(mark)) return
  const rowId = row?._id ?? (await addToRow(ctx, scope, period, now(), NO_USAGE))
  await ctx.db.patch(rowId, { reached: [...(row?.reached ?? []), mark] })
  const end = new Date(until).toISOString()
  await recordActivity(ctx, accountId, {
    type: 'budget_reached',
    actor: SYSTEM,
    targetId: scope.agentId ?? accountId,
    targetName: name,
    detail: `${cap}: ${used} of ${limit}, until ${end}`,
  })
  await notifyManagers(ctx, accountId, {
    type: 'budget',
    title: `${name} has reached its budget (${cap}: ${used} of ${limit}). It goes on at ${end}.`,
    key: `budget:${scope.agentId ?? ''}:${mark}:${until}`,
  })
}

/** The agent's status carries a budget's reason, whatever the status is. */
export const saysOverBudget = ({ reason }: Pick<Doc<'agentPresence'>, 'reason'>): boolean =>
  reason?.startsWith(STATUS_PREFIX) ?? false

export async function clearStatus(ctx: MutationCtx, accountId: Id<'accounts'>, agentId: Id<'agents'>): Promise<void> {
  const presence = await findPresence(ctx, accountId, agentId)
  if (presence && saysOverBudget(presence)) await ctx.db.patch(presence._id, { reason: null })
}
