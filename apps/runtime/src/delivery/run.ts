/**
 * The delivery loop of one active period: claims what is ready and runs each item on its own.
 *
 * Fed from three sides that all end in the same state: the subscription, the safety poll the check-in asks for, and a poll each
 * `pollMs` while the socket is known to be down. Never two claims at once; slots free up one by one; no batch barrier.
 */
import type { ClaimedItem, ReadyHeads } from '@mission-control/shared/service-contract'
import { isRefusal, toBrainError } from '../brain/errors.ts'
import type { TurnsInFlight } from '../agent-tools/turns-in-flight.ts'
import type { CallResult, StatsEvents } from '../health/stats.ts'
import { createSleeper } from '../nudge.ts'
import { service } from '../service.ts'
import { createBreaker } from './breaker.ts'
import type { DeliveryEvent } from './decide.ts'
import { idleState, next, reduce } from './decide.ts'
import type { ItemDeps, ItemResult } from './item.ts'
import { deliverItem } from './item.ts'
import type { InterruptReason } from './verdict.ts'
import { Interrupt } from './verdict.ts'

export interface DeliveryDeps extends ItemDeps {
  readonly epoch: number
  readonly concurrency: number
  /** Kept true to what runs here, for the tools. */
  readonly turnsInFlight: TurnsInFlight
  /** Poll of the ready query while the socket is known to be down, ms. */
  readonly pollMs: number
  /** The set of held items has changed. */
  onHeld(held: number): void
  /** A claim got no answer: the backend may think we hold items we never saw. */
  onUnknownClaim(): void
  onSuperseded(): void
  /** A gateway that is up refuses turns, and why; `null`: not any more. May be said more than once. */
  onRefusal(reason: string | null): void
  readonly stats: StatsEvents
  onResult(item: ClaimedItem, result: ItemResult): void
}

/** How long turns in flight wait for a gateway that went away: the start grace of a supervised one (120 s). */
export const GATEWAY_PATIENCE_MS = 120_000

export interface Delivery {
  /** Runs until `signal` aborts; claims nothing after that. Items in flight go on. Without `claims` it only runs what it is given. */
  run(signal: AbortSignal, options?: { readonly claims: boolean }): Promise<void>
  /**
   * Runs an item that is claimed by another call (a heartbeat), if a slot is free that no waiting delivery wants. The slot is
   * kept for it while `claim` runs.
   * @returns false when there is no room; `claim` has not been called then
   */
  withRoom(claim: () => Promise<ClaimedItem | null>): Promise<boolean>
  held(): { id: string; fence: number }[]
  /** Monotonic time at which the oldest held notification was committed, or `null`. Heartbeats are nobody's message. */
  oldestCommittedAt(): number | null
  /** Whether a turn of this agent may be running. */
  worksFor(slug: string): boolean
  /**
   * Ends these claims because the backend says so: their turns, or the telling of a result it does not take. A later claim of the
   * same item goes on.
   */
  stop(claims: readonly { id: string; fence: number }[]): void
  /** Lets go of all items; what that does to their turns is in the reason. */
  interrupt(why: InterruptReason): void
  /** Nobody may wait for the backend any longer: results that it has not taken are not told again. */
  giveUp(): void
  /** Items that were let go because we are superseded, and whose turns may still run. */
  leftBehind(): readonly ClaimedItem[]
  /** Resolves when no item is held. */
  drained(): Promise<void>
  /** Asks the ready query once, over HTTP. */
  poll(): void
  /** Why nothing is claimed, or `null`. */
  blocked(): string | null
  /** Why people want nothing to be claimed (a paused account, a drain), or `null`. */
  setPaused(why: string | null): void
}

interface Held {
  readonly item: ClaimedItem
  /** Monotonic. */
  readonly committedAt: number
  readonly interrupt: AbortController
  /** Aborts when the result need not be told again. */
  readonly untold: AbortController
  /** The turn has ended; its result is being told. */
  telling: boolean
}

