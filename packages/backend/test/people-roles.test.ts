/** Who may do what to an account and its people: each function, called by each role and by those who have none. */
import { expect, it } from 'vitest'
import { api } from '../convex/_generated/api.js'
import type { Id } from '../convex/_generated/dataModel.js'
import type { Caller } from './harness/backend.ts'
import { buildFunctions } from './harness/embedded.ts'
import { onEachEngine } from './harness/engines.ts'
import { membershipOf, outcome } from './harness/people.ts'
import { publicFunctions } from './harness/public-functions.ts'
import type { World } from './harness/world.ts'
import { createWorld } from './harness/world.ts'

/** An account with a second member and a second admin, and an open invitation to somebody else. */
interface Place {
  readonly accountId: Id<'accounts'>
  readonly member: Id<'memberships'>
  readonly admin: Id<'memberships'>
  readonly owner: Id<'memberships'>
  readonly invitationId: Id<'invitations'>
  readonly code: string
}
/** owner, admin, member, signed in without an account, owner of another account, not signed in */
type Answers = readonly [owner: string, admin: string, member: string, stranger: string, other: string, nobody: string]

const OK = 'accepted'
const NO = 'FORBIDDEN'
const WHO = 'UNAUTHENTICATED'
const OUTSIDE = [NO, NO, WHO] as const
const ANY_USER: Answers = [OK, OK, OK, OK, OK, WHO]
const MEMBERS: Answers = [OK, OK, OK, ...OUTSIDE]
const ADMINS: Answers = [OK, OK, NO, ...OUTSIDE]
const OWNER: Answers = [OK, NO, NO, ...OUTSIDE]

type Call = (who: Caller, place: Place) => Promise<unknown>
const page = { numItems: 10, cursor: null }
const caps = { turnsPerHour: 1, tokensPerDay: null, microUsdPerDay: null }
const days = { deliveriesDays: 30, activitiesDays: 60, notificationsDays: 30 }

