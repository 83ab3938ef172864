/** The engine's own errors. What a user function throws is a `FunctionError` by the time it leaves the engine. */
import type { Json } from './values/json.ts'
import type { WireCode } from './wire-codes.ts'

/** Something Convex can do and this backend does not. Never a silent approximation. */
export class NotSupportedError extends Error {
  override name = 'NotSupportedError'
  constructor(what: string) {
    super(`not supported by the embedded backend: ${what}`)
  }
}

/** A function failed: user code threw, validation refused, or a limit was hit. The transaction left no trace. */
export class FunctionError extends Error {
  override name = 'FunctionError'
  /** Encoded `data` of a ConvexError; undefined for anything else. */
  readonly data: Json | undefined
  readonly logLines: string[]
  constructor(message: string, options: { data?: Json | undefined; logLines?: string[]; cause?: unknown } = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined)
    this.data = options.data
    this.logLines = options.logLines ?? []
  }
}

/** The database itself failed (disk full, I/O, a refused COMMIT). Nothing of the batch was kept; the call may be repeated. */
export class StorageError extends Error {
  override name = 'StorageError'
}

/** The caller did something wrong before any function ran. `status` is the HTTP status. */
export class RequestError extends Error {
  override name = 'RequestError'
  readonly status: number
  readonly code: WireCode
  constructor(status: number, code: WireCode, message: string) {
    super(message)
    this.status = status
    this.code = code
  }
}

/** The engine is closed or closing. */
export class ClosedError extends Error {
  override name = 'ClosedError'
}
