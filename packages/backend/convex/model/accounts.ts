import type { UserIdentity } from 'convex/server'
import { LIMITS } from '@mission-control/shared/limits'
import type { MemberRole } from '@mission-control/shared/enums'
import type { Doc, Id } from '../_generated/dataModel.js'
import type { MutationCtx, QueryCtx } from '../_generated/server.js'
import { refuse } from '../lib/errors.js'
import { nameKey, splitText } from '../lib/text.js'
import { recordActivity } from './activity.js'
import { userActor } from './actors.js'

export const NO_BUDGETS: Doc<'accounts'>['budgets'] = { turnsPerHour: null, tokensPerDay: null, microUsdPerDay: null }
const DEFAULT_RETENTION: Doc<'accounts'>['retention'] = { deliveriesDays: 30, activitiesDays: 365, notificationsDays: 90 }

/** @throws NOT_FOUND while the last of a deleted account goes */
export async function getAccount(ctx: { db: QueryCtx['db'] }, accountId: Id<'accounts'>): Promise<Doc<'accounts'>> {
  return (await ctx.db.get(accountId)) ?? refuse('NOT_FOUND', 'The account is gone.')
}

/**
 * Whether the account is there and not being deleted. Every scheduled step asks this first: what was scheduled before a deletion
 * runs after its beginning, and must neither fail over what is gone already nor bring anything back.
 */
export async function isLive(ctx: { db: QueryCtx['db'] }, accountId: Id<'accounts'>): Promise<boolean> {
  return (await ctx.db.get(accountId))?.deletingAt === null
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
  const membershipId = await addMember(ctx, accountId, personOf(identity), 'owner')
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

/** Whom an identity names. Without a name its e-mail address is one, and without that its subject. */
export function personOf({ tokenIdentifier, subject, name, email }: UserIdentity): Person {
  const known = [name, email, subject].map((text) => cleanName(text ?? '')).find((text) => text !== '')
  return { userId: tokenIdentifier, name: known ?? 'Member', email: email ?? null }
}

/** One line, as long as a name may be: names stand in prompts, titles and lists. */
export const cleanName = (name: string): string => splitText(name.trim().replace(/\s+/g, ' '), LIMITS.nameChars)[0] ?? ''

export async function findMember(
  ctx: { db: QueryCtx['db'] },
  accountId: Id<'accounts'>,
  userId: string,
): Promise<Doc<'memberships'> | null> {
  return await ctx.db
    .query('memberships')
    .withIndex('by_account_user', (q) => q.eq('accountId', accountId).eq('userId', userId))
    .unique()
}

/** @throws CONFLICT for a member | LIMIT */
export async function addMember(
  ctx: MutationCtx,
  accountId: Id<'accounts'>,
  { userId, name, email }: Person,
  role: MemberRole,
): Promise<Id<'memberships'>> {
  if (await findMember(ctx, accountId, userId)) refuse('CONFLICT', 'This person is a member already.')
  const others = await ctx.db
    .query('memberships')
    .withIndex('by_account_user', (q) => q.eq('accountId', accountId))
    .take(LIMITS.membersPerAccount)
  if (others.length >= LIMITS.membersPerAccount) {
    refuse('LIMIT', `An account has at most ${LIMITS.membersPerAccount} members: remove one first.`)
  }
  return await ctx.db.insert('memberships', { accountId, userId, name, email, nameKey: nameKey(name), role })
}
