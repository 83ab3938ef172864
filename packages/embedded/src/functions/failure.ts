/** From whatever user code threw to a FunctionError with the text the Convex backend would send. */
import { ClosedError, FunctionError, NotSupportedError, StorageError } from '../errors.ts'
import type { Json } from '../values/json.ts'

const CONVEX_ERROR = Symbol.for('ConvexError')

export function toFunctionError(thrown: unknown, logLines: string[]): Error {
  if (thrown instanceof StorageError || thrown instanceof ClosedError) return thrown
  if (thrown instanceof FunctionError) {
    return thrown.logLines === logLines
      ? thrown
      : new FunctionError(thrown.message, { data: thrown.data, logLines, cause: thrown.cause })
  }
  if (typeof thrown === 'object' && thrown !== null && CONVEX_ERROR in thrown) {
    // The wrapper of convex/server has already encoded `data` as JSON text; the message is text of its own, or the data.
    const { data, message } = thrown as unknown as { data: string; message?: string }
    const text = `Uncaught ConvexError: ${message ?? data}`
    return new FunctionError(text, { data: JSON.parse(data) as Json, logLines, cause: thrown })
  }
  if (thrown instanceof NotSupportedError)
    return new FunctionError(`Uncaught Error: ${thrown.message}`, { logLines, cause: thrown })
  if (thrown instanceof Error) {
    return new FunctionError(`Uncaught ${thrown.name}: ${thrown.message}`, { logLines, cause: thrown })
  }
  return new FunctionError(`Uncaught ${typeof thrown === 'string' ? thrown : JSON.stringify(thrown)}`, {
    logLines,
    cause: thrown,
  })
}
