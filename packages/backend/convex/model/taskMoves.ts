/** Moves of a task between its states, and what each causes, in one transaction. */
import type { TaskStatus } from '@mission-control/shared/enums'
import { LIMITS } from '@mission-control/shared/limits'
import { refuseTaskMove } from '@mission-control/shared/tasks'
import type { Doc, Id } from '../_generated/dataModel.js'
import type { MutationCtx } from '../_generated/server.js'
import { now } from '../lib/clock.js'
import { refuse } from '../lib/errors.js'
import { recordActivity } from './activity.js'
import type { Actor } from './actors.js'
import { samePerson } from './actors.js'
import { keepStatus, listAssignments } from './assignments.js'
import { countTask } from './counters.js'
import { keepLabelRows } from './labels.js'
import { notifyEach } from './notices.js'
import { rankOf } from './rank.js'
import { sweep } from './sweep.js'
import { tellAgents } from './tell.js'

export interface TaskMoveRequest {
  readonly to: TaskStatus
  readonly actor: Actor
  readonly reason?: string | undefined
  /** Compare-and-set: refused with CONFLICT unless the task is in this state. */
  readonly from?: TaskStatus | undefined
  /** Depth of what the move causes. */
  readonly depth?: number
  /**
   * Who hears of it. An automatic move is part of its cause, which told everybody who must act: `people` or `nobody`.
   * Default: `all`.
   */
  readonly tell?: 'all' | 'people' | 'nobody'
}

/**
 * Moves a task.
 * @throws CONFLICT if `from` is not its state, TRANSITION if the table forbids the move, LIMIT for a too long reason
 */
export async function moveTask(ctx: MutationCtx, task: Doc<'tasks'>, request: TaskMoveRequest): Promise<Doc<'tasks'>> {
  const { to, actor, reason, from } = request
  if (from !== undefined && task.status !== from) refuse('CONFLICT', `The task is "${task.status}", not "${from}".`)
  if ((reason?.length ?? 0) > LIMITS.reasonChars) refuse('LIMIT', `A reason may have ${LIMITS.reasonChars} characters.`)
  const rows = await listAssignments(ctx, task)
  const refusal = refuseTaskMove({ from: task.status, to, assignees: rows.length, reason })
  if (refusal !== null) refuse('TRANSITION', refusal)

  const patch = {
    status: to,
    blockedReason: to === 'blocked' ? (reason?.trim() ?? null) : null,
    statusChangedAt: now(),
    rank: rankOf(task.priority, now()),
    archivedAt: to === 'archived' ? now() : null,
  }
  await ctx.db.patch(task._id, patch)
  await keepStatus(ctx, rows, to)
  await countTask(ctx, task.accountId, task.status, to)
  if (to === 'archived') await keepLabelRows(ctx, { ...task, ...patch })
  await recordActivity(ctx, task.accountId, {
    type: 'task_status_changed',
    actor,
    targetId: task._id,
    targetName: task.title,
    taskId: task._id,
    detail: `${task.status} -> ${to}${reason ? `: ${reason}` : ''}`,
  })
  const moved = { ...task, ...patch }
  await tellOfMove(ctx, moved, task.status, request, rows)
  const lanes = { accountId: task.accountId, taskId: task._id }
  if (to === 'archived') await sweep(ctx, { ...lanes, kind: 'close', reason: 'task_archived' })
  // A reopened task starts with fresh sessions: what was finished is history, not context.
  if (task.status === 'done' && to === 'review') await sweep(ctx, { ...lanes, kind: 'newGeneration' })
  return moved
}

/** States in which an assigned agent has nothing to do about the change. */
const QUIET: readonly TaskStatus[] = ['done', 'blocked', 'archived', 'inbox']

async function tellOfMove(
  ctx: MutationCtx,
  task: Doc<'tasks'>,
  from: TaskStatus,
  { actor, tell = 'all', depth, to }: TaskMoveRequest,
  rows: readonly Doc<'assignments'>[],
): Promise<void> {
  if (tell === 'nobody') return
  const note = `The task moved from ${from} to ${to}.`
  const people = rows
    .map((row) => ({ type: row.assigneeType, id: row.assigneeId }))
    .filter((party) => party.type === 'user' && !samePerson(party, actor))
  const title = `${actor.name} moved "${task.title}" from ${from} to ${to}`
  const notice = { type: 'status_change', title, taskId: task._id } as const
  await notifyEach(
    ctx,
    task.accountId,
    people.map(({ id }) => ({ userId: id, notice })),
  )
  if (tell === 'people' || QUIET.includes(to)) return
  const agents = to === 'review' ? await reviewers(ctx, task.accountId) : assignedAgents(ctx, rows)
  const agentIds = agents.filter((id) => !(actor.type === 'agent' && actor.id === id))
  await tellAgents(ctx, { type: 'status_change', taskId: task._id, agentIds, note, depth: depth ?? 0 })
}

function assignedAgents(ctx: MutationCtx, rows: readonly Doc<'assignments'>[]): Id<'agents'>[] {
  const ids = rows.map((row) => (row.assigneeType === 'agent' ? ctx.db.normalizeId('agents', row.assigneeId) : null))
  return ids.filter((id) => id !== null)
}

/** Agents that may review; many are told in steps. */
async function reviewers(ctx: MutationCtx, accountId: Id<'accounts'>): Promise<Id<'agents'>[]> {
  const agents = await ctx.db
    .query('agents')
    .withIndex('by_account_reviewer', (q) => q.eq('accountId', accountId).eq('permissions.canReview', true))
    .take(LIMITS.agentsPerAccountMax)
  return agents.map((agent) => agent._id)
}
