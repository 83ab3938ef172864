/** What a call to the backend can fail with, reduced to what the loops decide on. */
import type { ErrorCode } from '@mission-control/shared/errors'
import { errorCode, ERRORS } from '@mission-control/shared/errors'
import { redactServiceTokens } from '@mission-control/shared/service-token'

/**
 * - `unreachable`: no answer arrived; whether the call took effect is unknown, so it is repeated.
 * - `server`: the backend answered that it failed (an exception, overload); repeated too.
 * - `refused`: a coded refusal; `code` says which.
 * - `invalid`: the platform took the request for malformed or too large before any function ran; it always will.
 */
export type BrainErrorKind = 'unreachable' | 'server' | 'refused' | 'invalid'

export class BrainError extends Error {
  override readonly name = 'BrainError'
  readonly kind: BrainErrorKind
  readonly code: ErrorCode

  constructor(kind: BrainErrorKind, code: ErrorCode, message: string) {
    // The backend's validation errors print arguments, the token among them. The cause is not kept for the same reason.
    super(redactServiceTokens(message))
    this.kind = kind
    this.code = code
  }

  get whatToDo(): string {
    return ERRORS[this.code].whatToDo
  }

  /** Trying the same call again later can work without anybody doing anything but repairing the link or the token. */
  get retryable(): boolean {
    return this.effectUnknown || this.code === 'TOKEN_REFUSED'
  }

  /** The call may have taken effect all the same. */
  get effectUnknown(): boolean {
    return this.kind === 'unreachable' || this.kind === 'server'
  }
}

/** Translates anything a client threw. Service tokens never stand in these messages: arguments are not printed. */
export function toBrainError(error: unknown): BrainError {
  if (error instanceof BrainError) return error
  const code = errorCode(error)
  if (code !== null) return new BrainError('refused', code, messageOfData(error) ?? code)
  const message = error instanceof Error ? error.message : String(error)
  if (isNetworkFailure(error) || isAbort(error)) return new BrainError('unreachable', 'CONVEX_UNREACHABLE', reasonOf(error))
  if (message.includes('ArgumentValidationError'))
    return new BrainError('invalid', 'INVALID', `The backend does not take these arguments: ${firstLine(message)}`)
  return new BrainError('server', 'CONVEX_UNREACHABLE', `The backend failed: ${firstLine(message)}`)
}

export const isRefusal = (error: unknown, code: ErrorCode): boolean =>
  error instanceof BrainError && error.kind === 'refused' && error.code === code

/** What fetch throws when no answer arrives. A TypeError of our own has no cause. */
const isNetworkFailure = (error: unknown): boolean => error instanceof TypeError && error.cause !== undefined

const isAbort = (error: unknown): boolean =>
  error instanceof Error && (error.name === 'AbortError' || error.name === 'TimeoutError')

function messageOfData(error: unknown): string | null {
  const data = typeof error === 'object' && error !== null && 'data' in error ? error.data : null
  const message = typeof data === 'object' && data !== null && 'message' in data ? data.message : null
  return typeof message === 'string' ? message : null
}

/** `fetch failed` says nothing; its cause names the refused port or the unknown host. */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error ? error.cause : null
  const detail = cause instanceof Error ? cause.message || ('code' in cause ? String(cause.code) : '') : ''
  const message = error instanceof Error ? error.message : String(error)
  return firstLine(`The backend did not answer: ${message}${detail === '' ? '' : ` (${detail})`}`)
}

const firstLine = (text: string): string => (text.split('\n', 1)[0] ?? '').slice(0, 500)
