/** Which runtime is active for an account, and what becomes of its claims when it no longer is. */
import { LIMITS } from '@mission-control/shared/limits'
import { isOrphan, isPastDeadline } from '@mission-control/shared/lanes/guards'
import type { LaneEvent } from '@mission-control/shared/lanes/events'
import { idleLeaseMs, LEASE_BUSY_MS, LEASE_IDLE_MS } from '@mission-control/shared/lanes/policy'
import type { RuntimeStatus } from '@mission-control/shared/enums'
import type { CheckInArgs, HelloArgs, HelloResult } from '@mission-control/shared/service-contract'
import type { Doc, Id } from '../_generated/dataModel.js'
import type { MutationCtx, QueryCtx } from '../_generated/server.js'
import { now, random } from '../lib/clock.js'
import { findOwned } from '../lib/owned.js'
import { recordActivity } from './activity.js'
import { SYSTEM } from './actors.js'
import { applyEvent } from './apply.js'
import type { Item } from './lanes.js'
import { notifyManagers } from './notices.js'
import { getSignals } from './signals.js'

/** Claims taken back in one transaction; more than most runtimes ever hold. What is beyond waits for the next check-in. */
const CLAIMED_ROWS = 64

/** Reasons of a degraded runtime that are kept; each is one line on its page. */
const REASONS = 20

type Introduction = Omit<HelloArgs, 'accountId' | 'serviceToken'>

/** See docs/architecture.md: the same installation takes over at once, another one only after the lease has run out. */
export async function hello(ctx: MutationCtx, accountId: Id<'accounts'>, who: Introduction): Promise<HelloResult> {
  const active = await findActive(ctx, accountId)
  const seen = { versions: who.versions, infrastructure: who.infrastructure, announcedIntervalMs: who.announcedIntervalMs }
  if (active?.instanceId === who.instanceId && active.boot === who.boot) {
    await ctx.db.patch(active._id, { ...seen, leaseUntil: now() + idleLeaseMs(who.announcedIntervalMs), lastSeenAt: now() })
    return await asActive(ctx, accountId, active.epoch)
  }
  if (active && active.instanceId !== who.instanceId && active.leaseUntil > now()) {
    // It asks again at least once a minute, whatever it announces; one that does not is no standby any more.
    const leaseUntil = now() + LEASE_IDLE_MS
    await upsert(ctx, accountId, who, { ...seen, role: 'standby', status: 'online', reasons: [], epoch: 0, leaseUntil })
    return { role: 'standby', activeLeaseMs: active.leaseUntil - now() }
  }
  if (active) await retire(ctx, active, 'runtime_replaced')
  const signals = await getSignals(ctx, accountId)
  const epoch = signals.epoch + 1
  const runtimeId = await upsert(ctx, accountId, who, {
    ...seen,
    role: 'active',
    status: 'online',
    reasons: [],
    epoch,
    leaseUntil: now() + idleLeaseMs(who.announcedIntervalMs),
  })
  await ctx.db.patch(signals._id, { epoch, activeRuntimeId: runtimeId })
  await recordStatus(ctx, accountId, runtimeId, 'online', null)
  return await asActive(ctx, accountId, epoch)
}

async function asActive(ctx: MutationCtx, accountId: Id<'accounts'>, epoch: number): Promise<HelloResult> {
  const { rosterVersion, controlSeq } = await getSignals(ctx, accountId)
  return { role: 'active', epoch, now: now(), rosterVersion, controlSeq }
}

async function findActive(ctx: MutationCtx, accountId: Id<'accounts'>): Promise<Doc<'runtimes'> | null> {
  return await ctx.db
    .query('runtimes')
    .withIndex('by_account_role', (q) => q.eq('accountId', accountId).eq('role', 'active'))
    .first()
}

type RuntimeState = Omit<Doc<'runtimes'>, '_id' | '_creationTime' | 'accountId' | 'instanceId' | 'boot' | 'lastSeenAt'>

/** One row per installation, whatever its role. */
async function upsert(
  ctx: MutationCtx,
  accountId: Id<'accounts'>,
  { instanceId, boot }: Introduction,
  state: RuntimeState,
): Promise<Id<'runtimes'>> {
  const known = await ctx.db
    .query('runtimes')
    .withIndex('by_account_instance', (q) => q.eq('accountId', accountId).eq('instanceId', instanceId))
    .first()
  const row = { accountId, instanceId, boot, ...state, lastSeenAt: now() }
  if (!known) return await ctx.db.insert('runtimes', row)
  await ctx.db.patch(known._id, row)
  return known._id
}

/** The active runtime is proved dead or its lease has run out: it is gone, and what it had claimed lapses. */
export async function retire(ctx: MutationCtx, runtime: Doc<'runtimes'>, why: string): Promise<void> {
  await ctx.db.patch(runtime._id, { role: 'gone', status: 'offline', reasons: [why] })
  const signals = await getSignals(ctx, runtime.accountId)
  if (signals.activeRuntimeId === runtime._id) await ctx.db.patch(signals._id, { activeRuntimeId: null })
  for (const item of await claimedItems(ctx, runtime.accountId)) {
    if (item.claimedBy === runtime.epoch) await applyEvent(ctx, item, lapseOf(why))
  }
}

