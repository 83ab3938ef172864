/** Leases that ran out while nobody said hello. */
import { LEASE_IDLE_MS } from '@mission-control/shared/lanes/policy'
import { internal } from '../_generated/api.js'
import type { MutationCtx } from '../_generated/server.js'
import { now } from '../lib/clock.js'
import { expire } from './runtimes.js'

/** Runtimes one run looks at; each may have 64 items to take back. */
const RUNTIMES_PER_RUN = 10

export async function lapseExpired(ctx: MutationCtx): Promise<void> {
  const expired = await ctx.db
    .query('runtimes')
    .withIndex('by_role_lease', (q) => q.eq('role', 'active').lt('leaseUntil', now()))
    .take(RUNTIMES_PER_RUN)
  for (const runtime of expired) await expire(ctx, runtime)
  if (expired.length === RUNTIMES_PER_RUN) await ctx.scheduler.runAfter(0, internal.maintenance.lapse, {})
}

/** How often the cron looks: well below the idle lease, so that people hear of an outage while it is fresh. */
export const LAPSE_EVERY_S = Math.floor(LEASE_IDLE_MS / 3 / 1_000)
