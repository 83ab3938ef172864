/** Keys by which a repeated post is known. Each author has keys of his own: nobody meets anybody else's by chance or on purpose. */
import type { Doc, Id } from '../_generated/dataModel.js'
import type { QueryCtx } from '../_generated/server.js'
import { checkText } from '../lib/text.js'
import type { Actor } from './actors.js'

const KEY_CHARS = 200

/** @throws LIMIT | INVALID */
export const checkKey = (key: string): string => checkText('key', key, KEY_CHARS, { required: true })

/** As JSON: ids of users hold any character, so that no separator could keep id and key apart. */
export const keyOf = (author: Actor, key: string): string => JSON.stringify([author.type, author.id, key])

export async function findByKey(
  ctx: { db: QueryCtx['db'] },
  accountId: Id<'accounts'>,
  scoped: string,
): Promise<Doc<'messages'> | null> {
  return await ctx.db
    .query('messages')
    .withIndex('by_account_key', (q) => q.eq('accountId', accountId).eq('key', scoped))
    .unique()
}
