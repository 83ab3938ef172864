/** Service tokens: what a runtime signs its calls with. Only a hash is stored; the text is shown once. */
import { v } from 'convex/values'
import { LIMITS } from '@mission-control/shared/limits'
import { formatServiceToken } from '@mission-control/shared/service-token'
import { internal } from './_generated/api.js'
import type { Id } from './_generated/dataModel.js'
import { internalMutation, memberAction, memberMutation, memberQuery } from './lib/functions.js'
import { now } from './lib/clock.js'
import { refuse } from './lib/errors.js'
import { requireMember } from './lib/guards.js'
import { getOwned } from './lib/owned.js'
import { checkInteger, checkText } from './lib/text.js'
import { hashToken } from './lib/tokens.js'
import { nullable, vTokenState } from './lib/validators.js'
import { SYSTEM, userActor } from './model/actors.js'
import { recordActivity } from './model/activity.js'
import { endToken } from './model/tokens.js'

const DAY_MS = 86_400_000
/** Ten years: whoever needs longer wants a token without an end. */
const MAX_DAYS = 3_650

/**
 * Mints a token. An action, because only here is there cryptographic randomness: that of queries and mutations is seeded.
 * @returns the token's text, for the only time
 */
export const create = memberAction('admin')({
  args: { name: v.string(), expiresInDays: v.optional(v.number()) },
  returns: v.object({ tokenId: v.id('serviceTokens'), token: v.string() }),
  handler: async (ctx, { name, expiresInDays }): Promise<{ tokenId: Id<'serviceTokens'>; token: string }> => {
    checkText('name', name, LIMITS.nameChars, { required: true })
    if (expiresInDays !== undefined) checkInteger('expiresInDays', expiresInDays, 1, MAX_DAYS)
    const token = formatServiceToken(ctx.accountId, crypto.getRandomValues(new Uint8Array(32)))
    const expiresInMs = expiresInDays === undefined ? null : expiresInDays * DAY_MS
    const { accountId } = ctx
    const tokenId = await ctx.runMutation(internal.serviceTokens.store, { accountId, name, ...hashToken(token), expiresInMs })
    return { tokenId, token }
  },
})

/** Checks the role again: this is the transaction that counts. */
export const store = internalMutation({
  args: {
    accountId: v.id('accounts'),
    name: v.string(),
    hash: v.string(),
    lookup: v.string(),
    expiresInMs: nullable(v.number()),
  },
  returns: v.id('serviceTokens'),
  handler: async (ctx, { accountId, name, hash, lookup, expiresInMs }): Promise<Id<'serviceTokens'>> => {
    const member = await requireMember(ctx, accountId, 'admin')
    const others = await ctx.db
      .query('serviceTokens')
      .withIndex('by_account_lookup', (q) => q.eq('accountId', accountId))
      .take(LIMITS.tokensPerAccount)
    if (others.length === LIMITS.tokensPerAccount) refuse('LIMIT', `An account keeps at most ${LIMITS.tokensPerAccount} tokens.`)
    const expiresAt = expiresInMs === null ? null : now() + expiresInMs
    const tokenId = await ctx.db.insert('serviceTokens', {
      ...{ accountId, name, hash, lookup, expiresAt, state: 'active' as const },
      createdBy: member.userId,
      endedAt: null,
    })
    if (expiresAt !== null) await ctx.scheduler.runAt(expiresAt, internal.serviceTokens.expire, { tokenId })
    await recordActivity(ctx, accountId, {
      type: 'service_token_created',
      actor: userActor(member),
      targetId: tokenId,
      targetName: name,
    })
    return tokenId
  },
})

export const expire = internalMutation({
  args: { tokenId: v.id('serviceTokens') },
  returns: v.null(),
  handler: async (ctx, { tokenId }): Promise<null> => {
    const token = await ctx.db.get(tokenId)
    if (token) await endToken(ctx, token, 'expired', SYSTEM)
    return null
  },
})

export const list = memberQuery('admin')({
  args: {},
  returns: v.array(
    v.object({
      id: v.id('serviceTokens'),
      name: v.string(),
      state: vTokenState,
      createdAt: v.number(),
      expiresAt: nullable(v.number()),
      lastUsedAt: nullable(v.number()),
    }),
  ),
  handler: async (ctx) => {
    const rows = await ctx.db
      .query('serviceTokens')
      .withIndex('by_account_lookup', (q) => q.eq('accountId', ctx.accountId))
      .take(LIMITS.tokensPerAccount)
    return await Promise.all(
      rows.map(async ({ _id: id, _creationTime: createdAt, name, state, expiresAt }) => {
        const use = await ctx.db
          .query('tokenUse')
          .withIndex('by_account_token', (q) => q.eq('accountId', ctx.accountId).eq('tokenId', id))
          .unique()
        return { id, name, state, createdAt, expiresAt, lastUsedAt: use?.lastUsedAt ?? null }
      }),
    )
  },
})

/** At once, also for subscriptions that are open with it. Revoking twice is the same as once. */
export const revoke = memberMutation('admin')({
  args: { tokenId: v.id('serviceTokens') },
  returns: v.null(),
  handler: async (ctx, { tokenId }) => {
    const token = await getOwned(ctx, ctx.accountId, 'serviceTokens', tokenId)
    await endToken(ctx, token, 'revoked', userActor(ctx.member))
    return null
  },
})
