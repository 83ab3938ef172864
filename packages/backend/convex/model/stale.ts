/**
 * Tasks that nobody attends to, for the lead to ask about: open, and nothing has happened on them for long. Each is named at most once
 * in `NUDGE_AGAIN_MS`, a handful at a time.
 *
 * No look scans all tasks. It reads one window per state, from where the last look of this lead has found nothing any more; a window
 * without anything to name moves on, at the end it begins again. So with many tasks one round takes several heartbeats.
 */
import type { TaskStatus } from '@mission-control/shared/enums'
import type { StaleTask } from '@mission-control/shared/service-contract'
import type { Doc, Id } from '../_generated/dataModel.js'
import type { MutationCtx, QueryCtx } from '../_generated/server.js'
import type { ByteBudget } from '../lib/budget.js'
import { byteBudget, takeWithin } from '../lib/budget.js'
import { now } from '../lib/clock.js'
import { cutToBytes } from '../lib/text.js'

const HOUR_MS = 3_600_000
/** A working day and a night: whoever works on something has said a word by then. */
export const STALE_AFTER_MS = 24 * HOUR_MS
/** In review where no agent may review: nobody was told, so that waiting a day is of no use. */
export const NO_REVIEWER_AFTER_MS = 4 * HOUR_MS
/** The lead hears of the same task again after this long, if it is still as quiet as before. */
export const NUDGE_AGAIN_MS = 6 * HOUR_MS
/** Tasks named at once: a lead takes one action per heartbeat. */
export const STALE_SHOWN = 5
/** Tasks of each state that one look reads. */
export const STALE_WINDOW = 20

/** Open states in the order in which they need the lead. */
const OPEN = ['blocked', 'review', 'in_progress', 'assigned'] as const satisfies readonly TaskStatus[]
type Open = (typeof OPEN)[number]

/** Texts of all windows together; a heartbeat reads more than this look. */
const LOOK_BYTES = 1_500_000
const TITLE_BYTES = 500
const NAME_BYTES = 400
const ASSIGNEES_SHOWN = 3

type Ctx = { db: QueryCtx['db'] }
type Task = Doc<'tasks'>
/** Where the window of a state begins: behind this task. A state without one begins at its oldest. */
export type StaleCursor = NonNullable<Doc<'agentPresence'>['staleAfter']>

export interface StaleLook {
  readonly found: readonly { readonly task: Task; readonly quietMs: number }[]
  /** For the next look, if what this one found has been named. */
  readonly next: StaleCursor
}

/** Reads; changes nothing. */
export async function lookForStale(ctx: Ctx, lead: Doc<'agents'>, cursor: StaleCursor): Promise<StaleLook> {
  const budget = byteBudget(LOOK_BYTES)
  const found: { task: Task; quietMs: number }[] = []
  const next: StaleCursor = []
  const reviewed = await hasReviewer(ctx, lead.accountId)
  for (const status of OPEN) {
    const quietFor = status === 'review' && !reviewed ? NO_REVIEWER_AFTER_MS : STALE_AFTER_MS
    const after = cursor.find((place) => place.status === status)
    const { rows, complete } = await window(ctx, lead.accountId, status, { after, until: now() - quietFor }, budget)
    let named = false
    for (const task of rows) {
      if (found.length >= STALE_SHOWN) break
      const quietMs = isOnly(lead, task) ? null : await quietTime(ctx, task)
      if (quietMs === null || quietMs < quietFor || (await wasNudged(ctx, task))) continue
      found.push({ task, quietMs })
      named = true
    }
    const last = rows.at(-1)
    if (named) next.push(...(after ? [after] : []))
    else if (!complete && last) next.push({ status, at: last.statusChangedAt, createdAt: last._creationTime })
  }
  return { found, next }
}

/** What the lead is told, and that it was. */
export async function nudge(ctx: MutationCtx, { found }: StaleLook): Promise<StaleTask[]> {
  for (const { task } of found) {
    const row = await findNudge(ctx, task)
    if (row) await ctx.db.patch(row._id, { at: now() })
    else await ctx.db.insert('taskNudges', { accountId: task.accountId, taskId: task._id, at: now() })
  }
  return await Promise.all(
    found.map(async ({ task, quietMs }) => ({
      id: task._id,
      title: cutToBytes(task.title, TITLE_BYTES),
      status: task.status,
      priority: task.priority,
      quietMs,
      assignees: await namesOf(ctx, task),
      blockedReason: task.blockedReason === null ? null : cutToBytes(task.blockedReason, TITLE_BYTES),
    })),
  )
}

