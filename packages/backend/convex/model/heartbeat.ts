/**
 * Heartbeats: which due agents have work, and the one item a heartbeat is. Work is an open assignment, and for the lead also a task
 * that nobody attends to (stale.ts). Without any a heartbeat is a receipt and no turn.
 */
import { LIMITS } from '@mission-control/shared/limits'
import type { HeartbeatContext, HeartbeatResult } from '@mission-control/shared/service-contract'
import type { Doc, Id } from '../_generated/dataModel.js'
import type { MutationCtx, QueryCtx } from '../_generated/server.js'
import { byteBudget, takeWithin } from '../lib/budget.js'
import { now } from '../lib/clock.js'
import { findOwned } from '../lib/owned.js'
import { cutToBytes } from '../lib/text.js'
import { getAccount } from './accounts.js'
import { applyEvent } from './apply.js'
import { beginTurn, mustReserve, OVER_BUDGET, overBudget, sayOver } from './budgets.js'
import { shortenLease } from './claim.js'
import { CLAIM_READ_CHARS, claimedItem } from './claimedItem.js'
import { activate, append } from './enqueue.js'
import { ensureLane } from './lanes.js'
import { findPresence, setPresence } from './presence.js'
import type { StaleLook } from './stale.js'
import { lookForStale, nudge } from './stale.js'
import { createThreads } from './threads.js'

/** Work an agent may be reminded of, in this order. */
const WORK_STATUSES = ['in_progress', 'assigned'] as const
const TASKS_SHOWN = 20
const ACTIVITIES_SHOWN = 20
const LINE_BYTES = 500
/** How far back a heartbeat looks for mentions that were given up; older ones are people's business, who were told. */
const UNREAD_FOR_MS = 24 * 3_600_000
const UNREAD_SHOWN = 5
/** Of the whole account: dead letters are rare, and where there are more something else is wrong. */
const DEAD_LOOKED_AT = 50
const MINUTE_MS = 60_000

/** The agent's open assignments, those in progress first. */
async function openWork(ctx: { db: QueryCtx['db'] }, agent: Doc<'agents'>, limit: number): Promise<Doc<'assignments'>[]> {
  const found: Doc<'assignments'>[] = []
  for (const status of WORK_STATUSES) {
    const rows = await ctx.db
      .query('assignments')
      .withIndex('by_account_assignee_status', (q) =>
        q.eq('accountId', agent.accountId).eq('assigneeId', agent._id).eq('status', status),
      )
      .take(limit - found.length)
    found.push(...rows)
    if (found.length === limit) break
  }
  return found
}

/**
 * Of the agents whose slot has come: those with work. The others get their receipt here, without a turn.
 * @returns agent ids for which the runtime should call `begin`
 */
export async function dueWork(
  ctx: MutationCtx,
  accountId: Id<'accounts'>,
  due: readonly { agentId: string; slot: number }[],
): Promise<string[]> {
  const work: string[] = []
  const leadId = due.length === 0 ? null : (await getAccount(ctx, accountId)).leadAgentId
  for (const { agentId, slot } of due) {
    const agent = await findOwned(ctx, accountId, 'agents', agentId)
    if (!agent || agent.paused) continue
    const presence = await findPresence(ctx, accountId, agent._id)
    if (slot <= (presence?.lastHeartbeatSlot ?? Number.NEGATIVE_INFINITY)) continue
    const hasOwn = (await openWork(ctx, agent, 1)).length > 0
    const look = hasOwn || agent._id !== leadId ? null : await lookForStale(ctx, agent, presence?.staleAfter ?? [])
    if (hasOwn || (look?.found.length ?? 0) > 0) work.push(agent._id)
    else await leaveReceipt(ctx, agent, slot, look)
  }
  return work
}

/** The agent had nothing to do in this slot. */
async function leaveReceipt(ctx: MutationCtx, agent: Doc<'agents'>, slot: number, look: StaleLook | null): Promise<void> {
  const presence = await findPresence(ctx, agent.accountId, agent._id)
  const idle = presence?.status === 'online' || presence?.status === 'idle'
  await setPresence(ctx, agent.accountId, agent._id, {
    lastHeartbeatSlot: slot,
    ...(idle ? { status: 'idle' as const } : {}),
    ...(look ? { staleAfter: look.next } : {}),
  })
}

