/** The append-only record: every state change writes one row, in its own transaction. */
import type { PaginationOptions, PaginationResult } from 'convex/server'
import type { ActivityType } from '@mission-control/shared/enums'
import type { Doc, Id } from '../_generated/dataModel.js'
import type { MutationCtx, QueryCtx } from '../_generated/server.js'
import { refuse } from '../lib/errors.js'
import type { Actor } from './actors.js'

export interface NewActivity {
  readonly type: ActivityType
  readonly actor: Actor
  readonly targetId: string
  readonly targetName: string
  readonly taskId?: Id<'tasks'> | null
  readonly detail?: string | null
}

export async function recordActivity(ctx: MutationCtx, accountId: Id<'accounts'>, activity: NewActivity): Promise<void> {
  await ctx.db.insert('activities', {
    accountId,
    type: activity.type,
    actorType: activity.actor.type,
    actorId: activity.actor.id,
    actorName: activity.actor.name,
    targetId: activity.targetId,
    targetName: activity.targetName,
    taskId: activity.taskId ?? null,
    detail: activity.detail ?? null,
  })
}

/** At most one of them; none: the whole account. */
export interface ActivityFilter {
  readonly taskId?: Id<'tasks'> | undefined
  readonly type?: ActivityType | undefined
  /** A member's user id or an agent's id. */
  readonly actorId?: string | undefined
  /** Id of what it happened to. */
  readonly targetId?: string | undefined
}

/**
 * One page, newest first. Each filter is one range of an index.
 * @throws INVALID for more than one filter
 */
export async function listActivities(
  ctx: { db: QueryCtx['db'] },
  accountId: Id<'accounts'>,
  filter: ActivityFilter,
  options: PaginationOptions,
): Promise<PaginationResult<Doc<'activities'>>> {
  const { taskId, type, actorId, targetId } = filter
  if ([taskId, type, actorId, targetId].filter((value) => value !== undefined).length > 1) {
    refuse('INVALID', 'List activities by task, by type, by actor or by target: by one of them.')
  }
  const rows = ctx.db.query('activities')
  const range = () => {
    if (taskId !== undefined) return rows.withIndex('by_account_task', (q) => q.eq('accountId', accountId).eq('taskId', taskId))
    if (type !== undefined) return rows.withIndex('by_account_type', (q) => q.eq('accountId', accountId).eq('type', type))
    if (actorId !== undefined)
      return rows.withIndex('by_account_actor', (q) => q.eq('accountId', accountId).eq('actorId', actorId))
    if (targetId !== undefined) {
      return rows.withIndex('by_account_target', (q) => q.eq('accountId', accountId).eq('targetId', targetId))
    }
    return rows.withIndex('by_account', (q) => q.eq('accountId', accountId))
  }
  return await range().order('desc').paginate(options)
}
