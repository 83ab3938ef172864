/** Invitations over their life: who may use a code, once, and how it ends. */
import { LIMITS } from '@mission-control/shared/limits'
import { expect, it } from 'vitest'
import { api, internal } from '../convex/_generated/api.js'
import type { Id, TableNames } from '../convex/_generated/dataModel.js'
import { hashToken } from '../convex/lib/tokens.js'
import schema from '../convex/schema.js'
import type { Backend, Claims } from './harness/backend.ts'
import { onEachEngine } from './harness/engines.ts'
import { activitiesOf, EVERYTHING, membersOf, outcome } from './harness/people.ts'
import type { World } from './harness/world.ts'
import { createWorld } from './harness/world.ts'

const DAY = 86_400_000
type Role = 'admin' | 'member'
const invite = (world: World, email = 'di@example.org', over: { role?: Role; expiresInDays?: number } = {}) =>
  world.bo.action(api.invitations.create, { accountId: world.accountId, email, role: 'member', ...over })
const accept = (backend: Backend, name: string, code: string, claims?: Claims) =>
  backend.as(name, claims).mutation(api.invitations.accept, { code })
const revoke = (world: World, invitationId: Id<'invitations'>) =>
  world.bo.mutation(api.invitations.revoke, { accountId: world.accountId, invitationId })
const stateOf = async (world: World, id: Id<'invitations'>) => (await world.backend.run((ctx) => ctx.db.get(id)))?.state
const refusal = (calling: Promise<unknown>): Promise<unknown> =>
  calling.then(
    () => 'accepted',
    (error: unknown) => (error as { data?: unknown }).data,
  )

