/** The named predicates of the lane rules. Each guards one promise; the simulator breaks them one by one and must notice. */
import { TERMINAL_DELIVERY_STATES } from '../enums.ts'
import type { LaneItem } from './item.ts'
import type { LanePolicy } from './policy.ts'
import { ORPHAN_MS } from './policy.ts'

/** A stale owner must not settle or cause effects: it holds an older fence than the newest claim. */
export const holdsFence = (item: LaneItem, fence: number): boolean => item.state === 'claimed' && item.fence === fence

/** The answer to a repeated settle: the item has ended under this very fence. */
export const endedUnderFence = (item: LaneItem, fence: number): boolean => isTerminal(item) && item.fence === fence

export const isTerminal = (item: LaneItem): boolean => (TERMINAL_DELIVERY_STATES as readonly string[]).includes(item.state)

export const isDue = (item: LaneItem, now: number): boolean => item.state === 'ready' && item.dueAt <= now

/** An item that used its attempts must not be claimed again, or a poisoned one would be tried for ever. */
export const isExhausted = (item: LaneItem, policy: LanePolicy): boolean => item.attempts >= policy.attempts

/** After /stop or close no reply may appear, however late it comes. */
export const mustNotReply = (item: LaneItem, lane: LaneView): boolean => item.stopAt !== null || lane.closed !== null

/** Past its hard deadline: its runtime has forgotten it. */
export const isPastDeadline = (item: LaneItem, now: number): boolean => item.state === 'claimed' && item.dueAt < now

/** Claimed by this very epoch, not in its hands, and old enough that the claim's answer must have been lost. */
export const isOrphan = (item: LaneItem, epoch: number, held: boolean, now: number): boolean =>
  item.state === 'claimed' && item.claimedBy === epoch && !held && item.claimedAt !== null && item.claimedAt < now - ORPHAN_MS

/** An unsent update may absorb the next one; after a first claim (fence > 0) its text may be in a transcript already. */
export const canAbsorb = (tail: Pick<LaneItem, 'state' | 'fence'>): boolean =>
  (tail.state === 'queued' || tail.state === 'ready') && tail.fence === 0

export interface LaneView {
  /** Why the lane was closed; `null` while it is open. */
  readonly closed: string | null
}
