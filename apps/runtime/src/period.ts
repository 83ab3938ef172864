/**
 * One active period: everything that happens under one epoch. Wires delivery, check-in, heartbeats and agent sync to each other;
 * the rules are theirs. Ends when superseded or drained; a new period starts from nothing, which is what makes takeover simple.
 */
import type { Clock, Random } from '@mission-control/shared/clock'
import type { HelloResult, Signals } from '@mission-control/shared/service-contract'
import type { AgentHost } from './agent-sync/host.ts'
import type { TurnsInFlight } from './agent-tools/turns-in-flight.ts'
import type { AgentSync } from './agent-sync/run.ts'
import { createAgentSync } from './agent-sync/run.ts'
import type { ObservedBrain } from './brain/brain.ts'
import type { Delivery } from './delivery/run.ts'
import { createDelivery } from './delivery/run.ts'
import type { CheckIn, CheckInAnswer, CheckInSent, Identity } from './health/check-in.ts'
import { createCheckIn, ORPHAN_LOOK_MS } from './health/check-in.ts'
import type { Conditions } from './health/conditions.ts'
import type { Stats } from './health/stats.ts'
import type { Heartbeats } from './heartbeat/run.ts'
import { createHeartbeats } from './heartbeat/run.ts'
import type { Log } from './log.ts'
import type { Redactor } from './redact.ts'
import { service } from './service.ts'
import type { Turns } from './turns.ts'

export interface LoopSettings {
  readonly deliveryConcurrency: number
  readonly deliveryIntervalMs: number
  readonly agentSyncIntervalMs: number
  readonly turnTimeoutMs: number
}

/** What a period may do; a full runtime does all of it. */
export type Part = 'agents' | 'delivery' | 'heartbeats'
export const ALL_PARTS: ReadonlySet<Part> = new Set<Part>(['agents', 'delivery', 'heartbeats'])

export interface LoopDeps {
  readonly brain: ObservedBrain
  readonly turns: Turns
  readonly agentHost: AgentHost
  readonly turnsInFlight: TurnsInFlight
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly conditions: Conditions
  readonly redactor: Pick<Redactor, 'redact'>
  readonly stats: Stats
  readonly settings: LoopSettings
  readonly identity: Identity
  /** Takes signals that the check-in noticed and the subscription missed. By default only the period hears of them. */
  onSignals?(signals: Signals): void
}

export interface Period {
  readonly epoch: number
  readonly delivery: Delivery
  readonly heartbeats: Heartbeats
  readonly sync: AgentSync
  readonly checkIn: CheckIn
  /** The backend's clock, ms since the epoch. */
  backendNow(): number
  signals(signals: Signals): void
  /** Resolves when the period is over: superseded and all items let go (see `delivery.leftBehind`), or drained. */
  readonly over: Promise<'superseded' | 'drained'>
  /**
   * Stops claims, heartbeats and sync, waits up to `graceMs` for the turns in flight, ends the rest and gives them back.
   * The check-in goes on until then, so that nobody takes the lease away. When `signal` aborts, the period is over whatever the
   * backend and the gateway say: what could not be given back lapses.
   */
  drain(graceMs: number, signal?: AbortSignal): Promise<void>
}

/** An overdue head that nobody claimed for this long: the subscription has missed it. */
const OVERDUE_MS = 1_000

/** Why nothing is claimed, as pages and logs say it; each names the way back. */
export const DRAINING = 'draining: the backend asked for it (accounts:setCommand takes it back with command null)'
export const PAUSED = 'the account is paused (accounts:setPaused resumes it)'

/** The time of an answer on its way is far below this. */
const JUMP_MS = 30_000

