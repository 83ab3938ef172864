/** Every table that holds rows of accounts, with an index that finds them. The deletion of an account goes by this list. */
import type { NamedTableInfo, Query } from 'convex/server'
import type { DataModel, Id } from '../_generated/dataModel.js'
import type { QueryCtx } from '../_generated/server.js'
import type { OwnedTable } from '../lib/owned.js'

/** Indexes of the table that begin with the account. */
type AccountIndex<T extends OwnedTable> = {
  [I in keyof DataModel[T]['indexes'] & string]: DataModel[T]['indexes'][I] extends readonly ['accountId', ...string[]]
    ? I
    : never
}[keyof DataModel[T]['indexes'] & string]

/**
 * A table that the schema has and this list has not is an error of types. In the order of their deletion: first what people and
 * runtimes see, and a file's row together with the file.
 */
const INDEX_OF = {
  memberships: 'by_account_user',
  serviceTokens: 'by_account_lookup',
  tokenUse: 'by_account_token',
  invitations: 'by_account_state',
  preferences: 'by_account_user',
  inboxes: 'by_account_user',
  notifications: 'by_account',
  signals: 'by_account',
  runtimes: 'by_account_role',
  attachments: 'by_account_bound',
  documentVersions: 'by_account_document',
  documents: 'by_account_parent',
  messages: 'by_account_task',
  subscriptions: 'by_account_task_type_subscriber',
  assignments: 'by_account_task_assignee',
  taskLabels: 'by_account_label',
  taskNudges: 'by_account_task',
  tasks: 'by_account_status_rank',
  counterChanges: 'by_account',
  counters: 'by_account_key',
  effects: 'by_delivery_key',
  replyParts: 'by_delivery',
  agentRuns: 'by_delivery',
  deliveries: 'by_account_state_due',
  lanes: 'by_agent_task',
  laneRepairs: 'by_account',
  agentPresence: 'by_account_agent',
  agentProfiles: 'by_account_agent',
  agents: 'by_account_slug',
  usage: 'by_account_start',
  standups: 'by_account_date',
  activities: 'by_account',
} as const satisfies { readonly [T in OwnedTable]: AccountIndex<T> }

export const ACCOUNT_TABLES = Object.keys(INDEX_OF) as readonly OwnedTable[]

/** All rows of one account in one table. */
export function rowsOf<T extends OwnedTable>(
  ctx: { db: QueryCtx['db'] },
  accountId: Id<'accounts'>,
  table: T,
): Query<NamedTableInfo<DataModel, T>> {
  // Over a table that is a type parameter the compiler cannot see what the list above has checked for each of them.
  const rows = ctx.db.query(table as 'signals').withIndex(INDEX_OF[table] as 'by_account', (q) => q.eq('accountId', accountId))
  return rows as unknown as Query<NamedTableInfo<DataModel, T>>
}
