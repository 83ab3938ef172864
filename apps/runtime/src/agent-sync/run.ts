/**
 * Keeps gateway and workspaces true to the roster. Level-triggered: a pass runs while the newest known roster version is not the
 * one last synced, or the last pass left something undone. Never overlapping. An unchanged roster costs nothing.
 */
import type { Clock, Random } from '@mission-control/shared/clock'
import type { RosterEntry } from '@mission-control/shared/service-contract'
import type { Brain } from '../brain/brain.ts'
import { toBrainError } from '../brain/errors.ts'
import type { Conditions } from '../health/conditions.ts'
import type { Log } from '../log.ts'
import { createSleeper } from '../nudge.ts'
import { backoffMs } from '../until-answered.ts'
import type { AgentHost } from './host.ts'
import type { SyncCounts, SyncResult } from './sync.ts'
import { syncAgents } from './sync.ts'

/** Pause before looking again when the roster read was older than the hint. */
const STALE_MS = 250

export interface AgentSyncDeps {
  readonly brain: Brain
  readonly host: AgentHost
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly conditions: Conditions
  /** Longest pause between two tries after a failure, ms. */
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

export interface AgentSync {
  run(signal: AbortSignal): Promise<void>
  /** The newest version anybody has seen. */
  rosterVersion(version: number): void
  /** The gateway is another one, or its configuration may differ: look again. */
  lookAgain(): void
  /**
   * Resolves at once for an agent that is in the gateway; else after one more look, whatever it finds. Somebody may mention an agent
   * in the second it was created.
   */
  ensure(slug: string, signal: AbortSignal): Promise<void>
  /** Whether a pass has reached the gateway yet. */
  hasSynced(): boolean
  status(): AgentSyncStatus
}

export function createAgentSync(deps: AgentSyncDeps): AgentSync {
  const { clock, random, log, conditions } = deps
  const sleeper = createSleeper(clock)
  const waiting = new Set<() => void>()
  let hosted: ReadonlySet<string> | null = null
  let passes = 0
  const reported = new Map<string, string>()
  let wanted: number | null = null
  let synced: number | null = null
  let dirty = true
  let failures = 0
  let running = false
  let status: Omit<AgentSyncStatus, 'running'> = { lastSyncAt: null, lastError: null, counts: null, totals: null }

  async function pass(signal: AbortSignal): Promise<void> {
    running = true
    dirty = false
    passes += 1
    try {
      const result = await syncAgents({ ...deps, reported }, signal)
      synced = result.rosterVersion
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

  function finished({ counts, errors, postponed, gatewayMissing, rosterVersion, roster }: SyncResult): void {
    if (!gatewayMissing) hosted = new Set(roster.map(({ slug }) => slug).filter((slug) => !errors.has(slug)))
    const lastError =
      [...errors].map(([slug, reason]) => `${slug}: ${reason}`).join('; ') ||
      (gatewayMissing ? 'the gateway is not there yet' : null)
    const before = status.totals ?? { added: 0, updated: 0, removed: 0 }
    const sum = {
      added: before.added + counts.added,
      updated: before.updated + counts.updated,
      removed: before.removed + counts.removed,
    }
    const totals = gatewayMissing ? status.totals : { ...counts, ...sum }
    status = { lastSyncAt: lastError === null ? clock.now() : status.lastSyncAt, lastError, counts, totals }
    const line = { ...counts, rosterVersion, ...(lastError === null ? {} : { lastError }) }
    if (errors.size > 0) log.warn(line, 'agent sync')
    else log.info(line, 'agent sync')
    conditions.set('agents', errors.size > 0 ? `${errors.size} agent(s) could not be synchronised: ${lastError ?? ''}` : null)
    // Without a gateway there is nothing to retry: its coming up asks for another look.
    if (errors.size > 0 || postponed.length > 0) {
      failures += 1
      dirty = true
    } else failures = 0
  }

  return {
    async run(signal) {
      while (!signal.aborted) {
        if (dirty || (wanted !== null && wanted !== synced)) await pass(signal)
        const pause =
          failures > 0 ? backoffMs(failures, random.next(), 1_000, Math.max(1_000, deps.intervalMs)) : dirty ? STALE_MS : null
        await sleeper.sleep(pause, signal)
      }
    },
    rosterVersion(version) {
      // Versions of one backend only grow; a smaller one is a stale subscription.
      if (wanted !== null && version <= wanted) return
      wanted = version
      sleeper.nudge()
    },
    lookAgain() {
      dirty = true
      sleeper.nudge()
    },
    async ensure(slug, signal) {
      // A pass that runs already may have read the roster before the agent was there: only one that begins after this call counts.
      const begun = passes + 1
      while (!signal.aborted && hosted?.has(slug) !== true && (passes < begun || running)) {
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
