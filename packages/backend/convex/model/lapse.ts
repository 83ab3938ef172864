/** Leases that ran out while nobody said hello. */
import { LEASE_IDLE_MS } from '@mission-control/shared/lanes/policy'
import { internal } from '../_generated/api.js'
import type { Id } from '../_generated/dataModel.js'
import type { MutationCtx } from '../_generated/server.js'
import { now } from '../lib/clock.js'
import { expire } from './runtimes.js'

/** Runtimes one run of the cron looks at, those without a lease for longest first; the next run takes the others. */
const RUNTIMES_PER_RUN = 200

/**
 * Schedules one mutation for each: a runtime may have 64 turns to take back, of which every one may tell people, and an account whose
 * rows are broken must not keep the others waiting.
 */
export async function lapseExpired(ctx: MutationCtx): Promise<void> {
  const expired = []
  for (const role of ['active', 'standby'] as const) {
    const rows = ctx.db.query('runtimes').withIndex('by_role_lease', (q) => q.eq('role', role).lt('leaseUntil', now()))
    expired.push(...(await rows.take(RUNTIMES_PER_RUN)))
  }
  for (const { _id: runtimeId } of expired) await ctx.scheduler.runAfter(0, internal.maintenance.expireRuntime, { runtimeId })
}

/** Nothing for one that is gone, was replaced or has checked in meanwhile. */
export async function expireRuntime(ctx: MutationCtx, runtimeId: Id<'runtimes'>): Promise<void> {
  const runtime = await ctx.db.get(runtimeId)
  if (!runtime || runtime.leaseUntil >= now()) return
  if (runtime.role === 'active') await expire(ctx, runtime)
  // Nobody waits for a standby: that it is gone is all there is to say.
  if (runtime.role === 'standby') await ctx.db.patch(runtime._id, { role: 'gone', status: 'offline', reasons: ['lease_expired'] })
}

/** How often the cron looks: well below the idle lease, so that people hear of an outage while it is fresh. */
export const LAPSE_EVERY_S = Math.floor(LEASE_IDLE_MS / 3 / 1_000)
