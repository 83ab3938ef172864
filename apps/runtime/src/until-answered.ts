/** Repeats a call that is safe to repeat until the backend has answered it. */
import type { Clock, Random } from '@mission-control/shared/clock'
import type { ObservedBrain } from './brain/brain.ts'
import type { BrainError } from './brain/errors.ts'
import { toBrainError } from './brain/errors.ts'
import { createSleeper } from './nudge.ts'

const BASE_MS = 250
/** A third of the busy lease: after an outage the answer is in before anybody could think the runtime dead. */
const CAP_MS = 15_000

export interface RetryDeps {
  readonly clock: Clock
  readonly random: Random
  /** A pause ends early when its backend answers somebody else. */
  readonly brain: Pick<ObservedBrain, 'onAnsweringAgain'>
  /** Called before each pause. */
  readonly onRetry?: (error: BrainError, tries: number) => void
}

/**
 * @param call one attempt
 * @returns the answer
 * @throws BrainError when the backend refused for good, or the signal's reason when it aborts
 */
export async function untilAnswered<T>(
  call: () => Promise<T>,
  { clock, random, brain, onRetry }: RetryDeps,
  signal: AbortSignal,
): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    signal.throwIfAborted()
    try {
      return await call()
    } catch (thrown) {
      if (signal.aborted) throw signal.reason
      const error = toBrainError(thrown)
      if (!error.retryable) throw error
      onRetry?.(error, tries)
      await pause(backoffMs(tries, random.next()), { clock, brain }, signal)
    }
  }
}

async function pause(ms: number, { clock, brain }: Pick<RetryDeps, 'clock' | 'brain'>, signal: AbortSignal): Promise<void> {
  const sleeper = createSleeper(clock)
  const unwatch = brain.onAnsweringAgain(() => sleeper.nudge())
  await sleeper.sleep(ms, signal)
  unwatch()
}

/** min(cap, base * 2^(tries - 1)), of which the second half is random, so that many callers do not come back at once. */
export const backoffMs = (tries: number, random: number, base = BASE_MS, cap = CAP_MS): number =>
  Math.min(cap, base * 2 ** Math.min(30, tries - 1)) * (0.5 + random / 2)
