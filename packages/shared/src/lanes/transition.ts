/**
 * The lane's state machine as a pure function.
 *
 *              enqueue                    claim                      settle
 *   (lane busy) ─────> queued ─activate─> ready ─────> claimed ─────────────────> delivered | skipped
 *                                          ▲             │ fail, release, lapse, orphan
 *                       resume             └── dueAt ────┤ (back to ready, later)
 *                  waiting (hold)                        └── attempts used up ──> dead ──redrive──> queued (tail)
 *
 * It owns what an event does to one item, and says which effects the caller must apply in the same transaction. It never reads
 * a clock, a table or a random source, and knows nothing of notifications, agents or tasks.
 */
import type { LaneEffect, LaneEvent, Transition } from './events.ts'
import type { LaneView } from './guards.ts'
import { endedUnderFence, holdsFence, isDue, isExhausted, isTerminal, mustNotReply } from './guards.ts'
import type { LaneItem, LanePatch } from './item.ts'
import type { LanePolicy } from './policy.ts'
import { backoffMs, CONFIGURATION_RETRY_MS } from './policy.ts'

type Result = Transition<LanePatch>
type Ended = Extract<LaneEffect, { type: 'completeRun' }>

/**
 * @param now milliseconds since the epoch, the backend's clock
 * @param lane the item's lane, as it is in the same transaction
 * @returns what to patch and which effects to apply, or why the event does not apply
 */
export function transition(item: LaneItem, event: LaneEvent, now: number, policy: LanePolicy, lane: LaneView): Result {
  switch (event.type) {
    case 'activate':
      if (item.state !== 'queued') return { kind: 'refused', refusal: 'NOT_READY' }
      return changed({ dueAt: now, ...(event.hold === null ? { state: 'ready' } : { state: 'waiting', hold: event.hold }) })
    case 'claim':
      return claim(item, event.epoch, now, policy)
    case 'skip':
      return item.state === 'ready' ? finish('skipped', event.reason, now, null) : { kind: 'refused', refusal: 'NOT_READY' }
    case 'defer':
      return item.state === 'ready'
        ? changed({ dueAt: event.until, reason: event.reason })
        : { kind: 'refused', refusal: 'NOT_READY' }
    case 'recall':
      // Only what was put off with this reason: a retry keeps its backoff.
      return item.state === 'ready' && item.reason === event.reason && item.dueAt > now
        ? changed({ dueAt: now, reason: null })
        : { kind: 'unchanged' }
    case 'hold':
      return item.state === 'ready' ? changed({ state: 'waiting', hold: event.hold }) : { kind: 'unchanged' }
    case 'resume':
      return item.state === 'waiting' && item.hold === event.hold
        ? changed({ state: 'ready', hold: null })
        : { kind: 'unchanged' }
    case 'settle':
      return settle(item, event, now, lane)
    case 'fail':
      return fail(item, event, now, policy, lane)
    case 'release':
      if (!holdsFence(item, event.fence)) return { kind: 'refused', refusal: 'STALE_FENCE' }
      return retry({ ...item, ...giveBack(item), ...ended(item, event.ended) }, now, now, policy, lane, runEnd('released', null))
    case 'lapse':
      return lapse(item, event, now, policy, lane)
    case 'orphan':
      if (item.state !== 'claimed') return { kind: 'unchanged' }
      return retry({ ...item, ...giveBack(item) }, now, now, policy, lane, runEnd('orphaned', null))
    case 'stop':
      return interrupt(item, 'stopped', now)
    case 'close':
      return interrupt(item, event.reason, now)
    case 'redrive':
      if (item.state !== 'dead') return { kind: 'refused', refusal: 'NOT_DEAD' }
      if (lane.closed !== null) return { kind: 'refused', refusal: 'LANE_CLOSED' }
      return changed({ state: 'queued', seq: event.seq, attempts: 0, dueAt: now, stopAt: null, reason: null }, [
        { type: 'activateIfIdle' },
      ])
  }
}

function claim(item: LaneItem, epoch: number, now: number, policy: LanePolicy): Result {
  if (item.state !== 'ready') return { kind: 'refused', refusal: 'NOT_READY' }
  if (!isDue(item, now)) return { kind: 'refused', refusal: 'NOT_DUE' }
  const patch: LanePatch = {
    state: 'claimed',
    fence: item.fence + 1,
    attempts: item.attempts + 1,
    claimedBy: epoch,
    claimedAt: now,
    dueAt: now + policy.turnCapMs,
    turnOpen: true,
    reason: null,
  }
  return changed(patch, [{ type: 'startRun', reconcile: item.turnOpen }])
}

