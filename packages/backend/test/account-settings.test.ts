/** What admins set for a whole account: its name, its time zone, and what its agents may do unless they say otherwise. */
import { LIMITS } from '@mission-control/shared/limits'
import { expect, it } from 'vitest'
import { api } from '../convex/_generated/api.js'
import type { Id } from '../convex/_generated/dataModel.js'
import { onEachEngine } from './harness/engines.ts'
import { activitiesOf, outcome } from './harness/people.ts'
import type { World } from './harness/world.ts'
import { createWorld } from './harness/world.ts'

const get = ({ cy, accountId }: World) => cy.query(api.accounts.get, { accountId })
const update = ({ bo, accountId }: World, fields: { name?: string; timeZone?: string }) =>
  bo.mutation(api.accounts.update, { accountId, ...fields })
const setDefaults = ({ bo, accountId }: World, permissionDefaults: Record<string, boolean>) =>
  bo.mutation(api.accounts.setPermissionDefaults, { accountId, permissionDefaults })
const rosterVersion = async ({ backend, service }: World) =>
  (await backend.query(api.service.runtime.signals, service)).rosterVersion
const permissionsOf = async ({ backend }: World, agentId: Id<'agents'>) =>
  (await backend.run((ctx) => ctx.db.get(agentId)))?.permissions
const changes = async (world: World) => (await activitiesOf(world)).filter(({ type }) => type === 'account_updated')

onEachEngine('the settings of an account', (open) => {
  it('are shown to its members', async () => {
    const world = await createWorld(await open())
    expect(await get(world)).toMatchObject({
      ...{ name: 'Acme', timeZone: 'UTC', permissionDefaults: {}, role: 'member', paused: false },
      budgets: { turnsPerHour: null, tokensPerDay: null, microUsdPerDay: null },
      retention: { deliveriesDays: 30, activitiesDays: 365, notificationsDays: 90 },
    })
  })

  it('name and time zone change together or alone, once, and that is written down', async () => {
    const world = await createWorld(await open())
    await update(world, { name: '  Acme \n Works ', timeZone: 'Europe/Paris' })
    expect(await get(world)).toMatchObject({ name: 'Acme Works', timeZone: 'Europe/Paris' })
    await update(world, { name: 'Acme Works' })
    await update(world, {})
    await update(world, { timeZone: 'America/Argentina/Ushuaia' })
    expect(await get(world)).toMatchObject({ name: 'Acme Works', timeZone: 'America/Argentina/Ushuaia' })
    expect((await changes(world)).map(({ detail, actor }) => [actor.name, detail])).toEqual([
      ['Bo', 'time zone: Europe/Paris -> America/Argentina/Ushuaia'],
      ['Bo', 'name: was "Acme", time zone: UTC -> Europe/Paris'],
    ])
  })

  it('take no name that is empty or too long and no zone that is none, and change nothing then', async () => {
    const world = await createWorld(await open())
    expect(await outcome(update(world, { name: ' \n' }))).toBe('INVALID')
    expect(await outcome(update(world, { name: 'x'.repeat(LIMITS.nameChars + 1) }))).toBe('LIMIT')
    for (const timeZone of ['', 'Mars/Olympus', 'Europe/Paris; drop', '+01:00', '-0500', 'UTC+1']) {
      expect([timeZone, await outcome(update(world, { name: 'Other', timeZone }))]).toEqual([timeZone, 'INVALID'])
    }
    expect(await outcome(update(world, { timeZone: 'x'.repeat(LIMITS.timeZoneChars + 1) }))).toBe('LIMIT')
    expect(await get(world)).toMatchObject({ name: 'Acme', timeZone: 'UTC' })
    expect(await outcome(world.ada.mutation(api.accounts.create, { name: '  ' }))).toBe('INVALID')
  })
})

onEachEngine('what the runtime is asked for', (open) => {
  it('is written down each time, and taking back nothing is nothing', async () => {
    const world = await createWorld(await open())
    const ask = (command: 'restart' | 'drain' | null) =>
      world.bo.mutation(api.accounts.setCommand, { accountId: world.accountId, command })
    for (const command of [null, 'restart', 'restart', 'drain', null, null] as const) await ask(command)
    const commanded = (await activitiesOf(world)).filter(({ type }) => type === 'runtime_commanded').reverse()
    expect(commanded.map(({ detail, actor }) => [actor.name, detail])).toEqual([
      ...[
        ['Bo', 'restart'],
        ['Bo', 'restart'],
        ['Bo', 'drain'],
        ['Bo', 'drain taken back'],
      ],
    ])
  })
})