/**
 * Begins the heartbeat of this slot as an item already claimed, in the lane of the agent's focus task, so that an agent never works
 * twice at once on the same thing.
 */
export async function beginHeartbeat(
  ctx: MutationCtx,
  runtime: Doc<'runtimes'>,
  agentId: string,
  slot: number,
): Promise<HeartbeatResult> {
  const agent = await findOwned(ctx, runtime.accountId, 'agents', agentId)
  if (!agent) return { skip: 'agent_gone' }
  if (agent.paused) return { skip: 'agent_paused' }
  const presence = await findPresence(ctx, runtime.accountId, agent._id)
  if (slot <= (presence?.lastHeartbeatSlot ?? Number.NEGATIVE_INFINITY)) return { skip: 'slot_done' }
  if (isOutdated(agent, slot, now())) return { skip: 'slot_outdated' }
  const tasks = await workTasks(ctx, agent)
  const focus = tasks[0] ?? null
  const lane = await ensureLane(ctx, agent, focus?._id ?? null)
  if (lane.closed !== null) return { skip: 'lane_closed' }
  // Busy with something else: that is better than a heartbeat, and the slot stays open for the next check-in.
  if (lane.activeId !== null) return { skip: 'lane_busy' }

  const account = await getAccount(ctx, runtime.accountId)
  const isLead = account.leadAgentId === agent._id
  const look = isLead ? await lookForStale(ctx, agent, presence?.staleAfter ?? []) : null
  if (focus === null && (look?.found.length ?? 0) === 0) {
    // What there was to do when the check-in asked has been done meanwhile.
    await leaveReceipt(ctx, agent, slot, look)
    return { skip: 'no_work' }
  }
  await setPresence(ctx, runtime.accountId, agent._id, { lastHeartbeatSlot: slot })
  const over = await overBudget(ctx, account, agent)
  if (over) {
    await sayOver(ctx, account, agent, over)
    return { skip: OVER_BUDGET }
  }
  const queued = await append(ctx, lane, { type: 'heartbeat', agent, taskId: lane.taskId, messageId: null, depth: 0 })
  const attempt = { turnCounted: mustReserve(account, agent) }
  const claimed = await applyEvent(ctx, await activate(ctx, queued), { type: 'claim', epoch: runtime.epoch }, attempt)
  if (claimed.kind !== 'changed') throw new Error('A fresh heartbeat could not be claimed.')
  await beginTurn(ctx, account, agent)
  await shortenLease(ctx, runtime)
  if (look) await setPresence(ctx, runtime.accountId, agent._id, { staleAfter: look.next })
  const context = {
    ...(await workContext(ctx, agent, tasks, isLead)),
    unreadMentions: await unreadMentions(ctx, agent, presence?.lastHeartbeatSlot ?? 0),
    stale: look ? await nudge(ctx, look) : [],
  }
  const rows = { agent, task: focus, message: null }
  const budget = { chars: CLAIM_READ_CHARS }
  return { item: await claimedItem(ctx, claimed.item, claimed.reconcile, rows, budget, createThreads(ctx), context) }
}

/**
 * Slots pile up while a runtime has no room for them. A newer one has come since, or comes at once: run one after the other, the old
 * ones would only ask the same agent the same thing again.
 */
const isOutdated = ({ heartbeatMinutes }: Doc<'agents'>, slot: number, at: number): boolean =>
  slot < at - heartbeatMinutes * MINUTE_MS

/** In progress before assigned, then by priority, then oldest first. */
async function workTasks(ctx: MutationCtx, agent: Doc<'agents'>): Promise<Doc<'tasks'>[]> {
  const rows = await openWork(ctx, agent, LIMITS.pageSize)
  // Those in progress come first: of very long texts the others are left out.
  const { rows: tasks } = await takeWithin(tasksOf(ctx, rows), LIMITS.pageSize, byteBudget())
  const rank = (task: Doc<'tasks'>) => (task.status === 'in_progress' ? 0 : 1)
  return tasks.sort((a, b) => rank(a) - rank(b) || a.priority - b.priority || a._creationTime - b._creationTime)
}

