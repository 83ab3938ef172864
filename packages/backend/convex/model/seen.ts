/** What of a thread a turn has shown: every message created in one span of time. */
import type { QueryCtx } from '../_generated/server.js'
import type { Item } from './lanes.js'

/** Creation time of the newest message that the item's claim could show; its oldest is `item.shownFrom`. */
export async function shownUntil(ctx: { db: QueryCtx['db'] }, item: Item): Promise<number> {
  const message = item.messageId === null ? null : await ctx.db.get(item.messageId)
  return Math.max(item._creationTime, message?._creationTime ?? 0)
}
