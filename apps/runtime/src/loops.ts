/**
 * The runtime's loops without its process: role, active periods, commands. Everything it needs is passed in, so that the
 * simulator drives exactly this with a virtual clock.
 *
 *   hello ──active──> period ──superseded──> hello
 *     └─standby──> end what was left behind ──> wait for the lease to end or a control signal ──> hello
 */
import { untilAborted } from '@mission-control/host/until-aborted'
import { LEASE_BUSY_MS } from '@mission-control/shared/lanes/policy'
import type { ClaimedItem, HelloResult, Signals } from '@mission-control/shared/service-contract'
import { isRefusal, toBrainError } from './brain/errors.ts'
import { endTurn } from './delivery/item.ts'
import { createSleeper } from './nudge.ts'
import type { LoopDeps, Period } from './period.ts'
import { startPeriod } from './period.ts'
import { service } from './service.ts'
import { backoffMs } from './until-answered.ts'

export interface LoopsDeps extends LoopDeps {
  /** Stands for the data folder; the same over restarts. */
  readonly instanceId: string
  /** Stands for this process. */
  readonly boot: string
  /** A person asked for a restart through the backend. */
  onRestart(): void
  /** This runtime has become active for the first time: whatever only the active one needs starts now. */
  onFirstActive?(): void
}

export type Role = 'starting' | 'active' | 'standby' | 'stopped'

export interface Loops {
  /**
   * Runs until `stop`. Rejects only when the very first hello is refused for good (token, account); later refusals are waited out.
   */
  run(): Promise<void>
  /** Drains the active period; see Period. Afterwards `run` resolves. */
  stop(options: { graceMs: number; signal: AbortSignal }): Promise<void>
  /** Tells the backend that this runtime is gone. Does nothing unless it was active. */
  goOffline(signal: AbortSignal): Promise<void>
  role(): Role
  period(): Period | null
}

/**
 * A standby looks again this long after the active one's lease should have ended: clocks drift apart by a few milliseconds in a lease.
 * Whoever looks too early is told what is left of it and looks again. Every message waits for this when a runtime is gone.
 */
const STANDBY_MARGIN_MS = 50
/**
 * The idle lease that was named may be short by now: the active one has claimed something since, and died in the middle of it. Looking
 * once per busy lease sees the shorter one before it ends, so that nobody is missed for longer than that. It is also what a lost control
 * signal costs.
 */
const STANDBY_LOOK_MS = LEASE_BUSY_MS

export function createLoops(deps: LoopsDeps): Loops {
  const { brain, clock, random, log, identity, conditions } = deps
  const sleeper = createSleeper(clock)
  const stopping = new AbortController()
  let role: Role = 'starting'
  let period: Period | null = null
  let lastEpoch: number | null = null
  /** Of the last period: their turns may still run. */
  let leftBehind: readonly ClaimedItem[] = []
  let latest: Signals | null = null
  /** The newest request seen, done or not. */
  let commandSeq: number | null = null
  let answeredOnce = false
  let wasActive = false

  async function hello(): Promise<HelloResult | null> {
    const unwatch = brain.onAnsweringAgain(() => sleeper.nudge())
    try {
      return await untilTold()
    } finally {
      unwatch()
    }
  }

  async function untilTold(): Promise<HelloResult | null> {
    for (let tries = 1; !stopping.signal.aborted; tries += 1) {
      try {
        const answer = await brain.mutate(
          service.hello,
          {
            instanceId: deps.instanceId,
            boot: deps.boot,
            versions: identity.versions(),
            infrastructure: identity.infrastructure,
            announcedIntervalMs: identity.intervalMs,
          },
          stopping.signal,
        )
        answeredOnce = true
        return answer
      } catch (thrown) {
        if (stopping.signal.aborted) break
        const error = toBrainError(thrown)
        if (error.kind === 'refused' && !answeredOnce) throw error
        const waitMs = backoffMs(tries, random.next(), 500)
        if (tries === 1) log.warn({ error: error.message, whatToDo: error.whatToDo }, 'waiting for the backend')
        else log.debug({ error: error.message, tries, waitMs }, 'still waiting for the backend')
        await sleeper.sleep(waitMs, stopping.signal)
      }
    }
    return null
  }

  function onSignals(signals: Signals): void {
    const before = latest
    latest = signals
    if (role === 'standby' && signals.controlSeq !== before?.controlSeq) sleeper.nudge()
    period?.signals(signals)
    // Only a request made while this process runs counts: the one that started it is still in the row.
    const isNew = commandSeq !== null && signals.commandSeq > commandSeq
    commandSeq = Math.max(commandSeq ?? 0, signals.commandSeq)
    if (isNew && signals.command === 'restart') deps.onRestart()
  }

  async function standBy(activeLeaseMs: number): Promise<void> {
    if (role !== 'standby') log.info({ activeLeaseMs }, 'another runtime is active for this account: standing by')
    role = 'standby'
    await endLeftBehind()
    await sleeper.sleep(Math.min(STANDBY_LOOK_MS, activeLeaseMs + STANDBY_MARGIN_MS), stopping.signal)
  }

  /**
   * Somebody else owns these items now. In a gateway of our own nobody waits for their turns: end them. In a shared one the new
   * owner does: leave them alone. (Active again, we find them by looking, as after any lost connection.)
   */
  async function endLeftBehind(): Promise<void> {
    const items = deps.turns.gatewayIsOurs ? leftBehind : []
    leftBehind = []
    const ended = Promise.all(items.map((item) => endTurn(item, deps)))
    await untilAborted(ended, stopping.signal).catch(() => undefined)
  }

  async function beActive(answer: Extract<HelloResult, { role: 'active' }>): Promise<void> {
    role = 'active'
    leftBehind = []
    lastEpoch = answer.epoch
    log.info({ epoch: answer.epoch }, 'active')
    if (!wasActive) deps.onFirstActive?.()
    wasActive = true
    period = startPeriod(answer, { ...deps, onSignals })
    if (latest !== null) period.signals(latest)
    try {
      await period.over
      leftBehind = period.delivery.leftBehind()
    } finally {
      period = null
    }
  }

  return {
    async run() {
      const unwatch = brain.watchSignals({
        value(signals) {
          conditions.set('signals', null)
          onSignals(signals)
        },
        error: (error) => conditions.set('signals', `the signals subscription fails: ${toBrainError(error).message}`),
      })
      try {
        while (!stopping.signal.aborted) {
          const answer = await hello()
          if (answer === null) break
          if (answer.role === 'active') await beActive(answer)
          else await standBy(answer.activeLeaseMs)
        }
      } finally {
        role = 'stopped'
        unwatch()
      }
    },
    async stop({ graceMs, signal }) {
      stopping.abort()
      const draining = period?.drain(graceMs, signal)
      if (draining === undefined) return
      const forced = Promise.withResolvers<void>()
      signal.addEventListener('abort', () => forced.resolve(), { once: true })
      await Promise.race([draining, forced.promise])
    },
    async goOffline(signal) {
      if (lastEpoch === null) return
      try {
        await brain.mutate(service.goOffline, { epoch: lastEpoch }, signal)
      } catch (thrown) {
        const error = toBrainError(thrown)
        if (!isRefusal(error, 'SUPERSEDED'))
          log.warn({ error: error.message }, 'could not say goodbye; the lease runs out by itself')
      }
    },
    role: () => role,
    period: () => period,
  }
}
