/**
 * One agent turn, as the delivery loop sees it. `gateway.ts` puts packages/openclaw behind it: look before sending, send, wait,
 * abort and confirm. Rejections are `GatewayError`; their `ended` says whether the turn can still be running.
 */
import type { RunUsage } from '@mission-control/shared/service-contract'

export interface TurnRequest {
  readonly sessionKey: string
  /** The gateway's idempotency key. */
  readonly turnKey: string
  readonly message: string
  /** An earlier attempt may have sent this key: look before sending. */
  readonly reconcile: boolean
  /** Milliseconds the whole turn may take. */
  readonly timeoutMs: number
  /** The request is on its way. */
  onSent(): void
  /** The gateway has taken it. */
  onAccepted(): void
  /** It failed, and had used this by then. */
  onSpent(usage: RunUsage): void
}

export interface TurnReply {
  readonly text: string
  readonly usage: RunUsage | null
}

export interface GatewayState {
  readonly up: boolean
  /** Why not; `null` while it is up. */
  readonly reason: string | null
  /** Of the running gateway. */
  readonly version: string | null
}

export interface Turns {
  /**
   * Runs one turn to its end. When `signal` aborts, the turn is ended in the gateway and confirmed as idle before this settles:
   * with the reply if it won the race, else with a rejection that carries `ended`. A `detach` leaves the turn to itself.
   */
  run(request: TurnRequest, signal: AbortSignal): Promise<TurnReply>
  state(): GatewayState
  /** Nobody but us gives it turns: it is supervised by this runtime. */
  readonly gatewayIsOurs: boolean
  /** Called when the gateway comes up (again) or goes down. */
  onChange(listener: (state: GatewayState) => void): () => void
}
