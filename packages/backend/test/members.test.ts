/** Who is in an account and in which role: changing it, leaving, removing, handing over, and what follows. */
import { LIMITS } from '@mission-control/shared/limits'
import { expect, it } from 'vitest'
import { api } from '../convex/_generated/api.js'
import type { Claims } from './harness/backend.ts'
import { onEachEngine } from './harness/engines.ts'
import { activitiesOf, EVERYTHING, membershipOf, membersOf, outcome } from './harness/people.ts'
import type { World } from './harness/world.ts'
import { createWorld } from './harness/world.ts'

const rolesOf = async (world: World) => Object.fromEntries((await membersOf(world)).map(({ name, role }) => [name, role]))
const setRole = async (world: World, by: 'ada' | 'bo' | 'cy', name: string, role: 'admin' | 'member') => {
  const { accountId } = world
  return await world[by].mutation(api.memberships.updateRole, { accountId, membershipId: await membershipOf(world, name), role })
}
const removeBy = async (world: World, by: 'ada' | 'bo' | 'cy', name: string) => {
  const { accountId } = world
  return await world[by].mutation(api.memberships.remove, { accountId, membershipId: await membershipOf(world, name) })
}
const leave = (world: World, who: 'ada' | 'bo' | 'cy') =>
  world[who].mutation(api.memberships.leave, { accountId: world.accountId })

onEachEngine('members', (open) => {
  it('are listed by name, in pages, with when they joined', async () => {
    const world = await createWorld(await open())
    const { accountId, cy } = world
    const first = await cy.query(api.memberships.list, { accountId, paginationOpts: { numItems: 2, cursor: null } })
    const rest = await cy.query(api.memberships.list, {
      accountId,
      paginationOpts: { numItems: 2, cursor: first.continueCursor },
    })
    expect([...first.page, ...rest.page].map(({ name, role, userId }) => [name, role, userId])).toEqual([
      ['Ada', 'owner', 'test|Ada'],
      ['Bo', 'admin', 'test|Bo'],
      ['Cy', 'member', 'test|Cy'],
    ])
    expect(first.page[0]?.joinedAt).toBeGreaterThan(0)
    const tooMany = cy.query(api.memberships.list, { accountId, paginationOpts: { numItems: 201, cursor: null } })
    expect(await outcome(tooMany)).toBe('INVALID')
  })

  it('see their own membership', async () => {
    const world = await createWorld(await open())
    expect(await world.bo.query(api.memberships.me, { accountId: world.accountId })).toMatchObject({ name: 'Bo', role: 'admin' })
  })

  it('are named in one line of bounded length, by what their identity has of name, address and subject', async () => {
    const backend = await open()
    const nameOf = async (claims: Claims) => {
      const zoe = backend.as('Zoe', claims)
      return (await zoe.query(api.memberships.me, { accountId: await zoe.mutation(api.accounts.create, { name: 'Zoo' }) })).name
    }
    expect(await nameOf({ name: ' Zoe \n the  Owl ' })).toBe('Zoe the Owl')
    expect(await nameOf({ name: 'z'.repeat(1_000) })).toBe('z'.repeat(LIMITS.nameChars))
    expect(await nameOf({ name: ' ' })).toBe('zoe@example.org')
    expect(await nameOf({ name: undefined, email: undefined })).toBe('Zoe')
  })

  it('are added once, hear of it, and are at most a thousand', async () => {
    const world = await createWorld(await open())
    const { accountId, ada, backend } = world
    const add = (name: string) => ada.mutation(api.memberships.add, { accountId, userId: `test|${name}`, name, role: 'member' })
    await add('Di')
    const told = await backend.as('Di').query(api.notifications.list, { accountId, paginationOpts: EVERYTHING })
    expect(told.page).toMatchObject([{ type: 'member_added', title: 'Ada added you to "Acme" as member' }])
    expect((await activitiesOf(world))[0]).toMatchObject({ type: 'member_added', targetName: 'Di', detail: 'member' })
    expect(await outcome(add('Cy'))).toBe('CONFLICT')
    await backend.run(async (ctx) => {
      for (let n = 4; n < LIMITS.membersPerAccount; n++) {
        const name = `m${n}`
        await ctx.db.insert('memberships', { accountId, userId: name, name, nameKey: name, email: null, role: 'member' })
      }
    })
    expect(await outcome(add('Last'))).toBe('LIMIT')
    await removeBy(world, 'ada', 'Cy')
    expect(await outcome(add('Last'))).toBe('accepted')
  })
})

