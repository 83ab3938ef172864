/** Giving tasks to people and agents, and taking them away. */
import { LIMITS } from '@mission-control/shared/limits'
import type { Doc, Id } from '../_generated/dataModel.js'
import type { MutationCtx } from '../_generated/server.js'
import { refuse } from '../lib/errors.js'
import { findOwned } from '../lib/owned.js'
import type { Actor, Party } from './actors.js'
import { samePerson } from './actors.js'
import { recordActivity } from './activity.js'
import { listAssignments } from './assignments.js'
import { notify } from './notices.js'
import { subscribe, unsubscribe } from './subscriptions.js'
import { moveTask } from './tasks.js'
import { tellAgents } from './tell.js'

/** @throws LIMIT | INVALID (archived or done) | NOT_FOUND (unknown assignee) */
export async function assignParties(
  ctx: MutationCtx,
  task: Doc<'tasks'>,
  actor: Actor,
  parties: readonly Party[],
): Promise<Doc<'tasks'>> {
  if (task.status === 'archived' || task.status === 'done') refuse('INVALID', `The task is ${task.status}.`)
  const before = await listAssignments(ctx, task)
  const fresh = [...new Map(parties.map((party) => [`${party.type}:${party.id}`, party])).values()].filter(
    (party) => !before.some((row) => row.assigneeType === party.type && row.assigneeId === party.id),
  )
  if (fresh.length === 0) return task
  if (before.length + fresh.length > LIMITS.assigneesPerTask) {
    refuse('LIMIT', `A task may have ${LIMITS.assigneesPerTask} assignees.`)
  }
  const agentIds: Id<'agents'>[] = []
  for (const party of fresh) {
    const known = await findParty(ctx, task.accountId, party)
    if (known.agentId) agentIds.push(known.agentId)
    await ctx.db.insert('assignments', {
      accountId: task.accountId,
      taskId: task._id,
      assigneeType: party.type,
      assigneeId: party.id,
      status: task.status,
    })
    await subscribe(ctx, task, party)
    await recordActivity(ctx, task.accountId, {
      type: 'task_assigned',
      actor,
      targetId: task._id,
      targetName: task.title,
      taskId: task._id,
      detail: known.name,
    })
    if (party.type === 'user' && !samePerson(party, actor)) {
      const title = `${actor.name} assigned "${task.title}" to you`
      await notify(ctx, task.accountId, party.id, { type: 'assignment', title, taskId: task._id })
    }
  }
  const moved = task.status === 'inbox' ? await moveTask(ctx, task, { to: 'assigned', actor, tell: 'nobody' }) : task
  const note = `${actor.name} assigned this task to you.`
  await tellAgents(ctx, { type: 'assignment', taskId: task._id, agentIds, note, depth: 0 })
  return moved
}

/** @throws NOT_FOUND | TRANSITION (the last assignee of a task in progress) */
export async function unassignParty(ctx: MutationCtx, task: Doc<'tasks'>, actor: Actor, party: Party): Promise<Doc<'tasks'>> {
  const rows = await listAssignments(ctx, task)
  const row = rows.find((one) => one.assigneeType === party.type && one.assigneeId === party.id)
  if (!row) return refuse('NOT_FOUND', 'Not an assignee of this task.')
  const last = rows.length === 1
  if (last && task.status === 'in_progress') {
    refuse('TRANSITION', 'A task in progress needs an assignee: assign somebody else first, or block it with a reason.')
  }
  await ctx.db.delete(row._id)
  await unsubscribe(ctx, task, party)
  await recordActivity(ctx, task.accountId, {
    type: 'task_unassigned',
    actor,
    targetId: task._id,
    targetName: task.title,
    taskId: task._id,
  })
  return last && task.status === 'assigned' ? await moveTask(ctx, task, { to: 'inbox', actor, tell: 'nobody' }) : task
}

async function findParty(
  ctx: MutationCtx,
  accountId: Id<'accounts'>,
  party: Party,
): Promise<{ name: string; agentId: Id<'agents'> | null }> {
  if (party.type === 'agent') {
    const agent = await findOwned(ctx, accountId, 'agents', party.id)
    return agent ? { name: agent.name, agentId: agent._id } : refuse('NOT_FOUND', 'No such agent in this account.')
  }
  const member = await ctx.db
    .query('memberships')
    .withIndex('by_account_user', (q) => q.eq('accountId', accountId).eq('userId', party.id))
    .unique()
  return member ? { name: member.name, agentId: null } : refuse('NOT_FOUND', 'No such member in this account.')
}
