/**
 * The runtime's view of the backend. The official clients stand behind it in `convex-client.ts`; tests and the simulator put
 * their own behind it.
 *
 * Two subscriptions, nothing else, ride on the socket; both are hints. Everything that counts is a call over HTTP, safe to
 * repeat, and rejects with a `BrainError`. The implementation adds the account and the service token to each call.
 */
import type { FunctionArgs, FunctionReference, FunctionReturnType } from 'convex/server'
import type { ReadyHeads, ServiceCaller, Signals } from '@mission-control/shared/service-contract'

/** A function's arguments without what the implementation adds. */
export type BrainArgs<F extends FunctionReference<'query' | 'mutation'>> = Omit<FunctionArgs<F>, keyof ServiceCaller>

export interface Watcher<T> {
  /** The whole new value: once at the start and after each change; states in between may be skipped. */
  value(value: T): void
  /** The query was refused or failed; it stays subscribed. */
  error(error: unknown): void
}

export interface Brain {
  /** First ready heads of the account. Returns the way to stop it. */
  watchReady(watcher: Watcher<ReadyHeads>): () => void
  watchSignals(watcher: Watcher<Signals>): () => void
  mutate<F extends FunctionReference<'mutation'>>(fn: F, args: BrainArgs<F>, signal?: AbortSignal): Promise<FunctionReturnType<F>>
  query<F extends FunctionReference<'query'>>(fn: F, args: BrainArgs<F>, signal?: AbortSignal): Promise<FunctionReturnType<F>>
  /** Whether the socket of the subscriptions is known to be up. A half-open one looks up for a while. */
  connected(): boolean
  onConnection(listener: (connected: boolean) => void): () => void
  close(): Promise<void>
}

/** A Brain that knows whether the backend answers at all (observed.ts). */
export interface ObservedBrain extends Brain {
  /**
   * Told when a call is answered, or the socket comes up, after a call that nothing had answered: whoever pauses before another try need
   * not any longer. Told at most once in `AGAIN_MS`. Returns the way to stop it.
   */
  onAnsweringAgain(listener: () => void): () => void
}
