/** An operation that cannot be done, told in one sentence for the person at the terminal. */
export class OperationError extends Error {
  override name = 'OperationError'
}

/** The message of any error, to be put into a sentence: without a full stop of its own. */
export function reasonOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).replace(/\.+$/, '')
}
