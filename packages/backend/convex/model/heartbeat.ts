/** Heartbeats: which due agents have work, and the one item a heartbeat is. */
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

/** Work an agent may be reminded of, in this order. */
const WORK_STATUSES = ['in_progress', 'assigned'] as const
const TASKS_SHOWN = 20
const ACTIVITIES_SHOWN = 20
const LINE_BYTES = 500
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
  for (const { agentId, slot } of due) {
    const agent = await findOwned(ctx, accountId, 'agents', agentId)
    if (!agent || agent.paused) continue
    const presence = await findPresence(ctx, accountId, agent._id)
    if (slot <= (presence?.lastHeartbeatSlot ?? Number.NEGATIVE_INFINITY)) continue
    if ((await openWork(ctx, agent, 1)).length > 0) work.push(agent._id)
    else {
      const idle = presence?.status === 'online' || presence?.status === 'idle'
      await setPresence(ctx, accountId, agent._id, { lastHeartbeatSlot: slot, ...(idle ? { status: 'idle' as const } : {}) })
    }
  }
  return work
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

  await setPresence(ctx, runtime.accountId, agent._id, { lastHeartbeatSlot: slot })
  const account = await getAccount(ctx, runtime.accountId)
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
  const context = await heartbeatContext(ctx, agent, tasks, account.leadAgentId === agent._id)
  const rows = { agent, task: focus, message: null }
  return { item: await claimedItem(ctx, claimed.item, claimed.reconcile, rows, { chars: CLAIM_READ_CHARS }, context) }
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

async function heartbeatContext(
  ctx: MutationCtx,
  agent: Doc<'agents'>,
  tasks: Doc<'tasks'>[],
  isLead: boolean,
): Promise<HeartbeatContext> {
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
