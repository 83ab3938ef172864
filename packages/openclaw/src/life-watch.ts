/**
 * Tells a dead link to a gateway from a silent one. A half-open link (its host went away without a word) never fails by itself. The official
 * client looks for that only while no answer is awaited, and a turn awaits one all the time.
 */
import type { Clock } from '@mission-control/shared/clock'

/**
 * A dead link is noticed between 30 and 40 s after the last sign of life, at OpenClaw's tick of 30 s. Its event loop may stand still for 15 s
 * without losing a link.
 */
const LOOKS_PER_TICK = 6
/** After so many looks of silence the gateway is asked for a sign of life. A turn that thinks is silent for 30 s at a time. */
const ASKED_AFTER_LOOKS = 2
/** The link is dead when so many more looks have heard nothing. */
const DEAD_AFTER_LOOKS = 4
/** Between ticks, when the gateway does not say; a longer one does not make the watch slower. Milliseconds. */
export const TICK_MS = 30_000
/** So much early a timer may be by another clock, milliseconds. */
const EARLY_MS = 2

export interface LifeWatchDeps {
  readonly clock: Pick<Clock, 'monotonic' | 'sleep'>
  /** Whether there is a link that could be dead. */
  readonly isConnected: () => boolean
  /** Asks the gateway something that it answers at once; whatever it says is to be reported by `heard`. */
  readonly ask: () => void
  /** The link is dead. @param silentMs since the last sign of life */
  readonly onDead: (silentMs: number) => void
}

export interface LifeWatch {
  /** The gateway said something. */
  heard(): void
  /** How often this gateway says its tick, milliseconds. */
  setTick(tickMs: number): void
  /** Looks while `answer` is awaited, and no longer. */
  during<T>(answer: Promise<T>): Promise<T>
}

export function createLifeWatch({ clock, isConnected, ask, onDead }: LifeWatchDeps): LifeWatch {
  // All of it outlives each answer that is awaited: one that fails on a dead link is no sign of anything.
  let heardAt = clock.monotonic()
  let lookMs = TICK_MS / LOOKS_PER_TICK
  /** When a sign of life was asked for, and the looks since that have heard none: a process that stands still counts none. */
  let asked: { readonly at: number; looks: number; lookedAt: number } | null = null
  let awaited = 0
  let watching = new AbortController()

  function look(): void {
    const now = clock.monotonic()
    if (!isConnected() || (asked !== null && heardAt >= asked.at)) asked = null
    // Each answer that is awaited alone begins a watch of its own, which looks at once.
    if (asked !== null && now + EARLY_MS >= asked.lookedAt + lookMs) {
      asked.looks += 1
      asked.lookedAt = now
    }
    if (asked !== null && asked.looks >= DEAD_AFTER_LOOKS) {
      asked = null
      onDead(now - heardAt)
    } else if (asked === null && isConnected() && now - heardAt >= ASKED_AFTER_LOOKS * lookMs) {
      asked = { at: now, looks: 0, lookedAt: now }
      ask()
    }
  }

  async function watch(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      look()
      await clock.sleep(lookMs, signal).catch(() => undefined)
    }
  }

  return {
    heard() {
      heardAt = clock.monotonic()
    },
    setTick(tickMs) {
      lookMs = Math.min(tickMs, TICK_MS) / LOOKS_PER_TICK
    },
    async during(answer) {
      if (awaited++ === 0) void watch((watching = new AbortController()).signal)
      try {
        return await answer
      } finally {
        if (--awaited === 0) watching.abort()
      }
    },
  }
}