onEachEngine('an invitation', (open) => {
  it('makes the invited person a member in the invited role, tells the owner and whoever invited, and is written down', async () => {
    const world = await createWorld(await open())
    const { accountId, backend } = world
    const { code, invitationId } = await invite(world, ' Di@Example.org ', { role: 'admin' })
    const answer = await accept(backend, 'Di', code)
    expect(answer.accountId).toBe(accountId)
    expect(await backend.as('Di').query(api.memberships.me, { accountId })).toMatchObject({
      ...{ id: answer.membershipId, role: 'admin', name: 'Di', email: 'di@example.org' },
    })
    for (const who of ['ada', 'bo'] as const) {
      expect(await world.noticesOf(who)).toMatchObject([{ type: 'member_added', title: 'Di joined as admin' }])
    }
    const [accepted, added] = await activitiesOf(world)
    expect(accepted).toMatchObject({ type: 'invitation_accepted', actor: { name: 'Di' }, targetId: invitationId })
    expect(added).toMatchObject({ type: 'member_added', actor: { name: 'Di' }, targetName: 'Di', detail: 'admin' })
    expect(await list(world, 'accepted')).toMatchObject([{ id: invitationId, answeredBy: 'test|Di', invitedBy: 'test|Bo' }])
  })

  it('is good once', async () => {
    const world = await createWorld(await open())
    const { code } = await invite(world)
    await accept(world.backend, 'Di', code)
    await world.backend.as('Di').mutation(api.memberships.leave, { accountId: world.accountId })
    expect(await outcome(accept(world.backend, 'Di', code))).toBe('NOT_FOUND')
    expect((await membersOf(world)).map(({ name }) => name)).toEqual(['Ada', 'Bo', 'Cy'])
  })

  it('is worth no more than whoever made it: removed or no admin any more, nobody gets in by it', async () => {
    const world = await createWorld(await open())
    const { accountId, ada, backend } = world
    const bo = (await membersOf(world)).find(({ name }) => name === 'Bo')
    if (!bo) throw new Error('Bo is a member.')
    const { code, invitationId } = await invite(world, 'bo@elsewhere.example', { role: 'admin' })
    const asBo = (): Promise<unknown> => accept(backend, 'Bo2', code, { email: 'bo@elsewhere.example' })
    await ada.mutation(api.memberships.updateRole, { accountId, membershipId: bo.id, role: 'member' })
    expect(await outcome(asBo())).toBe('NOT_FOUND')
    expect(await outcome(backend.as('Bo2').query(api.invitations.preview, { code }))).toBe('NOT_FOUND')
    await ada.mutation(api.memberships.remove, { accountId, membershipId: bo.id })
    expect(await outcome(asBo())).toBe('NOT_FOUND')
    await backend.finishScheduled()
    expect(await stateOf(world, invitationId)).toBe('revoked')
    expect((await membersOf(world)).map(({ name }) => name)).toEqual(['Ada', 'Cy'])
  })

  it('is for one e-mail address in any case, which must not be known as unverified', async () => {
    const world = await createWorld(await open())
    const { backend } = world
    const { code, invitationId } = await invite(world, 'Di@Example.org')
    expect(await outcome(accept(backend, 'Eve', code))).toBe('NOT_FOUND')
    expect(await outcome(accept(backend, 'Di', code, { email: undefined }))).toBe('NOT_FOUND')
    expect(await outcome(accept(backend, 'Di', code, { email: 'di@example.org.evil.test' }))).toBe('NOT_FOUND')
    expect(await outcome(accept(backend, 'Di', code, { emailVerified: false }))).toBe('FORBIDDEN')
    expect(await outcome(accept(backend, 'Di', code, { email_verified: false }))).toBe('FORBIDDEN')
    expect(await stateOf(world, invitationId)).toBe('pending')
    expect(await outcome(accept(backend, 'Di', code, { email: 'DI@example.ORG', emailVerified: true }))).toBe('accepted')
  })

  it('needs a signed-in user', async () => {
    const world = await createWorld(await open())
    const { code } = await invite(world)
    expect(await outcome(world.backend.mutation(api.invitations.accept, { code }))).toBe('UNAUTHENTICATED')
    expect(await outcome(world.backend.query(api.invitations.preview, { code }))).toBe('UNAUTHENTICATED')
  })

  it('stays unused when a member accepts it', async () => {
    const world = await createWorld(await open())
    const { code, invitationId } = await invite(world, 'cy@example.org', { role: 'admin' })
    expect(await outcome(accept(world.backend, 'Cy', code))).toBe('CONFLICT')
    expect(await stateOf(world, invitationId)).toBe('pending')
    expect((await membersOf(world)).find(({ name }) => name === 'Cy')).toMatchObject({ role: 'member' })
    await world.cy.mutation(api.memberships.leave, { accountId: world.accountId })
    expect(await outcome(accept(world.backend, 'Cy', code))).toBe('accepted')
  })

  it('stays unused when the account is full', async () => {
    const world = await createWorld(await open())
    const { accountId, backend } = world
    const { code, invitationId } = await invite(world)
    await backend.run(async (ctx) => {
      for (let n = 3; n < LIMITS.membersPerAccount; n++) {
        const name = `m${n}`
        await ctx.db.insert('memberships', { accountId, userId: name, name, nameKey: name, email: null, role: 'member' })
      }
    })
    expect(await outcome(accept(backend, 'Di', code))).toBe('LIMIT')
    expect(await stateOf(world, invitationId)).toBe('pending')
  })

  it('ends by itself after 7 days, or after those given, and is written down', async () => {
    const world = await createWorld(await open())
    const { backend } = world
    const week = await invite(world)
    // Timers of convex-test reach no further than 24 days.
    const longer = await invite(world, 'fay@example.org', { expiresInDays: 20 })
    await backend.advance(7 * DAY - 1)
    expect(await stateOf(world, week.invitationId)).toBe('pending')
    await backend.advance(1)
    expect([await stateOf(world, week.invitationId), await stateOf(world, longer.invitationId)]).toEqual(['expired', 'pending'])
    expect(await outcome(accept(backend, 'Di', week.code))).toBe('NOT_FOUND')
    const expired = (await activitiesOf(world)).filter(({ type }) => type === 'invitation_expired')
    expect(expired).toMatchObject([{ actor: { type: 'system' }, targetId: week.invitationId, targetName: 'di@example.org' }])
    expect(await outcome(accept(backend, 'Fay', longer.code))).toBe('accepted')
    await backend.advance(20 * DAY)
    expect(await stateOf(world, longer.invitationId)).toBe('accepted')
  })

  it('is not accepted after its end, even if nothing has run since to write that down', async () => {
    const world = await createWorld(await open())
    const { code, invitationId } = await invite(world)
    await world.backend.run((ctx) => ctx.db.patch(invitationId, { expiresAt: world.backend.now() }))
    expect(await outcome(accept(world.backend, 'Di', code))).toBe('NOT_FOUND')
  })

  it('says what it is for, and whether it is for the caller', async () => {
    const world = await createWorld(await open())
    const { code } = await invite(world, 'di@example.org', { role: 'admin' })
    const preview = (name: string) => world.backend.as(name).query(api.invitations.preview, { code })
    expect(await preview('Di')).toEqual({ accountName: 'Acme', role: 'admin', isForYou: true })
    expect(await preview('Eve')).toEqual({ accountName: 'Acme', role: 'admin', isForYou: false })
  })

  it('answers every code that is not valid for the caller with the same words', async () => {
    const world = await createWorld(await open())
    const { backend } = world
    const used = await invite(world, 'fay@example.org')
    await accept(backend, 'Fay', used.code)
    const revoked = await invite(world)
    await revoke(world, revoked.invitationId)
    const expired = await invite(world, 'di@example.org', { expiresInDays: 1 })
    await backend.advance(DAY)
    const open_ = await invite(world)
    const other = await invite(world, 'eve@example.org')
    const codes = ['', 'nonsense', `${open_.code}x`, open_.code.slice(0, -1), used.code, revoked.code, expired.code, other.code]
    const answers = await Promise.all(codes.map((code) => refusal(accept(backend, 'Di', code))))
    expect(answers[0]).toMatchObject({ code: 'NOT_FOUND' })
    for (const answer of answers) expect(answer).toEqual(answers[0])
    const previews = codes.slice(0, -1).map((code) => refusal(backend.as('Di').query(api.invitations.preview, { code })))
    for (const answer of await Promise.all(previews)) expect(answer).toEqual(answers[0])
  })

  it('is known by its whole code, not by the digits it is looked up by', async () => {
    const world = await createWorld(await open())
    const { invitationId, code } = await invite(world)
    const guess = 'mci_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'
    await world.backend.run((ctx) => ctx.db.patch(invitationId, { lookup: hashToken(guess).lookup }))
    expect(await outcome(accept(world.backend, 'Di', guess))).toBe('NOT_FOUND')
    await world.backend.run((ctx) => ctx.db.patch(invitationId, { lookup: hashToken(code).lookup }))
    expect(await outcome(accept(world.backend, 'Di', code))).toBe('accepted')
  })

  it('has a code of 192 bits that is in no row and no scheduled call', async () => {
    const world = await createWorld(await open())
    const first = await invite(world)
    const second = await invite(world, 'fay@example.org')
    expect(first.code).toMatch(/^mci_[A-Za-z0-9_-]{32}$/)
    expect(first.code).not.toBe(second.code)
    await accept(world.backend, 'Di', first.code)
    const everything = JSON.stringify(
      await world.backend.run(async (ctx) => {
        const tables = Object.keys(schema.tables) as TableNames[]
        const scheduled = await ctx.db.system.query('_scheduled_functions').collect()
        return [scheduled, ...(await Promise.all(tables.map((table) => ctx.db.query(table).collect())))]
      }),
    )
    expect(everything).toContain('invitation_accepted')
    for (const { code } of [first, second]) expect(everything).not.toContain(code.slice(4))
  })
})

