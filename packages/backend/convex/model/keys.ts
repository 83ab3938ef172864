/**
 * Keys by which a repeated create is known: a form sent twice, a call tried again after its answer was lost. Each author has keys of
 * his own: nobody meets anybody else's by chance or on purpose.
 */
import type { Doc, Id } from '../_generated/dataModel.js'
import type { QueryCtx } from '../_generated/server.js'
import { checkText } from '../lib/text.js'
import type { Actor } from './actors.js'

const KEY_CHARS = 200

/** As JSON: ids of users hold any character, so that no separator could keep id and key apart. */
export const keyOf = (author: Actor, key: string): string => JSON.stringify([author.type, author.id, key])

/**
 * The key as it is stored, for a create that may carry one.
 * @throws LIMIT | INVALID
 */
export function scopedKey(author: Actor, key: string | undefined): string | null {
  return key === undefined ? null : keyOf(author, checkText('key', key, KEY_CHARS, { required: true }))
}

/** Tables with a `key` and an index over it. */
type Keyed = 'messages' | 'tasks' | 'documents'

/** The row that an earlier call with this key made; `null` without a key. */
export async function findByKey<T extends Keyed>(
  ctx: { db: QueryCtx['db'] },
  table: T,
  accountId: Id<'accounts'>,
  scoped: string | null,
): Promise<Doc<T> | null> {
  if (scoped === null) return null
  const named: Keyed = table
  const row = await ctx.db
    .query(named as 'tasks') // one of three tables that have this index alike, which their union's type cannot say
    .withIndex('by_account_key', (q) => q.eq('accountId', accountId).eq('key', scoped))
    .unique()
  return row as Doc<T> | null
}
