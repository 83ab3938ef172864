/**
 * What an account did in one day of its time zone. An hourly cron writes it once the last turns of the day have ended; once per day,
 * whatever is called how often.
 *
 * Done, dead letters and usage are of the day itself. In progress, blocked and in review are as they stand when the row is written:
 * no row remembers where a task stood yesterday.
 */
import type { Infer } from 'convex/values'
import type { TaskStatus } from '@mission-control/shared/enums'
import { TURN_CAP_MS } from '@mission-control/shared/lanes/policy'
import { internal } from '../_generated/api.js'
import type { Doc, Id } from '../_generated/dataModel.js'
import type { MutationCtx, QueryCtx } from '../_generated/server.js'
import { byteBudget, takeWithin } from '../lib/budget.js'
import { now } from '../lib/clock.js'
import { addDays, localDays } from '../lib/localDays.js'
import { cutText } from '../lib/text.js'
import type { vTaskLines } from '../tables/work.js'
import { recordActivity } from './activity.js'
import { SYSTEM } from './actors.js'
import { countTasks } from './counters.js'

/** Days written after the fact, oldest first, when nothing ran at their end. Older ones are left out. */
const CATCH_UP_DAYS = 7
const LINES = 20
const LINE_CHARS = 200
/** Tasks done and dead letters of one day that are counted; `exact` says when there may be more tasks. */
const DONE_COUNTED = 500
const DEAD_COUNTED = 1_000
/** A day has at most 25 hours; one in which the account moved to another time zone has up to 26 more. */
const HOURS_READ = 60
/** Bytes of rows each kind of line may read. */
const LINES_BYTES = 2_500_000

type Lines = Infer<typeof vTaskLines>
type Ctx = { db: QueryCtx['db'] }
interface Span {
  readonly from: number
  readonly until: number
}

/** Writes the oldest day that has ended and has no row, and schedules the next if there are more. */
export async function writeStandup(ctx: MutationCtx, accountId: Id<'accounts'>): Promise<void> {
  const account = await ctx.db.get(accountId)
  if (account === null || account.deletingAt !== null) return
  const days = localDays(account.timeZone)
  const last = await latestStandup(ctx, accountId)
  // A turn counts where it was claimed: the day's last ones may still run when it ends.
  const yesterday = addDays(days.dateAt(now() - TURN_CAP_MS), -1)
  const first = last ? addDays(last.date, 1) : days.dateAt(account._creationTime)
  const oldest = addDays(yesterday, 1 - CATCH_UP_DAYS)
  const date = first > oldest ? first : oldest
  if (date > yesterday) return
  const until = days.startOf(addDays(date, 1))
  // Days follow each other without a gap, also when the account has moved to another time zone.
  const from = last?.date === addDays(date, -1) ? Math.min(last.until, until) : days.startOf(date)
  await writeDay(ctx, account, date, { from, until })
  if (date < yesterday) await ctx.scheduler.runAfter(0, internal.standup.write, { accountId })
}

export async function latestStandup(ctx: Ctx, accountId: Id<'accounts'>): Promise<Doc<'standups'> | null> {
  return await standups(ctx, accountId).order('desc').first()
}

export const standups = (ctx: Ctx, accountId: Id<'accounts'>) =>
  ctx.db.query('standups').withIndex('by_account_date', (q) => q.eq('accountId', accountId))

export async function standupOf(ctx: Ctx, accountId: Id<'accounts'>, date: string): Promise<Doc<'standups'> | null> {
  return await ctx.db
    .query('standups')
    .withIndex('by_account_date', (q) => q.eq('accountId', accountId).eq('date', date))
    .unique()
}

async function writeDay(ctx: MutationCtx, account: Doc<'accounts'>, date: string, span: Span): Promise<void> {
  const accountId = account._id
  const counts = await countTasks(ctx, accountId)
  const open = (status: TaskStatus) => openLines(ctx, accountId, status, counts[status])
  const [done, inProgress, blocked, inReview] = [
    await doneLines(ctx, accountId, span),
    await open('in_progress'),
    await open('blocked'),
    await open('review'),
  ]
  const deadLetters = await countDead(ctx, accountId, span)
  const standupId = await ctx.db.insert('standups', {
    ...{ accountId, date, timeZone: account.timeZone, ...span },
    ...{ done, inProgress, blocked, inReview, deadLetters },
    ...(await sumUsage(ctx, accountId, span)),
  })
  await recordActivity(ctx, accountId, {
    type: 'standup_written',
    actor: SYSTEM,
    targetId: standupId,
    targetName: date,
    detail: `${done.count} done, ${inProgress.count} in progress, ${blocked.count} blocked, ${inReview.count} in review`,
  })
}

/** Tasks that are done and became so in the day; one that was archived meanwhile is not among them. */
async function doneLines(ctx: Ctx, accountId: Id<'accounts'>, { from, until }: Span): Promise<Lines> {
  const tasks = ctx.db
    .query('tasks')
    .withIndex('by_account_status_changed', (q) =>
      q.eq('accountId', accountId).eq('status', 'done').gte('statusChangedAt', from).lt('statusChangedAt', until),
    )
  const { rows, complete } = await takeWithin(tasks, DONE_COUNTED, byteBudget(LINES_BYTES))
  return { count: rows.length, exact: complete, first: rows.slice(0, LINES).map(toLine) }
}

async function openLines(ctx: Ctx, accountId: Id<'accounts'>, status: TaskStatus, count: number): Promise<Lines> {
  const tasks = ctx.db
    .query('tasks')
    .withIndex('by_account_status_rank', (q) => q.eq('accountId', accountId).eq('status', status))
  const { rows } = await takeWithin(tasks, LINES, byteBudget(LINES_BYTES))
  return { count, exact: true, first: rows.map(toLine) }
}

/** The detail of a blocked task is why. */
const toLine = (task: Doc<'tasks'>): Lines['first'][number] => ({
  id: task._id,
  title: cutText(task.title, LINE_CHARS),
  detail: task.blockedReason === null ? null : cutText(task.blockedReason, LINE_CHARS),
})

async function countDead(ctx: Ctx, accountId: Id<'accounts'>, { from, until }: Span): Promise<number> {
  const rows = await ctx.db
    .query('deliveries')
    .withIndex('by_account_state_due', (q) =>
      q.eq('accountId', accountId).eq('state', 'dead').gte('dueAt', from).lt('dueAt', until),
    )
    .take(DEAD_COUNTED)
  return rows.length
}

/** Usage is kept by hours of UTC: one that midnight falls into counts for the day it began in. */
async function sumUsage(ctx: Ctx, accountId: Id<'accounts'>, { from, until }: Span) {
  const hours = await ctx.db
    .query('usage')
    .withIndex('by_account_agent_period', (q) =>
      q.eq('accountId', accountId).eq('agentId', null).eq('period', 'hour').gte('start', from).lt('start', until),
    )
    .take(HOURS_READ)
  const sum = (of: (hour: Doc<'usage'>) => number) => hours.reduce((total, hour) => total + of(hour), 0)
  return {
    turns: sum((hour) => hour.turns),
    tokens: sum((hour) => hour.inputTokens + hour.outputTokens),
    microUsd: sum((hour) => hour.microUsd),
  }
}
