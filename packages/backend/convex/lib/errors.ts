import { ConvexError } from 'convex/values'
import type { CodedErrorData, ErrorCode } from '@mission-control/shared/errors'

/** A refusal that reaches the caller whole: other messages are redacted in production. */
export class Refusal extends ConvexError<{ code: ErrorCode; message: string }> {
  constructor(code: ErrorCode, message: string) {
    super({ code, message } satisfies CodedErrorData)
  }
}

/** Throws a coded error. */
export function refuse(code: ErrorCode, message: string): never {
  throw new Refusal(code, message)
}
