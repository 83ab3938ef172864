/**
 * Keeps gateway and workspaces true to the roster. Level-triggered: a pass runs while the newest known roster version is not the
 * one last synced, or the last pass left something undone. Never overlapping. An unchanged roster costs nothing.
 *
 * Three hints carry the version: the signals subscription (at once), the answer of each check-in, and, when for longer than the
 * interval no answer of the backend has said which version it has, one question of our own. What only pushes never confirms: a
 * half-open socket is silent, and so is a roster that does not change.
 */
import type { Clock, Random } from '@mission-control/shared/clock'
import type { RosterEntry } from '@mission-control/shared/service-contract'
import type { ObservedBrain } from '../brain/brain.ts'
import { toBrainError } from '../brain/errors.ts'
import type { Conditions } from '../health/conditions.ts'
import type { Log } from '../log.ts'
import { createSleeper } from '../nudge.ts'
import { service } from '../service.ts'
import { backoffMs } from '../until-answered.ts'
import type { AgentHost } from './host.ts'
import type { SyncCounts, SyncResult } from './sync.ts'
import { syncAgents } from './sync.ts'

/** Pause before looking again when the roster read was older than the hint. */
const STALE_MS = 250
/** The check-in that goes out when the interval ends confirms the version for free; it may take its HTTP timeout. */
const CONFIRM_GRACE_MS = 5_000

export interface AgentSyncDeps {
  readonly brain: ObservedBrain
  readonly host: AgentHost
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly conditions: Conditions
  /** Oldest the roster may be before the backend is asked for its version; also the longest pause after a failure. ms. */
  readonly intervalMs: number
  /** Whether a turn of this agent may be running: its removal waits. */
  isBusy(slug: string): boolean
  onRoster(roster: readonly RosterEntry[]): void
}

export interface AgentSyncStatus {
  readonly running: boolean
  /** Wall clock, ms; `null` before the first complete pass. */
  readonly lastSyncAt: number | null
  readonly lastError: string | null
  /** Of the last pass. */
  readonly counts: SyncCounts | null
  /** Over all passes that reached the gateway; `unchanged` and `failed` as of the last. */
  readonly totals: SyncCounts | null
}

/**
 * A gateway refused a turn: `unknown`, it does not have the agent; `deleted`, it has it and takes it for one that was deleted (another runtime on
 * the same gateway removed an agent of that name), and it must be made anew.
 */
export type Denial = 'unknown' | 'deleted'

export interface AgentSync {
  run(signal: AbortSignal): Promise<void>
  /** The newest version anybody has seen. `answered`: the backend has just said so in answer to a call, and was not only pushed. */
  rosterVersion(version: number, answered?: boolean): void
  /** The gateway is another one, or its configuration may differ: look again. */
  lookAgain(): void
  /**
   * Resolves at once for an agent that is in the gateway; else after one more look, whatever it finds. Somebody may mention an agent
   * in the second it was created.
   * @param denial what the gateway has just said of it, whatever the last pass saw
   */
  ensure(slug: string, signal: AbortSignal, denial?: Denial): Promise<void>
  /** Whether a pass has reached the gateway yet. */
  hasSynced(): boolean
  status(): AgentSyncStatus
}

