/** The journal: one row per attempt. */
import type { RunOutcome } from '@mission-control/shared/enums'
import type { RunReport } from '@mission-control/shared/service-contract'
import type { Doc } from '../_generated/dataModel.js'
import type { MutationCtx, QueryCtx } from '../_generated/server.js'
import { now } from '../lib/clock.js'
import { splitText } from '../lib/text.js'
import type { Item } from './lanes.js'
import { countLate, countRun } from './usage.js'

/** UTF-16 units per kept part: at three bytes each this stays below the 1 MiB a document may hold. */
const PART_CHARS = 250_000

/** The run of the item's newest claim. */
export async function findRun(ctx: { db: QueryCtx['db'] }, item: Item): Promise<Doc<'agentRuns'> | null> {
  return await ctx.db
    .query('agentRuns')
    .withIndex('by_delivery', (q) => q.eq('accountId', item.accountId).eq('deliveryId', item._id).eq('fence', item.fence))
    .unique()
}

/** @param item already claimed: its fence and epoch name the attempt */
export async function startRun(ctx: MutationCtx, item: Item, reconcile: boolean, turnCounted: boolean): Promise<void> {
  await ctx.db.insert('agentRuns', {
    accountId: item.accountId,
    deliveryId: item._id,
    agentId: item.agentId,
    taskId: item.taskId,
    turnCounted,
    fence: item.fence,
    epoch: item.claimedBy ?? 0,
    turn: item.turn,
    reconcile,
    outcome: 'open',
    reason: null,
    committedAt: item.committedAt,
    claimedAt: item.claimedAt ?? now(),
    sentAt: null,
    acceptedAt: null,
    repliedAt: null,
    endedAt: null,
    usage: null,
    keptParts: 0,
  })
}

/** Closes the run of the item's fence if it is open: a run that has ended is history. The runtime's offsets count from the claim, so no two clocks are compared. */
export async function completeRun(
  ctx: MutationCtx,
  item: Item,
  outcome: RunOutcome,
  reason: string | null,
  report: RunReport | null,
): Promise<void> {
  const run = await findRun(ctx, item)
  if (run?.outcome !== 'open') return
  const at = (offset: number | null) => (offset === null ? null : run.claimedAt + offset)
  const ended = {
    outcome,
    reason,
    endedAt: now(),
    sentAt: at(report?.sentAfterMs ?? null),
    acceptedAt: at(report?.acceptedAfterMs ?? null),
    repliedAt: at(report?.repliedAfterMs ?? null),
    usage: report?.usage ?? null,
  }
  await ctx.db.patch(run._id, ended)
  await countRun(ctx, { ...run, ...ended }, ended.usage)
}

/** What an attempt used, told after its end by whoever had lost it. @returns false where it is known already, or not told */
export async function reportLate(ctx: MutationCtx, item: Item, fence: number, report: RunReport): Promise<boolean> {
  const run = await findRun(ctx, { ...item, fence })
  if (!run || run.outcome === 'open' || run.usage !== null || report.usage === null) return false
  await ctx.db.patch(run._id, { usage: report.usage })
  await countLate(ctx, run, report.usage)
  return true
}

/** Keeps the whole text of a reply that its thread did not get in full. */
export async function keepReply(ctx: MutationCtx, item: Item, text: string): Promise<void> {
  const run = await findRun(ctx, item)
  const parts = splitText(text, PART_CHARS)
  for (const [n, part] of parts.entries()) {
    await ctx.db.insert('replyParts', { accountId: item.accountId, deliveryId: item._id, fence: item.fence, n, text: part })
  }
  if (run) await ctx.db.patch(run._id, { keptParts: parts.length })
}
