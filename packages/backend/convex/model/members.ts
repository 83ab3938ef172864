/**
 * Who is in an account, and in which role. There is exactly one owner: the role comes with the account and moves by transfer only,
 * and the owner neither leaves nor is removed. Admins let people in and raise them; only the owner takes an admin down.
 */
import type { MemberRole } from '@mission-control/shared/enums'
import { LIMITS } from '@mission-control/shared/limits'
import { internal } from '../_generated/api.js'
import type { Doc, Id } from '../_generated/dataModel.js'
import type { MutationCtx } from '../_generated/server.js'
import { refuse } from '../lib/errors.js'
import { checkText, nameKey } from '../lib/text.js'
import type { Person } from './accounts.js'
import { addMember, cleanName, getAccount } from './accounts.js'
import type { Actor } from './actors.js'
import { userActor } from './actors.js'
import { recordActivity } from './activity.js'
import { notify, notifyEach } from './notices.js'

type Member = Doc<'memberships'>
export type GivenRole = Exclude<MemberRole, 'owner'>

/**
 * Lets somebody in; the owner hears of it, and the person if somebody else did it.
 * @throws CONFLICT for a member | LIMIT
 */
export async function join(
  ctx: MutationCtx,
  accountId: Id<'accounts'>,
  person: Person,
  { actor, role, also = [] }: { readonly actor: Actor; readonly role: GivenRole; readonly also?: readonly string[] },
): Promise<Id<'memberships'>> {
  const membershipId = await addMember(ctx, accountId, person, role)
  const { name: account } = await getAccount(ctx, accountId)
  const { userId, name } = person
  await recordActivity(ctx, accountId, { type: 'member_added', actor, targetId: membershipId, targetName: name, detail: role })
  const others = new Set([...(await ownersOf(ctx, accountId)), ...also])
  const told = [...others].filter((id) => id !== userId && id !== actor.id)
  await notifyEach(ctx, accountId, [
    ...(actor.id === userId
      ? []
      : [{ userId, notice: { type: 'member_added' as const, title: `${actor.name} added you to "${account}" as ${role}` } }]),
    ...told.map((id) => ({ userId: id, notice: { type: 'member_added' as const, title: `${name} joined as ${role}` } })),
  ])
  return membershipId
}

/**
 * Makes a member an admin or the reverse; the same role again changes nothing.
 * @throws INVALID for the owner | FORBIDDEN for an admin who would take another one down
 */
export async function changeRole(ctx: MutationCtx, by: Member, target: Member, role: GivenRole): Promise<void> {
  if (target.role === 'owner') refuse('INVALID', 'The owner has no other role: the ownership must be transferred first.')
  if (target.role === role) return
  if (target.role === 'admin' && target._id !== by._id) requireOwner(by, 'takes the role admin from somebody')
  await ctx.db.patch(target._id, { role })
  const { name: account } = await getAccount(ctx, by.accountId)
  await recordRole(ctx, 'member_role_changed', by, target, `${target.role} -> ${role}`)
  if (target._id === by._id) return
  const title = `${by.name} changed your role in "${account}" to ${role}`
  await notify(ctx, by.accountId, target.userId, { type: 'role_changed', title })
}

/**
 * The owner becomes an admin, and the other member the owner.
 * @throws INVALID for the owner's own membership
 */
export async function transferOwnership(ctx: MutationCtx, owner: Member, heir: Member): Promise<void> {
  if (heir._id === owner._id) refuse('INVALID', 'You own the account already: name another member.')
  await ctx.db.patch(owner._id, { role: 'admin' })
  await ctx.db.patch(heir._id, { role: 'owner' })
  const { name: account } = await getAccount(ctx, owner.accountId)
  await recordRole(ctx, 'ownership_transferred', owner, heir, `from ${owner.name}`)
  const title = `${owner.name} made you the owner of "${account}"`
  await notify(ctx, owner.accountId, heir.userId, { type: 'role_changed', title })
}

/** @throws INVALID for the owner and for oneself | FORBIDDEN for an admin who would remove another one */
export async function removeMember(ctx: MutationCtx, by: Member, target: Member): Promise<void> {
  if (target._id === by._id) refuse('INVALID', 'This is your own membership: call memberships:leave.')
  if (target.role === 'owner') refuse('INVALID', 'The owner cannot be removed: the ownership must be transferred first.')
  if (target.role === 'admin') requireOwner(by, 'removes an admin')
  await end(ctx, target, userActor(by), `${by.name} removed ${target.name}`)
}

/** @throws INVALID for the owner */
export async function leave(ctx: MutationCtx, member: Member): Promise<void> {
  if (member.role === 'owner') refuse('INVALID', 'The owner cannot leave: transfer the ownership first, or delete the account.')
  await end(ctx, member, userActor(member), `${member.name} left`)
}

/** One's own display name, which mentions use. What was written before keeps the name it was written under. */
export async function renameMember(ctx: MutationCtx, member: Member, text: string): Promise<void> {
  const name = cleanName(checkText('name', text, LIMITS.nameChars, { required: true }))
  if (name === member.name) return
  await ctx.db.patch(member._id, { name, nameKey: nameKey(name) })
  await recordActivity(ctx, member.accountId, {
    type: 'member_updated',
    actor: { ...userActor(member), name },
    targetId: member._id,
    targetName: name,
    detail: `was "${member.name}"`,
  })
}

/** Out at once: every call looks the membership up. The one concerned can read nothing here any more, so the owner is told. */
async function end(ctx: MutationCtx, target: Member, actor: Actor, title: string): Promise<void> {
  const { accountId, userId, name } = target
  await ctx.db.delete(target._id)
  await recordActivity(ctx, accountId, {
    type: 'member_removed',
    actor,
    targetId: target._id,
    targetName: name,
    detail: actor.id === userId ? 'left' : 'removed',
  })
  const owners = (await ownersOf(ctx, accountId)).filter((id) => id !== actor.id)
  await notifyEach(
    ctx,
    accountId,
    owners.map((id) => ({ userId: id, notice: { type: 'member_removed', title } })),
  )
  await ctx.scheduler.runAfter(0, internal.sweeps.forgetMember, { gone: { accountId, userId, name, actor } })
}

/** One, but for an account whose owners somebody changed by hand. */
async function ownersOf(ctx: MutationCtx, accountId: Id<'accounts'>): Promise<string[]> {
  const owners = await ctx.db
    .query('memberships')
    .withIndex('by_account_role', (q) => q.eq('accountId', accountId).eq('role', 'owner'))
    .take(10)
  return owners.map(({ userId }) => userId)
}

function requireOwner(by: Member, what: string): void {
  if (by.role !== 'owner') refuse('FORBIDDEN', `Only the owner ${what}; your role is ${by.role}.`)
}

async function recordRole(
  ctx: MutationCtx,
  type: 'member_role_changed' | 'ownership_transferred',
  by: Member,
  target: Member,
  detail: string,
): Promise<void> {
  await recordActivity(ctx, by.accountId, {
    ...({ type, actor: userActor(by), targetId: target._id, targetName: target.name, detail } as const),
  })
}