onEachEngine('changing a role', (open) => {
  it('makes members admins and back, tells the one concerned, and is written down', async () => {
    const world = await createWorld(await open())
    await setRole(world, 'bo', 'Cy', 'admin')
    expect(await rolesOf(world)).toEqual({ Ada: 'owner', Bo: 'admin', Cy: 'admin' })
    expect((await world.noticesOf('cy'))[0]).toMatchObject({
      type: 'role_changed',
      title: 'Bo changed your role in "Acme" to admin',
    })
    expect((await activitiesOf(world))[0]).toMatchObject({
      ...{ type: 'member_role_changed', actor: { name: 'Bo' }, targetName: 'Cy', detail: 'member -> admin' },
    })
    expect(await outcome(setRole(world, 'cy', 'Cy', 'admin'))).toBe('accepted')
    await setRole(world, 'ada', 'Cy', 'member')
    expect(await outcome(setRole(world, 'cy', 'Bo', 'member'))).toBe('FORBIDDEN')
    expect(await rolesOf(world)).toEqual({ Ada: 'owner', Bo: 'admin', Cy: 'member' })
  })

  it('to the same role changes nothing and tells nobody', async () => {
    const world = await createWorld(await open())
    const before = [await activitiesOf(world), await world.noticesOf('cy')]
    await setRole(world, 'bo', 'Cy', 'member')
    expect([await activitiesOf(world), await world.noticesOf('cy')]).toEqual(before)
  })

  it('never gives, takes or touches the role of the owner', async () => {
    const world = await createWorld(await open())
    expect(await outcome(setRole(world, 'bo', 'Ada', 'member'))).toBe('INVALID')
    expect(await outcome(setRole(world, 'ada', 'Ada', 'admin'))).toBe('INVALID')
    const membershipId = await membershipOf(world, 'Cy')
    const given = world.ada.mutation(api.memberships.updateRole, {
      ...{ accountId: world.accountId, membershipId, role: 'owner' as never },
    })
    await expect(given).rejects.toThrow()
    expect(await rolesOf(world)).toEqual({ Ada: 'owner', Bo: 'admin', Cy: 'member' })
  })

  it('lets no admin take another one down, so that nobody gets around the rule of removal; stepping down is free', async () => {
    const world = await createWorld(await open())
    await setRole(world, 'ada', 'Cy', 'admin')
    expect(await outcome(setRole(world, 'cy', 'Bo', 'member'))).toBe('FORBIDDEN')
    expect(await outcome(setRole(world, 'cy', 'Cy', 'member'))).toBe('accepted')
    expect(await outcome(setRole(world, 'ada', 'Bo', 'member'))).toBe('accepted')
    expect(await rolesOf(world)).toEqual({ Ada: 'owner', Bo: 'member', Cy: 'member' })
  })

  it('refuses memberships of other accounts and ids of other tables', async () => {
    const world = await createWorld(await open())
    const zoe = world.backend.as('Zoe')
    const accountId = await zoe.mutation(api.accounts.create, { name: 'Other' })
    const foreign = await zoe.query(api.memberships.me, { accountId })
    const named = { accountId: world.accountId, membershipId: foreign.id }
    expect(await outcome(world.ada.mutation(api.memberships.updateRole, { ...named, role: 'admin' }))).toBe('NOT_FOUND')
    expect(await outcome(world.ada.mutation(api.memberships.remove, named))).toBe('NOT_FOUND')
    expect(await outcome(world.ada.mutation(api.memberships.transferOwnership, named))).toBe('NOT_FOUND')
    const task = { ...named, membershipId: world.taskId as never }
    await expect(world.ada.mutation(api.memberships.remove, task)).rejects.toThrow(/memberships/)
  })
})

