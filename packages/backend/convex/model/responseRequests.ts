/** One agent asks others. The only way an agent wakes another one, beside the lead's assignments and moves of tasks. */
import { LIMITS } from '@mission-control/shared/limits'
import { DELIVERY_STATES, TERMINAL_DELIVERY_STATES } from '@mission-control/shared/enums'
import type { Doc } from '../_generated/dataModel.js'
import type { MutationCtx, QueryCtx } from '../_generated/server.js'
import { refuse } from '../lib/errors.js'
import { cutText } from '../lib/text.js'
import { recordActivity } from './activity.js'
import { enqueue } from './enqueue.js'
import type { Item } from './lanes.js'
import { tellTooDeep } from './notices.js'
import { postMessage } from './thread.js'
import type { Turn } from './turnScope.js'

/** Characters of a question that a record or a refusal repeats. */
const QUOTED_CHARS = 120

export interface Asked {
  /** The question in the thread; `null` if the chain of requests is too long, and nobody was asked. */
  readonly messageId: string | null
  readonly asked: readonly Doc<'agents'>[]
}

/**
 * Posts the question to the thread, where people see it, and delivers it to each recipient; the answer comes back into the lane of
 * the turn that asked. All or nothing.
 * @throws INVALID (oneself, or an archived task) | CONFLICT (an open request, which it names) | LANE_FULL
 */
export async function requestResponses(
  ctx: MutationCtx,
  turn: Turn,
  task: Doc<'tasks'>,
  recipients: readonly Doc<'agents'>[],
  question: string,
): Promise<Asked> {
  if (recipients.some(({ _id }) => _id === turn.agent._id)) refuse('INVALID', 'You cannot ask yourself: name others.')
  if (task.status === 'archived') refuse('INVALID', 'The task is archived: nobody works on it any more.')
  await refuseOpen(ctx, task, recipients)
  if (turn.depth > LIMITS.depth) {
    for (const agent of recipients) await tellTooDeep(ctx, agent, task._id)
    return { messageId: null, asked: [] }
  }
  // Named in the text, so that the thread shows who is asked, and that these follow it from now on.
  const content = `${recipients.map(({ slug }) => `@${slug}`).join(' ')} ${question}`
  const messageId = await postMessage(ctx, task, { author: turn.actor, content })
  for (const agent of recipients) {
    const delivery = { type: 'response_request', agent, taskId: task._id, messageId, depth: turn.depth } as const
    const result = await enqueue(ctx, { ...delivery, askedFrom: turn.item.laneId })
    if (result === 'full') refuse('LANE_FULL', `The queue of @${agent.slug} is full for this task: ask the others without it.`)
    if (result !== 'enqueued')
      refuse('CONFLICT', `@${agent.slug} takes nothing for this task any more: ask the others without it.`)
    await recordActivity(ctx, task.accountId, {
      type: 'response_requested',
      actor: turn.actor,
      targetId: agent._id,
      targetName: agent.name,
      taskId: task._id,
      detail: cutText(question, QUOTED_CHARS),
    })
  }
  return { messageId, asked: recipients }
}

async function refuseOpen(ctx: MutationCtx, task: Doc<'tasks'>, recipients: readonly Doc<'agents'>[]): Promise<void> {
  for (const agent of recipients) {
    const open = await openRequest(ctx, { accountId: task.accountId, agentId: agent._id, taskId: task._id })
    if (!open) continue
    const question = open.messageId === null ? open.note : (await ctx.db.get(open.messageId))?.content
    const quoted = cutText(question ?? '', QUOTED_CHARS).replace(/\s+/g, ' ')
    refuse(
      'CONFLICT',
      `@${agent.slug} has not answered an earlier request on this task yet ("${quoted}"): wait for that answer, or ask the others without it.`,
    )
  }
}

const OPEN_STATES = DELIVERY_STATES.filter((state) => !(TERMINAL_DELIVERY_STATES as readonly string[]).includes(state))

/** The request to this agent on this task that has not ended, whoever asked. There is one at most. */
export async function openRequest(
  ctx: { db: QueryCtx['db'] },
  { accountId, agentId, taskId }: Pick<Item, 'accountId' | 'agentId' | 'taskId'>,
): Promise<Item | null> {
  for (const state of OPEN_STATES) {
    const item = await ctx.db
      .query('deliveries')
      .withIndex('by_agent_type_task_state', (q) =>
        q
          .eq('accountId', accountId)
          .eq('agentId', agentId)
          .eq('type', 'response_request')
          .eq('taskId', taskId)
          .eq('state', state),
      )
      .first()
    if (item) return item
  }
  return null
}
