/** Reading the queue: the ready heads, what is not settled, and one item's story. */
import type { DeliveryState } from '@mission-control/shared/enums'
import type { DeliveryTrace, UndeliveredPage } from '@mission-control/shared/service-contract'
import type { Doc, Id } from '../_generated/dataModel.js'
import type { QueryCtx } from '../_generated/server.js'
import { refuse } from '../lib/errors.js'
import { TASKS_LOOKED_UP } from '../lib/paging.js'
import type { Item } from './lanes.js'

type Ctx = { db: QueryCtx['db'] }

/** Runs shown of one item: attempts are few, but releases may repeat. */
const RUNS_SHOWN = 50

/** Reads only this range and the caller's token, so that nothing else wakes the subscription. */
export async function readyHeads(ctx: Ctx, accountId: Id<'accounts'>, limit: number): Promise<Item[]> {
  return await ctx.db
    .query('deliveries')
    .withIndex('by_account_state_due', (q) => q.eq('accountId', accountId).eq('state', 'ready'))
    .take(limit)
}

/** Everything not settled, in the order of what is nearest to its end. */
const OPEN_STATES = ['claimed', 'ready', 'waiting', 'queued'] as const satisfies readonly DeliveryState[]
export const DEAD_STATES = ['dead'] as const satisfies readonly DeliveryState[]

/**
 * One page of items in these states, one state after the other. A page may be short or empty while there is more: go on until the
 * cursor is `null`.
 */
export async function listItems(
  ctx: Ctx,
  accountId: Id<'accounts'>,
  { cursor, limit }: { cursor: string | null; limit: number },
  states: readonly DeliveryState[] = OPEN_STATES,
): Promise<UndeliveredPage> {
  const from = parseCursor(cursor, states)
  const page = await ctx.db
    .query('deliveries')
    .withIndex('by_account_state_due', (q) => q.eq('accountId', accountId).eq('state', from.state))
    .paginate({ cursor: from.inner, numItems: Math.min(limit, TASKS_LOOKED_UP) })
  const next = states[states.indexOf(from.state) + 1]
  const items = await Promise.all(page.page.map((item) => line(ctx, item)))
  if (!page.isDone) return { items, cursor: `${from.state}|${page.continueCursor}` }
  return { items, cursor: next === undefined ? null : `${next}|` }
}

function parseCursor(cursor: string | null, states: readonly DeliveryState[]) {
  const [name = '', inner = ''] = cursor === null ? [states[0]] : split(cursor)
  const state = states.find((known) => known === name)
  return state ? { state, inner: inner === '' ? null : inner } : refuse('INVALID', 'The cursor is not one of this list.')
}

function split(cursor: string): [string, string] {
  const at = cursor.indexOf('|')
  return at < 0 ? [cursor, ''] : [cursor.slice(0, at), cursor.slice(at + 1)]
}

async function line(ctx: Ctx, item: Item): Promise<UndeliveredPage['items'][number]> {
  const [agent, task] = await Promise.all([ctx.db.get(item.agentId), item.taskId ? ctx.db.get(item.taskId) : null])
  const { _id: id, type, state, dueAt, attempts, reason } = item
  return { id, type, state, dueAt, attempts, reason, agentSlug: agent?.slug ?? '(deleted)', taskTitle: task?.title ?? null }
}

export async function traceItem(ctx: Ctx, item: Item): Promise<DeliveryTrace> {
  const agent = await ctx.db.get(item.agentId)
  const runs = await ctx.db
    .query('agentRuns')
    .withIndex('by_delivery', (q) => q.eq('accountId', item.accountId).eq('deliveryId', item._id))
    .take(RUNS_SHOWN)
  const { _id: id, type, state, taskId, sessionKey, committedAt, dueAt, attempts, fence, reason, messageId, replyId } = item
  return {
    ...{ id, type, state, taskId, sessionKey, committedAt, dueAt, attempts, fence, reason, messageId, replyId },
    agent: { id: item.agentId, slug: agent?.slug ?? '(deleted)', name: agent?.name ?? '(deleted)' },
    runs: runs.map(runLine),
  }
}

function runLine(run: Doc<'agentRuns'>): DeliveryTrace['runs'][number] {
  const { fence, outcome, reason, claimedAt, sentAt, acceptedAt, repliedAt, endedAt, usage } = run
  return { fence, outcome, reason, claimedAt, sentAt, acceptedAt, repliedAt, endedAt, usage }
}
