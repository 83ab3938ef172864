/** The end of an account: everybody is out at once, nothing of it remains, and nothing of another is touched. */
import { conflicts } from '@mission-control/embedded'
import { LIMITS } from '@mission-control/shared/limits'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { api, internal } from '../convex/_generated/api.js'
import type { Id } from '../convex/_generated/dataModel.js'
import { ACCOUNT_TABLES } from '../convex/model/accountTables.js'
import { STALLED_MS } from '../convex/model/accountRemoval.js'
import type { Backend } from './harness/backend.ts'
import { identityOf } from './harness/backend.ts'
import type { EmbeddedBackend } from './harness/embedded.ts'
import { buildFunctions, openEmbedded } from './harness/embedded.ts'
import { onEachEngine } from './harness/engines.ts'
import { fillTables, OWNED_TABLES, rowsOfAccount } from './harness/fill.ts'
import { activitiesOf, membershipOf, outcome } from './harness/people.ts'
import { internalMutations, sample } from './harness/public-functions.ts'
import type { World } from './harness/world.ts'
import { createWorld } from './harness/world.ts'

const DAY = 86_400_000
const remove = ({ ada, accountId }: World, name = 'Acme') => ada.mutation(api.accounts.remove, { accountId, name })
const step = ({ backend, accountId }: World) => backend.mutation(internal.accounts.removeStep, { accountId })
const accountRow = ({ backend, accountId }: World) => backend.run((ctx) => ctx.db.get(accountId))
const counts = async ({ backend, accountId }: World): Promise<Record<string, number>> =>
  Object.fromEntries(Object.entries(await rowsOfAccount(backend, accountId)).map(([table, rows]) => [table, rows.length]))
const total = async (world: World) => Object.values(await counts(world)).reduce((sum, rows) => sum + rows, 0)

/** A second account in the same deployment, with its own people. */
async function createOther(backend: Backend): Promise<World> {
  const others = { ...backend, as: (name: string) => backend.as(`other-${name}`) }
  return await createWorld(others, { account: 'Foreign', task: 'Foreign work' })
}

it('goes through every table of the schema', () => {
  expect([...ACCOUNT_TABLES].sort()).toEqual([...OWNED_TABLES].sort())
})