export function createAgentSync(deps: AgentSyncDeps): AgentSync {
  const { clock, random, log, conditions } = deps
  const sleeper = createSleeper(clock)
  const waiting = new Set<() => void>()
  let hosted: ReadonlySet<string> | null = null
  let postponed: ReadonlySet<string> = new Set()
  /** Monotonic; when an answer last said which version the roster has. */
  let confirmedAt = clock.monotonic()
  let passes = 0
  const reported = new Map<string, string>()
  const takenForDeleted = new Set<string>()
  let wanted: number | null = null
  let synced: number | null = null
  let dirty = true
  let failures = 0
  let unconfirmed = 0
  let running = false
  let status: Omit<AgentSyncStatus, 'running'> = { lastSyncAt: null, lastError: null, counts: null, totals: null }

  async function pass(signal: AbortSignal): Promise<void> {
    running = true
    dirty = false
    passes += 1
    try {
      const result = await syncAgents({ ...deps, reported, takenForDeleted }, signal)
      synced = result.rosterVersion
      confirmedAt = clock.monotonic()
      // An older answer than the hint: the query read before the change. Look again.
      if (wanted !== null && wanted > synced) dirty = true
      else wanted = synced
      finished(result)
    } catch (thrown) {
      if (signal.aborted) return
      failures += 1
      dirty = true
      const error = toBrainError(thrown)
      status = { ...status, lastError: error.message }
      log.warn({ error: error.message, code: error.code }, 'agent sync could not run')
    } finally {
      running = false
      for (const resolve of waiting) resolve()
      waiting.clear()
    }
  }

  function finished({ counts, errors, gatewayMissing, rosterVersion, roster, kept, ...result }: SyncResult): void {
    postponed = result.postponed
    const isThere = (slug: string) => !errors.has(slug) && !postponed.has(slug)
    if (!gatewayMissing) hosted = new Set(roster.map(({ slug }) => slug).filter(isThere))
    for (const path of kept) log.warn({ path }, 'a file or folder in a workspace was not ours and was put aside')
    const lastError = describeErrors(errors) ?? (gatewayMissing ? 'the gateway is not there yet' : null)
    const before = status.totals ?? { added: 0, updated: 0, removed: 0 }
    const sum = {
      added: before.added + counts.added,
      updated: before.updated + counts.updated,
      removed: before.removed + counts.removed,
    }
    const totals = gatewayMissing ? status.totals : { ...counts, ...sum }
    status = { lastSyncAt: lastError === null ? clock.now() : status.lastSyncAt, lastError, counts, totals }
    const waiting = postponed.size > 0 ? { waitingForTurns: [...postponed] } : {}
    const line = { ...counts, rosterVersion, ...waiting, ...(lastError === null ? {} : { lastError }) }
    if (errors.size > 0) log.warn(line, 'agent sync')
    else log.info(line, 'agent sync')
    conditions.set('agents', errors.size > 0 ? `${errors.size} agent(s) could not be synchronised: ${lastError ?? ''}` : null)
    // Without a gateway there is nothing to retry: its coming up asks for another look.
    if (errors.size > 0 || postponed.size > 0) {
      failures += 1
      dirty = true
    } else failures = 0
  }

  /** Nobody has told for too long: asks. Its answer is a hint like the others. */
  async function confirm(signal: AbortSignal): Promise<void> {
    try {
      const { rosterVersion } = await deps.brain.query(service.signals, {}, signal)
      confirmedAt = clock.monotonic()
      wanted = Math.max(wanted ?? 0, rosterVersion)
      unconfirmed = 0
    } catch (thrown) {
      if (signal.aborted) return
      unconfirmed += 1
      log.debug({ error: toBrainError(thrown).message }, 'the version of the roster could not be asked for')
    }
  }

  const isBehind = () => dirty || (wanted !== null && wanted !== synced)
  const confirmInMs = () => confirmedAt + deps.intervalMs + CONFIRM_GRACE_MS - clock.monotonic()
  const backoff = (tries: number) => backoffMs(tries, random.next(), 1_000, Math.max(1_000, deps.intervalMs))

  function pauseMs(): number {
    if (failures > 0) return backoff(failures)
    if (isBehind()) return STALE_MS
    return unconfirmed > 0 ? backoff(unconfirmed) : confirmInMs()
  }

  return {
    async run(signal) {
      const unwatch = deps.brain.onAnsweringAgain(() => sleeper.nudge())
      try {
        while (!signal.aborted) {
          if (!isBehind() && confirmInMs() <= 0) await confirm(signal)
          if (isBehind()) await pass(signal)
          await sleeper.sleep(pauseMs(), signal)
        }
      } finally {
        unwatch()
      }
    },
    rosterVersion(version, answered = false) {
      if (answered) confirmedAt = clock.monotonic()
      // Versions of one backend only grow; a smaller one is a stale subscription.
      if (wanted !== null && version <= wanted) return
      wanted = version
      sleeper.nudge()
    },
    lookAgain() {
      dirty = true
      sleeper.nudge()
    },
    async ensure(slug, signal, denial) {
      if (denial === 'deleted') takenForDeleted.add(slug)
      if (denial !== undefined && hosted?.has(slug) === true) hosted = new Set([...hosted].filter((one) => one !== slug))
      // A pass that runs already may have read the roster before the agent was there: only one that begins after this call counts.
      const begun = passes + 1
      // An agent that waits for a turn is not given up on: its own turn would only be told that nobody knows it.
      while (!signal.aborted && hosted?.has(slug) !== true && (passes < begun || running || postponed.has(slug))) {
        if (passes < begun && !running) {
          dirty = true
          sleeper.nudge()
        }
        const done = Promise.withResolvers<void>()
        waiting.add(done.resolve)
        signal.addEventListener('abort', () => done.resolve(), { once: true })
        await done.promise
      }
    },
    hasSynced: () => hosted !== null,
    status: () => ({ ...status, running }),
  }
}

/** Enough to see what is wrong; each agent shows its own on the dashboard. */
const ERRORS_SHOWN = 5

function describeErrors(errors: ReadonlyMap<string, string>): string | null {
  if (errors.size === 0) return null
  const shown = [...errors].slice(0, ERRORS_SHOWN).map(([slug, reason]) => `${slug}: ${reason}`)
  const more = errors.size - shown.length
  return [...shown, ...(more > 0 ? [`and ${more} more`] : [])].join('; ')
}
