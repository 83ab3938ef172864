/** The hot side of agents: last heartbeat and what the runtime said of them. */
import type { AgentStatus } from '@mission-control/shared/enums'
import type { Doc, Id } from '../_generated/dataModel.js'
import type { MutationCtx, QueryCtx } from '../_generated/server.js'
import { now } from '../lib/clock.js'

export async function findPresence(
  ctx: { db: QueryCtx['db'] },
  accountId: Id<'accounts'>,
  agentId: Id<'agents'>,
): Promise<Doc<'agentPresence'> | null> {
  return await ctx.db
    .query('agentPresence')
    .withIndex('by_account_agent', (q) => q.eq('accountId', accountId).eq('agentId', agentId))
    .unique()
}

export async function setPresence(
  ctx: MutationCtx,
  accountId: Id<'accounts'>,
  agentId: Id<'agents'>,
  patch: Partial<Pick<Doc<'agentPresence'>, 'status' | 'reason' | 'lastHeartbeatSlot' | 'staleAfter'>>,
): Promise<void> {
  const row = await findPresence(ctx, accountId, agentId)
  if (row) await ctx.db.patch(row._id, { ...patch, lastSeenAt: now() })
  else {
    const fresh = { status: 'offline', reason: null, lastHeartbeatSlot: null } as const
    await ctx.db.insert('agentPresence', { accountId, agentId, ...fresh, ...patch, lastSeenAt: now() })
  }
}

/** A turn ended. Writes only when that changes something, because settles of one agent's lanes run side by side. */
export async function reportTurn(ctx: MutationCtx, item: Doc<'deliveries'>, failure: string | null): Promise<void> {
  const row = await findPresence(ctx, item.accountId, item.agentId)
  if (!row) return
  const status = failure === null ? 'online' : 'error'
  // A settled turn clears an error or an idle spell; an agent the runtime has not synced yet stays as it is.
  if (failure === null && row.status !== 'error' && row.status !== 'idle') return
  await ctx.db.patch(row._id, { status, reason: failure })
}

export interface StatusInputs {
  readonly stored: AgentStatus
  readonly paused: boolean
  readonly runtimeActive: boolean
  readonly claimed: boolean
}

/**
 * The agent's status as people see it. `offline` and `busy` follow from rows that exist anyway, so that neither a runtime that
 * leaves nor a claim has to write a row per agent.
 */
export function agentStatus({ stored, paused, runtimeActive, claimed }: StatusInputs): AgentStatus {
  if (paused || !runtimeActive) return 'offline'
  return claimed ? 'busy' : stored
}
