/**
 * The few things a turn needs from a gateway. `runTurn` is written against this interface, so that the official client, the
 * fake gateway and the simulator can stand behind it. Implementations throw `GatewayError`, with `ended: true` only when the
 * request is certain not to have been received, also when the signal aborts; anything else counts as possibly received.
 */
export interface SendRequest {
  readonly sessionKey: string
  /** Idempotency key; the gateway uses it as the run id. */
  readonly turnKey: string
  readonly message: string
  /** Added to the system prompt for this turn only; never part of the transcript. */
  readonly extraSystemPrompt?: string
  readonly attachments?: readonly unknown[]
  /** Milliseconds the gateway lets the turn run, counted from its real start. */
  readonly timeoutMs: number
}

export interface SendAnswer {
  /** `accepted`: a new run. `in_flight`: the gateway knows this key already and did nothing. `ended`: it will not run. */
  readonly status: 'accepted' | 'in_flight' | 'ended'
  /** The gateway process that answered. */
  readonly bootId: string
}

/** How a run ended, or `pending`: it did not end within the wait, or the gateway does not know it (it cannot tell). */
export type WaitAnswer =
  | { readonly status: 'pending' }
  | { readonly status: 'ok'; readonly text: string; readonly stopReason: string | null }
  | { readonly status: 'error'; readonly message: string; readonly stopReason: string | null }
  /** The gateway's own limit ended the turn. */
  | { readonly status: 'timeout'; readonly message: string }

/** What the gateway's transcript says, reduced to what a decision needs. Rows are oldest first. */
export interface HistorySnapshot {
  readonly rows: readonly HistoryRow[]
  /** The rows reach back to the beginning of the session. False: what is not among them may still be there. */
  readonly complete: boolean
  /** Accepted input without a row in the transcript. */
  readonly pending: readonly { readonly runId: string; readonly state: string }[]
  /** Keys of the asked ones that the gateway stored as accepted and not yet written as a row. */
  readonly receipts: readonly string[]
  readonly status: string | null
  readonly hasActiveRun: boolean
  /** The run in flight, when there is one. */
  readonly liveRunId: string | null
  readonly bootId: string
}

export interface HistoryRow {
  readonly role: string
  /** Key of the request that wrote a user row; null for rows without one. */
  readonly inputKey: string | null
  /** Run that wrote an assistant row. */
  readonly runId: string | null
  readonly text: string
  readonly stopReason: string | null
  readonly usage: TurnUsage | null
}

export interface TurnUsage {
  readonly inputTokens: number
  readonly outputTokens: number
  readonly cacheReadTokens: number
  readonly cacheWriteTokens: number
  /** US dollars, by the gateway's price table; 0 when it knows no price (ours has none). */
  readonly costUsd: number
  /** `provider/model` that answered, when the gateway says so. */
  readonly model: string | null
}

export interface AbortAnswer {
  /** The run that was ended; null when none was active (a recovery that has not begun is not ended by an abort). */
  readonly abortedRunId: string | null
}

export interface Gateway {
  /** Hands a turn over: one request. Resolves at the gateway's acceptance, not at the reply. */
  send(request: SendRequest, signal: AbortSignal): Promise<SendAnswer>
  /** Waits up to `waitMs` for the end of a run; safe to repeat. */
  wait(runId: string, waitMs: number, signal: AbortSignal): Promise<WaitAnswer>
  /** Reads the newest rows of a session, as far back as the user rows of `turnKeys`, and the receipts of `turnKeys`. */
  history(sessionKey: string, turnKeys: readonly string[], signal: AbortSignal): Promise<HistorySnapshot>
  /** Ends whatever runs in a session, queued turns included. */
  abort(sessionKey: string, signal: AbortSignal): Promise<AbortAnswer>
  /** Calls back with the new boot id each time a connection reaches another gateway process. Returns the way to stop it. */
  onBoot(listener: (bootId: string) => void): () => void
}