onEachEngine('the permission defaults of an account', (open) => {
  it('hold for each agent at once, but where the agent’s own layer says otherwise', async () => {
    const world = await createWorld(await open())
    await world.backend.run((ctx) => ctx.db.patch(world.qa, { permissionOverrides: { canCreateTasks: false, canReview: true } }))
    await setDefaults(world, { canCreateTasks: true, canReview: false, canMarkDone: true })
    expect(await permissionsOf(world, world.engineer)).toEqual({
      ...{ canCreateTasks: true, canReview: false, canMarkDone: true },
      ...{ canModifyTaskStatus: true, canCreateDocuments: true, canRequestResponses: true },
    })
    expect(await permissionsOf(world, world.qa)).toMatchObject({ canCreateTasks: false, canReview: true, canMarkDone: true })
    expect((await get(world)).permissionDefaults).toEqual({ canCreateTasks: true, canReview: false, canMarkDone: true })
    await setDefaults(world, {})
    expect(await permissionsOf(world, world.engineer)).toMatchObject({ canCreateTasks: false, canMarkDone: false })
    expect(await permissionsOf(world, world.qa)).toMatchObject({ canCreateTasks: false, canReview: true, canMarkDone: false })
  })

  it('tell the runtime exactly when something became different for an agent', async () => {
    const world = await createWorld(await open())
    const start = await rosterVersion(world)
    // The product’s default, said aloud.
    await setDefaults(world, { canModifyTaskStatus: true })
    expect(await rosterVersion(world)).toBe(start)
    await setDefaults(world, { canModifyTaskStatus: false })
    expect(await rosterVersion(world)).toBe(start + 1)
    await setDefaults(world, { canModifyTaskStatus: false })
    expect(await rosterVersion(world)).toBe(start + 1)
    for (const agentId of [world.engineer, world.qa]) {
      await world.backend.run((ctx) => ctx.db.patch(agentId, { permissionOverrides: { canMarkDone: false } }))
    }
    await setDefaults(world, { canModifyTaskStatus: false, canMarkDone: true })
    expect(await rosterVersion(world)).toBe(start + 1)
    expect(await changes(world)).toHaveLength(3)
  })

  it('reach all of a thousand agents in one transaction', async () => {
    const world = await createWorld(await open())
    const { accountId, backend, engineer } = world
    await backend.run(async (ctx) => {
      await ctx.db.patch(accountId, { agentLimit: 1_000 })
      const agent = await ctx.db.get(engineer)
      if (!agent) throw new Error('The agent is gone.')
      const { _id, _creationTime, ...row } = agent
      for (let n = 2; n < 1_000; n++) await ctx.db.insert('agents', { ...row, slug: `agent-${n}` })
    })
    const start = await rosterVersion(world)
    await setDefaults(world, { canReview: true })
    const reviewers = await backend.run(async (ctx) => {
      const rows = ctx.db
        .query('agents')
        .withIndex('by_account_reviewer', (q) => q.eq('accountId', accountId).eq('permissions.canReview', true))
      return (await rows.collect()).length
    })
    expect([reviewers, await rosterVersion(world)]).toEqual([1_000, start + 1])
  })

  it('are what a new agent begins with', async () => {
    const world = await createWorld(await open())
    await setDefaults(world, { canCreateTasks: true })
    const fresh = await world.bo.mutation(api.agents.create, { accountId: world.accountId, slug: 'fresh', name: 'Fresh' })
    expect(await permissionsOf(world, fresh)).toMatchObject({ canCreateTasks: true })
  })
})

onEachEngine('how many agents an account may have', (open) => {
  const setLimit = ({ bo, accountId }: World, agentLimit: number) => bo.mutation(api.accounts.update, { accountId, agentLimit })
  const addAgent = ({ bo, accountId }: World, slug: string) => bo.mutation(api.agents.create, { accountId, slug, name: slug })

  it('is set by admins from 1 to 1,000, and written down', async () => {
    const world = await createWorld(await open())
    for (const wrong of [0, 1.5, -1, LIMITS.agentsPerAccountMax + 1]) {
      expect([wrong, await outcome(setLimit(world, wrong))]).toEqual([wrong, 'INVALID'])
    }
    expect((await get(world)).agentLimit).toBe(LIMITS.agentsPerAccount)
    await setLimit(world, LIMITS.agentsPerAccountMax)
    await setLimit(world, LIMITS.agentsPerAccountMax)
    expect((await get(world)).agentLimit).toBe(1_000)
    expect((await changes(world)).map(({ detail }) => detail)).toEqual(['agent limit: 200 -> 1000'])
  })

  it('may be less than there are: all of them stay and keep following the settings, and no more come', async () => {
    const world = await createWorld(await open())
    await setLimit(world, 1)
    expect(await outcome(addAgent(world, 'third'))).toBe('LIMIT')
    await setDefaults(world, { canReview: true })
    for (const id of [world.engineer, world.qa]) expect(await permissionsOf(world, id)).toMatchObject({ canReview: true })
    await setLimit(world, 3)
    expect(await outcome(addAgent(world, 'third'))).toBe('accepted')
  })
})
