/** Everything of an account's queue at one moment, for checks that must not trust the functions they check. */
import type { Doc, TableNames } from '../../convex/_generated/dataModel.js'
import type { Backend } from '../harness/backend.ts'

const EACH_STEP = ['lanes', 'deliveries', 'agents'] as const
const AT_REST = [
  ...['agentRuns', 'messages', 'tasks', 'assignments', 'taskLabels', 'counters', 'counterChanges', 'notifications'],
  ...['inboxes', 'usage', 'laneRepairs', 'subscriptions'],
] as const

export type Rows<T extends TableNames> = { readonly [K in T]: readonly Doc<K>[] }
export type QueueRows = Rows<(typeof EACH_STEP)[number]>
export type AllRows = Rows<TableNames>

/** Oldest first. The backend holds one account. */
async function read(backend: Backend, tables: readonly string[]): Promise<AllRows> {
  const { rows: at } = backend
  if (at !== undefined) return Object.fromEntries(tables.map((table) => [table, at(table)])) as unknown as AllRows
  return await backend.run(async (ctx) => {
    const rows = tables.map(async (table) => [table, await ctx.db.query(table as TableNames).collect()] as const)
    return Object.fromEntries(await Promise.all(rows)) as unknown as AllRows
  })
}

export const queueRows = (backend: Backend): Promise<QueueRows> => read(backend, EACH_STEP)
export const allRows = (backend: Backend): Promise<AllRows> => read(backend, [...EACH_STEP, ...AT_REST])
