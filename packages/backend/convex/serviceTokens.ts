/** Service tokens: what a runtime signs its calls with. Only a hash is stored; the text is shown once. */
import { v } from 'convex/values'
import { LIMITS } from '@mission-control/shared/limits'
import { formatServiceToken } from '@mission-control/shared/service-token'
import { internal } from './_generated/api.js'
import type { Id } from './_generated/dataModel.js'
import { internalMutation, memberAction, memberMutation, memberQuery } from './lib/functions.js'
import { requireMember } from './lib/guards.js'
import { getOwned } from './lib/owned.js'
import { checkInteger, checkText } from './lib/text.js'
import { hashToken } from './lib/tokens.js'
import { nullable, vTokenState } from './lib/validators.js'
import { SYSTEM, userActor } from './model/actors.js'
import { recordActivity } from './model/activity.js'
import { endToken, insertToken, renameToken, replaceToken } from './model/tokens.js'

const DAY_MS = 86_400_000
/** Grace of a rotation: long enough to reach every machine, short enough that nobody forgets the old token. */
const MAX_GRACE_DAYS = 7
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

/**
 * A new token in place of an active one, under its name. Both are valid for the days of grace, then the old one expires; with 0 days
 * it ends at once, also for subscriptions that are open with it. A token that ends earlier by itself keeps its end, and the new one
 * has none unless it is given.
 * @returns the new token's text, for the only time
 * @throws NOT_FOUND | CONFLICT for a token that has ended
 */
export const rotate = memberAction('admin')({
  args: { tokenId: v.id('serviceTokens'), graceDays: v.number(), expiresInDays: v.optional(v.number()) },
  returns: v.object({ tokenId: v.id('serviceTokens'), token: v.string() }),
  handler: async (ctx, { tokenId, graceDays, expiresInDays }): Promise<{ tokenId: Id<'serviceTokens'>; token: string }> => {
    checkInteger('graceDays', graceDays, 0, MAX_GRACE_DAYS)
    if (expiresInDays !== undefined) checkInteger('expiresInDays', expiresInDays, 1, MAX_DAYS)
    const token = formatServiceToken(ctx.accountId, crypto.getRandomValues(new Uint8Array(32)))
    const newId = await ctx.runMutation(internal.serviceTokens.replace, {
      ...{ accountId: ctx.accountId, tokenId, ...hashToken(token), graceMs: graceDays * DAY_MS },
      expiresInMs: expiresInDays === undefined ? null : expiresInDays * DAY_MS,
    })
    return { tokenId: newId, token }
  },
})

/** Checks the role again: this is the transaction that counts. */
export const replace = internalMutation({
  args: {
    accountId: v.id('accounts'),
    tokenId: v.id('serviceTokens'),
    hash: v.string(),
    lookup: v.string(),
    graceMs: v.number(),
    expiresInMs: nullable(v.number()),
  },
  returns: v.id('serviceTokens'),
  handler: async (ctx, { accountId, tokenId, graceMs, ...fresh }): Promise<Id<'serviceTokens'>> => {
    const member = await requireMember(ctx, accountId, 'admin')
    const old = await getOwned(ctx, accountId, 'serviceTokens', tokenId)
    return await replaceToken(ctx, old, userActor(member), fresh, graceMs)
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
    const tokenId = await insertToken(ctx, accountId, member.userId, { name, hash, lookup, expiresInMs })
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
      endedAt: nullable(v.number()),
      createdBy: v.string(),
      lastUsedAt: nullable(v.number()),
    }),
  ),
  handler: async (ctx) => {
    const rows = await ctx.db
      .query('serviceTokens')
      .withIndex('by_account_lookup', (q) => q.eq('accountId', ctx.accountId))
      .take(LIMITS.tokensPerAccount)
    return await Promise.all(
      rows.map(async ({ _id: id, _creationTime: createdAt, name, state, expiresAt, endedAt, createdBy }) => {
        const use = await ctx.db
          .query('tokenUse')
          .withIndex('by_account_token', (q) => q.eq('accountId', ctx.accountId).eq('tokenId', id))
          .unique()
        return { id, name, state, createdAt, expiresAt, endedAt, createdBy, lastUsedAt: use?.lastUsedAt ?? null }
      }),
    )
  },
})

/** A token's name is for people only: nothing it may do changes. */
export const rename = memberMutation('admin')({
  args: { tokenId: v.id('serviceTokens'), name: v.string() },
  returns: v.null(),
  handler: async (ctx, { tokenId, name }) => {
    const token = await getOwned(ctx, ctx.accountId, 'serviceTokens', tokenId)
    await renameToken(ctx, token, userActor(ctx.member), checkText('name', name, LIMITS.nameChars, { required: true }).trim())
    return null
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
