/**
 * The only way to export a function: each builder is a guard. `_generated/server` builders are imported nowhere else, and a test
 * calls every public function as everybody who must be refused.
 */
import { customAction, customMutation, customQuery } from 'convex-helpers/server/customFunctions'
import { v } from 'convex/values'
import type { MemberRole } from '@mission-control/shared/enums'
import { internal } from '../_generated/api.js'
import type { Doc, Id } from '../_generated/dataModel.js'
import { action, mutation, query } from '../_generated/server.js'
import type { MutationCtx, QueryCtx } from '../_generated/server.js'
import { refuseUsers, requireIdentity, requireMember } from './guards.js'
import { requireServiceToken } from './tokens.js'

export { internalAction, internalMutation, internalQuery } from '../_generated/server.js'

/** What a member's function gets on top of its context. */
export interface MemberScope {
  readonly accountId: Id<'accounts'>
  readonly member: Doc<'memberships'>
}
/** What a service function gets on top of its context. */
export interface ServiceScope {
  readonly accountId: Id<'accounts'>
  readonly token: Doc<'serviceTokens'>
}
export type MemberQueryCtx = QueryCtx & MemberScope
export type MemberMutationCtx = MutationCtx & MemberScope
export type ServiceQueryCtx = QueryCtx & ServiceScope
export type ServiceMutationCtx = MutationCtx & ServiceScope

const memberArgs = { accountId: v.id('accounts') }
/** Plain strings, so that a malformed token is refused with a code and never printed by a validator. */
const serviceArgs = { accountId: v.string(), serviceToken: v.string() }

const asMember = (atLeast: MemberRole) => ({
  args: memberArgs,
  input: async (ctx: QueryCtx, { accountId }: { accountId: Id<'accounts'> }) => {
    const member = await requireMember(ctx, accountId, atLeast)
    return { ctx: { accountId, member } satisfies MemberScope, args: {} }
  },
})

const asService = {
  args: serviceArgs,
  input: async (ctx: QueryCtx, { accountId, serviceToken }: { accountId: string; serviceToken: string }) => {
    await refuseUsers(ctx)
    const token = await requireServiceToken(ctx, accountId, serviceToken)
    return { ctx: { accountId: token.accountId, token } satisfies ServiceScope, args: {} }
  },
}

const asUser = {
  args: {},
  input: async (ctx: Pick<QueryCtx, 'auth'>) => ({ ctx: { identity: await requireIdentity(ctx) }, args: {} }),
}

/** For members of `accountId` with at least this role. */
export const memberQuery = (atLeast: MemberRole) => customQuery(query, asMember(atLeast))
export const memberMutation = (atLeast: MemberRole) => customMutation(mutation, asMember(atLeast))

/** As memberMutation, for the few things only an action can do. Actions have no database, so the check is one internal query. */
export const memberAction = (atLeast: MemberRole) =>
  customAction(action, {
    args: memberArgs,
    input: async (ctx, { accountId }): Promise<{ ctx: { accountId: Id<'accounts'>; userId: string }; args: object }> => {
      const { userId } = await ctx.runQuery(internal.memberships.authorize, { accountId, atLeast })
      return { ctx: { accountId, userId }, args: {} }
    },
  })

/** For signed-in users who need no account yet. */
export const userQuery = customQuery(query, asUser)
export const userMutation = customMutation(mutation, asUser)

/** For the account's runtime, by service token. */
export const serviceQuery = customQuery(query, asService)
export const serviceMutation = customMutation(mutation, asService)
