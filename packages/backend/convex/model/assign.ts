/** Giving tasks to people and agents, and taking them away. */
import type { TaskStatus } from '@mission-control/shared/enums'
import { LIMITS } from '@mission-control/shared/limits'
import type { Doc, Id } from '../_generated/dataModel.js'
import type { MutationCtx } from '../_generated/server.js'
import { refuse } from '../lib/errors.js'
import { findOwned } from '../lib/owned.js'
import { jsonBytes } from '../lib/text.js'
import { findMember } from './accounts.js'
import type { Actor, Party } from './actors.js'
import { samePerson } from './actors.js'
import { recordActivity } from './activity.js'
import { changeAssignees } from './assignments.js'
import { notifyEach } from './notices.js'
import { subscribe, unsubscribe } from './subscriptions.js'
import { moveTask } from './taskMoves.js'
import { tellAgents } from './tell.js'

/**
 * Adds assignees; those that already are stay. From the inbox the task moves to `assigned`.
 * @param depth of what the assignment causes: 0 from people, one more than the turn that caused it otherwise
 * @throws LIMIT | INVALID (archived or done) | NOT_FOUND (unknown assignee)
 */
export async function assignParties(
  ctx: MutationCtx,
  task: Doc<'tasks'>,
  actor: Actor,
  parties: readonly Party[],
  depth = 0,
): Promise<Doc<'tasks'>> {
  if (task.status === 'archived' || task.status === 'done') refuse('INVALID', `The task is ${task.status}.`)
  const before = task.assignees
  const fresh = [...new Map(parties.map((party) => [`${party.type}:${party.id}`, party])).values()].filter(
    (party) => !before.some((one) => samePerson(one, party)),
  )
  if (fresh.length === 0) return task
  if (before.length + fresh.length > LIMITS.assigneesPerTask) {
    refuse('LIMIT', `A task may have ${LIMITS.assigneesPerTask} assignees.`)
  }
  const known = await Promise.all(fresh.map((party) => findParty(ctx, task.accountId, party)))
  const assigned = await changeAssignees(ctx, task, { add: fresh })
  for (const { party, name } of known) {
    await subscribe(ctx, task, party)
    await recordActivity(ctx, task.accountId, {
      type: 'task_assigned',
      actor,
      targetId: task._id,
      targetName: task.title,
      taskId: task._id,
      detail: name,
    })
  }
  const people = fresh.filter((party) => party.type === 'user' && !samePerson(party, actor))
  const notice = { type: 'assignment', title: `${actor.name} assigned "${task.title}" to you`, taskId: task._id } as const
  await notifyEach(
    ctx,
    task.accountId,
    people.map(({ id }) => ({ userId: id, notice })),
  )
  const moved = task.status === 'inbox' ? await moveTask(ctx, assigned, { to: 'assigned', actor, tell: 'nobody' }) : assigned
  // Nobody is notified of their own act: an agent that takes a task itself is at work already.
  const agentIds = known.flatMap(({ party, agentId }) => (agentId === null || samePerson(party, actor) ? [] : [agentId]))
  const note = `${actor.name} assigned this task to you.`
  await tellAgents(ctx, { type: 'assignment', taskId: task._id, agentIds, note, depth })
  return moved
}

/** @throws NOT_FOUND | INVALID (archived) | TRANSITION (the last assignee of a task in progress) */
export async function unassignParty(ctx: MutationCtx, task: Doc<'tasks'>, actor: Actor, party: Party): Promise<Doc<'tasks'>> {
  if (task.status === 'archived') refuse('INVALID', 'The task is archived: it changes no more.')
  if (!task.assignees.some((one) => samePerson(one, party))) refuse('NOT_FOUND', 'Not an assignee of this task.')
  const last = task.assignees.length === 1
  if (last && task.status === 'in_progress') {
    refuse('TRANSITION', 'A task in progress needs an assignee: assign somebody else first, or block it with a reason.')
  }
  const left = await takeAway(ctx, task, actor, party)
  return last && task.status === 'assigned' ? await moveTask(ctx, left, { to: 'inbox', actor, tell: 'nobody' }) : left
}

