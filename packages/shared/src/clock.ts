/**
 * Time and randomness as dependencies. Every loop of the runtime, the gateway supervisor and the embedded engine takes these
 * instead of reading the globals, so that the simulator can drive them. The real ones live in `@mission-control/host/clock`.
 */
export interface Clock {
  /** Wall clock, milliseconds since the Unix epoch. May jump; never compare it with another machine's. */
  now(): number
  /** Milliseconds on a clock that never goes back. Only differences mean anything. */
  monotonic(): number
  /** Resolves after `ms` milliseconds; rejects at once with the signal's reason when `signal` aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
  /** A signal that aborts with a `TimeoutError` after `ms` milliseconds. Does not keep the process alive. */
  timeout(ms: number): AbortSignal
}

export interface Random {
  /** A number in [0, 1). */
  next(): number
  /** `length` random bytes. Cryptographically strong in the real implementation. */
  bytes(length: number): Uint8Array
}