function settle(item: LaneItem, event: Extract<LaneEvent, { type: 'settle' }>, now: number, lane: LaneView): Result {
  if (endedUnderFence(item, event.fence)) return { kind: 'replayed' }
  if (!holdsFence(item, event.fence)) return { kind: 'refused', refusal: 'STALE_FENCE' }
  if (mustNotReply(item, lane))
    return finish('skipped', lane.closed ?? 'stopped', now, runEnd('skipped', lane.closed ?? 'stopped'))
  const patch: LanePatch = { state: 'delivered', dueAt: now, claimedBy: null, claimedAt: null, turnOpen: false, reason: null }
  return changed(patch, [
    ...(event.outcome === 'reply' ? ([{ type: 'postReply' }] as const) : []),
    runEnd(event.outcome, null),
    { type: 'vacate' },
    { type: 'followUp' },
    { type: 'promoteNext' },
  ])
}

function fail(
  item: LaneItem,
  event: Extract<LaneEvent, { type: 'fail' }>,
  now: number,
  policy: LanePolicy,
  lane: LaneView,
): Result {
  if (!holdsFence(item, event.fence)) return { kind: 'refused', refusal: 'STALE_FENCE' }
  const run = runEnd('failed', event.reason)
  const after = { ...item, ...ended(item, event.ended), reason: event.reason }
  if (event.class === 'configuration') {
    const back = retry({ ...after, ...giveBack(item) }, now + CONFIGURATION_RETRY_MS, now, policy, lane, run)
    return back.kind === 'changed' ? { ...back, effects: [...back.effects, { type: 'alertPeople', why: 'configuration' }] } : back
  }
  if (!mustNotReply(item, lane) && (event.class === 'terminal' || isExhausted(item, policy))) {
    return finish('dead', event.reason, now, run, after)
  }
  const delay = Math.max(backoffMs(item.attempts, event.random, policy), event.retryAfterMs)
  return retry(after, now + delay, now, policy, lane, run)
}

function lapse(
  item: LaneItem,
  event: Extract<LaneEvent, { type: 'lapse' }>,
  now: number,
  policy: LanePolicy,
  lane: LaneView,
): Result {
  if (item.state !== 'claimed') return { kind: 'unchanged' }
  const run = runEnd('lapsed', event.reason)
  if (!mustNotReply(item, lane) && isExhausted(item, policy)) return finish('dead', event.reason, now, run)
  // A first lapse is a restarted runtime far more often than a poisoned item: no reason to keep the person waiting.
  const at = item.attempts <= 1 ? now : now + backoffMs(item.attempts, event.random, policy)
  return retry({ ...item, reason: event.reason }, at, now, policy, lane, run)
}

/** Back to ready at `at`, unless nobody wants the answer any more. */
function retry(after: LaneItem, at: number, now: number, policy: LanePolicy, lane: LaneView, run: Ended): Result {
  if (mustNotReply(after, lane)) return finish('skipped', lane.closed ?? 'stopped', now, run, after)
  if (!policy.retries) return finish('skipped', after.reason ?? run.outcome, now, run, after)
  const { turn, turnOpen, attempts, reason } = after
  return changed({ state: 'ready', dueAt: at, claimedBy: null, claimedAt: null, turn, turnOpen, attempts, reason }, [run])
}

function interrupt(item: LaneItem, reason: string, now: number): Result {
  if (isTerminal(item)) return { kind: 'unchanged' }
  // A claimed item stays claimed until its runtime has aborted the turn, so that two turns never share a lane.
  if (item.state === 'claimed') return item.stopAt === null ? changed({ stopAt: now }) : { kind: 'unchanged' }
  // It may have been claimed before (redriven, or sent back to the queue by a repair): what its last attempt left open ends here.
  const run = item.fence > 0 ? runEnd('skipped', reason) : null
  if (item.state !== 'queued') return finish('skipped', reason, now, run)
  // Not the head: the lane keeps its own, but whoever waits for this item must hear that nothing will come.
  return changed({ state: 'skipped', dueAt: now, reason }, [...(run ? [run] : []), { type: 'followUp' }])
}

/** Ends the lane's head: the next one is promoted in the same transaction. */
function finish(state: 'skipped' | 'dead', reason: string, now: number, run: Ended | null, after?: LaneItem): Result {
  const turn = after ? { turn: after.turn, turnOpen: after.turnOpen, attempts: after.attempts } : {}
  return changed({ state, dueAt: now, claimedBy: null, claimedAt: null, hold: null, reason, ...turn }, [
    ...(run ? [run] : []),
    { type: 'vacate' },
    ...(state === 'dead' ? ([{ type: 'alertPeople', why: 'dead' }] as const) : []),
    { type: 'followUp' },
    { type: 'promoteNext' },
  ])
}

const giveBack = (item: LaneItem) => ({ attempts: Math.max(0, item.attempts - 1) })
const ended = (item: LaneItem, done: boolean) => (done ? { turn: item.turn + 1, turnOpen: false } : {})
const runEnd = (outcome: Ended['outcome'], reason: string | null): Ended => ({ type: 'completeRun', outcome, reason })
const changed = (patch: LanePatch, effects: readonly LaneEffect[] = []): Result => ({ kind: 'changed', patch, effects })
