/** Tasks: making and changing them. Their moves are in taskMoves.ts, their assignees in assign.ts. */
import { LIMITS } from '@mission-control/shared/limits'
import type { Doc, Id } from '../_generated/dataModel.js'
import type { MutationCtx } from '../_generated/server.js'
import { now } from '../lib/clock.js'
import { refuse } from '../lib/errors.js'
import { checkInteger, checkText } from '../lib/text.js'
import { recordActivity } from './activity.js'
import type { Actor, Party } from './actors.js'
import { assignParties } from './assign.js'
import { countTask } from './counters.js'
import { checkLabels, keepLabelRows } from './labels.js'
import { rankOf } from './rank.js'
import { subscribe } from './subscriptions.js'

/** The last millisecond a JavaScript date can name. */
const LAST_MS = 8.64e15

export interface TaskFields {
  readonly title: string
  readonly description: string
  /** 1 (highest) to 5. */
  readonly priority: number
  readonly labels: readonly string[]
  /** Milliseconds since the epoch; `null` for none. */
  readonly dueAt: number | null
}

/** What is left out keeps its value, or its default. */
export type TaskChange = { readonly [K in keyof TaskFields]?: TaskFields[K] | undefined }

export interface NewTask extends TaskChange {
  readonly title: string
  readonly assignees?: readonly Party[] | undefined
}

/**
 * A task in the inbox, or `assigned` if it has assignees; its creator follows it. Priority is 3 by default. Whoever passes a key has
 * looked for it before (keys.ts).
 * @throws LIMIT | INVALID | NOT_FOUND (unknown assignee)
 */
export async function createTask(
  ctx: MutationCtx,
  accountId: Id<'accounts'>,
  actor: Actor,
  given: NewTask,
  key: string | null = null,
): Promise<Id<'tasks'>> {
  const taskId = await ctx.db.insert('tasks', {
    accountId,
    title: CHECKS.title(given.title),
    description: CHECKS.description(given.description ?? ''),
    status: 'inbox',
    priority: CHECKS.priority(given.priority ?? 3),
    blockedReason: null,
    createdByType: actor.type,
    createdBy: actor.id,
    createdByName: actor.name,
    statusChangedAt: now(),
    archivedAt: null,
    labels: CHECKS.labels(given.labels ?? []),
    dueAt: CHECKS.dueAt(given.dueAt ?? null),
    rank: rankOf(given.priority ?? 3, now()),
    assignees: [],
    ...(key === null ? {} : { key }),
  })
  const task = await ctx.db.get(taskId)
  if (!task) throw new Error('A row just inserted is gone.')
  await keepLabelRows(ctx, task)
  await countTask(ctx, accountId, null, 'inbox')
  if (actor.type !== 'system') await subscribe(ctx, task, { type: actor.type, id: actor.id })
  await recordActivity(ctx, accountId, { type: 'task_created', actor, targetId: taskId, targetName: task.title, taskId })
  if (given.assignees) await assignParties(ctx, task, actor, given.assignees)
  return taskId
}

/**
 * Changes fields of a task. One activity names those that are different now; without any, nothing is written.
 * @throws LIMIT | INVALID, also for an archived task
 */
export async function updateTask(ctx: MutationCtx, task: Doc<'tasks'>, actor: Actor, change: TaskChange): Promise<Doc<'tasks'>> {
  if (task.status === 'archived') refuse('INVALID', 'The task is archived: it changes no more.')
  const patch = {
    ...(change.title === undefined ? {} : { title: CHECKS.title(change.title) }),
    ...(change.description === undefined ? {} : { description: CHECKS.description(change.description) }),
    ...(change.priority === undefined ? {} : { priority: CHECKS.priority(change.priority) }),
    ...(change.labels === undefined ? {} : { labels: CHECKS.labels(change.labels) }),
    ...(change.dueAt === undefined ? {} : { dueAt: CHECKS.dueAt(change.dueAt) }),
  }
  const names = (Object.keys(patch) as (keyof typeof patch)[]).filter((name) => !sameValue(patch[name], task[name]))
  if (names.length === 0) return task
  const changed = { ...task, ...patch }
  const rank = rankOf(changed.priority, task.statusChangedAt)
  await ctx.db.patch(task._id, { ...patch, rank })
  if (names.includes('labels')) await keepLabelRows(ctx, changed)
  await recordActivity(ctx, task.accountId, {
    type: 'task_updated',
    actor,
    targetId: task._id,
    targetName: changed.title,
    taskId: task._id,
    detail: names.join(', '),
  })
  return { ...changed, rank }
}

/** A value as it is stored, or a refusal. */
const CHECKS = {
  title: (title: string) => checkText('title', title, LIMITS.titleChars, { required: true }).trim(),
  description: (text: string) => checkText('description', text, LIMITS.descriptionChars),
  priority: (priority: number) => checkInteger('priority', priority, 1, 5),
  labels: checkLabels,
  dueAt: (dueAt: number | null) => (dueAt === null ? null : checkInteger('dueAt', dueAt, 0, LAST_MS)),
}

const sameValue = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b)
