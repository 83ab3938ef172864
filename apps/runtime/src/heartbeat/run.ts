/**
 * Wakes agents on schedule. Due agents ride in the check-in; `begin` is called only for those the backend names as having work,
 * one when a slot is free; the others have their receipt already. Owns the schedule, never the turn.
 */
import type { ClaimedItem, RosterEntry } from '@mission-control/shared/service-contract'
import type { Brain } from '../brain/brain.ts'
import { isRefusal, toBrainError } from '../brain/errors.ts'
import type { Log } from '../log.ts'
import { service } from '../service.ts'
import { createDueQueue } from './due-queue.ts'
import type { HeartbeatAgent } from './schedule.ts'
import { dueAt, slotAt } from './schedule.ts'

/** What one check-in may name (service contract). */
const DUE_PER_CHECK_IN = 100
const MINUTE_MS = 60_000

export interface HeartbeatDeps {
  readonly brain: Brain
  readonly log: Log
  readonly epoch: number
  /** The backend's clock, ms since the epoch. */
  backendNow(): number
  /** See Delivery. */
  withRoom(claim: () => Promise<ClaimedItem | null>): Promise<boolean>
  onSuperseded(): void
  onUnknownClaim(): void
  /** The earliest due time may have moved. */
  onSchedule(): void
}

export interface Heartbeats {
  setRoster(roster: readonly RosterEntry[]): void
  /** Agents whose slot has come; each is named until `answered`. */
  due(): { agentId: string; slot: number }[]
  /** The backend has seen these slots; `work` are those that have something to do. */
  answered(due: readonly { agentId: string; slot: number }[], work: readonly string[]): void
  /** Begins waiting heartbeats as far as there is room. Safe to call often. */
  fill(signal: AbortSignal): Promise<void>
  /** The backend's clock has jumped: all due times are worked out anew. */
  clockJumped(): void
  /** Backend time of the earliest due agent, or `null`. */
  nextAt(): number | null
  status(): { scheduled: number; waiting: number; begun: number; skipped: number }
}

export function createHeartbeats(deps: HeartbeatDeps): Heartbeats {
  const { brain, log, epoch } = deps
  const agents = new Map<string, HeartbeatAgent>()
  const queue = createDueQueue()
  const waiting: { agentId: string; slot: number }[] = []
  let filling = false
  let begun = 0
  let skipped = 0

  const schedule = (agent: HeartbeatAgent) => {
    agents.set(agent.id, agent)
    queue.set(agent.id, dueAt(agent, deps.backendNow()))
  }

  async function begin(agentId: string, slot: number, signal: AbortSignal): Promise<ClaimedItem | null> {
    try {
      const answer = await brain.mutate(service.heartbeat, { epoch, agentId, slot }, signal)
      if ('item' in answer) {
        begun += 1
        return answer.item
      }
      skipped += 1
      log.debug({ agentId, slot, reason: answer.skip }, 'heartbeat skipped')
    } catch (thrown) {
      if (signal.aborted) return null
      const error = toBrainError(thrown)
      if (isRefusal(error, 'SUPERSEDED')) {
        deps.onSuperseded()
        return null
      }
      // A heartbeat is not repeated: the next slot comes. Should the backend have begun it, the check-in clears it up.
      if (error.kind !== 'refused') deps.onUnknownClaim()
      log.warn({ agentId, slot, code: error.code, error: error.message }, 'a heartbeat could not begin')
    }
    return null
  }

  return {
    setRoster(roster) {
      const now = deps.backendNow()
      const present = new Set<string>()
      for (const { id, paused, heartbeatMinutes, lastHeartbeatSlot } of roster) {
        if (paused) continue
        present.add(id)
        const known = agents.get(id)
        const lastSlot = known?.lastSlot == null ? lastHeartbeatSlot : Math.max(known.lastSlot, lastHeartbeatSlot ?? 0)
        schedule({ id, intervalMs: heartbeatMinutes * MINUTE_MS, lastSlot, seenAt: known?.seenAt ?? now })
      }
      for (const id of agents.keys()) {
        if (present.has(id)) continue
        agents.delete(id)
        queue.delete(id)
      }
      deps.onSchedule()
    },
    due() {
      const now = deps.backendNow()
      const ids = queue.take(now, DUE_PER_CHECK_IN)
      return ids.flatMap((id) => {
        const agent = agents.get(id)
        if (agent === undefined) return []
        queue.set(id, dueAt(agent, now)) // still due until the backend has answered
        return [{ agentId: id, slot: slotAt(agent, now) }]
      })
    },
    answered(due, work) {
      const hasWork = new Set(work)
      for (const { agentId, slot } of due) {
        const agent = agents.get(agentId)
        if (agent === undefined) continue
        schedule({ ...agent, lastSlot: slot })
        if (hasWork.has(agentId)) waiting.push({ agentId, slot })
      }
    },
    async fill(signal) {
      if (filling) return
      filling = true
      try {
        for (let first = waiting[0]; first !== undefined && !signal.aborted; first = waiting[0]) {
          const { agentId, slot } = first
          if (agents.has(agentId) && !(await deps.withRoom(() => begin(agentId, slot, signal)))) return
          waiting.shift()
        }
      } finally {
        filling = false
      }
    },
    clockJumped() {
      for (const agent of agents.values()) schedule(agent)
      deps.onSchedule()
    },
    nextAt: () => queue.peek(),
    status: () => ({ scheduled: agents.size, waiting: waiting.length, begun, skipped }),
  }
}
