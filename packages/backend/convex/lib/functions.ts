/**
 * The only way to export a function: each builder is a guard. `_generated/server` builders are imported nowhere else, and a test
 * calls every public function as everybody who must be refused.
 */
import { customAction, customMutation, customQuery } from 'convex-helpers/server/customFunctions'
import type { PropertyValidators, VId } from 'convex/values'
import { v } from 'convex/values'
import type { MemberRole } from '@mission-control/shared/enums'
import { internal } from '../_generated/api.js'
import type { Doc, Id } from '../_generated/dataModel.js'
import { action, mutation, query } from '../_generated/server.js'
import type { ActionCtx, MutationCtx, QueryCtx } from '../_generated/server.js'
import { refuseUsers, requireIdentity, requireMember } from './guards.js'
import { idsAmong, idsAsTexts, refuseOtherIds } from './ids.js'
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

/** A text with the type of an id: what is no account is an account nobody is a member of. */
const memberArgs = { accountId: v.string() as unknown as VId<Id<'accounts'>> }
/** Plain strings, so that a malformed token is refused with a code and never printed by a validator. */
const serviceArgs = { accountId: v.string(), serviceToken: v.string() }

const asMember = (atLeast: MemberRole) => ({
  args: memberArgs,
  input: async (ctx: QueryCtx, { accountId }: { accountId: Id<'accounts'> }) => {
    const member = await requireMember(ctx, accountId, atLeast)
    return { ctx: { accountId: member.accountId, member } satisfies MemberScope, args: {} }
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

interface Definition {
  readonly args: PropertyValidators
  readonly handler: (ctx: QueryCtx | ActionCtx, args: Record<string, unknown>) => unknown
}

/**
 * Has the builder's functions refuse ids of other tables with a code, once its guard has let the caller in (lib/ids.ts). The types are
 * those of the builder.
 */
function refusingOtherIds<B>(builder: B): B {
  const build = builder as (definition: Definition) => object
  const refusing = ({ args, handler, ...rest }: Definition): object => {
    const built = build({
      ...rest,
      args: idsAsTexts(args),
      handler: async (ctx, given) => {
        const ids = idsAmong(args, given)
        if ('db' in ctx) refuseOtherIds(ctx, ids)
        else if (ids.length > 0) await ctx.runQuery(internal.memberships.refuseOtherIds, { ids })
        return await handler(ctx, given)
      },
    })
    // What the function declares: tests make up its arguments from it.
    return Object.assign(built, { declaredArgs: () => declared({ accountId: v.id('accounts'), ...args }) })
  }
  return refusing as B
}

const declared = (args: PropertyValidators): string =>
  JSON.stringify((v.object(args) as unknown as { readonly json: unknown }).json)

/** For members of `accountId` with at least this role. */
export const memberQuery = (atLeast: MemberRole) => refusingOtherIds(customQuery(query, asMember(atLeast)))
export const memberMutation = (atLeast: MemberRole) => refusingOtherIds(customMutation(mutation, asMember(atLeast)))

/** As memberMutation, for the few things only an action can do. Actions have no database, so the check is one internal query. */
export const memberAction = (atLeast: MemberRole) =>
  refusingOtherIds(
    customAction(action, {
      args: memberArgs,
      input: async (ctx, { accountId }): Promise<{ ctx: { accountId: Id<'accounts'>; userId: string }; args: object }> => {
        const member = await ctx.runQuery(internal.memberships.authorize, { accountId, atLeast })
        return { ctx: member, args: {} }
      },
    }),
  )

/** For signed-in users who need no account yet. */
export const userQuery = customQuery(query, asUser)
export const userMutation = customMutation(mutation, asUser)

/** For the account's runtime, by service token. */
export const serviceQuery = customQuery(query, asService)
export const serviceMutation = customMutation(mutation, asService)
