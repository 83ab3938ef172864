/** The append-only record: every state change writes one row, in its own transaction. */
import type { ActivityType } from '@mission-control/shared/enums'
import type { Id } from '../_generated/dataModel.js'
import type { MutationCtx } from '../_generated/server.js'
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
