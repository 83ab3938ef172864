/**
 * Invitations: a code that lets the person with one e-mail address into one account, once, for some days. Only the code's hash is
 * kept. Its end is written by a scheduled mutation, so that no query reads the clock.
 */
import type { UserIdentity } from 'convex/server'
import type { InvitationState } from '@mission-control/shared/enums'
import { LIMITS } from '@mission-control/shared/limits'
import { internal } from '../_generated/api.js'
import type { Doc, Id } from '../_generated/dataModel.js'
import type { MutationCtx, QueryCtx } from '../_generated/server.js'
import { now } from '../lib/clock.js'
import { refuse } from '../lib/errors.js'
import { checkText } from '../lib/text.js'
import { equalInConstantTime, hashToken } from '../lib/tokens.js'
import { findMember, personOf } from './accounts.js'
import type { Actor } from './actors.js'
import { SYSTEM } from './actors.js'
import { recordActivity } from './activity.js'
import type { GivenRole } from './members.js'
import { join } from './members.js'

type Invitation = Doc<'invitations'>

/** Bytes of a code's secret: 192 bits, which nobody guesses however often he may try. */
const SECRET_BYTES = 24
/** Rows that may share a lookup, which is 32 bits of a hash. */
const SAME_LOOKUP = 8
/** Pending invitations to one address in one account: a new one ends the older one. */
const SAME_EMAIL = 10

/** @param secret from a cryptographic source, never from inside a query or mutation (their randomness is seeded) */
export function formatCode(secret: Uint8Array): string {
  if (secret.length !== SECRET_BYTES) throw new RangeError(`An invitation code needs ${SECRET_BYTES} random bytes.`)
  return `mci_${btoa(String.fromCharCode(...secret))
    .replaceAll('+', '-')
    .replaceAll('/', '_')}`
}

export const newSecret = (): Uint8Array => crypto.getRandomValues(new Uint8Array(SECRET_BYTES))

