import type { DeliveryState } from '../enums.ts'

/** What the lane rules know of a queued item. Nothing here says what the item is about. Times are ms since the epoch. */
export interface LaneItem {
  readonly state: DeliveryState
  /** Position in the lane; only grows within a lane. */
  readonly seq: number
  /** `ready`: earliest claim. `claimed`: hard deadline. Terminal: when it ended. */
  readonly dueAt: number
  /** What a `waiting` item waits for. */
  readonly hold: string | null
  /** Grows with each claim; whoever carries an older one is refused. */
  readonly fence: number
  /** Claims that count. Given back when nothing was tried. */
  readonly attempts: number
  /** Number of the gateway turn; `<id>.<turn>` is its idempotency key. Grows only when a turn is known to have ended. */
  readonly turn: number
  /** True from the first claim of a turn until it is known to have ended: an earlier attempt may have sent it. */
  readonly turnOpen: boolean
  /** Epoch of the runtime that holds it; set exactly while `claimed`. */
  readonly claimedBy: number | null
  readonly claimedAt: number | null
  /** When /stop or close asked the running turn to end. */
  readonly stopAt: number | null
  readonly reason: string | null
}

export type LanePatch = { -readonly [K in keyof LaneItem]?: LaneItem[K] }

/** A new item as `enqueue` inserts it. */
export const newItem = (seq: number, now: number): LaneItem => ({
  state: 'queued',
  seq,
  dueAt: now,
  hold: null,
  fence: 0,
  attempts: 0,
  turn: 1,
  turnOpen: false,
  claimedBy: null,
  claimedAt: null,
  stopAt: null,
  reason: null,
})
