/**
 * Every coded error of the product: its class and the one "what to do" line that `check`, logs, HTTP answers and the docs share.
 *
 * The class decides what happens next: `retryable` is tried again with backoff, `terminal` never works as it stands,
 * `configuration` needs a person, `auth` is a refused identity, `conflict` is a stale caller that must look again.
 */
export type ErrorClass = 'retryable' | 'terminal' | 'configuration' | 'auth' | 'conflict'

export interface ErrorInfo {
  readonly class: ErrorClass
  readonly whatToDo: string
}

export const ERRORS = {
  UNAUTHENTICATED: { class: 'auth', whatToDo: 'Sign in, or pass a valid identity token.' },
  FORBIDDEN: { class: 'auth', whatToDo: 'Ask an owner or admin of the account for the needed role.' },
  TOKEN_REFUSED: {
    class: 'auth',
    whatToDo:
      'Create a new service token for this account (an owner calls serviceTokens:create; on one machine: ./mc run serviceTokens:create) and put it into SERVICE_TOKEN.',
  },
  NOT_FOUND: { class: 'terminal', whatToDo: 'Check the id; it does not exist in this account.' },
  INVALID: { class: 'terminal', whatToDo: 'Correct the named field and try again.' },
  LIMIT: { class: 'terminal', whatToDo: 'Stay below the named limit.' },
  CONFLICT: { class: 'conflict', whatToDo: 'Read the current state and try again.' },
  TRANSITION: { class: 'terminal', whatToDo: 'Move the task through one of the states that the message lists.' },
  SUPERSEDED: { class: 'conflict', whatToDo: 'Another runtime is active for this account; say hello again and stand by.' },
  STALE_FENCE: { class: 'conflict', whatToDo: 'Another claim owns this item now; drop the result.' },
  LANE_FULL: { class: 'terminal', whatToDo: 'Let the agent work off its queue, or stop the task, before sending more.' },
  PAUSED: { class: 'conflict', whatToDo: 'Resume the account, or take the drain request back, before work is claimed.' },
  CONVEX_UNREACHABLE: {
    class: 'retryable',
    whatToDo: 'Check CONVEX_URL and that the backend is running and reachable from here.',
  },
  GATEWAY_UNREACHABLE: {
    class: 'retryable',
    whatToDo: 'Check that the OpenClaw gateway is running; its log is in the data folder.',
  },
  GATEWAY_AUTH: { class: 'configuration', whatToDo: 'Set OPENCLAW_GATEWAY_TOKEN to the token of the running gateway.' },
  GATEWAY_PROTOCOL: { class: 'configuration', whatToDo: 'Install the OpenClaw version that this release names.' },
  OPENCLAW_NOT_FOUND: { class: 'configuration', whatToDo: 'Install OpenClaw, or set OPENCLAW_BIN to its openclaw.mjs.' },
  MODEL_REFUSED: { class: 'configuration', whatToDo: 'Check the model name and the API key of the model provider.' },
  TURN_FAILED: { class: 'retryable', whatToDo: 'See the reason on its run and in the log of the gateway.' },
  TURN_TIMEOUT: { class: 'retryable', whatToDo: 'Raise TURN_TIMEOUT, or give the agent smaller steps.' },
  CONFIG: { class: 'configuration', whatToDo: 'Correct the named environment variable.' },
} as const satisfies Record<string, ErrorInfo>

export type ErrorCode = keyof typeof ERRORS

/** What a coded error carries over the wire as `ConvexError.data`. */
export interface CodedErrorData {
  readonly code: ErrorCode
  readonly message: string
}

/** Reads the code out of anything thrown; `null` when it carries none of ours. */
export function errorCode(error: unknown): ErrorCode | null {
  const data = typeof error === 'object' && error !== null && 'data' in error ? error.data : error
  const code = typeof data === 'object' && data !== null && 'code' in data ? data.code : null
  return typeof code === 'string' && code in ERRORS ? (code as ErrorCode) : null
}