export function startPeriod(hello: Extract<HelloResult, { role: 'active' }>, deps: LoopDeps, parts = ALL_PARTS): Period {
  const { brain, turns, clock, log, conditions, settings } = deps
  const { epoch } = hello
  const work = new AbortController()
  const life = new AbortController()
  const over = Promise.withResolvers<'superseded' | 'drained'>()
  let base = { backend: hello.now, at: clock.monotonic() }
  let controlSeq = hello.controlSeq
  let stopSeq: number | null = null
  let wasBusy = false
  let pausedBy: string | null = null

  const backendNow = () => base.backend + (clock.monotonic() - base.at)

  function superseded(): void {
    if (life.signal.aborted) return
    log.warn({ epoch }, 'this runtime is no longer the active one; it asks what it is now, and its turns go on meanwhile')
    work.abort()
    life.abort()
    delivery.interrupt('superseded')
    void delivery.drained().then(() => over.resolve('superseded'))
  }

  function pause(why: string | null): void {
    if (why === pausedBy) return
    pausedBy = why
    if (why === null) log.info({ epoch }, 'claims go on')
    else
      log.info({ epoch, why, held: delivery.held().length }, 'nothing is claimed until this is taken back; turns in flight go on')
    delivery.setPaused(why)
  }

  const delivery = createDelivery({
    ...deps,
    epoch,
    concurrency: settings.deliveryConcurrency,
    pollMs: settings.deliveryIntervalMs,
    turnTimeoutMs: settings.turnTimeoutMs,
    ensureAgent: (slug, signal, denial) => sync.ensure(slug, signal, denial),
    onHeld(held) {
      if (held > 0 && !wasBusy) checkIn.becameBusy()
      wasBusy = held > 0
      void heartbeats.fill(work.signal)
    },
    onUnknownClaim: () => checkIn.within(ORPHAN_LOOK_MS),
    onSuperseded: superseded,
    onRefusal: (reason) => conditions.set('turns', reason === null ? null : `the gateway is up and takes no turns: ${reason}`),
    onResult: (item, result) => {
      deps.stats.result(item, result)
      if (result.verdict.kind === 'fail' && result.verdict.code === 'UNKNOWN_AGENT') sync.lookAgain()
    },
  })

  const heartbeats = createHeartbeats({
    ...deps,
    epoch,
    backendNow,
    withRoom: (claim) => delivery.withRoom(claim),
    onSuperseded: superseded,
    onUnknownClaim: () => checkIn.within(ORPHAN_LOOK_MS),
    onAgain: (ms) => checkIn.within(ms),
    onSchedule: () => checkIn.reconsider(),
  })

  const sync = createAgentSync({
    ...deps,
    host: deps.agentHost,
    intervalMs: settings.agentSyncIntervalMs,
    isBusy: (slug) => delivery.worksFor(slug),
    onRoster: (roster) => heartbeats.setRoster(roster),
  })

  /** Who could not begin is not named: of all slots that come meanwhile only the newest is. */
  const mayBegin = () => parts.has('heartbeats') && !work.signal.aborted && delivery.blocked() === null

  const checkIn = createCheckIn({
    ...deps,
    epoch,
    held: () => delivery.held(),
    due: () => (mayBegin() ? heartbeats.due() : []),
    nextDueAt() {
      const at = mayBegin() ? heartbeats.nextAt() : null
      return at === null ? null : at - backendNow() + clock.monotonic()
    },
    reasons: () => conditions.reasons(),
    onAnswer: answered,
    onSuperseded: superseded,
  })

  function answered(answer: CheckInAnswer, { due, held }: CheckInSent): void {
    const jump = Math.abs(answer.now - backendNow())
    base = { backend: answer.now, at: clock.monotonic() }
    if (jump > JUMP_MS) heartbeats.clockJumped()
    deps.stats.checkedIn(answer.oldestDueInMs)
    sync.rosterVersion(answer.rosterVersion, true)
    const stop = new Set(answer.stop)
    delivery.stop(held.filter(({ id }) => stop.has(id)))
    heartbeats.answered(due, answer.work)
    void heartbeats.fill(work.signal)
    const overdue = answer.oldestDueInMs !== null && answer.oldestDueInMs <= -OVERDUE_MS
    if (overdue && delivery.blocked() === null) delivery.poll()
    // The subscription has missed a command; the check-in does not carry it.
    if (answer.controlSeq > controlSeq) void readSignals()
  }

  async function readSignals(): Promise<void> {
    try {
      const signals = await brain.query(service.signals, {}, life.signal)
      if (deps.onSignals) deps.onSignals(signals)
      else period.signals(signals)
    } catch (error) {
      log.debug({ error }, 'signals could not be read; the next check-in asks again')
    }
  }

  const gatewayCameUp = turns.onChange(({ up }) => {
    if (!up) return
    sync.lookAgain()
    checkIn.reconsider()
  })
  const conditionChanged = conditions.onChange(() => checkIn.within(1_000))
  const loops = Promise.all([
    delivery.run(work.signal, { claims: parts.has('delivery') }),
    // Heartbeats need the roster, turns need their agents in the gateway.
    sync.run(work.signal),
    checkIn.run(life.signal),
  ])
  loops.catch((error: unknown) => over.reject(error))
  void over.promise
    .catch(() => undefined)
    .finally(() => {
      gatewayCameUp()
      conditionChanged()
    })
  sync.rosterVersion(hello.rosterVersion)

  const period: Period = {
    epoch,
    delivery,
    heartbeats,
    sync,
    checkIn,
    over: over.promise,
    backendNow,
    signals(signals) {
      pause(signals.command === 'drain' ? DRAINING : signals.paused ? PAUSED : null)
      checkIn.reconsider()
      sync.rosterVersion(signals.rosterVersion)
      controlSeq = Math.max(controlSeq, signals.controlSeq)
      if (stopSeq !== null && signals.stopSeq !== stopSeq) checkIn.within(0)
      stopSeq = signals.stopSeq
    },
    async drain(graceMs, signal) {
      work.abort()
      const enough = () => {
        delivery.giveUp()
        life.abort()
        over.resolve('drained')
      }
      signal?.addEventListener('abort', enough, { once: true })
      if (signal?.aborted) enough()
      const grace = new AbortController()
      await Promise.race([delivery.drained(), clock.sleep(graceMs, grace.signal).catch(() => undefined), over.promise])
      grace.abort()
      delivery.interrupt('shutdown')
      await delivery.drained()
      signal?.removeEventListener('abort', enough)
      life.abort()
      await loops
      over.resolve('drained')
    },
  }
  return period
}