const MATRIX: readonly (readonly [what: string, answers: Answers, call: Call])[] = [
  ['accounts:create', ANY_USER, (who) => who.mutation(api.accounts.create, { name: 'New' })],
  ['accounts:listMine', ANY_USER, (who) => who.query(api.accounts.listMine, {})],
  ['accounts:get', MEMBERS, (who, { accountId }) => who.query(api.accounts.get, { accountId })],
  ['accounts:update', ADMINS, (who, { accountId }) => who.mutation(api.accounts.update, { accountId, name: 'Other' })],
  [
    ...(['accounts:setPermissionDefaults', ADMINS] as const),
    (who, { accountId }) =>
      who.mutation(api.accounts.setPermissionDefaults, { accountId, permissionDefaults: { canReview: true } }),
  ],
  ['accounts:setPaused', ADMINS, (who, { accountId }) => who.mutation(api.accounts.setPaused, { accountId, paused: true })],
  ['accounts:setBudgets', ADMINS, (who, { accountId }) => who.mutation(api.accounts.setBudgets, { accountId, budgets: caps })],
  [
    'accounts:setRetention',
    ADMINS,
    (who, { accountId }) => who.mutation(api.accounts.setRetention, { accountId, retention: days }),
  ],
  ['accounts:setCommand', ADMINS, (who, { accountId }) => who.mutation(api.accounts.setCommand, { accountId, command: 'drain' })],
  ['accounts:remove', OWNER, (who, { accountId }) => who.mutation(api.accounts.remove, { accountId, name: 'Acme' })],

  ['memberships:list', MEMBERS, (who, { accountId }) => who.query(api.memberships.list, { accountId, paginationOpts: page })],
  ['memberships:me', MEMBERS, (who, { accountId }) => who.query(api.memberships.me, { accountId })],
  [
    ...(['memberships:add', OWNER] as const),
    (who, { accountId }) => who.mutation(api.memberships.add, { accountId, userId: 'test|New', name: 'New', role: 'admin' }),
  ],
  [
    ...(['memberships:updateRole of a member', ADMINS] as const),
    (who, { accountId, member }) => who.mutation(api.memberships.updateRole, { accountId, membershipId: member, role: 'admin' }),
  ],
  [
    ...(['memberships:updateRole of another admin', OWNER] as const),
    (who, { accountId, admin }) => who.mutation(api.memberships.updateRole, { accountId, membershipId: admin, role: 'member' }),
  ],
  [
    ...(['memberships:updateRole of the owner', ['INVALID', 'INVALID', NO, ...OUTSIDE]] as const),
    (who, { accountId, owner }) => who.mutation(api.memberships.updateRole, { accountId, membershipId: owner, role: 'admin' }),
  ],
  [
    ...(['memberships:remove a member', ADMINS] as const),
    (who, { accountId, member }) => who.mutation(api.memberships.remove, { accountId, membershipId: member }),
  ],
  [
    ...(['memberships:remove another admin', OWNER] as const),
    (who, { accountId, admin }) => who.mutation(api.memberships.remove, { accountId, membershipId: admin }),
  ],
  [
    ...(['memberships:remove the owner', ['INVALID', 'INVALID', NO, ...OUTSIDE]] as const),
    (who, { accountId, owner }) => who.mutation(api.memberships.remove, { accountId, membershipId: owner }),
  ],
  [
    ...(['memberships:leave', ['INVALID', OK, OK, ...OUTSIDE]] as const),
    (who, { accountId }) => who.mutation(api.memberships.leave, { accountId }),
  ],
  [
    ...(['memberships:transferOwnership', OWNER] as const),
    (who, { accountId, member }) => who.mutation(api.memberships.transferOwnership, { accountId, membershipId: member }),
  ],
  ['memberships:rename', MEMBERS, (who, { accountId }) => who.mutation(api.memberships.rename, { accountId, name: 'Somebody' })],

  [
    ...(['invitations:create for a member', ADMINS] as const),
    (who, { accountId }) => who.action(api.invitations.create, { accountId, email: 'new@example.org', role: 'member' }),
  ],
  [
    ...(['invitations:create for an admin', ADMINS] as const),
    (who, { accountId }) => who.action(api.invitations.create, { accountId, email: 'new@example.org', role: 'admin' }),
  ],
  [
    ...(['invitations:list', ADMINS] as const),
    (who, { accountId }) => who.query(api.invitations.list, { accountId, state: 'pending', paginationOpts: page }),
  ],
  [
    ...(['invitations:revoke', ADMINS] as const),
    (who, { accountId, invitationId }) => who.mutation(api.invitations.revoke, { accountId, invitationId }),
  ],
  ['invitations:preview', ANY_USER, (who, { code }) => who.query(api.invitations.preview, { code })],
  [
    // A code for somebody else is worth nothing, whoever has it.
    ...(['invitations:accept', ['NOT_FOUND', 'NOT_FOUND', 'NOT_FOUND', 'NOT_FOUND', 'NOT_FOUND', WHO]] as const),
    (who, { code }) => who.mutation(api.invitations.accept, { code }),
  ],
]

const callers = ({ backend, ada, bo, cy }: World): Caller[] => [ada, bo, cy, backend.as('Zoe'), backend.as('Eve'), backend]

async function createPlace(world: World): Promise<Place> {
  const { accountId, ada } = world
  const add = (name: string, role: 'admin' | 'member') =>
    ada.mutation(api.memberships.add, { accountId, userId: `test|${name}`, name, role })
  const invited = await ada.action(api.invitations.create, { accountId, email: 'di@example.org', role: 'member' })
  const owner = await membershipOf(world, 'Ada')
  return { accountId, ...invited, owner, member: await add('Max', 'member'), admin: await add('Amy', 'admin') }
}

onEachEngine('by role', (open) => {
  it.each(MATRIX)('%s', async (_what, answers, call) => {
    const backend = await open()
    await backend.as('Eve').mutation(api.accounts.create, { name: 'Foreign' })
    const found: string[] = []
    // Each caller finds the account untouched by the one before.
    for (let n = 0; n < answers.length; n++) {
      const world = await createWorld(backend)
      const who = callers(world)[n]
      if (who) found.push(await outcome(call(who, await createPlace(world))))
    }
    expect(found).toEqual(answers)
  })
})

it('covers every function of accounts, members and invitations', async () => {
  const paths = publicFunctions(await buildFunctions()).map(({ path }) => path)
  const tried = new Set(MATRIX.map(([what]) => what.split(' ')[0]))
  expect([...tried].sort()).toEqual(paths.filter((path) => /^(accounts|memberships|invitations):/.test(path)).sort())
})