export function createDelivery(deps: DeliveryDeps): Delivery {
  const { brain, turns, clock, random, log, epoch } = deps
  const sleeper = createSleeper(clock)
  const pollSleeper = createSleeper(clock)
  const downSleeper = createSleeper(clock)
  const breaker = createBreaker(() => clock.monotonic())
  const held = new Map<string, Held>()
  const giveUp = new AbortController()
  let state = idleState
  let paused: string | null = null
  let pollAsked = false
  /** The subscription was refused or failed. It may stay so although the query would answer again: poll meanwhile. */
  let watchFailed = false
  /** Slots kept for heartbeats that are being claimed. */
  let reserved = 0
  let closing: InterruptReason | null = null
  let left: readonly ClaimedItem[] = []
  const whenIdle = new Set<() => void>()

  const slots = () => (paused !== null || closing !== null ? 0 : breaker.allow(deps.concurrency) - reserved)
  const deaf = () => watchFailed || !brain.connected()
  const isIdle = () => held.size === 0 && state.claiming === null && reserved === 0
  const apply = (event: DeliveryEvent) => {
    state = reduce(state, event, clock.monotonic())
    changed()
  }
  const changed = () => {
    sleeper.nudge()
    if (!isIdle()) return
    for (const resolve of whenIdle) resolve()
    whenIdle.clear()
  }

  function start(item: ClaimedItem): void {
    const interrupt = new AbortController()
    const committedAt = clock.monotonic() - item.committedAgoMs
    const claim: Held = { item, committedAt, interrupt, untold: new AbortController(), telling: false }
    held.set(item.id, claim)
    if (closing !== null) interrupt.abort(new Interrupt(closing))
    deps.onHeld(held.size)
    const leave = deps.turnsInFlight.enter(item, interrupt.signal)
    deps.stats.claimed(item)
    void deliverItem(item, deps, {
      interrupt: interrupt.signal,
      giveUp: giveUp.signal,
      untold: claim.untold.signal,
      onAccepted(afterMs) {
        breaker.passed()
        deps.onRefusal(null)
        deps.stats.accepted(item, afterMs)
      },
      onEnded() {
        claim.telling = true
        leave()
      },
    })
      .then((result) => {
        const { verdict } = result
        if (verdict.kind === 'release' && verdict.gateway === 'refuses') {
          breaker.tripped(verdict.reason, verdict.retryAfterMs)
          deps.onRefusal(breaker.refusal)
        }
        deps.onResult(item, result)
      })
      .catch((error: unknown) => log.error({ delivery: item.id, error }, 'a delivery ended in a defect; its lease will lapse'))
      .finally(() => {
        leave()
        held.delete(item.id)
        apply({ type: 'ended', id: item.id })
        deps.onHeld(held.size)
      })
  }

  async function claim(ids: readonly string[]): Promise<void> {
    apply({ type: 'claiming', ids })
    const begun = clock.monotonic()
    const called = (result: CallResult) => deps.stats.claimCall(result, clock.monotonic() - begun)
    try {
      // Not aborted by the end of the period: an answer that arrives then still says what we hold.
      const { items, notDueInMs } = await brain.mutate(service.claim, { epoch, ids: [...ids] }, giveUp.signal)
      called('answered')
      for (const item of items) start(item)
      apply({ type: 'claimed', got: items.map(({ id }) => id), notDueInMs })
    } catch (thrown) {
      const error = toBrainError(thrown)
      called(error.effectUnknown ? 'failed' : 'refused')
      apply({ type: 'claimFailed', random: random.next(), answered: error.kind === 'server' || error.kind === 'invalid' })
      if (giveUp.signal.aborted) return
      if (isRefusal(error, 'SUPERSEDED')) return deps.onSuperseded()
      if (error.effectUnknown) deps.onUnknownClaim()
      else if (error.code !== 'PAUSED') log.warn({ code: error.code, error: error.message }, 'a claim was refused')
    }
  }

  async function claimLoop(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const now = clock.monotonic()
      const action = next(state, now, slots())
      if (action.type === 'claim') {
        await claim(action.ids)
        continue
      }
      const { probeAt } = breaker
      const probe = probeAt !== null && probeAt > now ? probeAt - now : null
      await sleeper.sleep(action.ms === null || probe === null ? (action.ms ?? probe) : Math.min(action.ms, probe), signal)
    }
  }

  /** Turns in flight outlive a restart of the gateway: they look what became of them. A gateway that stays away gives them back. */
  async function downLoop(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      if (turns.state().up) await downSleeper.sleep(null, signal)
      else {
        await downSleeper.sleep(GATEWAY_PATIENCE_MS, signal)
        if (!signal.aborted && !turns.state().up && held.size > 0) {
          for (const { interrupt } of held.values()) interrupt.abort(new Interrupt('gatewayDown'))
        }
      }
    }
  }

  async function pollLoop(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      if (pollAsked || deaf()) {
        pollAsked = false
        deps.stats.fallbackPoll()
        try {
          apply({ type: 'ready', heads: await brain.query(service.ready, {}, signal) })
        } catch (error) {
          if (!signal.aborted) log.debug({ error: toBrainError(error).message }, 'the ready query could not be asked')
        }
      }
      await pollSleeper.sleep(deaf() ? deps.pollMs : null, signal)
    }
  }

  return {
    async run(signal, { claims } = { claims: true }) {
      const gatewayIs = ({ up, reason }: { up: boolean; reason: string | null }) => {
        breaker.gateway(up, reason)
        deps.onRefusal(breaker.refusal)
        sleeper.nudge()
        downSleeper.nudge()
      }
      gatewayIs(turns.state())
      const stops = [
        turns.onChange(gatewayIs),
        brain.onConnection(() => pollSleeper.nudge()),
        brain.onAnsweringAgain(() => apply({ type: 'answering' })),
        brain.watchReady({
          value: (heads: ReadyHeads) => {
            watchFailed = false
            apply({ type: 'ready', heads })
          },
          error: (error) => {
            watchFailed = true
            pollSleeper.nudge()
            log.debug({ error: toBrainError(error).message }, 'the ready subscription failed; the query is polled')
          },
        }),
      ]
      try {
        await Promise.all([...(claims ? [claimLoop(signal), pollLoop(signal)] : []), downLoop(signal)])
      } finally {
        for (const stop of stops) stop()
      }
    },
    async withRoom(claimOne) {
      const free = slots() - held.size - (state.claiming?.length ?? 0)
      if (free <= 0 || next(state, clock.monotonic(), slots()).type === 'claim') return false
      reserved += 1
      try {
        const item = await claimOne()
        if (item !== null) {
          state = reduce(state, { type: 'taken', id: item.id }, clock.monotonic())
          start(item)
        }
      } finally {
        reserved -= 1
        changed()
      }
      return true
    },
    oldestCommittedAt() {
      const notifications = [...held.values()].filter(({ item }) => item.type !== 'heartbeat')
      return notifications.length === 0 ? null : Math.min(...notifications.map(({ committedAt }) => committedAt))
    },
    worksFor: (slug) => [...held.values()].some(({ item }) => item.agent.slug === slug),
    held: () => [...held.values()].map(({ item: { id, fence } }) => ({ id, fence })),
    stop(claims) {
      for (const { id, fence } of claims) {
        const claim = held.get(id)
        if (claim?.item.fence !== fence) continue
        const ends = claim.telling ? claim.untold : claim.interrupt
        ends.abort(new Interrupt('stopped'))
      }
    },
    interrupt(why) {
      if (why !== 'gatewayDown') closing = why
      if (why === 'superseded') left = [...held.values()].filter(({ telling }) => !telling).map(({ item }) => item)
      for (const { interrupt } of held.values()) interrupt.abort(new Interrupt(why))
      if (why === 'superseded') giveUp.abort(new Interrupt(why))
    },
    giveUp: () => giveUp.abort(new Interrupt('shutdown')),
    leftBehind: () => left,
    drained: () => (isIdle() ? Promise.resolve() : new Promise((resolve) => whenIdle.add(resolve))),
    poll() {
      pollAsked = true
      pollSleeper.nudge()
    },
    blocked: () => paused ?? breaker.reason,
    setPaused(why) {
      paused = why
      sleeper.nudge()
    },
  }
}
