/** The task transition table. The backend applies it in one transaction with the activity and the notifications. */
import type { TaskStatus } from './enums.ts'

export const TASK_TRANSITIONS: Readonly<Record<TaskStatus, readonly TaskStatus[]>> = {
  inbox: ['assigned', 'archived'],
  assigned: ['inbox', 'in_progress', 'blocked', 'archived'],
  in_progress: ['review', 'blocked', 'archived'],
  review: ['in_progress', 'done', 'blocked', 'archived'],
  done: ['review', 'archived'],
  blocked: ['assigned', 'in_progress', 'archived'],
  archived: [],
}

export interface TaskMove {
  readonly from: TaskStatus
  readonly to: TaskStatus
  /** Users and agents together. */
  readonly assignees: number
  /** Needed to enter `blocked`. */
  readonly reason?: string | undefined
}

/**
 * Says whether a task may make this move.
 * @returns `null` when it may, else one sentence that says why not and what would be allowed.
 */
export function refuseTaskMove({ from, to, assignees, reason }: TaskMove): string | null {
  const allowed = TASK_TRANSITIONS[from]
  if (!allowed.includes(to)) {
    const next = allowed.length > 0 ? `it may move to ${allowed.join(', ')}` : 'it is final'
    return `A task in "${from}" cannot move to "${to}"; ${next}.`
  }
  if ((to === 'assigned' || to === 'in_progress') && assignees === 0) {
    return `A task needs at least one assignee before it moves to "${to}".`
  }
  if (to === 'inbox' && assignees > 0) return 'Remove the assignees before the task moves back to "inbox".'
  if (to === 'blocked' && !reason?.trim()) return 'Give a reason to move a task to "blocked".'
  return null
}

/** `continuation` and `assignment` make no sense for a task in one of these. */
export const FINISHED_TASK_STATUSES = ['done', 'archived'] as const satisfies readonly TaskStatus[]
