/** Stored files that nobody registered: an upload URL was used, and its answer never came back to be made an attachment. */
import { internal } from '../_generated/api.js'
import type { MutationCtx } from '../_generated/server.js'
import { now } from '../lib/clock.js'

const DAY_MS = 86_400_000
/** Time to register an upload. */
const UNREGISTERED_DAYS = 1
/** Days that each run looks back: so long the cron may have been down without leaving a file for ever. */
const LOOK_BACK_DAYS = 30
/** Files one transaction looks at. */
const BATCH = 200

/**
 * Removes the stray ones among the files of the last weeks, a batch at a time. A file belongs to no account, so this looks over all:
 * its cost is that of the files of LOOK_BACK_DAYS, however many there are.
 * @param after creation time of the last file looked at; `null` to begin
 */
export async function removeStrayFiles(ctx: MutationCtx, after: number | null): Promise<void> {
  const from = after ?? now() - LOOK_BACK_DAYS * DAY_MS
  const until = now() - UNREGISTERED_DAYS * DAY_MS
  const files = await ctx.db.system
    .query('_storage')
    .withIndex('by_creation_time', (q) => q.gt('_creationTime', from).lt('_creationTime', until))
    .take(BATCH)
  for (const { _id } of files) {
    const row = await ctx.db
      .query('attachments')
      .withIndex('by_storage', (q) => q.eq('storageId', _id))
      .first()
    if (!row) await ctx.storage.delete(_id)
  }
  const last = files.at(-1)
  if (last && files.length === BATCH) {
    await ctx.scheduler.runAfter(0, internal.attachments.removeStray, { after: last._creationTime })
  }
}
