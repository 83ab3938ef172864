import type { TurnUsage } from '../gateway.ts'

export interface TurnRequest {
  /** Full key, `agent:<slug>:...`, lower case. */
  readonly sessionKey: string
  /** The gateway's idempotency key. The same key always means the same message. */
  readonly turnKey: string
  readonly message: string
  readonly extraSystemPrompt?: string
  readonly attachments?: readonly unknown[]
  /** Milliseconds from the call to the abort of the turn. */
  readonly timeoutMs: number
  /** True when an earlier attempt may have sent this key: look before sending. */
  readonly reconcile?: boolean
  /** Ends the call early. A `StopTurn` reason says how; any other reason means `abort`. */
  readonly signal?: AbortSignal
  /** Milliseconds to end the turn and confirm it after the deadline or the signal. Default 30 s. */
  readonly endBudgetMs?: number
  /** Called once, the moment the gateway is known to have the turn. */
  readonly onAccepted?: (accepted: Accepted) => void
}

export interface Accepted {
  /** Wall clock, milliseconds since the epoch. */
  readonly at: number
  /** `accepted`: just now, a new run. `known`: the gateway had it from an earlier attempt. */
  readonly how: 'accepted' | 'known'
  readonly bootId: string
}

export interface TurnResult {
  /** `receipt`: the agent had nothing to say (empty, or exactly HEARTBEAT_OK); nothing is to be posted. */
  readonly outcome: 'reply' | 'receipt'
  readonly text: string
  /** Wall clock, milliseconds since the epoch; null when the answer was found without ever being seen in flight. */
  readonly acceptedAt: number | null
  readonly repliedAt: number
  /** Null when the gateway does not say. */
  readonly usage: TurnUsage | null
  /** True when the answer was found by looking instead of waiting for our own run. */
  readonly recovered: boolean
}

/**
 * Why a turn is ended from outside.
 *  `abort`    end it; if its answer won the race, return the answer
 *  `discard`  end it and throw even if it answered (a person stopped it)
 *  `detach`   leave it running in the gateway (our process goes, the gateway stays); throws with `ended: false`
 */
export type StopMode = 'abort' | 'discard' | 'detach'

export class StopTurn extends Error {
  override readonly name = 'StopTurn'
  readonly mode: StopMode

  constructor(mode: StopMode, message = `the turn was told to ${mode}`) {
    super(message)
    this.mode = mode
  }
}

export function stopMode(reason: unknown): StopMode {
  return reason instanceof StopTurn ? reason.mode : 'abort'
}
