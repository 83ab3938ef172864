/** What a pass would do, without doing it: reads the backend and, if one runs, the gateway. */
import type { Clock } from '@mission-control/shared/clock'
import type { UndeliveredPage } from '@mission-control/shared/service-contract'
import { readRoster } from '../agent-sync/roster.ts'
import { syncAgents } from '../agent-sync/sync.ts'
import type { AgentHost } from '../agent-sync/host.ts'
import type { Brain } from '../brain/brain.ts'
import { dueAt } from '../heartbeat/schedule.ts'
import { service } from '../service.ts'
import type { PassPart, PassReport } from './report.ts'

const PAGE = 100
/** Enough to see what is going on; the rest is counted. */
const MOST = 1_000
const MINUTE_MS = 60_000

export async function observe(
  parts: ReadonlySet<PassPart>,
  { brain, host, clock, why }: { brain: Brain; host: AgentHost; clock: Clock; why: string },
  signal: AbortSignal,
): Promise<PassReport> {
  const report: PassReport = { mode: 'observed', why, failed: [] }
  if (parts.has('agents')) {
    const { plan, counts, gatewayMissing } = await syncAgents({ brain, host, reported: new Map(), dryRun: true }, signal)
    report.agents = { counts, added: plan.added, updated: plan.updated, removed: plan.remove, gatewayMissing }
  }
  if (parts.has('delivery')) report.delivery = await undelivered(brain, signal)
  if (parts.has('heartbeats')) {
    const now = clock.now()
    const { agents } = await readRoster(brain, signal)
    const due = agents.filter(
      ({ id, paused, heartbeatMinutes, lastHeartbeatSlot }) =>
        !paused &&
        dueAt(
          { id, intervalMs: heartbeatMinutes * MINUTE_MS, lastSlot: lastHeartbeatSlot, unsureSlot: null, seenAt: now },
          now,
        ) <= now,
    )
    report.heartbeats = { due: due.map(({ slug }) => slug) }
  }
  return report
}

async function undelivered(brain: Brain, signal: AbortSignal): Promise<NonNullable<PassReport['delivery']>> {
  const items: UndeliveredPage['items'] = []
  let cursor: string | null = null
  do {
    const page: UndeliveredPage = await brain.query(service.undelivered, { cursor, limit: PAGE }, signal)
    items.push(...page.items)
    cursor = page.cursor
  } while (cursor !== null && items.length < MOST)
  return { waiting: items, more: cursor !== null }
}
