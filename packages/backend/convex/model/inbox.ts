/**
 * Unread notifications of a person, counted without counting. Whoever tells somebody only inserts a row; a scheduled fold adds it to
 * the person's count, so that two turns that tell the same person never meet on one document.
 *
 * A row is in the count exactly while it is `counted` and unread. It becomes `counted` once, in its fold; whatever ends it (read,
 * deleted) before that takes nothing away, and the fold then adds nothing.
 */
import type { Doc, Id } from '../_generated/dataModel.js'
import type { MutationCtx, QueryCtx } from '../_generated/server.js'

type Notification = Doc<'notifications'>

async function findInbox(ctx: { db: QueryCtx['db'] }, accountId: Id<'accounts'>, userId: string): Promise<Doc<'inboxes'> | null> {
  return await ctx.db
    .query('inboxes')
    .withIndex('by_account_user', (q) => q.eq('accountId', accountId).eq('userId', userId))
    .unique()
}

/** One point read, however many there are. */
export async function unreadCount(ctx: { db: QueryCtx['db'] }, accountId: Id<'accounts'>, userId: string): Promise<number> {
  return (await findInbox(ctx, accountId, userId))?.unread ?? 0
}

async function addUnread(ctx: MutationCtx, accountId: Id<'accounts'>, userId: string, delta: number): Promise<void> {
  if (delta === 0) return
  const inbox = await findInbox(ctx, accountId, userId)
  if (inbox) await ctx.db.patch(inbox._id, { unread: Math.max(0, inbox.unread + delta) })
  else if (delta > 0) await ctx.db.insert('inboxes', { accountId, userId, unread: delta })
}

/** One step for each person among the rows: how many of them `counts` says yes to. */
async function addPerPerson(ctx: MutationCtx, rows: readonly Notification[], sign: 1 | -1): Promise<void> {
  const people = new Map<string, { accountId: Id<'accounts'>; userId: string; count: number }>()
  for (const { accountId, userId } of rows) {
    const key = `${accountId}|${userId}`
    people.set(key, { accountId, userId, count: (people.get(key)?.count ?? 0) + 1 })
  }
  for (const { accountId, userId, count } of people.values()) await addUnread(ctx, accountId, userId, sign * count)
}

/** Puts new rows into the count of their people. Rows that are gone or counted already change nothing, and no account that is being deleted gets an inbox back. */
export async function foldUnread(ctx: MutationCtx, ids: readonly Id<'notifications'>[]): Promise<void> {
  const rows = (await Promise.all(ids.map((id) => ctx.db.get(id)))).filter((row) => row?.counted === false)
  const fresh: Notification[] = []
  for (const row of rows) {
    if (row !== null && (await ctx.db.get(row.accountId))?.deletingAt === null) fresh.push(row)
  }
  for (const row of fresh) await ctx.db.patch(row._id, { counted: true })
  await addPerPerson(
    ctx,
    fresh.filter((row) => row.readAt === null),
    1,
  )
}

const isCounted = (row: Notification): boolean => row.counted && row.readAt === null

/** Marks rows read; one that was read keeps its time. */
export async function readRows(ctx: MutationCtx, rows: readonly Notification[], at: number): Promise<void> {
  const unread = rows.filter((row) => row.readAt === null)
  for (const row of unread) await ctx.db.patch(row._id, { readAt: at })
  await addPerPerson(ctx, unread.filter(isCounted), -1)
}

/** Deletes rows, and what they are of the count. Every deletion of single notifications goes through here. */
export async function deleteRows(ctx: MutationCtx, rows: readonly Notification[]): Promise<void> {
  for (const row of rows) await ctx.db.delete(row._id)
  await addPerPerson(ctx, rows.filter(isCounted), -1)
}