onEachEngine('handing over the ownership', (open) => {
  it('makes the other one the owner and the old one an admin, who may leave then', async () => {
    const world = await createWorld(await open())
    const { accountId } = world
    const membershipId = await membershipOf(world, 'Cy')
    await world.ada.mutation(api.memberships.transferOwnership, { accountId, membershipId })
    expect(await rolesOf(world)).toEqual({ Ada: 'admin', Bo: 'admin', Cy: 'owner' })
    expect((await world.noticesOf('cy'))[0]).toMatchObject({ type: 'role_changed', title: 'Ada made you the owner of "Acme"' })
    expect((await activitiesOf(world))[0]).toMatchObject({ type: 'ownership_transferred', targetName: 'Cy', detail: 'from Ada' })
    expect((await world.noticesOf('ada')).filter(({ type }) => type === 'role_changed')).toEqual([])
    expect(await outcome(leave(world, 'cy'))).toBe('INVALID')
    expect(await outcome(leave(world, 'ada'))).toBe('accepted')
  })

  it('is refused to oneself', async () => {
    const world = await createWorld(await open())
    const membershipId = await membershipOf(world, 'Ada')
    const transfer = world.ada.mutation(api.memberships.transferOwnership, { accountId: world.accountId, membershipId })
    expect(await outcome(transfer)).toBe('INVALID')
    expect((await rolesOf(world))['Ada']).toBe('owner')
  })
})

onEachEngine('a name', (open) => {
  it('is what mentions find; what was written keeps the old one', async () => {
    const world = await createWorld(await open())
    const { accountId, cy } = world
    await cy.mutation(api.messages.post, { accountId, taskId: world.taskId, content: 'first' })
    await cy.mutation(api.memberships.rename, { accountId, name: '  Cyrus \n  Vance ' })
    await world.post('@"cyrus  vance" look, and not @Cy')
    const notices = (await world.noticesOf('cy')).filter(({ type }) => type === 'mention')
    expect(notices).toHaveLength(1)
    const thread = await world.thread()
    expect(thread.map(({ author }) => author.name)).toEqual(['Cy', 'Ada'])
    expect(thread[1]?.mentions).toEqual([{ type: 'user', id: 'test|Cy', name: 'Cyrus Vance' }])
    const renamed = (await activitiesOf(world)).filter(({ type }) => type === 'member_updated')
    expect(renamed).toMatchObject([{ targetName: 'Cyrus Vance', detail: 'was "Cy"' }])
    await cy.mutation(api.memberships.rename, { accountId, name: 'Cyrus Vance' })
    expect((await activitiesOf(world)).filter(({ type }) => type === 'member_updated')).toHaveLength(1)
  })

  it('is refused when it is empty or too long', async () => {
    const world = await createWorld(await open())
    const rename = (name: string) => world.cy.mutation(api.memberships.rename, { accountId: world.accountId, name })
    expect(await outcome(rename(' \n '))).toBe('INVALID')
    expect(await outcome(rename('x'.repeat(LIMITS.nameChars + 1)))).toBe('LIMIT')
    expect(Object.keys(await rolesOf(world))).toContain('Cy')
  })
})

