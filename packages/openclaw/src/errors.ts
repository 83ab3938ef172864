/**
 * The one error class of this package. The class of an error decides what the caller does: `retryable` later and as it is,
 * `terminal` never, `configuration` after somebody repaired something (it must not use up an attempt).
 */
import type { TurnUsage } from './gateway.ts'

export type ErrorClass = 'retryable' | 'terminal' | 'configuration'

/** Every code, with the class it has unless the gateway says otherwise, and one line on what to do. */
export const GATEWAY_ERRORS = {
  GATEWAY_UNREACHABLE: ['retryable', 'The gateway does not answer. Check that it runs and that host and port are right.'],
  GATEWAY_DISCONNECTED: ['retryable', 'The connection was lost; it is being re-established.'],
  GATEWAY_BUSY: ['retryable', 'The gateway refuses work for now (starting, draining or out of capacity). Try again later.'],
  GATEWAY_AUTH: ['configuration', 'The gateway refused the token. Set the token the gateway was configured with.'],
  GATEWAY_PROTOCOL: ['configuration', 'Gateway and client speak different protocols. Install the pinned OpenClaw version.'],
  GATEWAY_REJECTED: [
    'terminal',
    'The gateway refused the request as malformed. This is a defect on our side or a version mismatch.',
  ],
  UNKNOWN_AGENT: ['configuration', 'The agent is not in the gateway configuration. Synchronise the agents.'],
  OPENCLAW_NOT_FOUND: ['configuration', 'OpenClaw is not installed. Install the pinned version or set OPENCLAW_BIN.'],
  OPENCLAW_NODE_TOO_OLD: ['configuration', 'OpenClaw needs a newer Node. Start the service with the supported Node version.'],
  GATEWAY_CONFIG_INVALID: [
    'configuration',
    'OpenClaw rejects its configuration. Repair the file; the gateway log names the line.',
  ],
  GATEWAY_STATE_OWNED: [
    'configuration',
    'Another OpenClaw process owns this state directory. Stop it, or use another directory.',
  ],
  GATEWAY_PORT_TAKEN: ['configuration', 'The gateway port is taken. Stop the process that holds it, or choose another port.'],
  GATEWAY_START_FAILED: ['retryable', 'The gateway ended or stayed silent while starting. Its log says why.'],
  CONFIG_CONFLICT: ['retryable', 'The gateway configuration kept changing under us. Try again.'],
  TURN_KEY_SPENT: ['retryable', 'The gateway will never run this key. Use the next turn number.'],
  TURN_FAILED: ['retryable', 'The turn ended with an error, usually from the model provider.'],
  TURN_MODEL_CONFIG: ['configuration', 'The model provider refused the key or the model name. Check the model settings.'],
  TURN_TIMEOUT: ['retryable', 'The turn did not end in time and was aborted.'],
  TURN_STUCK: ['retryable', 'The turn could not be confirmed as ended after an abort. It may still be running.'],
  TURN_ABORTED: ['retryable', 'The turn was aborted, by us or by somebody else.'],
} as const satisfies Record<string, readonly [ErrorClass, string]>

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
    this.class = options.class ?? GATEWAY_ERRORS[code][0]
    this.ended = options.ended ?? false
    this.retryAfterMs = options.retryAfterMs
    this.usage = options.usage ?? null
  }

  /** One line a person can act on. */
  get whatToDo(): string {
    return GATEWAY_ERRORS[this.code][1]
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

export function isGatewayError(error: unknown): error is GatewayError {
  return error instanceof GatewayError
}

/** What an unknown thrown value says about itself. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
