/**
 * Applies what the lane rules decide: the patch, then the effects in their order, all in the caller's transaction. It decides
 * nothing itself; every rule is in packages/shared/src/lanes.
 */
import type { LaneEffect, LaneEvent, Refusal as LaneRefusal } from '@mission-control/shared/lanes/events'
import type { LaneView } from '@mission-control/shared/lanes/guards'
import { isTerminal } from '@mission-control/shared/lanes/guards'
import { transition } from '@mission-control/shared/lanes/transition'
import type { RunReport } from '@mission-control/shared/service-contract'
import type { Id } from '../_generated/dataModel.js'
import type { MutationCtx } from '../_generated/server.js'
import { now } from '../lib/clock.js'
import { activate, promoteNext } from './enqueue.js'
import { followUp } from './followUp.js'
import type { Item, Lane } from './lanes.js'
import { getLane, patchItem, policyOf } from './lanes.js'
import { tellConfiguration, tellDead } from './notices.js'
import { completeRun, startRun } from './runs.js'
import { shownUntil } from './seen.js'

export interface Attempt {
  /** What the runtime measured; `null` where it had no say. */
  readonly report?: RunReport
  /** The claim counts the turn itself, because a cap on turns holds (model/budgets.ts). */
  readonly turnCounted?: boolean
  /** Posts the reply of a settled item; `null` where there is no thread to post to. */
  readonly postReply?: (item: Item) => Promise<Id<'messages'> | null>
}

export type Applied =
  | { readonly kind: 'changed'; readonly item: Item; readonly reconcile: boolean }
  | { readonly kind: 'unchanged' | 'replayed'; readonly item: Item }
  | { readonly kind: 'refused'; readonly item: Item; readonly refusal: LaneRefusal }

export async function applyEvent(ctx: MutationCtx, before: Item, event: LaneEvent, attempt: Attempt = {}): Promise<Applied> {
  // A claim reads no lane row: every enqueue writes it, and a closed lane's head is skipped by its sweep or at its settle.
  const lane = event.type === 'claim' || event.type === 'defer' ? null : await getLane(ctx, before.laneId)
  const view = lane === null ? OPEN : await laneView(ctx, lane, event)
  const result = transition(before, event, now(), policyOf(before.type), view)
  if (result.kind === 'refused') return { kind: 'refused', item: before, refusal: result.refusal }
  if (result.kind !== 'changed') return { kind: result.kind, item: before }
  let item = await patchItem(ctx, before, { ...result.patch, ...(lane ? nextSession({ ...before, ...result.patch }, lane) : {}) })
  let reconcile = false
  for (const effect of result.effects) {
    item = await perform(ctx, item, effect, attempt)
    if (effect.type === 'startRun') reconcile = effect.reconcile
  }
  return { kind: 'changed', item, reconcile }
}

const OPEN: LaneView = { closed: null }

/**
 * A task that is gone closes its lanes by itself. Asked where a reply would go to it: what else happens to an item is mended by its
 * claim, and a step over many items must not read as many tasks, whose texts are long.
 */
async function laneView(ctx: MutationCtx, lane: Lane, { type }: LaneEvent): Promise<LaneView> {
  if (type !== 'settle' || lane.closed !== null || lane.taskId === null) return lane
  return (await ctx.db.get(lane.taskId)) === null ? { closed: 'task_gone' } : lane
}

/**
 * A turn that may have been sent keeps its session. Once it has ended, the next one goes to the lane's, which may have changed
 * meanwhile: a new slug, or the task was reopened.
 */
function nextSession(after: Item, lane: Lane): Partial<Pick<Item, 'sessionKey'>> {
  return !isTerminal(after) && !after.turnOpen ? { sessionKey: lane.sessionKey } : {}
}

async function perform(ctx: MutationCtx, item: Item, effect: LaneEffect, attempt: Attempt): Promise<Item> {
  switch (effect.type) {
    case 'startRun':
      await startRun(ctx, item, effect.reconcile, attempt.turnCounted ?? false)
      return item
    case 'completeRun':
      await completeRun(ctx, item, effect.outcome, effect.reason, attempt.report ?? null)
      return item
    case 'postReply': {
      const replyId = (await attempt.postReply?.(item)) ?? null
      await ctx.db.patch(item._id, { replyId })
      return { ...item, replyId }
    }
    case 'vacate':
      await vacate(ctx, item)
      return item
    case 'followUp':
      await followUp(ctx, item)
      return item
    case 'promoteNext':
      await promoteNext(ctx, item.laneId)
      return item
    case 'activateIfIdle': {
      // Redriven: it stands at the tail under a new number.
      const lane = await getLane(ctx, item.laneId)
      await ctx.db.patch(lane._id, { tailId: item._id, nextSeq: Math.max(lane.nextSeq, item.seq + 1) })
      const redriven = await patchItem(ctx, item, { redriven: true })
      return lane.activeId === null ? await activate(ctx, redriven) : redriven
    }
    case 'alertPeople':
      if (effect.why === 'dead') await tellDead(ctx, item, item.reason ?? 'no reason given')
      else await tellConfiguration(ctx, item, item.reason ?? 'The gateway or the model is misconfigured.')
      return item
  }
}

/** The lane has no head any more; it remembers what the ended turn means for the next one. */
async function vacate(ctx: MutationCtx, item: Item): Promise<void> {
  const lane = await getLane(ctx, item.laneId)
  if (lane.activeId !== item._id) return
  const answered = item.state === 'delivered'
  // Only a turn that may have been sent leaves unanswered text behind in the session.
  const sent = item.fence > 0
  await ctx.db.patch(lane._id, {
    activeId: null,
    ...(answered ? { ...(await seenWith(ctx, lane, item)), voidEarlier: false } : {}),
    ...(!answered && sent ? { voidEarlier: true } : {}),
  })
}

/** What the lane's agent has seen once this turn is answered. A turn that showed no thread, as a heartbeat, adds nothing. */
async function seenWith(ctx: MutationCtx, lane: Lane, item: Item): Promise<Partial<Pick<Lane, 'seenFrom' | 'seenAt'>>> {
  if (item.shownFrom === null) return {}
  // A gap between what was seen and what is shown now: the older part is forgotten rather than the gap taken for seen.
  const overlaps = item.shownFrom <= lane.seenAt
  return {
    seenFrom: overlaps ? Math.min(lane.seenFrom, item.shownFrom) : item.shownFrom,
    seenAt: Math.max(lane.seenAt, await shownUntil(ctx, item)),
  }
}