onEachEngine('removing and leaving', (open) => {
  it('locks out at once, tells the owner, and is written down', async () => {
    const world = await createWorld(await open())
    await removeBy(world, 'bo', 'Cy')
    expect(await outcome(world.cy.query(api.memberships.me, { accountId: world.accountId }))).toBe('FORBIDDEN')
    expect((await world.noticesOf('ada'))[0]).toMatchObject({ type: 'member_removed', title: 'Bo removed Cy' })
    await leave(world, 'bo')
    expect(await outcome(world.bo.query(api.tasks.board, { accountId: world.accountId }))).toBe('FORBIDDEN')
    expect((await world.noticesOf('ada'))[0]).toMatchObject({ type: 'member_removed', title: 'Bo left' })
    expect((await activitiesOf(world)).filter(({ type }) => type === 'member_removed')).toMatchObject([
      { actor: { name: 'Bo' }, targetName: 'Bo', detail: 'left' },
      { actor: { name: 'Bo' }, targetName: 'Cy', detail: 'removed' },
    ])
    expect(await rolesOf(world)).toEqual({ Ada: 'owner' })
  })

  it('does not tell the owner of what the owner did', async () => {
    const world = await createWorld(await open())
    await removeBy(world, 'ada', 'Cy')
    expect((await world.noticesOf('ada')).filter(({ type }) => type === 'member_removed')).toEqual([])
  })

  it('takes members from admins, admins from the owner only, and the owner and oneself from nobody', async () => {
    const world = await createWorld(await open())
    await setRole(world, 'ada', 'Cy', 'admin')
    expect(await outcome(removeBy(world, 'cy', 'Bo'))).toBe('FORBIDDEN')
    expect(await outcome(removeBy(world, 'bo', 'Ada'))).toBe('INVALID')
    expect(await outcome(removeBy(world, 'ada', 'Ada'))).toBe('INVALID')
    expect(await outcome(removeBy(world, 'bo', 'Bo'))).toBe('INVALID')
    expect(await outcome(leave(world, 'ada'))).toBe('INVALID')
    expect(await outcome(removeBy(world, 'ada', 'Bo'))).toBe('accepted')
    expect(await rolesOf(world)).toEqual({ Ada: 'owner', Cy: 'admin' })
  })

  it('takes the person off all tasks: nobody left means the inbox, or blocked with the reason', async () => {
    const world = await createWorld(await open())
    const { accountId, ada, backend } = world
    const cy = { type: 'user' as const, id: 'test|Cy' }
    const newTask = async (title: string, others: { type: 'agent'; id: string }[] = []) => {
      const taskId = await ada.mutation(api.tasks.create, { accountId, title })
      await ada.mutation(api.tasks.assign, { accountId, taskId, assignees: [cy, ...others] })
      return taskId
    }
    const waiting = await newTask('waiting')
    const shared = await newTask('shared', [{ type: 'agent', id: world.engineer }])
    const running = await newTask('running')
    await ada.mutation(api.tasks.updateStatus, { accountId, taskId: running, status: 'in_progress' })
    await removeBy(world, 'ada', 'Cy')
    await backend.finishScheduled()
    const get = (taskId: typeof waiting) => ada.query(api.tasks.get, { accountId, taskId })
    expect(await get(waiting)).toMatchObject({ status: 'inbox', assignees: [] })
    expect(await get(shared)).toMatchObject({ status: 'assigned', assignees: [{ type: 'agent' }] })
    expect(await get(running)).toMatchObject({ status: 'blocked', blockedReason: 'Its only assignee, Cy, left.', assignees: [] })
    const unassigned = (await activitiesOf(world)).filter(({ type }) => type === 'task_unassigned')
    expect(unassigned.map(({ actor, detail }) => [actor.name, detail])).toEqual(Array(3).fill(['Ada', 'Cy']))
  })

  it('leaves nothing that names the person but what the person wrote', async () => {
    const world = await createWorld(await open())
    const { accountId, ada, cy, backend, taskId } = world
    await cy.mutation(api.messages.post, { accountId, taskId, content: 'what I know' })
    await cy.mutation(api.notifications.setPreferences, { accountId, muted: ['thread_update'] })
    // More than two steps of each kind.
    for (let n = 0; n < 120; n++) {
      const other = await ada.mutation(api.tasks.create, { accountId, title: `t${n}` })
      await ada.mutation(api.tasks.assign, { accountId, taskId: other, assignees: [{ type: 'user', id: 'test|Cy' }] })
    }
    await backend.finishScheduled()
    const before = await rowsNaming(world, 'test|Cy')
    expect(before.sort()).toEqual(['assignments', 'inboxes', 'memberships', 'notifications', 'preferences', 'subscriptions'])
    await leave(world, 'cy')
    await backend.finishScheduled()
    expect(await rowsNaming(world, 'test|Cy')).toEqual([])
    expect((await world.thread()).map(({ author, content }) => [author.name, content])).toEqual([['Cy', 'what I know']])
    const board = await ada.query(api.tasks.list, { accountId, status: 'inbox', paginationOpts: EVERYTHING })
    expect(board.page.every(({ assignees }) => assignees.length === 0)).toBe(true)
    expect(board.page).toHaveLength(121)
  }, 90_000)

  it('takes away tasks that are together more than one transaction may read', async () => {
    const world = await createWorld(await open())
    const { accountId, ada, backend } = world
    const description = '語'.repeat(LIMITS.descriptionChars)
    for (let n = 0; n < 30; n++) {
      const taskId = await ada.mutation(api.tasks.create, { accountId, title: `t${n}`, description })
      await ada.mutation(api.tasks.assign, { accountId, taskId, assignees: [{ type: 'user', id: 'test|Cy' }] })
    }
    await leave(world, 'cy')
    await backend.finishScheduled()
    expect(await rowsNaming(world, 'test|Cy')).toEqual([])
  }, 90_000)

  it('tells somebody who was removed nothing more', async () => {
    const world = await createWorld(await open())
    await world.cy.mutation(api.messages.post, { accountId: world.accountId, taskId: world.taskId, content: 'hello' })
    await world.post('before')
    await removeBy(world, 'ada', 'Cy')
    await world.post('@Cy after')
    await world.backend.finishScheduled()
    await world.post('@all later')
    await world.backend.finishScheduled()
    expect(await rowsNaming(world, 'test|Cy')).toEqual([])
  })

  it('forgets nothing of somebody who came back meanwhile, and lets nothing of the first time come back', async () => {
    const world = await createWorld(await open())
    const { accountId, ada } = world
    await ada.mutation(api.tasks.assign, {
      ...{ accountId, taskId: world.taskId, assignees: [{ type: 'user' as const, id: 'test|Cy' }] },
    })
    await removeBy(world, 'ada', 'Cy')
    await ada.mutation(api.memberships.add, { accountId, userId: 'test|Cy', name: 'Cy', role: 'member' })
    await world.backend.finishScheduled()
    expect(await ada.query(api.tasks.get, { accountId, taskId: world.taskId })).toMatchObject({ status: 'assigned' })
    const unread = await world.cy.query(api.notifications.unreadCount, { accountId })
    expect(unread).toBe((await world.noticesOf('cy')).filter(({ readAt }) => readAt === null).length)
  })
})

