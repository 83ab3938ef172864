import type { UserIdentity } from 'convex/server'
import { LIMITS } from '@mission-control/shared/limits'
import type { MemberRole } from '@mission-control/shared/enums'
import type { Doc, Id } from '../_generated/dataModel.js'
import type { MutationCtx, QueryCtx } from '../_generated/server.js'
import { refuse } from '../lib/errors.js'
import { nameKey } from '../lib/text.js'
import { recordActivity } from './activity.js'
import { userActor } from './actors.js'

export const NO_BUDGETS: Doc<'accounts'>['budgets'] = { turnsPerHour: null, tokensPerDay: null, microUsdPerDay: null }
const DEFAULT_RETENTION: Doc<'accounts'>['retention'] = { deliveriesDays: 30, activitiesDays: 365, notificationsDays: 90 }

/** @throws NOT_FOUND while the last of a deleted account goes */
export async function getAccount(ctx: { db: QueryCtx['db'] }, accountId: Id<'accounts'>): Promise<Doc<'accounts'>> {
  return (await ctx.db.get(accountId)) ?? refuse('NOT_FOUND', 'The account is gone.')
}

/** An account with its owner and its signals row. */
export async function createAccount(ctx: MutationCtx, identity: UserIdentity, name: string): Promise<Id<'accounts'>> {
  const userId = identity.tokenIdentifier
  const accountId = await ctx.db.insert('accounts', {
    name,
    execution: 'runtime',
    agentLimit: LIMITS.agentsPerAccount,
    leadAgentId: null,
    createdBy: userId,
    timeZone: 'UTC',
    permissionDefaults: {},
    budgets: NO_BUDGETS,
    retention: DEFAULT_RETENTION,
    deletingAt: null,
  })
  await ctx.db.insert('signals', {
    accountId,
    rosterVersion: 1,
    stopSeq: 0,
    controlSeq: 0,
    command: null,
    commandSeq: 0,
    paused: false,
    epoch: 0,
    activeRuntimeId: null,
  })
  const email = identity.email ?? null
  const person = { userId, name: identity.name ?? email ?? 'Owner', email }
  const membershipId = await addMember(ctx, accountId, person, 'owner')
  const member = await ctx.db.get(membershipId)
  if (member) {
    await recordActivity(ctx, accountId, {
      type: 'account_created',
      actor: userActor(member),
      targetId: accountId,
      targetName: name,
    })
  }
  return accountId
}

export interface Person {
  /** The identity's tokenIdentifier. */
  readonly userId: string
  readonly name: string
  readonly email: string | null
}

export async function addMember(
  ctx: MutationCtx,
  accountId: Id<'accounts'>,
  person: Person,
  role: MemberRole,
): Promise<Id<'memberships'>> {
  return await ctx.db.insert('memberships', { accountId, ...person, nameKey: nameKey(person.name), role })
}
