/** Service tokens beside the guard: when they were used, and when they end. */
import type { TokenState } from '@mission-control/shared/enums'
import { LIMITS } from '@mission-control/shared/limits'
import { internal } from '../_generated/api.js'
import type { Doc, Id } from '../_generated/dataModel.js'
import type { MutationCtx } from '../_generated/server.js'
import { now } from '../lib/clock.js'
import { refuse } from '../lib/errors.js'
import { recordActivity } from './activity.js'
import type { Actor } from './actors.js'

/** Written by check-ins only: once or four times a minute, never on the way of a delivery. */
export async function noteTokenUse(ctx: MutationCtx, token: Doc<'serviceTokens'>): Promise<void> {
  const row = await ctx.db
    .query('tokenUse')
    .withIndex('by_account_token', (q) => q.eq('accountId', token.accountId).eq('tokenId', token._id))
    .unique()
  if (row) await ctx.db.patch(row._id, { lastUsedAt: now() })
  else await ctx.db.insert('tokenUse', { accountId: token.accountId, tokenId: token._id, lastUsedAt: now() })
}

export interface FreshToken {
  readonly hash: string
  readonly lookup: string
  readonly expiresInMs: number | null
}

/** @throws LIMIT */
export async function insertToken(
  ctx: MutationCtx,
  accountId: Id<'accounts'>,
  createdBy: string,
  { name, hash, lookup, expiresInMs }: FreshToken & { readonly name: string },
): Promise<Id<'serviceTokens'>> {
  const others = await ctx.db
    .query('serviceTokens')
    .withIndex('by_account_lookup', (q) => q.eq('accountId', accountId))
    .take(LIMITS.tokensPerAccount)
  if (others.length === LIMITS.tokensPerAccount) refuse('LIMIT', `An account keeps at most ${LIMITS.tokensPerAccount} tokens.`)
  const expiresAt = expiresInMs === null ? null : now() + expiresInMs
  const tokenId = await ctx.db.insert('serviceTokens', {
    ...{ accountId, name, hash, lookup, expiresAt, state: 'active' as const, createdBy, endedAt: null },
  })
  if (expiresAt !== null) await ctx.scheduler.runAt(expiresAt, internal.serviceTokens.expire, { tokenId })
  return tokenId
}

/**
 * The old token's successor; the old one ends after the grace, or earlier if it would by itself.
 * @throws CONFLICT for a token that has ended
 */
export async function replaceToken(
  ctx: MutationCtx,
  old: Doc<'serviceTokens'>,
  actor: Actor,
  fresh: FreshToken,
  graceMs: number,
): Promise<Id<'serviceTokens'>> {
  if (old.state !== 'active') refuse('CONFLICT', `The token is ${old.state}. Create a new one instead.`)
  const tokenId = await insertToken(ctx, old.accountId, actor.id, { ...fresh, name: old.name })
  const endsAt = Math.min(now() + graceMs, old.expiresAt ?? Number.POSITIVE_INFINITY)
  await recordActivity(ctx, old.accountId, {
    type: 'service_token_rotated',
    actor,
    targetId: tokenId,
    targetName: old.name,
    detail: `replaces ${old._id}, which ends at ${new Date(endsAt).toISOString()}`,
  })
  if (graceMs === 0) await endToken(ctx, old, 'expired', actor)
  else if (endsAt !== old.expiresAt) {
    await ctx.db.patch(old._id, { expiresAt: endsAt })
    await ctx.scheduler.runAt(endsAt, internal.serviceTokens.expire, { tokenId: old._id })
  }
  return tokenId
}

export async function renameToken(ctx: MutationCtx, token: Doc<'serviceTokens'>, actor: Actor, name: string): Promise<void> {
  if (token.name === name) return
  await ctx.db.patch(token._id, { name })
  await recordActivity(ctx, token.accountId, {
    type: 'service_token_renamed',
    actor,
    targetId: token._id,
    targetName: name,
    detail: `was "${token.name}"`,
  })
}

/** Ends a token; a live subscription with it is refused at once, because its guard read this row. */
export async function endToken(
  ctx: MutationCtx,
  token: Doc<'serviceTokens'>,
  state: Exclude<TokenState, 'active'>,
  actor: Actor,
): Promise<void> {
  if (token.state !== 'active') return
  await ctx.db.patch(token._id, { state, endedAt: now() })
  await recordActivity(ctx, token.accountId, {
    type: state === 'revoked' ? 'service_token_revoked' : 'service_token_expired',
    actor,
    targetId: token._id,
    targetName: token.name,
  })
}
