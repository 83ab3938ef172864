/** What an item that was never sent still stands for once its message is deleted. */
import type { Doc } from '../_generated/dataModel.js'
import type { QueryCtx } from '../_generated/server.js'
import type { ReadBudget } from './claimedItem.js'
import type { Item } from './lanes.js'
import { isStop } from './stop.js'

/** Rows and characters read in search of a message that is left; few enough that a claim of several items stays within its limits. */
const READ_ROWS = 1_000
const READ_CHARS = 250_000

/**
 * The newest message that is left of those an update stands for: somebody else's words must not vanish with the deleted ones.
 * The range ends before the item's own message, so that nothing posted meanwhile conflicts with the claim.
 * @returns `none` if nothing is left, `unknown` if there is too much to read to be sure
 */
export async function newestLeft(
  ctx: { db: QueryCtx['db'] },
  item: Item,
  deleted: Doc<'messages'>,
  budget: ReadBudget,
): Promise<Doc<'messages'> | 'none' | 'unknown'> {
  const from = item.unseenFrom
  if (item.type !== 'thread_update' || from === null || from >= deleted._creationTime) return 'none'
  const rows = ctx.db
    .query('messages')
    .withIndex('by_account_task', (q) =>
      q
        .eq('accountId', item.accountId)
        .eq('taskId', deleted.taskId)
        .gte('_creationTime', from)
        .lt('_creationTime', deleted._creationTime),
    )
    .order('desc')
  let [read, chars] = [0, 0]
  for await (const row of rows) {
    chars += row.content.length
    budget.chars -= row.content.length
    if (isForFollowers(row)) return row
    if (++read >= READ_ROWS || chars > READ_CHARS) return 'unknown'
  }
  return 'none'
}

/**
 * What agents that follow a thread are told of: what is not meant for certain ones. Whom an edited message named when it was written
 * is not known any more, and telling too much does less harm than losing what somebody was to be told.
 */
const isForFollowers = ({ authorType, deletedAt, editedAt, mentionsAll, mentions, content }: Doc<'messages'>): boolean =>
  authorType === 'user' &&
  deletedAt === null &&
  !isStop(content) &&
  (editedAt !== null || (!mentionsAll && !mentions.some(({ type }) => type === 'agent')))
