/** Telling those whom a message is for: a few at once, more in scheduled steps. */
import type { Infer, ObjectType } from 'convex/values'
import { v } from 'convex/values'
import { LIMITS } from '@mission-control/shared/limits'
import { internal } from '../_generated/api.js'
import type { Doc } from '../_generated/dataModel.js'
import type { MutationCtx } from '../_generated/server.js'
import { refuse } from '../lib/errors.js'
import { vPartyType } from '../lib/validators.js'
import { enqueue, raiseToMention } from './enqueue.js'
import { notifyEach, tellFull } from './notices.js'
import type { Audience, Recipient } from './recipients.js'
import { FAN_OUT_START, nextRecipients } from './recipients.js'
import { getSignals } from './signals.js'
import { wasStopped } from './stop.js'

/** What a write decides of its audience; the rest is the message's own. */
const vWhom = v.object({
  mentions: v.array(v.object({ type: vPartyType, id: v.string(), name: v.string() })),
  mentionsAll: v.boolean(),
  followers: v.boolean(),
  except: v.array(v.string()),
})
export const vFanOutStep = {
  messageId: v.id('messages'),
  whom: vWhom,
  /** When the message was written, and the account's stopSeq then. */
  at: v.number(),
  stopSeq: v.number(),
  cursor: v.object({ source: v.number(), after: v.string() }),
}
type Whom = Infer<typeof vWhom>
type FanOutStep = ObjectType<typeof vFanOutStep>

const audienceOf = ({ accountId, taskId, authorType, authorId }: Doc<'messages'>, whom: Whom): Audience => ({
  ...{ accountId, taskId, authorType, authorId },
  ...whom,
})

/**
 * A few recipients are told at once; for more the message commits with one scheduled mutation that goes on in steps.
 * @throws LANE_FULL if a mentioned agent's queue for this task is full and the recipients are few
 */
export async function fanOut(ctx: MutationCtx, task: Doc<'tasks'>, message: Doc<'messages'>, whom: Whom): Promise<void> {
  const { recipients } = await nextRecipients(ctx, audienceOf(message, whom), FAN_OUT_START, LIMITS.fanOutStep + 1)
  if (recipients.length > LIMITS.fanOutStep) {
    const { stopSeq } = await getSignals(ctx, task.accountId)
    const at = message.editedAt ?? message._creationTime
    await ctx.scheduler.runAfter(0, internal.fanOut.message, {
      ...{ messageId: message._id, whom, at, stopSeq, cursor: FAN_OUT_START },
    })
    return
  }
  await tellPeople(ctx, task, message, recipients)
  for (const recipient of recipients) {
    const told = await tellAgent(ctx, task, message, recipient)
    if (told !== 'full') continue
    // Whoever names an agent hears that it cannot be reached; a follower's full queue is no reason to refuse the message.
    if (recipient.why === 'mention') {
      refuse('LANE_FULL', `The queue of a mentioned agent is full for this task (${LIMITS.queuedPerLane} items).`)
    }
    await tellDropped(ctx, task, recipient)
  }
}

/** One scheduled step: up to LIMITS.fanOutStep recipients. Of a message deleted meanwhile nobody is told, after a stop no agent. */
export async function fanOutStep(ctx: MutationCtx, step: FanOutStep): Promise<void> {
  const { whom, cursor, at, stopSeq } = step
  const message = await ctx.db.get(step.messageId)
  const task = message ? await ctx.db.get(message.taskId) : null
  if (!message || !task || message.deletedAt !== null) return
  const { recipients, next } = await nextRecipients(ctx, audienceOf(message, whom), cursor, LIMITS.fanOutStep)
  if (next !== null) await ctx.scheduler.runAfter(0, internal.fanOut.message, { ...step, cursor: next })
  await tellPeople(ctx, task, message, recipients)
  if (await wasStopped(ctx, task, at, stopSeq)) return
  for (const recipient of recipients) {
    if ((await tellAgent(ctx, task, message, recipient)) === 'full') await tellDropped(ctx, task, recipient)
  }
}

/** The message did not get into the agent's full queue. */
async function tellDropped(ctx: MutationCtx, task: Doc<'tasks'>, { id }: Recipient): Promise<void> {
  const agent = await findAgent(ctx, id)
  if (agent) await tellFull(ctx, agent, task._id)
}

/** All of them with one scheduled fold of their unread counts. */
async function tellPeople(
  ctx: MutationCtx,
  task: Doc<'tasks'>,
  message: Doc<'messages'>,
  recipients: readonly Recipient[],
): Promise<void> {
  const told = recipients
    .filter(({ type }) => type === 'user')
    .map(({ id, why }) => {
      const title = why === 'mention' ? `${message.authorName} mentioned you` : `${message.authorName} wrote`
      const notice = { type: why, title: `${title} in "${task.title}"`, taskId: task._id, messageId: message._id }
      return { userId: id, notice }
    })
  await notifyEach(ctx, task.accountId, told)
}

async function tellAgent(
  ctx: MutationCtx,
  task: Doc<'tasks'>,
  message: Doc<'messages'>,
  { type, id, why }: Recipient,
): Promise<'told' | 'full'> {
  if (type !== 'agent') return 'told'
  const agent = await findAgent(ctx, id)
  // An archived task wakes nobody, whatever is written to it.
  if (agent?.accountId !== task.accountId || task.status === 'archived') return 'told'
  if (message.editedAt !== null && why === 'mention' && (await raiseToMention(ctx, agent, message))) return 'told'
  const result = await enqueue(ctx, { type: why, agent, taskId: task._id, messageId: message._id, depth: 0 })
  return result === 'full' ? 'full' : 'told'
}

async function findAgent(ctx: MutationCtx, id: string): Promise<Doc<'agents'> | null> {
  const known = ctx.db.normalizeId('agents', id)
  return known === null ? null : await ctx.db.get(known)
}
