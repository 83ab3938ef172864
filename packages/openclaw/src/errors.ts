/**
 * The one error class of this package. The class of an error decides what the caller does: `retryable` later and as it is,
 * `terminal` never, `configuration` after somebody repaired something (it must not use up an attempt).
 */
import type { ErrorInfo } from '@mission-control/shared/errors'
import type { TurnUsage } from './gateway.ts'

export type ErrorClass = 'retryable' | 'terminal' | 'configuration'

/**
 * Every code, with the class it has unless the gateway says otherwise, what it means, and one line on what to do. docs/errors.md is
 * generated from this and the other registries.
 */
export const GATEWAY_ERRORS = {
  GATEWAY_UNREACHABLE: {
    class: 'retryable',
    meaning: 'The gateway does not answer.',
    whatToDo: 'Check that it runs and that host and port are right.',
  },
  GATEWAY_DISCONNECTED: {
    class: 'retryable',
    meaning: 'The connection to the gateway was lost.',
    whatToDo: 'Nothing: it is being re-established.',
  },
  GATEWAY_BUSY: {
    class: 'retryable',
    meaning: 'The gateway refuses work for now: starting, draining or out of capacity.',
    whatToDo: 'Nothing: it is tried again later.',
  },
  GATEWAY_AUTH: {
    class: 'configuration',
    meaning: 'The gateway refused the token.',
    whatToDo: 'Set OPENCLAW_GATEWAY_TOKEN to the token the gateway was configured with.',
  },
  GATEWAY_PROTOCOL: {
    class: 'configuration',
    meaning: 'Gateway and client speak different protocols.',
    whatToDo: 'Install the pinned OpenClaw version.',
  },
  GATEWAY_REJECTED: {
    class: 'terminal',
    meaning: 'The gateway refused the request as malformed: a defect on our side or a version mismatch.',
    whatToDo: 'Install the pinned OpenClaw version; if it is installed, report the message.',
  },
  UNKNOWN_AGENT: {
    class: 'configuration',
    meaning: 'The agent is not in the gateway configuration.',
    whatToDo: 'Synchronise the agents: mission-control-runtime sync-once --only agents.',
  },
  OPENCLAW_NOT_FOUND: {
    class: 'configuration',
    meaning: 'OpenClaw is not installed.',
    whatToDo: 'Install the pinned version or set OPENCLAW_BIN.',
  },
  OPENCLAW_NODE_TOO_OLD: {
    class: 'configuration',
    meaning: 'OpenClaw needs a newer Node.',
    whatToDo: 'Start the service with the supported Node version.',
  },
  GATEWAY_CONFIG_INVALID: {
    class: 'configuration',
    meaning: 'OpenClaw rejects its configuration.',
    whatToDo: 'Repair the file; the gateway log names the line.',
  },
  GATEWAY_STATE_OWNED: {
    class: 'configuration',
    meaning: 'Another OpenClaw process owns this state directory.',
    whatToDo: 'Stop it, or use another directory.',
  },
  GATEWAY_PORT_TAKEN: {
    class: 'configuration',
    meaning: 'The gateway port is taken.',
    whatToDo: 'Stop the process that holds it, or choose another port.',
  },
  GATEWAY_START_FAILED: {
    class: 'retryable',
    meaning: 'The gateway ended or stayed silent while starting.',
    whatToDo: 'See its log, which says why.',
  },
  CONFIG_CONFLICT: {
    class: 'retryable',
    meaning: 'The gateway configuration kept changing under us.',
    whatToDo: 'Nothing: it is tried again.',
  },
  TURN_KEY_SPENT: {
    class: 'retryable',
    meaning: 'The gateway will never run this key.',
    whatToDo: 'Nothing: the next attempt uses the next turn number.',
  },
  TURN_FAILED: {
    class: 'retryable',
    meaning: 'The turn ended with an error, usually from the model provider.',
    whatToDo: 'Read the reason in the trace and the log of the gateway.',
  },
  TURN_MODEL_CONFIG: {
    class: 'configuration',
    meaning: 'The model provider refused the key or the model name.',
    whatToDo: 'Check the model settings.',
  },
  TURN_TIMEOUT: {
    class: 'retryable',
    meaning: 'The turn did not end in time and was aborted.',
    whatToDo: 'Raise TURN_TIMEOUT, or give the agent smaller steps.',
  },
  TURN_STUCK: {
    class: 'retryable',
    meaning: 'The turn could not be confirmed as ended after an abort; it may still be running.',
    whatToDo: 'Nothing at first: the next attempt looks for it. If it repeats, restart the gateway.',
  },
  TURN_ABORTED: {
    class: 'retryable',
    meaning: 'The turn was aborted, by us or by somebody else.',
    whatToDo: 'Nothing: it is tried again unless a person stopped it.',
  },
} as const satisfies Record<string, ErrorInfo & { readonly class: ErrorClass }>

export type GatewayErrorCode = keyof typeof GATEWAY_ERRORS

export interface GatewayErrorOptions {
  /** True when it is certain that this key is not running and never will: the next attempt needs a new turn number. */
  readonly ended?: boolean
  readonly class?: ErrorClass
  /** Milliseconds the other side asked us to wait. */
  readonly retryAfterMs?: number
  readonly cause?: unknown
  /** What a turn that failed has used all the same. */
  readonly usage?: TurnUsage | null
}

export class GatewayError extends Error {
  override readonly name = 'GatewayError'
  readonly code: GatewayErrorCode
  readonly class: ErrorClass
  readonly ended: boolean
  readonly retryAfterMs: number | undefined
  /** Tokens and cost of a turn that failed; null when nothing was used, or the gateway does not say. */
  readonly usage: TurnUsage | null

  constructor(code: GatewayErrorCode, message: string, options: GatewayErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.class = options.class ?? GATEWAY_ERRORS[code].class
    this.ended = options.ended ?? false
    this.retryAfterMs = options.retryAfterMs
    this.usage = options.usage ?? null
  }

  /** One line a person can act on. */
  get whatToDo(): string {
    return GATEWAY_ERRORS[this.code].whatToDo
  }

  /** The same error with `ended` decided by a caller that knows more. */
  withEnded(ended: boolean): GatewayError {
    return this.with({ ended })
  }

  /** The same error with what its turn has used. */
  withUsage(usage: TurnUsage | null): GatewayError {
    return this.with({ usage })
  }

  private with(change: { readonly ended?: boolean; readonly usage?: TurnUsage | null }): GatewayError {
    const { retryAfterMs, cause, ended, usage } = this
    return new GatewayError(this.code, this.message, {
      class: this.class,
      cause,
      ended,
      usage,
      ...change,
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    })
  }
}

/**
 * Of an UNKNOWN_AGENT: the gateway has the agent and takes it for one that was deleted, because it came back by a patch of its configuration.
 * It answers again when it is removed, made by `recreateAgent` and put (seen on OpenClaw 2026.9.6).
 */
export const isTakenForDeleted = (error: GatewayError): boolean => /unavailable while agent \S+ is deleted/i.test(error.message)

export function isGatewayError(error: unknown): error is GatewayError {
  return error instanceof GatewayError
}

/** What an unknown thrown value says about itself. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