/**
 * Takes a task away from somebody who leaves the account, whatever its state: what cannot stay without an assignee falls back to
 * the inbox, or is blocked and waits for a person. Somebody who is no assignee changes nothing.
 * @param party with the name, if nothing that could be looked up has it any more
 * @param reason why a task in progress is blocked then
 */
export async function dropAssignee(
  ctx: MutationCtx,
  task: Doc<'tasks'>,
  party: Party & { readonly name?: string },
  actor: Actor,
  reason = 'Its only assignee left.',
): Promise<Doc<'tasks'>> {
  if (!task.assignees.some((one) => samePerson(one, party))) return task
  const left = await takeAway(ctx, task, actor, party)
  const to = left.assignees.length > 0 ? null : withoutAssignee(task.status)
  return to ? await moveTask(ctx, left, { to, actor, reason, tell: 'people' }) : left
}

/** Tasks one step takes away, each with several writes. */
const TASKS_PER_STEP = 50
/** Bytes of tasks one step may touch: each is read and written a few times, and Convex allows 16 MiB of either. */
const TASK_BYTES_PER_STEP = 2_000_000

/**
 * One step of taking every task away from somebody who has left the account.
 * @returns whether that was all
 */
export async function dropAllStep(
  ctx: MutationCtx,
  accountId: Id<'accounts'>,
  party: Party & { readonly name?: string },
  actor: Actor,
  reason: string,
): Promise<boolean> {
  const rows = await ctx.db
    .query('assignments')
    .withIndex('by_account_assignee_status', (q) => q.eq('accountId', accountId).eq('assigneeId', party.id))
    .take(TASKS_PER_STEP)
  let bytes = 0
  for (const row of rows) {
    const task = await ctx.db.get(row.taskId)
    if (task) {
      await dropAssignee(ctx, task, party, actor, reason)
      bytes += jsonBytes(task)
    }
    // A row that stayed would be read by every step to come.
    if (await ctx.db.get(row._id)) await ctx.db.delete(row._id)
    if (bytes >= TASK_BYTES_PER_STEP) return false
  }
  return rows.length < TASKS_PER_STEP
}

/** `assigned` and `in_progress` need somebody: the one falls back to the inbox, the other waits for a person. */
function withoutAssignee(status: TaskStatus): TaskStatus | null {
  if (status === 'assigned') return 'inbox'
  return status === 'in_progress' ? 'blocked' : null
}

async function takeAway(
  ctx: MutationCtx,
  task: Doc<'tasks'>,
  actor: Actor,
  party: Party & { readonly name?: string },
): Promise<Doc<'tasks'>> {
  const left = await changeAssignees(ctx, task, { remove: party })
  await unsubscribe(ctx, task, party)
  await recordActivity(ctx, task.accountId, {
    type: 'task_unassigned',
    actor,
    targetId: task._id,
    targetName: task.title,
    taskId: task._id,
    detail: party.name ?? (await nameOf(ctx, task.accountId, party)),
  })
  return left
}

interface KnownParty {
  readonly party: Party
  readonly name: string
  readonly agentId: Id<'agents'> | null
}

/** @throws NOT_FOUND */
async function findParty(ctx: MutationCtx, accountId: Id<'accounts'>, party: Party): Promise<KnownParty> {
  const known = await lookUp(ctx, accountId, party)
  return known ?? refuse('NOT_FOUND', `No such ${party.type === 'agent' ? 'agent' : 'member'} in this account.`)
}

/** Somebody who has left already has no name any more. */
async function nameOf(ctx: MutationCtx, accountId: Id<'accounts'>, party: Party): Promise<string | null> {
  return (await lookUp(ctx, accountId, party))?.name ?? null
}

async function lookUp(ctx: MutationCtx, accountId: Id<'accounts'>, party: Party): Promise<KnownParty | null> {
  if (party.type === 'agent') {
    const agent = await findOwned(ctx, accountId, 'agents', party.id)
    return agent && { party, name: agent.name, agentId: agent._id }
  }
  const member = await findMember(ctx, accountId, party.id)
  return member && { party, name: member.name, agentId: null }
}
