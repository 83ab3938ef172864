/** Members of an account. */
import { v } from 'convex/values'
import { LIMITS } from '@mission-control/shared/limits'
import { internalQuery, memberMutation, memberQuery } from './lib/functions.js'
import { refuse } from './lib/errors.js'
import { requireMember } from './lib/guards.js'
import { checkInteger, checkText } from './lib/text.js'
import { nullable, oneOf, vMemberRole } from './lib/validators.js'
import { addMember } from './model/accounts.js'
import { userActor } from './model/actors.js'
import { recordActivity } from './model/activity.js'

/** The guard of actions, which have no database of their own. The identity comes with the action's request. */
export const authorize = internalQuery({
  args: { accountId: v.id('accounts'), atLeast: vMemberRole },
  returns: v.object({ userId: v.string() }),
  handler: async (ctx, { accountId, atLeast }): Promise<{ userId: string }> => {
    const { userId } = await requireMember(ctx, accountId, atLeast)
    return { userId }
  },
})

export const list = memberQuery('member')({
  args: { limit: v.optional(v.number()) },
  returns: v.array(
    v.object({
      id: v.id('memberships'),
      userId: v.string(),
      name: v.string(),
      email: nullable(v.string()),
      role: vMemberRole,
    }),
  ),
  handler: async (ctx, { limit = LIMITS.pageSize }) => {
    checkInteger('limit', limit, 1, LIMITS.pageSize)
    const rows = await ctx.db
      .query('memberships')
      .withIndex('by_account_user', (q) => q.eq('accountId', ctx.accountId))
      .take(limit)
    return rows.map(({ _id: id, userId, name, email, role }) => ({ id, userId, name, email, role }))
  },
})

/** Adds a person whose identity is known. Only owners may add, because there is no invitation the person could decline. */
export const add = memberMutation('owner')({
  args: { userId: v.string(), name: v.string(), email: v.optional(v.string()), role: oneOf(['admin', 'member']) },
  returns: v.id('memberships'),
  handler: async (ctx, { userId, name, email, role }) => {
    checkText('userId', userId, LIMITS.titleChars, { required: true })
    checkText('name', name, LIMITS.nameChars, { required: true })
    checkText('email', email ?? '', LIMITS.nameChars)
    const known = await ctx.db
      .query('memberships')
      .withIndex('by_account_user', (q) => q.eq('accountId', ctx.accountId).eq('userId', userId))
      .unique()
    if (known) refuse('CONFLICT', 'This person is a member already.')
    const id = await addMember(ctx, ctx.accountId, { userId, name, email: email ?? null }, role)
    await recordActivity(ctx, ctx.accountId, {
      ...({ type: 'member_added', actor: userActor(ctx.member), targetId: id, targetName: name, detail: role } as const),
    })
    return id
  },
})
