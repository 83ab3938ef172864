/** The ends of an attempt. All or nothing: reply, states, run, follow-up and the next item's promotion are one transaction. */
import type { DeliveryState } from '@mission-control/shared/enums'
import type { FailArgs, FailResult, SettleArgs, SettledOne, SettleResult } from '@mission-control/shared/service-contract'
import { LIMITS } from '@mission-control/shared/limits'
import type { Id } from '../_generated/dataModel.js'
import type { MutationCtx } from '../_generated/server.js'
import { now, random } from '../lib/clock.js'
import { refuse } from '../lib/errors.js'
import { findOwned } from '../lib/owned.js'
import { recordActivity } from './activity.js'
import type { Actor } from './actors.js'
import type { Applied, Attempt } from './apply.js'
import { applyEvent } from './apply.js'
import { countingTogether } from './folds.js'
import type { Item } from './lanes.js'
import { getLane } from './lanes.js'
import { reportTurn } from './presence.js'
import { postReply } from './reply.js'
import { openRequest } from './responseRequests.js'
import { keepReply } from './runs.js'

type Outcome = Omit<SettleArgs, 'accountId' | 'serviceToken' | 'id' | 'run'> & Partial<Pick<SettleArgs, 'run'>>

/**
 * Ends a claim with an answer or without one.
 * @throws STALE_FENCE, and nothing else: what the reply says is never a reason to refuse it
 */
export async function settleItem(ctx: MutationCtx, item: Item, settled: Outcome): Promise<SettleResult> {
  return (await settleIfCurrent(ctx, item, settled)) ?? refuse('STALE_FENCE', staleText(item))
}

/**
 * Ends several claims in one transaction, one after the other, each by its own fence: one that is refused changes nothing, and
 * nothing for the others.
 */
export async function settleItems(
  ctx: MutationCtx,
  accountId: Id<'accounts'>,
  settles: readonly (Outcome & { readonly id: string })[],
): Promise<SettledOne[]> {
  return await countingTogether(ctx, accountId, async (counting) => {
    const results: SettledOne[] = []
    for (const { id, ...settled } of settles) {
      const item = await findOwned(counting, accountId, 'deliveries', id)
      const result = item && (await settleIfCurrent(counting, item, settled))
      if (result) results.push({ settled: result })
      else if (item) results.push({ refused: { code: 'STALE_FENCE', message: staleText(item) } })
      else results.push({ refused: { code: 'NOT_FOUND', message: 'There is no such delivery.' } })
    }
    return results
  })
}

/** `null`, and nothing changed, if the fence is stale. */
async function settleIfCurrent(ctx: MutationCtx, item: Item, settled: Outcome): Promise<SettleResult | null> {
  const { fence, run } = settled
  const text = settled.outcome === 'reply' ? (settled.reply ?? '') : ''
  // An empty reply is nothing to show: it counts as a receipt.
  const outcome = text.trim() === '' ? 'receipt' : 'reply'
  const attempt: Attempt = { ...(run ? { report: run } : {}), postReply: (claimed) => postReply(ctx, claimed, text) }
  const result = await applyEvent(ctx, item, { type: 'settle', fence, outcome }, attempt)
  if (result.kind === 'refused') return null
  if (result.kind === 'replayed') return { state: item.state, messageId: item.replyId, replayed: true }
  // Stopped or closed meanwhile: nobody sees the text any more, and nobody has lost it.
  if (result.item.state === 'skipped' && outcome === 'reply') await keepReply(ctx, result.item, text)
  await reportTurn(ctx, result.item, null)
  return { state: result.item.state, messageId: result.item.replyId, replayed: false }
}

type Failure = Omit<FailArgs, 'accountId' | 'serviceToken' | 'id'>

/** @throws STALE_FENCE */
export async function failItem(ctx: MutationCtx, item: Item, failure: Failure): Promise<FailResult> {
  const reason = `${failure.code}: ${failure.reason}`.slice(0, LIMITS.reasonChars)
  const { fence, ended, run } = failure
  const event = {
    ...({ type: 'fail', class: failure.class, fence, ended, reason } as const),
    retryAfterMs: Math.max(0, failure.retryAfterMs ?? 0),
    random: random(),
  }
  const result = accepted(await applyEvent(ctx, item, event, { report: run }))
  // After a stop the failure is what was asked for.
  if (result.item.state !== 'skipped') await reportTurn(ctx, item, reason)
  const { state, dueAt } = result.item
  return { state, retryInMs: state === 'ready' ? dueAt - now() : null }
}

/** @throws STALE_FENCE */
export async function releaseItem(ctx: MutationCtx, item: Item, fence: number, ended: boolean): Promise<void> {
  accepted(await applyEvent(ctx, item, { type: 'release', fence, ended }))
}

/**
 * @param actor who asked for it: a person, or the runtime's operator (SYSTEM)
 * @throws CONFLICT if it is not dead, its lane is closed, or it asks an agent that was asked again on this task meanwhile
 */
export async function redriveItem(ctx: MutationCtx, item: Item, actor: Actor): Promise<DeliveryState> {
  if (item.type === 'response_request' && item.state === 'dead' && (await openRequest(ctx, item))) {
    refuse('CONFLICT', 'The agent was asked again on this task and has not answered yet: redrive this request once it has.')
  }
  const lane = await getLane(ctx, item.laneId)
  const result = await applyEvent(ctx, item, { type: 'redrive', seq: lane.nextSeq })
  if (result.kind === 'refused') {
    return refuse('CONFLICT', result.refusal === 'NOT_DEAD' ? `It is ${item.state}, not dead.` : 'Its lane is closed.')
  }
  await recordActivity(ctx, item.accountId, {
    type: 'delivery_redriven',
    actor,
    targetId: item._id,
    targetName: item.type,
    taskId: item.taskId,
  })
  return result.item.state
}

function accepted(result: Applied): Exclude<Applied, { kind: 'refused' }> {
  if (result.kind === 'refused') return refuse('STALE_FENCE', staleText(result.item))
  return result
}

const staleText = ({ state }: Item): string => `The claim is not current: the item is ${state}.`
