/**
 * When an agent's heartbeat is due. Pure: (last slot, interval, a hash of the agent's id) -> time. All times are the backend's
 * clock in ms, carried on by the runtime's monotonic one, so that a jump of the local wall clock moves nothing.
 *
 * Each agent has a grid: every multiple of its interval, shifted by its hash. A slot is a point of the grid. A restart finds the
 * same grid (no stampede, no skip), 1,000 agents spread evenly over it, a longer or shorter interval is just another grid, and of
 * several missed slots only the newest is taken.
 */

export interface HeartbeatAgent {
  readonly id: string
  readonly intervalMs: number
  /** The newest slot that began or left a receipt; `null` before the first. */
  readonly lastSlot: number | null
  /** The newest slot whose `begin` got no answer: it may be spent, so it is not named again. `null`: none. */
  readonly unsureSlot: number | null
  /** When this runtime first saw the agent. */
  readonly seenAt: number
}

/** A new agent is heard of within this time, however long its interval. */
export const FIRST_WITHIN_MS = 60_000

/** The first time at which the agent is due, as seen at `now`. */
export function dueAt(agent: HeartbeatAgent, now: number): number {
  const { id, intervalMs, lastSlot, seenAt } = agent
  if (lastSlot === null) return seenAt + (hash(id) % Math.min(FIRST_WITHIN_MS, intervalMs))
  // A slot far in the future means that the backend's clock went back: waiting for it to catch up could take days.
  const last = lastSlot > now + intervalMs ? now : lastSlot
  // Half an interval after the last one at least, or a first slot (off the grid) could be followed at once by a second.
  return gridAtOrAfter(agent, last + intervalMs / 2)
}

/** The slot to begin at `now`, when the agent is due: the newest that has come. Always newer than the last and than an unsure one. */
export function slotAt(agent: HeartbeatAgent, now: number): number {
  const due = dueAt(agent, now)
  const newest = gridAtOrAfter(agent, now - agent.intervalMs + 1)
  return Math.max(due, newest, Math.max(agent.lastSlot ?? -1, agent.unsureSlot ?? -1) + 1)
}

function gridAtOrAfter({ id, intervalMs }: HeartbeatAgent, time: number): number {
  const offset = hash(id) % intervalMs
  return Math.ceil((time - offset) / intervalMs) * intervalMs + offset
}

/** FNV-1a, 32 bits: spreads ids that differ in one character; nothing secret about it. */
export function hash(text: string): number {
  let value = 0x811c9dc5
  for (let i = 0; i < text.length; i += 1) {
    value ^= text.charCodeAt(i)
    value = Math.imul(value, 0x01000193)
  }
  // One more mix: the low bits of plain FNV follow the last character.
  value ^= value >>> 15
  value = Math.imul(value, 0x2c1b3c6d)
  value ^= value >>> 12
  return value >>> 0
}