onEachEngine('an account that is removed', (open) => {
  it('leaves nothing, neither rows nor files, and what another account has stays', async () => {
    const backend = await open()
    const mine = await createWorld(backend)
    const other = await createOther(backend)
    await backend.finishScheduled()
    const [ids, otherIds] = [await fillTables(backend, mine.accountId), await fillTables(backend, other.accountId)]
    expect(Object.keys(await rowsOfAccount(backend, mine.accountId)).sort()).toEqual([...OWNED_TABLES].sort())
    const before = await rowsOfAccount(backend, other.accountId)
    await remove(mine)
    await backend.finishScheduled()
    expect(await rowsOfAccount(backend, mine.accountId)).toEqual({})
    expect(await accountRow(mine)).toBeNull()
    expect(await rowsOfAccount(backend, other.accountId)).toEqual(before)
    const files = await backend.run((ctx) => ctx.db.system.query('_storage').collect())
    expect(files.map(({ _id }) => _id)).toEqual([otherIds['_storage']])
    expect(ids['_storage']).not.toBe(otherIds['_storage'])
    expect(await accountRow(other)).toMatchObject({ name: 'Foreign', deletingAt: null })
    await backend.finishScheduled()
    expect(await failures(backend)).toEqual([])
  })

  it('has shut everybody out when the first transaction ends', async () => {
    const world = await createWorld(await open())
    const { accountId, backend, service } = world
    const { code } = await world.bo.action(api.invitations.create, { accountId, email: 'di@example.org', role: 'member' })
    await world.post('@engineer go')
    const item = await world.claimOne()
    await remove(world)
    for (const who of ['ada', 'bo', 'cy'] as const) {
      expect(await outcome(world[who].query(api.accounts.get, { accountId }))).toBe('FORBIDDEN')
      expect(await world[who].query(api.accounts.listMine, {})).toEqual([])
    }
    expect(await outcome(world.post('still there?'))).toBe('FORBIDDEN')
    expect(await outcome(backend.query(api.service.notifications.ready, service))).toBe('TOKEN_REFUSED')
    expect(await outcome(world.checkIn([item]))).toBe('TOKEN_REFUSED')
    expect(await outcome(world.settle(item, 'too late'))).toBe('TOKEN_REFUSED')
    expect(await outcome(world.hello('box-2', 'boot-2'))).toBe('TOKEN_REFUSED')
    expect(await outcome(backend.as('Di').mutation(api.invitations.accept, { code }))).toBe('NOT_FOUND')
    expect(await outcome(backend.as('Di').query(api.invitations.preview, { code }))).toBe('NOT_FOUND')
    expect(await outcome(remove(world))).toBe('FORBIDDEN')
  })

  it('was named in full by its owner', async () => {
    const world = await createWorld(await open())
    const { accountId } = world
    for (const name of ['', 'acme', 'Acme ', 'Foreign']) expect(await outcome(remove(world, name))).toBe('INVALID')
    expect(await outcome(world.bo.mutation(api.accounts.remove, { accountId, name: 'Acme' }))).toBe('FORBIDDEN')
    expect(await outcome(world.cy.mutation(api.accounts.remove, { accountId, name: 'Acme' }))).toBe('FORBIDDEN')
    await world.backend.finishScheduled()
    expect(await accountRow(world)).toMatchObject({ deletingAt: null })
    expect((await activitiesOf(world)).map(({ type }) => type)).not.toContain('account_deleting')
    await remove(world)
    const { activities } = await rowsOfAccount(world.backend, accountId)
    expect(activities?.at(-1)).toMatchObject({ type: 'account_deleting', actorName: 'Ada', targetName: 'Acme' })
  })

  it('goes in steps that are bounded in rows and in bytes', async () => {
    const world = await createWorld(await open())
    const { accountId, backend, taskId } = world
    await backend.finishScheduled()
    const text = 'x'.repeat(LIMITS.messageChars)
    for (let batch = 0; batch < 3; batch++) {
      await backend.run(async (ctx) => {
        for (let n = 0; n < 400; n++) {
          await ctx.db.insert('counterChanges', { accountId, key: 'none', by: 0 })
          if (n % 10 !== 0) continue
          await ctx.db.insert('messages', {
            ...{ accountId, taskId, authorType: 'user', authorId: 'test|Ada', authorName: 'Ada', content: text },
            ...{
              mentions: [],
              mentionsAll: false,
              deliveryId: null,
              key: null,
              attachments: [],
              editedAt: null,
              deletedAt: null,
            },
          })
        }
      })
    }
    await remove(world)
    const messages = async () => (await counts(world))['messages'] ?? 0
    let steps = 0
    for (let [left, texts] = [await total(world), await messages()]; (await accountRow(world)) !== null; steps++) {
      await step(world)
      const now = [await total(world), await messages()] as const
      expect(left - now[0]).toBeLessThanOrEqual(500)
      // 8 MB of them; convex-test does not weigh what it reads.
      if (backend.name === 'embedded') expect(texts - now[1]).toBeLessThanOrEqual(80)
      expect(now[0] < left || left === 0).toBe(true)
      ;[left, texts] = now
    }
    // 1,200 rows are three pages of one table.
    expect(steps).toBeGreaterThan(10)
  })

  it('is removed to the end after a halt, by the cron, which leaves a removal alone that is going on', async () => {
    const world = await createWorld(await open())
    const { accountId, backend } = world
    const other = await createOther(backend)
    await fillTables(backend, accountId)
    // As if the process had ended between the first transaction and its first step.
    await backend.run((ctx) => ctx.db.patch(accountId, { deletingAt: backend.now() }))
    await backend.mutation(internal.maintenance.removals, {})
    await backend.finishScheduled()
    expect(await accountRow(world)).not.toBeNull()
    await backend.advance(STALLED_MS + 1)
    await backend.mutation(internal.maintenance.removals, {})
    // Taken up, it is last in line.
    expect(await accountRow(world)).toMatchObject({ deletingAt: backend.now() })
    await backend.finishScheduled()
    expect(await accountRow(world)).toBeNull()
    expect(await rowsOfAccount(backend, accountId)).toEqual({})
    expect(await accountRow(other)).not.toBeNull()
  })

  it('is removed once, however many steps run, and a step for an account that stays does nothing', async () => {
    const world = await createWorld(await open())
    const other = await createOther(world.backend)
    await world.backend.finishScheduled()
    const before = await counts(other)
    await step(other)
    expect(await counts(other)).toEqual(before)
    await remove(world)
    for (let n = 0; n < 60; n++) await step(world)
    await world.backend.finishScheduled()
    await step(world)
    expect(await failures(world.backend)).toEqual([])
    expect([await accountRow(world), await counts(world), await counts(other)]).toEqual([null, {}, before])
  })

  it('goes on without a file that is gone already', async () => {
    const world = await createWorld(await open())
    const ids = await fillTables(world.backend, world.accountId)
    await world.backend.run((ctx) => ctx.storage.delete(ids['_storage'] as Id<'_storage'>))
    await remove(world)
    await world.backend.finishScheduled()
    expect(await accountRow(world)).toBeNull()
    expect(await failures(world.backend)).toEqual([])
  })

  it('ends whatever was still to be done for it: nothing fails, nothing comes back', async () => {
    const world = await createWorld(await open())
    const { accountId, ada, backend, taskId } = world
    for (let n = 0; n < 25; n++) {
      await ada.mutation(api.memberships.add, { accountId, userId: `test|m${n}`, name: `m${n}`, role: 'member' })
      await ada.mutation(api.agents.create, { accountId, slug: `agent-${n}`, name: `Agent ${n}` })
    }
    const agents = (await rowsOfAccount(backend, accountId))['agents'] ?? []
    const assignees = agents.map(({ _id: id }) => ({ type: 'agent' as const, id }))
    await ada.mutation(api.tasks.assign, { accountId, taskId, assignees: assignees.slice(0, 24) })
    await backend.finishScheduled()
    const item = (await world.claimReady())[0]
    if (item) await world.settle(item, 'done with this')
    await world.post('@all hands')
    await ada.mutation(api.tasks.updateStatus, { accountId, taskId, status: 'review' })
    await ada.mutation(api.agents.pause, { accountId, agentId: world.engineer })
    await ada.mutation(api.agents.remove, { accountId, agentId: world.qa })
    await ada.mutation(api.notifications.markAllRead, { accountId })
    await ada.mutation(api.accounts.setBudgets, {
      ...{ accountId, budgets: { turnsPerHour: 1, tokensPerDay: null, microUsdPerDay: null } },
    })
    await ada.mutation(api.memberships.remove, { accountId, membershipId: await membershipOf(world, 'Cy') })
    await ada.action(api.serviceTokens.create, { accountId, name: 'short', expiresInDays: 2 })
    await ada.action(api.invitations.create, { accountId, email: 'di@example.org', role: 'member', expiresInDays: 3 })
    const pending = await jobs(backend, 'pending')
    expect(pending.length).toBeGreaterThan(8)
    await remove(world)
    await backend.finishScheduled()
    await backend.advance(5 * DAY)
    for (const cron of [internal.maintenance.lapse, internal.maintenance.removals] as const) await backend.mutation(cron, {})
    for (const cron of [internal.maintenance.auditAll, internal.maintenance.retainAll, internal.standup.writeAll] as const) {
      await backend.mutation(cron, {})
    }
    await backend.finishScheduled()
    expect(await failures(backend)).toEqual([])
    expect(await accountRow(world)).toBeNull()
    expect(await rowsOfAccount(backend, accountId)).toEqual({})
  }, 90_000)
})