onEachEngine('inviting', (open) => {
  it('the same address again ends the older invitation, of that account only', async () => {
    const world = await createWorld(await open())
    const { backend } = world
    const zoe = backend.as('Zoe')
    const accountId = await zoe.mutation(api.accounts.create, { name: 'Other' })
    const elsewhere = await zoe.action(api.invitations.create, { accountId, email: 'di@example.org', role: 'member' })
    const older = await invite(world)
    const newer = await invite(world, 'DI@example.org', { role: 'admin' })
    expect(await stateOf(world, older.invitationId)).toBe('revoked')
    expect(await outcome(accept(backend, 'Di', older.code))).toBe('NOT_FOUND')
    expect(await outcome(accept(backend, 'Di', newer.code))).toBe('accepted')
    expect(await outcome(accept(backend, 'Di', elsewhere.code))).toBe('accepted')
    const types = (await activitiesOf(world)).map(({ type }) => type)
    expect(types.filter((type) => type.startsWith('invitation_'))).toEqual([
      ...['invitation_accepted', 'invitation_created', 'invitation_revoked', 'invitation_created'],
    ])
  })

  it('is refused for what is no e-mail address, for other times and for the role of the owner', async () => {
    const world = await createWorld(await open())
    for (const email of [
      '',
      ' ',
      'di',
      'di@',
      '@example.org',
      'a b@example.org',
      'a@b@c',
      'a@b..c',
      'a@.b',
      'Di <di@b.c>',
      'a@b,c@d',
    ]) {
      expect([email, await outcome(invite(world, email))]).toEqual([email, 'INVALID'])
    }
    expect(await outcome(invite(world, `${'x'.repeat(LIMITS.nameChars)}@b.c`))).toBe('LIMIT')
    for (const expiresInDays of [0, -1, 1.5, 31, Number.NaN]) {
      expect(await outcome(invite(world, 'di@example.org', { expiresInDays }))).toBe('INVALID')
    }
    await expect(invite(world, 'di@example.org', { role: 'owner' as Role })).rejects.toThrow()
    for (const email of ['di@localhost', "o'neil+mc@sub.example.org", 'ünï@exämple.org']) {
      expect([email, await outcome(invite(world, email))]).toEqual([email, 'accepted'])
    }
    expect(await list(world, 'pending')).toHaveLength(3)
  })

  it('keeps a limit of open invitations; ended ones, and one to the same address, make room', async () => {
    const world = await createWorld(await open())
    const { accountId, backend } = world
    const first = await invite(world, 'first@example.org')
    await backend.run(async (ctx) => {
      for (let n = 1; n < LIMITS.invitationsPerAccount; n++) {
        const email = `p${n}@example.org`
        await ctx.db.insert('invitations', {
          ...{ accountId, email, emailKey: email, role: 'member', lookup: `${n}`, hash: `${n}`, state: 'pending' },
          ...{ expiresAt: backend.now() + DAY, invitedBy: 'test|Bo', answeredBy: null, endedAt: null },
        })
      }
    })
    expect(await outcome(invite(world))).toBe('LIMIT')
    const again = await invite(world, 'FIRST@example.org')
    expect(await stateOf(world, first.invitationId)).toBe('revoked')
    await revoke(world, again.invitationId)
    expect(await outcome(invite(world))).toBe('accepted')
  })

  it('is undone by revoking, which is the same twice and comes too late after the end', async () => {
    const world = await createWorld(await open())
    const { backend } = world
    const { code, invitationId } = await invite(world)
    await revoke(world, invitationId)
    await revoke(world, invitationId)
    expect((await activitiesOf(world)).filter(({ type }) => type === 'invitation_revoked')).toHaveLength(1)
    expect(await outcome(accept(backend, 'Di', code))).toBe('NOT_FOUND')
    await backend.advance(7 * DAY)
    expect(await stateOf(world, invitationId)).toBe('revoked')
    const used = await invite(world)
    await accept(backend, 'Di', used.code)
    expect(await outcome(revoke(world, used.invitationId))).toBe('CONFLICT')
    const expired = await invite(world, 'fay@example.org')
    await backend.advance(7 * DAY)
    expect(await outcome(revoke(world, expired.invitationId))).toBe('CONFLICT')
  })

  it('checks the role again in the transaction that counts', async () => {
    const world = await createWorld(await open())
    const { accountId, cy } = world
    const fresh = { accountId, email: 'di@example.org', role: 'member' as const, ...hashToken('x'), expiresInMs: DAY }
    expect(await outcome(cy.mutation(internal.invitations.store, fresh))).toBe('FORBIDDEN')
    expect(await outcome(world.bo.mutation(internal.invitations.store, fresh))).toBe('accepted')
  })

  it('is listed by state, newest first, in pages, and never with a hash', async () => {
    const world = await createWorld(await open())
    for (const name of ['a', 'b', 'c']) await invite(world, `${name}@example.org`)
    const page = await world.bo.query(api.invitations.list, {
      ...{ accountId: world.accountId, state: 'pending', paginationOpts: { numItems: 2, cursor: null } },
    })
    expect(page.page.map(({ email }) => email)).toEqual(['c@example.org', 'b@example.org'])
    expect(page.isDone).toBe(false)
    expect(Object.keys(page.page[0] ?? {}).filter((key) => ['hash', 'lookup', 'code'].includes(key))).toEqual([])
  })
})

const list = async (world: World, state: 'pending' | 'accepted' | 'revoked' | 'expired') =>
  (await world.bo.query(api.invitations.list, { accountId: world.accountId, state, paginationOpts: EVERYTHING })).page
