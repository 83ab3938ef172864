/** Reading rows by an id that came from outside. */
import type { TableNames, Doc, Id } from '../_generated/dataModel.js'
import type { QueryCtx } from '../_generated/server.js'
import { refuse } from './errors.js'

/** Tables whose rows belong to an account. */
export type OwnedTable = Exclude<TableNames, 'accounts'>

/**
 * The row with this id if it belongs to the account. A foreign id, one of another table and one that never existed get the same
 * answer, `null`.
 * @param id any text
 */
export async function findOwned<T extends OwnedTable>(
  ctx: { db: QueryCtx['db'] },
  accountId: Id<'accounts'>,
  table: T,
  id: string,
): Promise<Doc<T> | null> {
  const known = ctx.db.normalizeId(table, id)
  const row: Doc<T> | null = known === null ? null : await ctx.db.get(known)
  // Over a table that is a type parameter the compiler cannot see that each of them has the field.
  return row !== null && (row as unknown as { accountId: Id<'accounts'> }).accountId === accountId ? row : null
}

/** @throws NOT_FOUND */
export async function getOwned<T extends OwnedTable>(
  ctx: { db: QueryCtx['db'] },
  accountId: Id<'accounts'>,
  table: T,
  id: string,
): Promise<Doc<T>> {
  return (await findOwned(ctx, accountId, table, id)) ?? refuse('NOT_FOUND', `No such row in ${table} of this account.`)
}
