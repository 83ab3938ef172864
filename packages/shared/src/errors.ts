/**
 * Every coded error of the product: its class and the one "what to do" line that `check`, logs, HTTP answers and the docs share.
 *
 * The class decides what happens next: `retryable` is tried again with backoff, `terminal` never works as it stands,
 * `configuration` needs a person, `auth` is a refused identity, `conflict` is a stale caller that must look again.
 */
export type ErrorClass = 'retryable' | 'terminal' | 'configuration' | 'auth' | 'conflict'

export interface ErrorInfo {
  readonly class: ErrorClass
  /** What has happened, one sentence. */
  readonly meaning: string
  readonly whatToDo: string
}

export const ERRORS = {
  UNAUTHENTICATED: {
    class: 'auth',
    meaning: 'A function for people was called without an identity.',
    whatToDo: 'Sign in, or pass a valid identity token.',
  },
  FORBIDDEN: {
    class: 'auth',
    meaning: 'The caller is not allowed to do this: no member, too low a role, or an agent without the permission.',
    whatToDo: 'Ask an owner or admin of the account for the needed role.',
  },
  TOKEN_REFUSED: {
    class: 'auth',
    meaning: 'The service token is malformed, unknown, revoked, expired or of another account.',
    whatToDo:
      'Create a new service token for this account (an owner calls serviceTokens:create; on one machine: ./mc run serviceTokens:create) and put it into SERVICE_TOKEN.',
  },
  NOT_FOUND: {
    class: 'terminal',
    meaning: 'There is nothing with this id in the account.',
    whatToDo: 'Check the id; it does not exist in this account.',
  },
  INVALID: {
    class: 'terminal',
    meaning: 'An argument has no acceptable value.',
    whatToDo: 'Correct the named field and try again.',
  },
  LIMIT: { class: 'terminal', meaning: 'A limit was met; the message names it.', whatToDo: 'Stay below the named limit.' },
  CONFLICT: {
    class: 'conflict',
    meaning: 'The thing has changed, or is in a state that does not allow this.',
    whatToDo: 'Read the current state and try again.',
  },
  TRANSITION: {
    class: 'terminal',
    meaning: 'A task cannot go from its state to this one.',
    whatToDo: 'Move the task through one of the states that the message lists.',
  },
  SUPERSEDED: {
    class: 'conflict',
    meaning: 'The call carries the epoch of a runtime that is no longer the active one.',
    whatToDo: 'Another runtime is active for this account; say hello again and stand by.',
  },
  STALE_FENCE: {
    class: 'conflict',
    meaning: 'The call carries the fence of an older claim, or the item has ended.',
    whatToDo: 'Another claim owns this item now; drop the result.',
  },
  LANE_FULL: {
    class: 'terminal',
    meaning: 'Too much is queued for this agent and task.',
    whatToDo: 'Let the agent work off its queue, or stop the task, before sending more.',
  },
  PAUSED: {
    class: 'conflict',
    meaning: 'The account is paused, or its runtime is told to drain: nothing is claimed.',
    whatToDo: 'Resume the account, or take the drain request back, before work is claimed.',
  },
  CONVEX_UNREACHABLE: {
    class: 'retryable',
    meaning: 'The backend did not answer, or answered that it failed.',
    whatToDo: 'Check CONVEX_URL and that the backend is running and reachable from here.',
  },
  CONFIG: {
    class: 'configuration',
    meaning: 'An environment variable is missing, malformed or contradicts another.',
    whatToDo: 'Correct the named environment variable.',
  },
  PORT_UNUSABLE: {
    class: 'configuration',
    meaning: 'The health pages cannot listen: the port is held by another process, or the address is not one of this machine.',
    whatToDo: 'Stop the named process, or correct HEALTH_PORT and HEALTH_HOST.',
  },
  FOLDER_IN_USE: {
    class: 'conflict',
    meaning: 'Another process of this kind holds the data folder.',
    whatToDo: 'Stop the named process, or use another folder.',
  },
  FOLDER_UNUSABLE: {
    class: 'configuration',
    meaning: 'The data folder cannot be created or written by this user.',
    whatToDo: 'Correct its owner or path, or use another folder.',
  },
  SHUTDOWN: {
    class: 'retryable',
    meaning: 'The runtime stopped in the middle of the turn and gave the item back, which costs it no attempt.',
    whatToDo: 'Nothing: the next runtime takes it up.',
  },
  STOPPED: {
    class: 'terminal',
    meaning: 'A person stopped the turn, or its lane was closed.',
    whatToDo: 'Nothing; post again to have the agent work on it.',
  },
  RESULT_REFUSED: {
    class: 'terminal',
    meaning: 'The backend refuses the result of an attempt for good.',
    whatToDo: 'Read the reason in the trace; runtime and backend may be of different releases.',
  },
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
