/** Whose turn a tool call belongs to, and which tasks that agent sees. Everything a tool does is asked here first. */
import type { Permission } from '@mission-control/shared/enums'
import { holdsFence } from '@mission-control/shared/lanes/guards'
import type { Doc, Id } from '../_generated/dataModel.js'
import type { QueryCtx } from '../_generated/server.js'
import { refuse } from '../lib/errors.js'
import { getOwned } from '../lib/owned.js'
import { getAccount } from './accounts.js'
import type { Actor } from './actors.js'
import { agentActor, samePerson } from './actors.js'
import type { Item } from './lanes.js'
import { findSubscription } from './subscriptions.js'

type Ctx = { db: QueryCtx['db'] }
type Task = Doc<'tasks'>

/** A turn that is under way. */
export interface Turn {
  readonly account: Doc<'accounts'>
  readonly item: Item
  readonly agent: Doc<'agents'>
  readonly actor: Actor
  readonly isLead: boolean
  /** Of what the turn causes. */
  readonly depth: number
}

/**
 * The turn that a claim stands for, if it is still that claim's. Reads no lane: a lane that is closed marks its claimed item.
 * @throws NOT_FOUND (no such item) | STALE_FENCE (taken over, ended, stopped, or its agent was deleted)
 */
export async function openTurn(ctx: Ctx, accountId: Id<'accounts'>, id: string, fence: number): Promise<Turn> {
  const item = await getOwned(ctx, accountId, 'deliveries', id)
  if (!holdsFence(item, fence))
    refuse('STALE_FENCE', `The turn is not current: its item is ${item.state}. Do nothing more in it.`)
  if (item.stopAt !== null) refuse('STALE_FENCE', 'The turn was stopped. Do nothing more in it.')
  const [account, agent] = await Promise.all([getAccount(ctx, accountId), ctx.db.get(item.agentId)])
  if (!agent) return refuse('STALE_FENCE', 'The agent was deleted. Do nothing more in this turn.')
  const isLead = account.leadAgentId === agent._id
  return { account, item, agent, actor: agentActor(agent), isLead, depth: item.depth + 1 }
}

/** @throws FORBIDDEN */
export function requirePermission({ agent }: Turn, permission: Permission, what: string): void {
  if (!agent.permissions[permission]) {
    refuse('FORBIDDEN', `You may not ${what}: that needs the permission ${permission}, which people give. Ask in the thread.`)
  }
}

/** @throws FORBIDDEN */
export function requireLead({ isLead }: Turn, what: string, instead: string): void {
  if (!isLead) refuse('FORBIDDEN', `Only the lead may ${what}; ${instead}.`)
}

/**
 * A task that the turn's agent sees. The lead sees all. Others see the task of their turn, those they made, are assigned to or
 * follow (whoever is mentioned by name or writes follows from then on), and, if they may review or close, those in review.
 * @throws NOT_FOUND | FORBIDDEN
 */
export async function requireTask(ctx: Ctx, turn: Turn, id: string): Promise<Task> {
  const task = await getOwned(ctx, turn.item.accountId, 'tasks', id)
  if (await seesTask(ctx, turn, task)) return task
  return refuse(
    'FORBIDDEN',
    'You do not see this task: only those you made, are assigned to or follow. Ask to be mentioned there, or ask the lead.',
  )
}

export async function seesTask(ctx: Ctx, { isLead, item, agent }: Turn, task: Task): Promise<boolean> {
  if (isLead || item.taskId === task._id) return true
  if (task.createdByType === 'agent' && task.createdBy === agent._id) return true
  const own = { type: 'agent', id: agent._id } as const
  if (task.assignees.some((party) => samePerson(party, own))) return true
  if (task.status === 'review' && (agent.permissions.canReview || agent.permissions.canMarkDone)) return true
  return (await findSubscription(ctx, task, own)) !== null
}

/** @throws NOT_FOUND, naming all that are unknown */
export async function agentsBySlug(ctx: Ctx, accountId: Id<'accounts'>, slugs: readonly string[]): Promise<Doc<'agents'>[]> {
  const names = [...new Set(slugs.map((slug) => slug.replace(/^@/, '').toLowerCase()))]
  const rows = await Promise.all(
    names.map((slug) =>
      ctx.db
        .query('agents')
        .withIndex('by_account_slug', (q) => q.eq('accountId', accountId).eq('slug', slug))
        .unique(),
    ),
  )
  const unknown = names.filter((_, n) => rows[n] === null)
  if (unknown.length > 0) refuse('NOT_FOUND', `No agent has the slug ${unknown.join(', ')}: agent_list names all of them.`)
  return rows.filter((row) => row !== null)
}
