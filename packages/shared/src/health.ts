/** What the runtime's `/health` says. The schema is the contract with dashboards and load balancers. */
import { z } from 'zod'

const counts = z.strictObject({ added: z.int(), updated: z.int(), removed: z.int(), unchanged: z.int(), failed: z.int() })

export const HealthPage = z.strictObject({
  status: z.enum(['healthy', 'degraded']),
  /** `name: sentence`, empty when healthy. */
  reasons: z.array(z.string()),
  role: z.enum(['starting', 'active', 'standby', 'stopped']),
  /** Seconds since the process started. */
  uptime: z.number().nonnegative(),
  /** ISO 8601. */
  timestamp: z.iso.datetime(),
  gateway: z.strictObject({
    running: z.boolean(),
    /** Turns in flight. */
    sessions: z.int().nonnegative(),
    version: z.string().nullable(),
  }),
  delivery: z.strictObject({
    running: z.boolean(),
    /** ISO 8601, or null before the first. */
    lastDelivery: z.iso.datetime().nullable(),
    delivered: z.int().nonnegative(),
    failed: z.int().nonnegative(),
    released: z.int().nonnegative(),
    held: z.int().nonnegative(),
    oldestReadyAgeMs: z.number().nonnegative(),
    /** Why nothing is claimed right now, or null. */
    blocked: z.string().nullable(),
  }),
  heartbeats: z.strictObject({
    running: z.boolean(),
    scheduled: z.int().nonnegative(),
    waiting: z.int().nonnegative(),
    begun: z.int().nonnegative(),
    delivered: z.int().nonnegative(),
  }),
  agentSync: z.strictObject({
    running: z.boolean(),
    lastSyncAt: z.iso.datetime().nullable(),
    lastError: z.string().nullable(),
    counts: counts.nullable(),
  }),
  /** The agents' tools. */
  tools: z.strictObject({
    listening: z.boolean(),
    /** MCP sessions whose lane is known. */
    sessions: z.int().nonnegative(),
    /** Tool calls since the start; `refused` of them were answered with a refusal or failed. */
    calls: z.int().nonnegative(),
    refused: z.int().nonnegative(),
    /** Requests turned away before they were calls: wrong token, malformed, too many. */
    rejected: z.int().nonnegative(),
  }),
  convex: z.strictObject({ connected: z.boolean(), lastCheckInAgeMs: z.number().nonnegative().nullable() }),
  versions: z.strictObject({ runtime: z.string(), openclaw: z.string().nullable() }),
  infrastructure: z.strictObject({ dropletId: z.string().nullable(), ip: z.string().nullable(), region: z.string().nullable() }),
})
export type HealthPage = z.infer<typeof HealthPage>