const lapseOf = (reason: string): LaneEvent => ({ type: 'lapse', reason, random: random() })

export async function claimedItems(ctx: { db: QueryCtx['db'] }, accountId: Id<'accounts'>): Promise<Item[]> {
  return await ctx.db
    .query('deliveries')
    .withIndex('by_account_state_due', (q) => q.eq('accountId', accountId).eq('state', 'claimed'))
    .take(CLAIMED_ROWS)
}

type Presence = Pick<CheckInArgs, 'held' | 'status' | 'reasons' | 'versions' | 'infrastructure' | 'announcedIntervalMs'>

/**
 * Renews the lease, takes back what nobody works on, and names what must be aborted.
 * @returns ids the runtime holds whose turn must end now
 */
export async function renew(ctx: MutationCtx, runtime: Doc<'runtimes'>, presence: Presence): Promise<string[]> {
  const { held, status, versions, infrastructure, announcedIntervalMs } = presence
  const reasons = presence.reasons.slice(0, REASONS).map((reason) => reason.slice(0, LIMITS.reasonChars))
  await ctx.db.patch(runtime._id, {
    leaseUntil: now() + (held.length > 0 ? LEASE_BUSY_MS : idleLeaseMs(announcedIntervalMs)),
    lastSeenAt: now(),
    status,
    reasons,
    versions,
    infrastructure,
    announcedIntervalMs,
  })
  if (status !== runtime.status) {
    await recordStatus(ctx, runtime.accountId, runtime._id, status, reasons.join('; ') || null)
  }
  const fences = new Map(held.map(({ id, fence }) => [id, fence]))
  const claimed = await claimedItems(ctx, runtime.accountId)
  // A runtime may hold more than one page of claims: those are looked up one by one.
  const seen = new Set<string>(claimed.map((item) => item._id))
  for (const { id } of held) {
    const item = seen.has(id) ? null : await findOwned(ctx, runtime.accountId, 'deliveries', id)
    if (item?.state === 'claimed') claimed.push(item)
  }
  const keep = new Set<string>()
  let left = CLAIMED_ROWS
  for (const item of claimed) {
    const fence = fences.get(item._id)
    const mine = fence === item.fence
    const event = reclaim(item, runtime.epoch, mine)
    if (event) {
      if (left-- > 0) await applyEvent(ctx, item, event)
    } else if (mine ? item.stopAt === null : isOutdated(fence, item)) keep.add(item._id)
  }
  return held.map(({ id }) => id).filter((id) => !keep.has(id))
}

/**
 * The check-in was on its way while the runtime gave the item back and claimed it again: it never claims what it holds, so the
 * older claim is over and the newer one must not be ended in its name. What is claimed here is this runtime's; `reclaim` saw to it.
 */
const isOutdated = (fence: number | undefined, item: Item): boolean => fence !== undefined && fence < item.fence

/** What a check-in does to a claimed item; `null` leaves it alone. Pure but for the clock. */
function reclaim(item: Item, epoch: number, held: boolean): LaneEvent | null {
  if (isPastDeadline(item, now())) return lapseOf('deadline')
  // Only one runtime is active: a claim of an older epoch has no owner.
  if (item.claimedBy !== epoch) return lapseOf('runtime_replaced')
  return isOrphan(item, epoch, held, now()) ? { type: 'orphan' } : null
}

/** A clean goodbye: claims are given back without using an attempt, and a standby is woken. */
export async function goOffline(ctx: MutationCtx, runtime: Doc<'runtimes'>): Promise<void> {
  for (const item of await claimedItems(ctx, runtime.accountId)) {
    if (item.claimedBy === runtime.epoch) {
      await applyEvent(ctx, item, { type: 'release', fence: item.fence, ended: false })
    }
  }
  await retire(ctx, runtime, 'went_offline')
  await wakeStandby(ctx, runtime.accountId)
  await recordStatus(ctx, runtime.accountId, runtime._id, 'offline', null)
}

async function wakeStandby(ctx: MutationCtx, accountId: Id<'accounts'>): Promise<void> {
  const signals = await getSignals(ctx, accountId)
  await ctx.db.patch(signals._id, { controlSeq: signals.controlSeq + 1 })
}

/** The lapse cron found a lease that ran out: people are told, because nothing is delivered until a runtime comes back. */
export async function expire(ctx: MutationCtx, runtime: Doc<'runtimes'>): Promise<void> {
  await retire(ctx, runtime, 'lease_expired')
  await wakeStandby(ctx, runtime.accountId)
  await recordStatus(ctx, runtime.accountId, runtime._id, 'offline', 'It stopped checking in.')
  await notifyManagers(ctx, runtime.accountId, {
    type: 'runtime_status',
    title: 'The runtime stopped checking in; nothing is delivered until it is back.',
    key: 'runtime_offline',
  })
}

async function recordStatus(
  ctx: MutationCtx,
  accountId: Id<'accounts'>,
  runtimeId: Id<'runtimes'>,
  status: RuntimeStatus,
  detail: string | null,
): Promise<void> {
  await recordActivity(ctx, accountId, {
    type: 'runtime_status_changed',
    actor: SYSTEM,
    targetId: runtimeId,
    targetName: status,
    detail,
  })
}