async function* tasksOf(ctx: MutationCtx, rows: readonly Doc<'assignments'>[]): AsyncGenerator<Doc<'tasks'>> {
  for (const row of rows) {
    const task = await ctx.db.get(row.taskId)
    if (task) yield task
  }
}

async function workContext(
  ctx: MutationCtx,
  agent: Doc<'agents'>,
  tasks: Doc<'tasks'>[],
  isLead: boolean,
): Promise<Pick<HeartbeatContext, 'nowIso' | 'assigned' | 'recentActivity'>> {
  const recent = await recentActivities(ctx, agent, isLead ? null : tasks.slice(0, TASKS_SHOWN))
  return {
    nowIso: new Date(now()).toISOString(),
    assigned: tasks.slice(0, TASKS_SHOWN).map(({ _id, title, status, priority }) => ({
      id: _id,
      title: cutToBytes(title, LINE_BYTES),
      status,
      priority,
    })),
    recentActivity: recent.map((row) => ({
      summary: cutToBytes(`${row.actorName}: ${row.type} "${row.targetName}"${row.detail ? ` (${row.detail})` : ''}`, LINE_BYTES),
      at: row._creationTime,
    })),
  }
}

/**
 * Mentions of this agent and requests to it that were given up since its last heartbeat, newest first. Those that wait need no list:
 * each is a delivery and comes as a turn of its own, and named here it would be answered twice. The range ends now: what is given up
 * while the heartbeat begins lies outside and cannot conflict with it.
 */
async function unreadMentions(
  ctx: MutationCtx,
  { accountId, _id }: Doc<'agents'>,
  since: number,
): Promise<HeartbeatContext['unreadMentions']> {
  const from = Math.max(since, now() - UNREAD_FOR_MS)
  const dead = await ctx.db
    .query('deliveries')
    .withIndex('by_account_state_due', (q) =>
      q.eq('accountId', accountId).eq('state', 'dead').gt('dueAt', from).lt('dueAt', now()),
    )
    .order('desc')
    .take(DEAD_LOOKED_AT)
  const own = dead.filter(({ agentId, type }) => agentId === _id && (type === 'mention' || type === 'response_request'))
  return await Promise.all(
    own.slice(0, UNREAD_SHOWN).map(async (item) => {
      const task = item.taskId === null ? null : await ctx.db.get(item.taskId)
      const message = item.messageId === null ? null : await ctx.db.get(item.messageId)
      return {
        taskId: item.taskId,
        title: cutToBytes(task?.title ?? '', LINE_BYTES),
        from: cutToBytes(message?.authorName ?? 'somebody', LINE_BYTES),
        at: message?._creationTime ?? item.committedAt,
      }
    }),
  )
}

/**
 * The newest of the whole account, or of these tasks. Each range ends at this millisecond: what is recorded while the heartbeat begins
 * lies outside and cannot conflict with it.
 */
async function recentActivities(
  ctx: MutationCtx,
  { accountId }: Doc<'agents'>,
  tasks: readonly Doc<'tasks'>[] | null,
): Promise<Doc<'activities'>[]> {
  const until = now() + 1
  const rows = () => ctx.db.query('activities')
  const ranges =
    tasks === null
      ? [rows().withIndex('by_account', (q) => q.eq('accountId', accountId).lt('_creationTime', until))]
      : tasks.map(({ _id }) =>
          rows().withIndex('by_account_task', (q) => q.eq('accountId', accountId).eq('taskId', _id).lt('_creationTime', until)),
        )
  const found = await Promise.all(ranges.map((range) => range.order('desc').take(ACTIVITIES_SHOWN)))
  const newestFirst = found.flat().sort((a, b) => b._creationTime - a._creationTime)
  return newestFirst.slice(0, ACTIVITIES_SHOWN)
}
