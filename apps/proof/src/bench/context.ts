/** What every part of the bench is given. */
import type { BuiltRuntime } from '@mission-control/runtime/stack/scene'
import type { Clock, Random } from '@mission-control/shared/clock'

export interface BenchContext {
  readonly clock: Clock
  readonly random: Random
  /** The built functions of the backend. */
  readonly functions: string
  readonly runtime: BuiltRuntime
  /** Fewer of everything: shows that all of it works, and figures that are only roughly right. */
  readonly quick: boolean
  readonly signal: AbortSignal
  /** A line for whoever watches, on standard error. */
  readonly note: (text: string) => void
}
