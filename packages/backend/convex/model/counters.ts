/**
 * Tasks per status, without ever counting rows. A change is one inserted row; a scheduled step adds it to its counter. So a settle
 * that moves a task writes no shared row, and two of them cannot conflict. Whoever reads adds what is still pending, so that the
 * totals are exact at every moment.
 */
import type { TaskStatus } from '@mission-control/shared/enums'
import { TASK_STATUSES } from '@mission-control/shared/enums'
import { internal } from '../_generated/api.js'
import type { Id } from '../_generated/dataModel.js'
import type { MutationCtx, QueryCtx } from '../_generated/server.js'

/** Rows one step adds up. Each move makes two. */
const CHANGES_PER_STEP = 500
/** Pending rows a reader adds; more than this only wait for a moment while thousands of tasks move at once. */
const CHANGES_READ = 1_000

const keyOf = (status: TaskStatus): string => `tasks:${status}`

/** A task entered `to` and left `from`; `null` for one that is new. */
export async function countTask(
  ctx: MutationCtx,
  accountId: Id<'accounts'>,
  from: TaskStatus | null,
  to: TaskStatus,
): Promise<void> {
  await ctx.db.insert('counterChanges', { accountId, key: keyOf(to), by: 1 })
  if (from !== null) await ctx.db.insert('counterChanges', { accountId, key: keyOf(from), by: -1 })
  await ctx.scheduler.runAfter(0, internal.maintenance.foldCounters, { accountId })
}

/** One step of adding pending changes to their counters; schedules the next while there are more. */
export async function foldCounters(ctx: MutationCtx, accountId: Id<'accounts'>): Promise<void> {
  const account = await ctx.db.get(accountId)
  // What its deletion has removed already must not come back.
  if (account === null || account.deletingAt !== null) return
  const changes = await ctx.db
    .query('counterChanges')
    .withIndex('by_account', (q) => q.eq('accountId', accountId))
    .take(CHANGES_PER_STEP)
  const sums = new Map<string, number>()
  for (const { _id, key, by } of changes) {
    sums.set(key, (sums.get(key) ?? 0) + by)
    await ctx.db.delete(_id)
  }
  for (const [key, by] of sums) if (by !== 0) await add(ctx, accountId, key, by)
  if (changes.length === CHANGES_PER_STEP) await ctx.scheduler.runAfter(0, internal.maintenance.foldCounters, { accountId })
}

async function add(ctx: MutationCtx, accountId: Id<'accounts'>, key: string, by: number): Promise<void> {
  const row = await ctx.db
    .query('counters')
    .withIndex('by_account_key', (q) => q.eq('accountId', accountId).eq('key', key))
    .unique()
  if (row) await ctx.db.patch(row._id, { value: row.value + by })
  else await ctx.db.insert('counters', { accountId, key, value: by })
}

/** How many tasks are in each status. Reads at most one row per status and what is pending. */
export async function countTasks(
  ctx: { db: QueryCtx['db'] },
  accountId: Id<'accounts'>,
): Promise<Readonly<Record<TaskStatus, number>>> {
  const totals = Object.fromEntries(TASK_STATUSES.map((status) => [status, 0])) as Record<TaskStatus, number>
  const counters = await ctx.db
    .query('counters')
    .withIndex('by_account_key', (q) => q.eq('accountId', accountId).gte('key', 'tasks:').lt('key', 'tasks;'))
    .take(TASK_STATUSES.length)
  const pending = await ctx.db
    .query('counterChanges')
    .withIndex('by_account', (q) => q.eq('accountId', accountId))
    .take(CHANGES_READ)
  const parts = [...counters.map(({ key, value }) => ({ key, by: value })), ...pending]
  for (const status of TASK_STATUSES) {
    for (const { key, by } of parts) if (key === keyOf(status)) totals[status] += by
  }
  return totals
}
