/** An operation that cannot be done, told in one sentence for the person at the terminal. */
export class OperationError extends Error {
  override name = 'OperationError'
}