onEachEngine('whatever happens', (open) => {
  it.each([1, 2, 3])('there is exactly one owner, and each change is allowed or refused by the roles (seed %i)', async (seed) => {
    const world = await createWorld(await open())
    const { accountId, ada, backend } = world
    await ada.mutation(api.memberships.add, { accountId, userId: 'test|Di', name: 'Di', role: 'admin' })
    const names = ['Ada', 'Bo', 'Cy', 'Di']
    const roles = new Map(Object.entries(await rolesOf(world)))
    const ids = new Map<string, Awaited<ReturnType<typeof membershipOf>>>()
    for (const name of names) ids.set(name, await membershipOf(world, name))
    const pick = picker(seed)
    const seen = new Set<string>()
    for (let step = 0; step < 150; step++) {
      const [actor, target] = [pick(names), pick(names)]
      const [by, of] = [roles.get(actor), roles.get(target)]
      const who = backend.as(actor)
      const membershipId = ids.get(target)
      if (!membershipId) throw new Error('Everybody was a member once.')
      const act = pick(['promote', 'demote', 'remove', 'leave', 'transfer', 'add'] as const)
      const manages = by === 'owner' || by === 'admin'
      let expected: string
      let calling: Promise<unknown>
      switch (act) {
        case 'promote':
        case 'demote': {
          const role = act === 'promote' ? 'admin' : 'member'
          calling = who.mutation(api.memberships.updateRole, { accountId, membershipId, role })
          const down = of === 'admin' && role === 'member' && actor !== target
          expected = !manages
            ? 'FORBIDDEN'
            : !of
              ? 'NOT_FOUND'
              : of === 'owner'
                ? 'INVALID'
                : down && by !== 'owner'
                  ? 'FORBIDDEN'
                  : 'accepted'
          if (expected === 'accepted') roles.set(target, role)
          break
        }
        case 'remove':
          calling = who.mutation(api.memberships.remove, { accountId, membershipId })
          expected = !manages
            ? 'FORBIDDEN'
            : !of
              ? 'NOT_FOUND'
              : actor === target || of === 'owner'
                ? 'INVALID'
                : of === 'admin' && by !== 'owner'
                  ? 'FORBIDDEN'
                  : 'accepted'
          if (expected === 'accepted') roles.delete(target)
          break
        case 'leave':
          calling = who.mutation(api.memberships.leave, { accountId })
          expected = !by ? 'FORBIDDEN' : by === 'owner' ? 'INVALID' : 'accepted'
          if (expected === 'accepted') roles.delete(actor)
          break
        case 'transfer':
          calling = who.mutation(api.memberships.transferOwnership, { accountId, membershipId })
          expected = by !== 'owner' ? 'FORBIDDEN' : !of ? 'NOT_FOUND' : actor === target ? 'INVALID' : 'accepted'
          if (expected === 'accepted') roles.set(actor, 'admin').set(target, 'owner')
          break
        case 'add':
          calling = who.mutation(api.memberships.add, { accountId, userId: `test|${target}`, name: target, role: 'member' })
          expected = by !== 'owner' ? 'FORBIDDEN' : of ? 'CONFLICT' : 'accepted'
          if (expected === 'accepted') roles.set(target, 'member')
      }
      expect([step, act, actor, target, await outcome(calling)]).toEqual([step, act, actor, target, expected])
      if (act === 'add' && expected === 'accepted') ids.set(target, await membershipOf(world, target))
      seen.add(`${act} ${expected}`)
      const rows = await backend.run((ctx) =>
        ctx.db
          .query('memberships')
          .withIndex('by_account_role', (q) => q.eq('accountId', accountId))
          .take(10),
      )
      expect(Object.fromEntries(rows.map(({ name, role }) => [name, role]))).toEqual(Object.fromEntries(roles))
      expect(rows.filter(({ role }) => role === 'owner')).toHaveLength(1)
    }
    // A history in which hardly anything happened would prove nothing.
    expect([...seen].filter((one) => one.endsWith('accepted')).length).toBeGreaterThanOrEqual(4)
    await backend.finishScheduled()
  })
})

/** Tables with rows that name the user, messages and activities apart, which are the record of what happened. */
async function rowsNaming({ backend, accountId }: World, userId: string): Promise<string[]> {
  return await backend.run(async (ctx) => {
    const tables = ['memberships', 'preferences', 'inboxes', 'notifications', 'subscriptions', 'assignments', 'tasks'] as const
    const named: string[] = []
    for (const table of tables) {
      const rows = await ctx.db.query(table).collect()
      const ofPerson = rows.filter((row) => {
        const text = JSON.stringify('assignees' in row ? row.assignees : row)
        return row.accountId === accountId && text.includes(`"${userId}"`)
      })
      if (ofPerson.length > 0 && table !== 'tasks') named.push(table)
      // A board row names its assignees as well as the `assignments` rows do.
      if (ofPerson.length > 0 && table === 'tasks' && !named.includes('assignments')) named.push(table)
    }
    return named
  })
}

/** mulberry32 behind a choice: repeatable, nothing more. */
function picker(seed: number) {
  let state = seed
  return <T>(from: readonly T[]): T => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return from[((t ^ (t >>> 14)) >>> 0) % from.length] as T
  }
}
