/** A request that is turned away at the door, before any tool is called. */
export class Refusal extends Error {
  override readonly name = 'Refusal'
  readonly status: number
  /** A short word for the log: refusals of one kind are logged together. */
  readonly kind: string
  /** Seconds after which trying again makes sense. */
  readonly retryAfterS: number | null

  /** @param message one sentence for the caller; names no secret, path or address of ours */
  constructor(status: number, kind: string, message: string, retryAfterS: number | null = null) {
    super(message)
    this.status = status
    this.kind = kind
    this.retryAfterS = retryAfterS
  }
}
