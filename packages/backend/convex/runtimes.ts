/** The account's runtimes as people see them. */
import { v } from 'convex/values'
import { memberQuery } from './lib/functions.js'
import { nullable, vInfrastructure, vRuntimeRole, vRuntimeStatus, vVersions } from './lib/validators.js'

/** Installations shown; an account has one, and a second one standing by at times. */
const SHOWN = 20
/** Repairs counted; there should be none. */
const REPAIRS_COUNTED = 100

export const status = memberQuery('member')({
  args: {},
  returns: v.object({
    /** `offline` when none is active. */
    status: vRuntimeStatus,
    runtimes: v.array(
      v.object({
        instanceId: v.string(),
        role: vRuntimeRole,
        status: vRuntimeStatus,
        reasons: v.array(v.string()),
        versions: vVersions,
        infrastructure: vInfrastructure,
        /**
         * How often it says that it is there. Three of these without a word make it `offline` (at least 45 s; a cron looks each
         * minute); a reader with a clock may call it stale before, from `lastSeenAt`.
         */
        announcedIntervalMs: v.number(),
        lastSeenAt: v.number(),
        leaseUntil: nullable(v.number()),
      }),
    ),
    laneRepairs: v.number(),
  }),
  handler: async (ctx) => {
    const rows = await ctx.db
      .query('runtimes')
      .withIndex('by_account_role', (q) => q.eq('accountId', ctx.accountId))
      .take(SHOWN)
    const repairs = await ctx.db
      .query('laneRepairs')
      .withIndex('by_account', (q) => q.eq('accountId', ctx.accountId))
      .take(REPAIRS_COUNTED)
    return {
      status: rows.find((row) => row.role === 'active')?.status ?? 'offline',
      runtimes: rows.map((row) => ({
        instanceId: row.instanceId,
        role: row.role,
        status: row.status,
        reasons: row.reasons,
        versions: row.versions,
        infrastructure: row.infrastructure,
        announcedIntervalMs: row.announcedIntervalMs,
        lastSeenAt: row.lastSeenAt,
        leaseUntil: row.role === 'active' ? row.leaseUntil : null,
      })),
      laneRepairs: repairs.length,
    }
  },
})