/** @returns the address without blanks around it @throws INVALID | LIMIT */
export function checkEmail(text: string): string {
  const email = checkText('email', text, LIMITS.nameChars, { required: true }).trim()
  return /^[^\s@<>"(),;:\\]+@[^\s@<>"(),;:\\.]+(\.[^\s@<>"(),;:\\.]+)*$/.test(email)
    ? email
    : refuse('INVALID', 'email must be one e-mail address such as ada@example.org.')
}

const emailKey = (email: string): string => email.trim().normalize('NFC').toLowerCase()

export interface NewInvitation {
  readonly email: string
  readonly role: GivenRole
  readonly hash: string
  readonly lookup: string
  readonly expiresInMs: number
}

/**
 * Takes the place of an older pending invitation to the same address.
 * @throws LIMIT for too many pending ones
 */
export async function invite(
  ctx: MutationCtx,
  accountId: Id<'accounts'>,
  actor: Actor,
  { email, role, hash, lookup, expiresInMs }: NewInvitation,
): Promise<Id<'invitations'>> {
  const older = await ctx.db
    .query('invitations')
    .withIndex('by_account_email', (q) => q.eq('accountId', accountId).eq('emailKey', emailKey(email)).eq('state', 'pending'))
    .take(SAME_EMAIL)
  for (const row of older) await endInvitation(ctx, row, 'revoked', actor)
  const pending = await ctx.db
    .query('invitations')
    .withIndex('by_account_state', (q) => q.eq('accountId', accountId).eq('state', 'pending'))
    .take(LIMITS.invitationsPerAccount)
  if (pending.length >= LIMITS.invitationsPerAccount) {
    refuse('LIMIT', `At most ${LIMITS.invitationsPerAccount} invitations may be open: revoke one first.`)
  }
  const expiresAt = now() + expiresInMs
  const invitationId = await ctx.db.insert('invitations', {
    ...{ accountId, email, emailKey: emailKey(email), role, lookup, hash, state: 'pending' as const, expiresAt },
    ...{ invitedBy: actor.id, answeredBy: null, endedAt: null },
  })
  await ctx.scheduler.runAt(expiresAt, internal.invitations.expire, { invitationId })
  await recordActivity(ctx, accountId, {
    ...({ type: 'invitation_created', actor, targetId: invitationId, targetName: email, detail: role } as const),
  })
  return invitationId
}

/**
 * The pending invitation that the code stands for. Unknown, expired, revoked and used codes are all the same: `null`. So is one whose
 * maker may invite nobody any more: else an admin who is removed comes back by a code made before. Reads no clock.
 */
export async function findInvitation(ctx: { db: QueryCtx['db'] }, code: string): Promise<Invitation | null> {
  const { hash, lookup } = hashToken(code)
  const rows = await ctx.db
    .query('invitations')
    .withIndex('by_lookup', (q) => q.eq('lookup', lookup))
    .take(SAME_LOOKUP)
  const row = rows.find((one) => equalInConstantTime(one.hash, hash))
  if (row?.state !== 'pending') return null
  const inviter = await findMember(ctx, row.accountId, row.invitedBy)
  return inviter !== null && inviter.role !== 'member' ? row : null
}

/** Ends what somebody who is out of the account has left open. At most LIMITS.invitationsPerAccount are. */
export async function endInvitationsOf(ctx: MutationCtx, accountId: Id<'accounts'>, userId: string, actor: Actor): Promise<void> {
  const pending = await ctx.db
    .query('invitations')
    .withIndex('by_account_state', (q) => q.eq('accountId', accountId).eq('state', 'pending'))
    .take(LIMITS.invitationsPerAccount)
  for (const row of pending) if (row.invitedBy === userId) await endInvitation(ctx, row, 'revoked', actor)
}

/** One answer for every code that does not let this person in, so that nothing is learnt from it. */
export const refuseCode = (): never =>
  refuse('NOT_FOUND', 'This invitation is not valid: it has ended, or is for another e-mail address. Ask for a new one.')

/**
 * The signed-in person becomes a member. The code is used up only if that succeeds.
 * @throws NOT_FOUND | FORBIDDEN for an address that is known not to be verified | CONFLICT for a member | LIMIT
 */
export async function acceptInvitation(
  ctx: MutationCtx,
  identity: UserIdentity,
  code: string,
): Promise<{ accountId: Id<'accounts'>; membershipId: Id<'memberships'> }> {
  const row = await findInvitation(ctx, code)
  // The state may lag behind the clock while a backend was down.
  if (row === null || row.expiresAt <= now() || !isInvited(identity, row)) return refuseCode()
  if (isUnverified(identity)) refuse('FORBIDDEN', 'Your e-mail address is not verified: verify it with your sign-in first.')
  const { accountId } = row
  const person = personOf(identity)
  const actor: Actor = { type: 'user', id: person.userId, name: person.name }
  const role = row.role === 'owner' ? refuseCode() : row.role
  const membershipId = await join(ctx, accountId, person, { actor, role, also: [row.invitedBy] })
  await ctx.db.patch(row._id, { state: 'accepted', answeredBy: person.userId, endedAt: now() })
  await recordActivity(ctx, accountId, {
    type: 'invitation_accepted',
    actor,
    targetId: row._id,
    targetName: row.email,
    detail: row.role,
  })
  return { accountId, membershipId }
}

/** Convex renames the claim for OpenID Connect issuers and leaves it as it is for those whose key set is given (`customJwt`). */
const isUnverified = (identity: UserIdentity): boolean => identity.emailVerified === false || identity['email_verified'] === false

/** Whether the identity's address is the invited one. */
export const isInvited = ({ email }: UserIdentity, row: Invitation): boolean =>
  email !== undefined && emailKey(email) === row.emailKey

/** Revoking twice is the same as once. @throws CONFLICT for one that was accepted or has expired */
export async function revokeInvitation(ctx: MutationCtx, row: Invitation, actor: Actor): Promise<void> {
  if (row.state === 'accepted' || row.state === 'expired') refuse('CONFLICT', `The invitation is ${row.state} already.`)
  await endInvitation(ctx, row, 'revoked', actor)
}

/** Scheduled for the moment it ends; a row that has gone with its account meanwhile is no concern. */
export async function expireInvitation(ctx: MutationCtx, invitationId: Id<'invitations'>): Promise<void> {
  const row = await ctx.db.get(invitationId)
  if (row) await endInvitation(ctx, row, 'expired', SYSTEM)
}

async function endInvitation(
  ctx: MutationCtx,
  row: Invitation,
  state: Extract<InvitationState, 'revoked' | 'expired'>,
  actor: Actor,
): Promise<void> {
  if (row.state !== 'pending') return
  await ctx.db.patch(row._id, { state, endedAt: now() })
  await recordActivity(ctx, row.accountId, {
    type: state === 'revoked' ? 'invitation_revoked' : 'invitation_expired',
    actor,
    targetId: row._id,
    targetName: row.email,
  })
}
