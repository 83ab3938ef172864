/**
 * Which turns run right now, so that a tool call finds the claim it belongs to. Delivery enters and leaves; the tools look. Owns no
 * turn: its interrupt is delivery's.
 */
import type { ClaimedItem } from '@mission-control/shared/service-contract'
import { Interrupt } from '../delivery/verdict.ts'

export interface TurnInFlight {
  readonly item: ClaimedItem
  /** Aborts when the turn is being ended: nothing more is done in it. */
  readonly interrupt: AbortSignal
}

export interface TurnsInFlight {
  /** @returns the way to say that the turn has ended */
  enter(item: ClaimedItem, interrupt: AbortSignal): () => void
  /** The turns of one agent, oldest first. */
  of(agentId: string): readonly TurnInFlight[]
  /** Whether a turn of this agent had this code and has ended since. */
  hasEnded(agentId: string, code: string): boolean
  /** Resolves when the next turn of any agent begins, or the signal aborts. */
  nextEntry(signal: AbortSignal): Promise<void>
}

/** Ended codes that are remembered: a late call comes within minutes of the end, and an account has some 60 turns a minute at most. */
const ENDED_CODES = 1_000

export function createTurnsInFlight(): TurnsInFlight {
  const byAgent = new Map<string, Set<TurnInFlight>>()
  const ended = new Set<string>()
  const waiting = new Set<() => void>()
  const nameOf = (agentId: string, code: string) => `${agentId} ${code.toLowerCase()}`

  function leave(agentId: string, turn: TurnInFlight): boolean {
    const turns = byAgent.get(agentId)
    if (turns?.delete(turn) !== true) return false
    if (turns.size === 0) byAgent.delete(agentId)
    return true
  }

  function remember(name: string): void {
    ended.add(name)
    const [oldest] = ended
    if (ended.size > ENDED_CODES && oldest !== undefined) ended.delete(oldest)
  }

  return {
    enter(item, interrupt) {
      const { id } = item.agent
      const name = nameOf(id, item.turnCode)
      const ends = new AbortController()
      const turn: TurnInFlight = { item, interrupt: ends.signal }
      const interrupted = () => {
        // A turn that is only let go runs on, and may be ours again in a moment: calls under way are the backend's to judge.
        if (goesOn(interrupt.reason)) leave(id, turn)
        else ends.abort(interrupt.reason)
      }
      byAgent.set(id, (byAgent.get(id) ?? new Set()).add(turn))
      // A turn that is claimed again may keep its code.
      ended.delete(name)
      if (interrupt.aborted) interrupted()
      else interrupt.addEventListener('abort', interrupted, { once: true })
      for (const resolve of waiting) resolve()
      return () => {
        interrupt.removeEventListener('abort', interrupted)
        if (leave(id, turn)) remember(name)
      }
    },
    of: (agentId) => [...(byAgent.get(agentId) ?? [])],
    hasEnded: (agentId, code) => ended.has(nameOf(agentId, code)),
    nextEntry(signal) {
      const entered = Promise.withResolvers<void>()
      const done = () => {
        waiting.delete(done)
        signal.removeEventListener('abort', done)
        entered.resolve()
      }
      if (signal.aborted) done()
      else {
        waiting.add(done)
        signal.addEventListener('abort', done, { once: true })
      }
      return entered.promise
    },
  }
}

const goesOn = (reason: unknown): boolean =>
  reason instanceof Interrupt && (reason.why === 'superseded' || reason.why === 'gatewayDown')
