/** Invitations: how people get into an account. The code is shown once, to whoever invites, who passes it on. */
import { paginationOptsValidator, paginationResultValidator } from 'convex/server'
import { v } from 'convex/values'
import { internal } from './_generated/api.js'
import type { Id } from './_generated/dataModel.js'
import { internalMutation, memberAction, memberMutation, memberQuery, userMutation, userQuery } from './lib/functions.js'
import { requireMember } from './lib/guards.js'
import { getOwned } from './lib/owned.js'
import { pageWithin } from './lib/paging.js'
import { checkInteger } from './lib/text.js'
import { hashToken } from './lib/tokens.js'
import { nullable, oneOf, vInvitationState, vMemberRole } from './lib/validators.js'
import { getAccount } from './model/accounts.js'
import { userActor } from './model/actors.js'
import {
  acceptInvitation,
  checkEmail,
  expireInvitation,
  findInvitation,
  formatCode,
  invite,
  isInvited,
  newSecret,
  refuseCode,
  revokeInvitation,
} from './model/invitations.js'

const DAY_MS = 86_400_000
const DEFAULT_DAYS = 7
const MAX_DAYS = 30
const vGivenRole = oneOf(['admin', 'member'])

/**
 * Invites a person by e-mail address, for 1 to 30 days (7 unless given). An older open invitation to the address ends. An action,
 * because only here is there cryptographic randomness.
 * @returns the code, for the only time
 * @throws INVALID | LIMIT
 */
export const create = memberAction('admin')({
  args: { email: v.string(), role: vGivenRole, expiresInDays: v.optional(v.number()) },
  returns: v.object({ invitationId: v.id('invitations'), code: v.string() }),
  handler: async (
    ctx,
    { email, role, expiresInDays = DEFAULT_DAYS },
  ): Promise<{ invitationId: Id<'invitations'>; code: string }> => {
    const address = checkEmail(email)
    checkInteger('expiresInDays', expiresInDays, 1, MAX_DAYS)
    const code = formatCode(newSecret())
    const invitationId = await ctx.runMutation(internal.invitations.store, {
      ...{ accountId: ctx.accountId, email: address, role, ...hashToken(code), expiresInMs: expiresInDays * DAY_MS },
    })
    return { invitationId, code }
  },
})

/** Checks the role again: this is the transaction that counts. */
export const store = internalMutation({
  args: {
    accountId: v.id('accounts'),
    email: v.string(),
    role: vGivenRole,
    hash: v.string(),
    lookup: v.string(),
    expiresInMs: v.number(),
  },
  returns: v.id('invitations'),
  handler: async (ctx, { accountId, ...fresh }): Promise<Id<'invitations'>> => {
    const member = await requireMember(ctx, accountId, 'admin')
    return await invite(ctx, accountId, userActor(member), fresh)
  },
})

export const expire = internalMutation({
  args: { invitationId: v.id('invitations') },
  returns: v.null(),
  handler: async (ctx, { invitationId }): Promise<null> => {
    await expireInvitation(ctx, invitationId)
    return null
  },
})

/** Those in one state, newest first. */
export const list = memberQuery('admin')({
  args: { state: vInvitationState, paginationOpts: paginationOptsValidator },
  returns: paginationResultValidator(
    v.object({
      id: v.id('invitations'),
      email: v.string(),
      role: vMemberRole,
      state: vInvitationState,
      createdAt: v.number(),
      expiresAt: v.number(),
      endedAt: nullable(v.number()),
      invitedBy: v.string(),
      answeredBy: nullable(v.string()),
    }),
  ),
  handler: async (ctx, { state, paginationOpts }) => {
    const page = await ctx.db
      .query('invitations')
      .withIndex('by_account_state', (q) => q.eq('accountId', ctx.accountId).eq('state', state))
      .order('desc')
      .paginate(pageWithin(paginationOpts))
    const rows = page.page.map(
      ({ _id: id, _creationTime: createdAt, email, role, state, expiresAt, endedAt, invitedBy, answeredBy }) => {
        return { id, email, role, state, createdAt, expiresAt, endedAt, invitedBy, answeredBy }
      },
    )
    return { ...page, page: rows }
  },
})

/** At once. Revoking twice is the same as once. @throws CONFLICT for one that was accepted or has expired */
export const revoke = memberMutation('admin')({
  args: { invitationId: v.id('invitations') },
  returns: v.null(),
  handler: async (ctx, { invitationId }) => {
    const row = await getOwned(ctx, ctx.accountId, 'invitations', invitationId)
    await revokeInvitation(ctx, row, userActor(ctx.member))
    return null
  },
})

/** What the code is for, before it is used. `isForYou`: it names the e-mail address the caller is signed in with. @throws NOT_FOUND */
export const preview = userQuery({
  args: { code: v.string() },
  returns: v.object({ accountName: v.string(), role: vMemberRole, isForYou: v.boolean() }),
  handler: async (ctx, { code }) => {
    const row = (await findInvitation(ctx, code)) ?? refuseCode()
    const { name: accountName } = await getAccount(ctx, row.accountId)
    return { accountName, role: row.role, isForYou: isInvited(ctx.identity, row) }
  },
})

/**
 * The caller becomes a member of the account. Only for the invited e-mail address, and once.
 * @throws NOT_FOUND, the same for every code that is not valid for the caller | CONFLICT for a member, whose code stays unused
 */
export const accept = userMutation({
  args: { code: v.string() },
  returns: v.object({ accountId: v.id('accounts'), membershipId: v.id('memberships') }),
  handler: async (ctx, { code }) => await acceptInvitation(ctx, ctx.identity, code),
})
