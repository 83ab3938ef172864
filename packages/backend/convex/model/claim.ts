/**
 * Claiming: point reads by id, no range that a message or a settle writes, so that commit and claim never conflict.
 * What a claimed item is made of is claimedItem.ts; who may claim is decided by the caller.
 */
import { LEASE_BUSY_MS } from '@mission-control/shared/lanes/policy'
import type { ClaimResult } from '@mission-control/shared/service-contract'
import type { Doc } from '../_generated/dataModel.js'
import type { MutationCtx } from '../_generated/server.js'
import { now } from '../lib/clock.js'
import { findOwned } from '../lib/owned.js'
import { getAccount } from './accounts.js'
import { applyEvent } from './apply.js'
import { beginTurn, mustReserve, OVER_BUDGET, overBudget, sayOver } from './budgets.js'
import type { ItemRows, ReadBudget } from './claimedItem.js'
import { CLAIM_READ_CHARS, claimedItem } from './claimedItem.js'
import { newestLeft } from './deletedMessage.js'
import { HOLD_PAUSED } from './enqueue.js'
import { isFinished, worksOn } from './followUp.js'
import type { Item } from './lanes.js'
import { patchItem } from './lanes.js'
import { createThreads } from './threads.js'

/** Claims what can be claimed of the named items; the others are left out, skipped or parked, each by its rule. */
export async function claimItems(ctx: MutationCtx, runtime: Doc<'runtimes'>, ids: readonly string[]): Promise<ClaimResult> {
  const result: ClaimResult = { items: [], notDueInMs: null }
  const budget = { chars: CLAIM_READ_CHARS }
  const account = await getAccount(ctx, runtime.accountId)
  const threads = createThreads(ctx)
  for (const id of new Set(ids)) {
    if (budget.chars <= 0) {
      // The others are still ready: the runtime may claim again at once.
      result.notDueInMs = 0
      break
    }
    const named = await findOwned(ctx, runtime.accountId, 'deliveries', id)
    if (named?.state !== 'ready') continue
    if (named.dueAt > now()) {
      result.notDueInMs = Math.min(result.notDueInMs ?? Number.POSITIVE_INFINITY, named.dueAt - now())
      continue
    }
    const { item, rows } = await readRows(ctx, named, budget)
    const { agent } = rows
    const obstacle = obstacleTo(item, rows)
    if (obstacle !== null || !agent) {
      if (obstacle) await applyEvent(ctx, item, obstacle)
      continue
    }
    const over = await overBudget(ctx, account, agent)
    if (over) {
      await applyEvent(ctx, item, { type: 'defer', until: over.until, reason: OVER_BUDGET })
      await sayOver(ctx, account, agent, over)
      result.notDueInMs = Math.min(result.notDueInMs ?? Number.POSITIVE_INFINITY, over.until - now())
      continue
    }
    const turnCounted = mustReserve(account, agent)
    const claimed = await applyEvent(ctx, item, { type: 'claim', epoch: runtime.epoch }, { turnCounted })
    if (claimed.kind !== 'changed') continue
    await beginTurn(ctx, account, agent)
    result.items.push(await claimedItem(ctx, claimed.item, claimed.reconcile, { ...rows, agent }, budget, threads))
  }
  if (result.items.length > 0) await shortenLease(ctx, runtime)
  return result
}

type Rows = { readonly [K in keyof ItemRows]: ItemRows[K] | null } & {
  /** What the item is about is deleted, and it stands for nothing else. */
  readonly messageGone: boolean
}

/** An update whose newest message is deleted is about the newest one left, if there is one. */
async function readRows(ctx: MutationCtx, item: Item, budget: ReadBudget): Promise<{ item: Item; rows: Rows }> {
  const [agent, task, message] = await Promise.all([
    ctx.db.get(item.agentId),
    item.taskId === null ? null : ctx.db.get(item.taskId),
    item.messageId === null ? null : ctx.db.get(item.messageId),
  ])
  budget.chars -= (task?.description.length ?? 0) + (message?.content.length ?? 0)
  const rows = { agent, task, message, messageGone: false }
  if (!message || !isVoid(item, message)) return { item, rows }
  const left = await newestLeft(ctx, item, message, budget)
  if (left === 'none') return { item, rows: { ...rows, messageGone: true } }
  // Too much to read to be sure: it is told without the deleted text rather than not at all.
  if (left === 'unknown') return { item, rows }
  return { item: await patchItem(ctx, item, { messageId: left._id }), rows: { ...rows, message: left } }
}

/** A turn that may have been sent is not taken back by a deletion, and whoever asked hears that there was an answer. */
const isVoid = (item: Item, message: Doc<'messages'>): boolean =>
  message.deletedAt !== null && !item.turnOpen && item.type !== 'response'

type Obstacle = { type: 'skip'; reason: string } | { type: 'hold'; hold: string } | null

/** Why a ready item is not worth claiming, or must wait. Pure. */
export function obstacleTo(item: Item, { agent, task, message, messageGone }: Rows): Obstacle {
  if (!agent) return { type: 'skip', reason: 'agent_gone' }
  if (item.taskId !== null && !task) return { type: 'skip', reason: 'task_gone' }
  if (task?.status === 'archived') return { type: 'skip', reason: 'task_archived' }
  const aboutWork = item.type === 'assignment' || item.type === 'continuation'
  if (task && aboutWork && isFinished(task.status)) return { type: 'skip', reason: 'task_done' }
  if (task && aboutWork && !worksOn(agent, task)) return { type: 'skip', reason: 'unassigned' }
  if (item.type === 'thread_update' && !item.redriven && message && wasSeen(item, message)) {
    return { type: 'skip', reason: 'already_seen' }
  }
  if (messageGone) return { type: 'skip', reason: 'message_deleted' }
  if (agent.paused) return { type: 'hold', hold: HOLD_PAUSED }
  return null
}

/** All the item stands for lies within what answered turns have shown. */
function wasSeen(item: Item, message: Doc<'messages'>): boolean {
  const from = Math.min(item.unseenFrom ?? message._creationTime, message._creationTime)
  return from >= item.seenFrom && message._creationTime <= item.seenAt
}

/** A runtime that holds something must show itself more often; the lease says so at once, not at the next check-in. */
export async function shortenLease(ctx: MutationCtx, runtime: Doc<'runtimes'>): Promise<void> {
  const until = now() + LEASE_BUSY_MS
  if (runtime.leaseUntil > until) await ctx.db.patch(runtime._id, { leaseUntil: until })
}