describe('at whatever point of a removal', () => {
  /** Called by actions with the identity of the caller: they refuse whoever is no member. */
  const OF_ACTIONS = ['attachments:take', 'invitations:store', 'serviceTokens:replace', 'serviceTokens:store']
  let backend: EmbeddedBackend
  let calls: readonly { path: string; args: object }[]
  let world: World

  beforeAll(async () => {
    const functions = await buildFunctions()
    backend = await openEmbedded(functions)
    world = await createWorld(backend)
    await world.post('@engineer @qa go')
    const assignees = [
      { type: 'agent' as const, id: world.engineer },
      { type: 'user' as const, id: 'test|Cy' },
    ]
    await world.ada.mutation(api.tasks.assign, { accountId: world.accountId, taskId: world.taskId, assignees })
    const byTable = await fillTables(backend, world.accountId)
    await backend.finishScheduled()
    // The runtime has not been heard of for long when the account goes.
    await backend.run((ctx) => ctx.db.patch(byTable['runtimes'] as Id<'runtimes'>, { leaseUntil: 0 }))
    // What is left of a queue in the middle of a removal looks like one to be mended.
    await backend.run((ctx) => ctx.db.patch(byTable['lanes'] as Id<'lanes'>, { activeId: null }))
    const byName = { after: undefined, cursor: null, userId: 'test|Cy' }
    calls = internalMutations(functions)
      .filter(({ path }) => !OF_ACTIONS.includes(path) && path !== 'accounts:removeStep')
      .map(({ path, args }) => ({ path, args: sample(args, { byTable, byName }) as object }))
    // One cursor is an object; what the message of the step would be told of does not matter.
    calls = calls.map(({ path, args }) =>
      path === 'fanOut:message' ? { path, args: { ...args, cursor: { source: 0, after: '' } } } : { path, args },
    )
  })
  afterAll(() => backend.close())

  it('no scheduled function fails, adds a row or removes the account', async () => {
    expect(calls.map(({ path }) => path)).toEqual(expect.arrayContaining(['sweeps:step', 'totals:add', 'documents:purgeStep']))
    await remove(world)
    let points = 0
    for (; (await accountRow(world)) !== null; points++) {
      for (const { path, args } of calls) {
        const before = await counts(world)
        const failed = await backend.mutation(path as never, args as never).then(
          () => null,
          (error: unknown) => error,
        )
        expect([path, points, failed]).toEqual([path, points, null])
        const grown = Object.entries(await counts(world)).filter(([table, rows]) => rows > (before[table] ?? 0))
        expect([path, points, grown]).toEqual([path, points, []])
      }
      await step(world)
    }
    expect(points).toBeGreaterThan(OWNED_TABLES.length - 5)
    for (const { path, args } of calls) await backend.mutation(path as never, args as never)
    await backend.finishScheduled()
    expect(await failures(backend)).toEqual([])
    expect([await accountRow(world), await counts(world)]).toEqual([null, {}])
  }, 60_000)

  it('the functions of actions refuse', async () => {
    const other = await createOther(backend)
    await other.ada.mutation(api.accounts.remove, { accountId: other.accountId, name: 'Foreign' })
    const fresh = { accountId: other.accountId, email: 'a@b.c', role: 'member' as const, hash: 'h', lookup: 'l', expiresInMs: 1 }
    expect(await outcome(other.ada.mutation(internal.invitations.store, fresh))).toBe('FORBIDDEN')
  })

  it('a subscription that was open is asked again, and refused', async () => {
    const other = await createWorld({ ...backend, as: (name: string) => backend.as(`third-${name}`) })
    const { accountId, service } = other
    const ready = await backend.engine.trace(api.service.notifications.ready, service)
    const board = await backend.engine.withIdentity(identityOf('Cy')).trace(api.tasks.board, { accountId })
    const owner = backend.engine.withIdentity(identityOf('third-Ada'))
    const removal = await owner.trace(api.accounts.remove, { accountId, name: 'Acme' })
    expect([conflicts(removal, ready), conflicts(removal, board)]).toEqual([true, true])
    expect(await outcome(backend.query(api.service.notifications.ready, service))).toBe('TOKEN_REFUSED')
  })
})

async function jobs(backend: Backend, kind: 'pending' | 'failed') {
  const rows = await backend.run((ctx) => ctx.db.system.query('_scheduled_functions').collect())
  return rows.filter(({ state }) => state.kind === kind)
}

const failures = async (backend: Backend) => (await jobs(backend, 'failed')).map(({ name, state }) => ({ name, state }))
