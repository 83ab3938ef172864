/** Bringing an agent's reply into its thread. Never refuses content: what does not fit is cut with a marker and kept whole. */
import { LIMITS } from '@mission-control/shared/limits'
import type { Id } from '../_generated/dataModel.js'
import type { MutationCtx } from '../_generated/server.js'
import { cutMarker, splitText } from '../lib/text.js'
import { agentActor } from './actors.js'
import { worksOn } from './followUp.js'
import type { Item } from './lanes.js'
import { keepReply } from './runs.js'
import { moveTask } from './taskMoves.js'
import { postMessage } from './thread.js'

/** Room for the marker inside a message that was cut. */
const MARKER_CHARS = 80

/**
 * Posts the reply to the item's thread; the first reply to an assignment also moves the task to `in_progress`.
 * @returns `null` where there is no thread (an agent's own session): the text is then kept with the run
 */
export async function postReply(ctx: MutationCtx, item: Item, text: string): Promise<Id<'messages'> | null> {
  const [agent, task] = await Promise.all([ctx.db.get(item.agentId), item.taskId ? ctx.db.get(item.taskId) : null])
  // A deleted agent's lane is closed, so that its reply never comes here; a task may still vanish.
  if (!agent || !task) {
    await keepReply(ctx, item, text)
    return null
  }
  const content = fitMessage(text)
  if (content !== text) await keepReply(ctx, item, text)
  const messageId = await postMessage(ctx, task, { author: agentActor(agent), content, deliveryId: item._id })
  if (item.type === 'assignment' && task.status === 'assigned' && worksOn(agent, task)) {
    await moveTask(ctx, task, {
      from: 'assigned',
      to: 'in_progress',
      actor: agentActor(agent),
      tell: 'people',
      depth: item.depth + 1,
    })
  }
  return messageId
}

/** The text as a message: whole, or its beginning with a marker. */
export function fitMessage(text: string): string {
  if (text.length <= LIMITS.messageChars) return text
  const [start = ''] = splitText(text, LIMITS.messageChars - MARKER_CHARS)
  return start + cutMarker(text.length, start.length)
}
