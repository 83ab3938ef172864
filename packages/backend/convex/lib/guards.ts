/** Who is calling? Pure of function builders, so that actions can ask the same through an internal query. */
import type { UserIdentity } from 'convex/server'
import type { MemberRole } from '@mission-control/shared/enums'
import type { Doc, Id } from '../_generated/dataModel.js'
import type { QueryCtx } from '../_generated/server.js'
import { refuse } from './errors.js'

type AuthCtx = Pick<QueryCtx, 'auth'>

const RANK: Readonly<Record<MemberRole, number>> = { member: 1, admin: 2, owner: 3 }

/** @throws UNAUTHENTICATED */
export async function requireIdentity(ctx: AuthCtx): Promise<UserIdentity> {
  return (await ctx.auth.getUserIdentity()) ?? refuse('UNAUTHENTICATED', 'Sign in first.')
}

/**
 * The caller's membership of this account. A stranger is told the same whether the account exists or not.
 * @throws UNAUTHENTICATED | FORBIDDEN
 */
export async function requireMember(
  ctx: AuthCtx & { db: QueryCtx['db'] },
  accountId: Id<'accounts'>,
  atLeast: MemberRole,
): Promise<Doc<'memberships'>> {
  const identity = await requireIdentity(ctx)
  const member = await ctx.db
    .query('memberships')
    .withIndex('by_account_user', (q) => q.eq('accountId', accountId).eq('userId', identity.tokenIdentifier))
    .unique()
  if (!member) return refuse('FORBIDDEN', 'You are not a member of this account.')
  if (RANK[member.role] < RANK[atLeast]) {
    return refuse('FORBIDDEN', `This needs the role ${atLeast}; yours is ${member.role}.`)
  }
  return member
}

/** The service functions are for runtimes: a signed-in user who got hold of a token is still refused. */
export async function refuseUsers(ctx: AuthCtx): Promise<void> {
  if ((await ctx.auth.getUserIdentity()) !== null) refuse('FORBIDDEN', 'Service functions are not for users.')
}
