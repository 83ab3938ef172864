/**
 * Wakes agents on schedule. Due agents ride in the check-in; `begin` is called only for those the backend names as having work,
 * one when a slot is free; the others have their receipt already. Owns the schedule, never the turn.
 */
import { LIMITS } from '@mission-control/shared/limits'
import type { ClaimedItem, RosterEntry } from '@mission-control/shared/service-contract'
import type { Brain } from '../brain/brain.ts'
import { isRefusal, toBrainError } from '../brain/errors.ts'
import type { StatsEvents } from '../health/stats.ts'
import type { Log } from '../log.ts'
import { service } from '../service.ts'
import { createDueQueue } from './due-queue.ts'
import type { HeartbeatAgent } from './schedule.ts'
import { dueAt, slotAt } from './schedule.ts'

const MINUTE_MS = 60_000
/** A heartbeat that could not begin (its lane was busy, nobody answered) is offered again after this long, in a check-in asked for. */
const AGAIN_MS = 45_000
/** Answers of `begin` after which this slot needs no second one: the backend has counted it, or the roster says the rest. */
const SLOT_OVER: ReadonlySet<string> = new Set(['slot_done', 'over_budget', 'agent_gone', 'agent_paused'])

export interface HeartbeatDeps {
  readonly brain: Brain
  readonly log: Log
  readonly stats: StatsEvents
  readonly epoch: number
  /** The backend's clock, ms since the epoch. */
  backendNow(): number
  /** See Delivery. */
  withRoom(claim: () => Promise<ClaimedItem | null>): Promise<boolean>
  onSuperseded(): void
  onUnknownClaim(): void
  /** An agent with work is due again in `ms`. */
  onAgain(ms: number): void
  /** The earliest due time may have moved. */
  onSchedule(): void
}

export interface Heartbeats {
  setRoster(roster: readonly RosterEntry[]): void
  /** Agents whose slot has come; each is named until `answered`. */
  due(): { agentId: string; slot: number }[]
  /** The backend has seen these slots; `work` are those that have something to do. */
  answered(due: readonly { agentId: string; slot: number }[], work: readonly string[]): void
  /** Begins waiting heartbeats as far as there is room, each for the slot that is the newest then. Safe to call often. */
  fill(signal: AbortSignal): Promise<void>
  /** The backend's clock has jumped: all due times are worked out anew. */
  clockJumped(): void
  /** Backend time of the earliest due agent, or `null`. */
  nextAt(): number | null
  status(): { scheduled: number; waiting: number; begun: number; skipped: number }
}

interface Begun {
  /** `done`: nothing more in it. `open`: nothing began. `unsure`: it may have begun without our knowing. */
  readonly slotIs: 'done' | 'open' | 'unsure'
  readonly item: ClaimedItem | null
}

export function createHeartbeats(deps: HeartbeatDeps): Heartbeats {
  const { brain, log, epoch } = deps
  const agents = new Map<string, HeartbeatAgent>()
  const queue = createDueQueue()
  /** Agents with work whose heartbeat has not begun for want of a slot. However long that takes, each is woken once. */
  const waiting = new Set<string>()
  let filling = false
  let begun = 0
  let skipped = 0

  const schedule = (agent: HeartbeatAgent, notBefore = -Infinity) => {
    agents.set(agent.id, agent)
    if (waiting.has(agent.id)) queue.delete(agent.id)
    else queue.set(agent.id, Math.max(notBefore, dueAt(agent, deps.backendNow())))
  }

  async function begin(agentId: string, slot: number, signal: AbortSignal): Promise<Begun> {
    try {
      const answer = await brain.mutate(service.heartbeat, { epoch, agentId, slot }, signal)
      if ('item' in answer) {
        begun += 1
        deps.stats.heartbeats('begun', 1)
        return { slotIs: 'done', item: answer.item }
      }
      skipped += 1
      deps.stats.heartbeats('put_off', 1)
      log.debug({ agentId, slot, reason: answer.skip }, 'heartbeat skipped')
      return { slotIs: SLOT_OVER.has(answer.skip) ? 'done' : 'open', item: null }
    } catch (thrown) {
      if (signal.aborted) return { slotIs: 'unsure', item: null }
      const error = toBrainError(thrown)
      deps.stats.heartbeats('failed', 1)
      if (isRefusal(error, 'SUPERSEDED')) deps.onSuperseded()
      else log.warn({ agentId, slot, code: error.code, error: error.message }, 'a heartbeat could not begin')
      if (!error.effectUnknown) return { slotIs: 'open', item: null }
      // Should the backend have begun it, the check-in takes it back.
      deps.onUnknownClaim()
      return { slotIs: 'unsure', item: null }
    }
  }

  /** @returns false when there was no room */
  async function beginNext(agent: HeartbeatAgent, signal: AbortSignal): Promise<boolean> {
    const slot = slotAt(agent, deps.backendNow())
    return deps.withRoom(async () => {
      const { slotIs, item } = await begin(agent.id, slot, signal)
      waiting.delete(agent.id)
      const current = agents.get(agent.id) // the roster may have changed meanwhile
      if (current === undefined) return item
      if (slotIs === 'done') schedule({ ...current, lastSlot: slot })
      else {
        schedule(slotIs === 'unsure' ? { ...current, unsureSlot: slot } : current, deps.backendNow() + AGAIN_MS)
        deps.onAgain(AGAIN_MS)
      }
      return item
    })
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
        const { seenAt, unsureSlot } = known ?? { seenAt: now, unsureSlot: null }
        schedule({ id, intervalMs: heartbeatMinutes * MINUTE_MS, lastSlot, unsureSlot, seenAt })
      }
      for (const id of agents.keys()) {
        if (present.has(id)) continue
        agents.delete(id)
        waiting.delete(id)
        queue.delete(id)
      }
      deps.onSchedule()
    },
    due() {
      const now = deps.backendNow()
      const ids = queue.take(now, LIMITS.dueAgents)
      return ids.flatMap((id) => {
        const agent = agents.get(id)
        if (agent === undefined) return []
        queue.set(id, dueAt(agent, now)) // still due until the backend has answered
        return [{ agentId: id, slot: slotAt(agent, now) }]
      })
    },
    answered(due, work) {
      const hasWork = new Set(work)
      deps.stats.heartbeats('idle', due.filter(({ agentId }) => !hasWork.has(agentId)).length)
      for (const { agentId, slot } of due) {
        const agent = agents.get(agentId)
        if (agent === undefined) continue
        if (hasWork.has(agentId)) waiting.add(agentId)
        schedule(hasWork.has(agentId) ? agent : { ...agent, lastSlot: slot })
      }
    },
    async fill(signal) {
      if (filling) return
      filling = true
      try {
        for (const id of waiting) {
          const agent = agents.get(id)
          if (signal.aborted || (agent !== undefined && !(await beginNext(agent, signal)))) return
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
    status: () => ({ scheduled: agents.size, waiting: waiting.size, begun, skipped }),
  }
}
