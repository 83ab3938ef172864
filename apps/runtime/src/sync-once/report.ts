/** What one pass did, or would do. */
import type { UndeliveredPage } from '@mission-control/shared/service-contract'
import type { SyncCounts } from '../agent-sync/sync.ts'

export const PASS_PARTS = ['agents', 'delivery', 'heartbeats', 'health'] as const
export type PassPart = (typeof PASS_PARTS)[number]

export interface PassReport {
  mode: 'done' | 'observed'
  /** Why nothing was changed; empty when something was. */
  why: string
  /** One sentence per part that failed. */
  failed: string[]
  agents?: {
    counts: SyncCounts | null
    added?: readonly string[]
    updated?: readonly string[]
    removed?: readonly string[]
    gatewayMissing?: boolean
    lastError?: string | null
  }
  delivery?: { waiting: UndeliveredPage['items']; more: boolean } | { delivered: number; failed: number; released: number }
  heartbeats?: { due: readonly string[] } | { begun: number; skipped: number }
  health?: { status: 'healthy' | 'degraded'; reasons: readonly string[] }
}

export function formatReport(report: PassReport): string {
  const { agents, delivery, heartbeats, health } = report
  const lines = [report.mode === 'observed' ? `Nothing was changed: ${report.why}.` : 'One pass done.']
  if (agents) {
    const { counts } = agents
    if (counts)
      lines.push(
        `agents      ${counts.added} added, ${counts.updated} updated, ${counts.removed} removed, ${counts.unchanged} unchanged, ${counts.failed} failed`,
      )
    for (const [verb, slugs] of Object.entries({ add: agents.added, update: agents.updated, remove: agents.removed })) {
      if (slugs !== undefined && slugs.length > 0) lines.push(`            would ${verb}: ${slugs.join(', ')}`)
    }
    if (agents.gatewayMissing) lines.push('            no gateway runs: only files were compared')
  }
  if (delivery && 'waiting' in delivery) {
    lines.push(`delivery    ${delivery.waiting.length}${delivery.more ? ' or more' : ''} not settled`)
    for (const { id, state, type, agentSlug, taskTitle, attempts, reason } of delivery.waiting) {
      lines.push(
        `            ${id}  ${state}  ${type} to @${agentSlug}${taskTitle === null ? '' : ` in "${taskTitle}"`}, ${attempts} attempts${reason === null ? '' : `: ${reason}`}`,
      )
    }
  } else if (delivery)
    lines.push(`delivery    ${delivery.delivered} delivered, ${delivery.failed} failed, ${delivery.released} given back`)
  if (heartbeats && 'due' in heartbeats)
    lines.push(`heartbeats  ${heartbeats.due.length} due${heartbeats.due.length > 0 ? `: ${heartbeats.due.join(', ')}` : ''}`)
  else if (heartbeats) lines.push(`heartbeats  ${heartbeats.begun} begun, ${heartbeats.skipped} skipped`)
  if (health) lines.push(`health      ${health.status}${health.reasons.length > 0 ? `: ${health.reasons.join('; ')}` : ''}`)
  return [...lines, ...report.failed.map((sentence) => `failed      ${sentence}`)].join('\n')
}
