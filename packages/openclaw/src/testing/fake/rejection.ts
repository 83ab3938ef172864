/** A refusal on the wire, in the shape of the protocol's ErrorShape. */
export interface Rejection {
  readonly code: string
  readonly message: string
  readonly details?: unknown
  readonly retryable: boolean
  readonly retryAfterMs?: number
}

export class RejectionError extends Error {
  readonly rejection: Rejection

  constructor(rejection: Rejection) {
    super(rejection.message)
    this.rejection = rejection
  }
}

export function rejection(
  code: 'INVALID_REQUEST' | 'UNAVAILABLE',
  message: string,
  extra: { readonly retryable?: boolean; readonly details?: unknown; readonly retryAfterMs?: number } = {},
): RejectionError {
  return new RejectionError({ code, message, retryable: false, ...extra })
}
