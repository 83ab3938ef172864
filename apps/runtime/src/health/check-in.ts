/**
 * The check-in: presence, lease, safety poll, roster version, due heartbeats and stops in one call. The only thing an idle runtime
 * says to the backend, once a minute; four times a minute while anything is held, because the busy lease is short.
 */
import type { CheckInResult, RuntimeInfrastructure, RuntimeVersions } from '@mission-control/shared/service-contract'
import type { Clock, Random } from '@mission-control/shared/clock'
import type { ObservedBrain } from '../brain/brain.ts'
import { isRefusal, toBrainError } from '../brain/errors.ts'
import type { Log } from '../log.ts'
import { createSleeper } from '../nudge.ts'
import { service } from '../service.ts'
import { backoffMs } from '../until-answered.ts'
import type { StatsEvents } from './stats.ts'

/** LEASE_BUSY_MS is three of these. */
export const BUSY_INTERVAL_MS = 15_000
/**
 * Due heartbeats ride in the regular check-in, so that agents without work cost no call of their own. Only those that the last one
 * could not name bring the next forward, and not closer together than this.
 */
const BACKLOG_MS = 15_000
/** The backend takes back what it thinks we hold and we do not, once it is older than ORPHAN_MS (10 s); look right after that. */
export const ORPHAN_LOOK_MS = 11_000

export interface Identity {
  readonly versions: () => RuntimeVersions
  readonly infrastructure: RuntimeInfrastructure
  /** Idle check-in interval, ms. */
  readonly intervalMs: number
}

export type CheckInAnswer = Extract<CheckInResult, { superseded: false }>

/** What the answered check-in had said. Both may have changed since. */
export interface CheckInSent {
  readonly held: readonly { id: string; fence: number }[]
  readonly due: readonly { agentId: string; slot: number }[]
}

export interface CheckInDeps {
  readonly brain: ObservedBrain
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly epoch: number
  readonly identity: Identity
  held(): { id: string; fence: number }[]
  due(): { agentId: string; slot: number }[]
  /** Monotonic time of the earliest due heartbeat, or `null`. */
  nextDueAt(): number | null
  reasons(): string[]
  readonly stats: Pick<StatsEvents, 'checkIn'>
  onAnswer(answer: CheckInAnswer, sent: CheckInSent): void
  onSuperseded(): void
}

export interface CheckIn {
  run(signal: AbortSignal): Promise<void>
  /** Asks for a check-in within `ms`. */
  within(ms: number): void
  /** Something is held from now on. The claim has shortened the lease, so a check-in follows soon even if it ends at once. */
  becameBusy(): void
  /** There may be due heartbeats that were not named. */
  reconsider(): void
  /** Monotonic time of the last answer, or `null`. */
  lastAt(): number | null
}

export function createCheckIn(deps: CheckInDeps): CheckIn {
  const { brain, clock, random, log, epoch, identity } = deps
  const sleeper = createSleeper(clock)
  /** Monotonic times somebody asked for. One that is still to come outlives the check-ins before it. */
  let asked: number[] = []
  let lastSentAt: number | null = null
  let lastAt: number | null = null
  let failures = 0
  let retryMs = 0
  /** Something was held at the last check-in. */
  let busy = false

  function nextAt(): number {
    if (lastSentAt === null) return -Infinity
    if (failures > 0) return lastSentAt + retryMs
    const interval = busy ? Math.min(BUSY_INTERVAL_MS, identity.intervalMs) : identity.intervalMs
    const due = deps.nextDueAt()
    const forBacklog = due !== null && due <= lastSentAt ? lastSentAt + BACKLOG_MS : Infinity
    return Math.min(lastSentAt + interval, forBacklog, ...asked)
  }

  function ask(ms: number): void {
    const at = clock.monotonic() + ms
    // One in between is as good; without this a burst of claims would pile up.
    if (!asked.some((other) => other <= at && other >= at - 1_000)) asked.push(at)
    sleeper.nudge()
  }

  async function checkIn(signal: AbortSignal): Promise<void> {
    const now = clock.monotonic()
    lastSentAt = now
    asked = asked.filter((at) => at > now)
    const due = deps.due()
    const held = deps.held()
    busy = held.length > 0
    const reasons = deps.reasons()
    try {
      const answer = await brain.mutate(
        service.checkIn,
        {
          epoch,
          held,
          dueAgents: due,
          status: reasons.length > 0 ? 'degraded' : 'online',
          reasons,
          versions: identity.versions(),
          infrastructure: identity.infrastructure,
          announcedIntervalMs: identity.intervalMs,
        },
        signal,
      )
      failures = 0
      deps.stats.checkIn(answer.superseded ? 'superseded' : 'answered')
      if (answer.superseded) return deps.onSuperseded()
      lastAt = clock.monotonic()
      deps.onAnswer(answer, { held, due })
    } catch (thrown) {
      if (signal.aborted) return
      const error = toBrainError(thrown)
      deps.stats.checkIn(error.effectUnknown ? 'failed' : 'refused')
      if (isRefusal(error, 'SUPERSEDED')) return deps.onSuperseded()
      failures += 1
      retryMs = backoffMs(failures, random.next(), 1_000, BUSY_INTERVAL_MS)
      log.debug({ failures, error: error.message }, 'the check-in was not answered')
    }
  }

  return {
    async run(signal) {
      const unwatch = brain.onAnsweringAgain(() => {
        retryMs = 0
        sleeper.nudge()
      })
      try {
        while (!signal.aborted) {
          const left = nextAt() - clock.monotonic()
          if (left <= 0) await checkIn(signal)
          else await sleeper.sleep(left, signal)
        }
      } finally {
        unwatch()
      }
    },
    within: ask,
    becameBusy: () => ask(BUSY_INTERVAL_MS),
    reconsider: () => sleeper.nudge(),
    lastAt: () => lastAt,
  }
}
