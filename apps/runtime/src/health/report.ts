/** Puts the health page together from what the parts say of themselves. */
import type { Clock } from '@mission-control/shared/clock'
import type { RuntimeVersions } from '@mission-control/shared/service-contract'
import type { Brain } from '../brain/brain.ts'
import type { RuntimeConfig } from '../config/load.ts'
import type { GatewayLink } from '../gateway.ts'
import type { Loops } from '../loops.ts'
import type { ToolsStatus } from '../agent-tools/agent-tools.ts'
import type { Conditions } from './conditions.ts'
import type { HealthPage } from '@mission-control/shared/health'
import type { Stats } from './stats.ts'

export interface HealthView {
  readonly config: RuntimeConfig
  readonly clock: Clock
  /** Monotonic. */
  readonly startedAt: number
  readonly conditions: Conditions
  readonly stats: Stats
  readonly loops: Loops | null
  readonly brain: Brain
  readonly link: GatewayLink
  readonly versions: () => RuntimeVersions
  readonly stopping: boolean
  readonly tools: ToolsStatus
}

export function healthPage({
  config,
  clock,
  startedAt,
  conditions,
  stats,
  loops,
  brain,
  link,
  versions,
  tools,
}: HealthView): HealthPage {
  const period = loops?.period() ?? null
  const held = period?.delivery.held().length ?? 0
  const counters = stats.snapshot()
  const beats = period?.heartbeats.status()
  const sync = period?.sync.status()
  const lastAt = period?.checkIn.lastAt() ?? null
  const reasons = conditions.reasons()
  return {
    status: reasons.length > 0 ? 'degraded' : 'healthy',
    reasons,
    role: loops?.role() ?? 'starting',
    uptime: Math.round((clock.monotonic() - startedAt) / 1000),
    timestamp: iso(clock.now()),
    gateway: { running: link.state().up, sessions: held, version: link.state().version },
    delivery: {
      running: period !== null,
      lastDelivery: counters.lastDelivery === null ? null : iso(counters.lastDelivery),
      delivered: counters.delivered,
      failed: counters.failed,
      released: counters.released,
      held,
      oldestReadyAgeMs: counters.oldestReadyAgeMs,
      blocked: period?.delivery.blocked() ?? null,
    },
    heartbeats: {
      running: period !== null,
      scheduled: beats?.scheduled ?? 0,
      waiting: beats?.waiting ?? 0,
      begun: beats?.begun ?? 0,
      delivered: counters.heartbeatsDelivered,
    },
    agentSync: {
      running: sync?.running ?? false,
      lastSyncAt: sync?.lastSyncAt == null ? null : iso(sync.lastSyncAt),
      lastError: sync?.lastError ?? null,
      counts: sync?.counts ?? null,
    },
    tools,
    convex: { connected: brain.connected(), lastCheckInAgeMs: lastAt === null ? null : Math.round(clock.monotonic() - lastAt) },
    versions: versions(),
    infrastructure: config.infrastructure,
  }
}

/** Why work is not being taken; empty when it is. */
export function notReady({ loops, conditions, link, stopping }: HealthView): string[] {
  if (stopping) return ['stopping']
  const role = loops?.role() ?? 'starting'
  if (role !== 'active')
    return [role === 'standby' ? 'standby: another runtime is active for this account' : 'waiting for the backend']
  const period = loops?.period() ?? null
  const blocked = period?.delivery.blocked() ?? null
  const reasons = conditions.reasons()
  return [
    ...reasons,
    ...(blocked !== null && !reasons.some((text) => text.endsWith(blocked)) ? [blocked] : []),
    ...(period !== null && link.state().up && !period.sync.hasSynced() ? ['the agents are being synchronised'] : []),
    ...(period?.checkIn.lastAt() == null ? ['no check-in has been answered yet'] : []),
  ]
}

const iso = (ms: number): string => new Date(ms).toISOString()