interface Span {
  readonly after: StaleCursor[number] | undefined
  /** Tasks that came to their state before this. */
  readonly until: number
}

/**
 * The next tasks of the state, longest in it first. What moves now lies outside: the ranges end hours ago, so that a look conflicts
 * with a move of an old task only.
 */
async function window(ctx: Ctx, accountId: Id<'accounts'>, status: Open, { after, until }: Span, budget: ByteBudget) {
  const tasks = () => ctx.db.query('tasks')
  const later = tasks().withIndex('by_account_status_changed', (q) =>
    q
      .eq('accountId', accountId)
      .eq('status', status)
      .gt('statusChangedAt', after?.at ?? Number.NEGATIVE_INFINITY)
      .lt('statusChangedAt', until),
  )
  if (!after) return await takeWithin(later, STALE_WINDOW, budget)
  // Tasks that moved in one transaction share its time.
  const sameTime = tasks().withIndex('by_account_status_changed', (q) =>
    q.eq('accountId', accountId).eq('status', status).eq('statusChangedAt', after.at).gt('_creationTime', after.createdAt),
  )
  const first = await takeWithin(sameTime, STALE_WINDOW, budget)
  if (!first.complete) return first
  const second = await takeWithin(later, STALE_WINDOW - first.rows.length, budget)
  return { rows: [...first.rows, ...second.rows], complete: second.complete }
}

/** Since the last thing that is recorded of the task; its messages are. The range ends before now: what is recorded meanwhile lies outside. */
async function quietTime(ctx: Ctx, { accountId, _id, statusChangedAt }: Task): Promise<number> {
  const last = await ctx.db
    .query('activities')
    .withIndex('by_account_task', (q) => q.eq('accountId', accountId).eq('taskId', _id).lt('_creationTime', now()))
    .order('desc')
    .first()
  return Math.max(0, now() - Math.max(statusChangedAt, last?._creationTime ?? 0))
}

const findNudge = async (ctx: Ctx, { accountId, _id }: Task): Promise<Doc<'taskNudges'> | null> =>
  await ctx.db
    .query('taskNudges')
    .withIndex('by_account_task', (q) => q.eq('accountId', accountId).eq('taskId', _id))
    .unique()

async function wasNudged(ctx: Ctx, task: Task): Promise<boolean> {
  const row = await findNudge(ctx, task)
  return row !== null && now() - row.at < NUDGE_AGAIN_MS
}

/** Its own work stands in its work list already. */
const isOnly = (lead: Doc<'agents'>, { assignees }: Task): boolean =>
  assignees.length > 0 && assignees.every(({ type, id }) => type === 'agent' && id === lead._id)

async function hasReviewer(ctx: Ctx, accountId: Id<'accounts'>): Promise<boolean> {
  const reviewer = await ctx.db
    .query('agents')
    .withIndex('by_account_reviewer', (q) => q.eq('accountId', accountId).eq('permissions.canReview', true))
    .first()
  return reviewer !== null
}

/** The first assignees, agents by slug: that is what tools name them by. */
async function namesOf(ctx: Ctx, { accountId, assignees }: Task): Promise<StaleTask['assignees']> {
  const names = await Promise.all(
    assignees.slice(0, ASSIGNEES_SHOWN).map(async ({ type, id }) => {
      if (type === 'agent') {
        const agentId = ctx.db.normalizeId('agents', id)
        const row = agentId && (await ctx.db.get(agentId))
        return row && { type, name: row.slug }
      }
      const member = await ctx.db
        .query('memberships')
        .withIndex('by_account_user', (q) => q.eq('accountId', accountId).eq('userId', id))
        .unique()
      return member && { type, name: cutToBytes(member.name, NAME_BYTES) }
    }),
  )
  return names.filter((name) => name !== null)
}
