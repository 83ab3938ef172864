/** Members of an account: who they are, and who may change that. */
import { paginationOptsValidator, paginationResultValidator } from 'convex/server'
import type { Infer } from 'convex/values'
import { v } from 'convex/values'
import { LIMITS } from '@mission-control/shared/limits'
import type { Doc, Id } from './_generated/dataModel.js'
import { internalQuery, memberMutation, memberQuery } from './lib/functions.js'
import { requireMember } from './lib/guards.js'
import { refuseOtherIds as refuseIds } from './lib/ids.js'
import { getOwned } from './lib/owned.js'
import { pageWithin } from './lib/paging.js'
import { checkText } from './lib/text.js'
import { nullable, oneOf, vMemberRole } from './lib/validators.js'
import { cleanName } from './model/accounts.js'
import { userActor } from './model/actors.js'
import * as members from './model/members.js'

const vGivenRole = oneOf(['admin', 'member'])
const vMember = v.object({
  id: v.id('memberships'),
  userId: v.string(),
  name: v.string(),
  email: nullable(v.string()),
  role: vMemberRole,
  joinedAt: v.number(),
})

const toMember = ({ _id: id, _creationTime: joinedAt, userId, name, email, role }: Doc<'memberships'>): Infer<typeof vMember> => {
  return { id, userId, name, email, role, joinedAt }
}

/** The guard of actions, which have no database of their own. The identity comes with the action's request. */
export const authorize = internalQuery({
  args: { accountId: v.string(), atLeast: vMemberRole },
  returns: v.object({ accountId: v.id('accounts'), userId: v.string() }),
  handler: async (ctx, { accountId: given, atLeast }): Promise<{ accountId: Id<'accounts'>; userId: string }> => {
    const { accountId, userId } = await requireMember(ctx, given as Id<'accounts'>, atLeast)
    return { accountId, userId }
  },
})

/** What queries and mutations ask by themselves, for actions: are these ids of their tables? */
export const refuseOtherIds = internalQuery({
  args: { ids: v.array(v.object({ name: v.string(), table: v.string(), id: v.string() })) },
  returns: v.null(),
  handler: async (ctx, { ids }): Promise<null> => {
    refuseIds(ctx, ids)
    return null
  },
})

/** By name. */
export const list = memberQuery('member')({
  args: { paginationOpts: paginationOptsValidator },
  returns: paginationResultValidator(vMember),
  handler: async (ctx, { paginationOpts }) => {
    const page = await ctx.db
      .query('memberships')
      .withIndex('by_account_nameKey', (q) => q.eq('accountId', ctx.accountId))
      .paginate(pageWithin(paginationOpts))
    return { ...page, page: page.page.map(toMember) }
  },
})

/** The caller's own membership. */
export const me = memberQuery('member')({
  args: {},
  returns: vMember,
  handler: (ctx) => Promise.resolve(toMember(ctx.member)),
})

/** Adds a person whose identity is known. Only the owner may, because there is no invitation the person could decline. */
export const add = memberMutation('owner')({
  args: { userId: v.string(), name: v.string(), email: v.optional(v.string()), role: vGivenRole },
  returns: v.id('memberships'),
  handler: async (ctx, { userId, name, email, role }) => {
    checkText('userId', userId, LIMITS.titleChars, { required: true })
    checkText('name', name, LIMITS.nameChars, { required: true })
    checkText('email', email ?? '', LIMITS.nameChars)
    const person = { userId, name: cleanName(name), email: email ?? null }
    return await members.join(ctx, ctx.accountId, person, { actor: userActor(ctx.member), role })
  },
})

/**
 * Between member and admin. Admins raise members; only the owner takes an admin down, who may also step down himself.
 * @throws INVALID for the owner | FORBIDDEN
 */
export const updateRole = memberMutation('admin')({
  args: { membershipId: v.id('memberships'), role: vGivenRole },
  returns: v.null(),
  handler: async (ctx, { membershipId, role }) => {
    await members.changeRole(ctx, ctx.member, await getOwned(ctx, ctx.accountId, 'memberships', membershipId), role)
    return null
  },
})

/** The owner becomes an admin. @throws INVALID for the owner's own membership */
export const transferOwnership = memberMutation('owner')({
  args: { membershipId: v.id('memberships') },
  returns: v.null(),
  handler: async (ctx, { membershipId }) => {
    await members.transferOwnership(ctx, ctx.member, await getOwned(ctx, ctx.accountId, 'memberships', membershipId))
    return null
  },
})

/** Admins remove members, the owner also admins. @throws INVALID for the owner and for oneself | FORBIDDEN */
export const remove = memberMutation('admin')({
  args: { membershipId: v.id('memberships') },
  returns: v.null(),
  handler: async (ctx, { membershipId }) => {
    await members.removeMember(ctx, ctx.member, await getOwned(ctx, ctx.accountId, 'memberships', membershipId))
    return null
  },
})

/** @throws INVALID for the owner */
export const leave = memberMutation('member')({
  args: {},
  returns: v.null(),
  handler: async (ctx) => {
    await members.leave(ctx, ctx.member)
    return null
  },
})

/** One's own display name in this account, which mentions use. @throws INVALID | LIMIT */
export const rename = memberMutation('member')({
  args: { name: v.string() },
  returns: v.null(),
  handler: async (ctx, { name }) => {
    await members.renameMember(ctx, ctx.member, name)
    return null
  },
})
