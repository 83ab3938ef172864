/** What Convex lets one function read holds for the largest accounts and the longest texts. The embedded engine counts as Convex does. */
import type { Id } from '../convex/_generated/dataModel.js'
import { afterEach, beforeAll, beforeEach, expect, it } from 'vitest'
import { LIMITS } from '@mission-control/shared/limits'
import { api, internal } from '../convex/_generated/api.js'
import type { EmbeddedBackend } from './harness/embedded.ts'
import { buildFunctions, openEmbedded } from './harness/embedded.ts'
import type { World } from './harness/world.ts'
import { createWorld } from './harness/world.ts'

/** Three bytes per character. */
const LONGEST = '鱼'.repeat(LIMITS.descriptionChars)
const TIMEOUT = { timeout: 120_000 }

let functions: Awaited<ReturnType<typeof buildFunctions>>
let backend: EmbeddedBackend
let world: World

beforeAll(async () => {
  functions = await buildFunctions()
})
beforeEach(async () => {
  backend = await openEmbedded(functions)
  world = await createWorld(backend)
})
afterEach(async () => await backend.close())

async function addAgents(count: number): Promise<Id<'agents'>[]> {
  const { ada, accountId } = world
  const ids: Id<'agents'>[] = []
  for (let n = 0; n < count; n++)
    ids.push(await ada.mutation(api.agents.create, { accountId, slug: `agent-${n}`, name: `Agent ${n}` }))
  return ids
}

const longTask = (n: number) =>
  world.ada.mutation(api.tasks.create, { accountId: world.accountId, title: `Long ${n}`, description: LONGEST })

/** Inserts 200 long tasks, each with an item for the engineer. */
async function longQueue(): Promise<void> {
  for (let n = 0; n < 200; n++) await world.post('@engineer look', await longTask(n))
}

it('stops a task of the longest description that 200 agents were told of', TIMEOUT, async () => {
  await addAgents(198)
  const task = await longTask(1)
  await world.post('@all look', task)
  await backend.finishScheduled()
  await world.ada.mutation(api.deliveries.stop, { accountId: world.accountId, taskId: task })
  await backend.finishScheduled()
  expect((await world.deliveries(task)).map(({ state }) => state)).toEqual(Array(200).fill('skipped'))
})

it(
  'pauses an agent that has items of 200 tasks of the longest description, and looks anew at what waits for a budget',
  TIMEOUT,
  async () => {
    const { ada, accountId, engineer } = world
    await longQueue()
    await ada.mutation(api.agents.pause, { accountId, agentId: engineer })
    await ada.mutation(api.agents.resume, { accountId, agentId: engineer })
    await backend.finishScheduled()
    await backend.run(async (ctx) => {
      const rows = ctx.db
        .query('deliveries')
        .withIndex('by_account_state_due', (q) => q.eq('accountId', accountId).eq('state', 'ready'))
      for (const row of await rows.collect()) await ctx.db.patch(row._id, { dueAt: row.dueAt + 3_000_000, reason: 'over_budget' })
    })
    await ada.mutation(api.accounts.setBudgets, {
      accountId,
      budgets: { turnsPerHour: 5, tokensPerDay: null, microUsdPerDay: null },
    })
    await backend.finishScheduled()
    expect(await world.ready()).toHaveLength(LIMITS.readyHeads)
  },
)

it('lists 200 dead letters of tasks of the longest description', TIMEOUT, async () => {
  const { ada, accountId } = world
  await longQueue()
  await backend.run(async (ctx) => {
    const rows = ctx.db
      .query('deliveries')
      .withIndex('by_account_state_due', (q) => q.eq('accountId', accountId).eq('state', 'ready'))
    for (const row of await rows.collect()) await ctx.db.patch(row._id, { state: 'dead', reason: 'test' })
  })
  const seen = new Set<string>()
  for (let cursor: string | null = null, isDone = false; !isDone;) {
    const page: Awaited<ReturnType<typeof read>> = await read(cursor)
    for (const { id } of page.page) seen.add(id)
    ;[cursor, isDone] = [page.continueCursor, page.isDone]
  }
  expect(seen.size).toBe(200)
  const told = new Set<string>()
  for (let cursor: string | null = null; ;) {
    const page: typeof api.service.notifications.listDead._returnType = await backend.query(api.service.notifications.listDead, {
      ...{ ...world.service, cursor, limit: 200 },
    })
    for (const { id } of page.items) told.add(id)
    if ((cursor = page.cursor) === null) break
  }
  expect(told).toEqual(seen)

  function read(cursor: string | null) {
    return ada.query(api.deliveries.listDead, { accountId, paginationOpts: { numItems: 200, cursor } })
  }
})

it('takes over from a runtime whose 64 turns all die, and tells many admins of each', TIMEOUT, async () => {
  const { ada, accountId } = world
  for (let n = 0; n < 49; n++) {
    await ada.mutation(api.memberships.add, { accountId, userId: `test|admin-${n}`, name: `Admin ${n}`, role: 'admin' })
  }
  await addAgents(62)
  await world.post('@all look')
  await backend.finishScheduled()
  let claimed = 0
  for (let items = await world.claimReady(); items.length > 0; items = await world.claimReady()) claimed += items.length
  expect(claimed).toBe(64)
  await backend.run(async (ctx) => {
    const rows = ctx.db
      .query('deliveries')
      .withIndex('by_account_state_due', (q) => q.eq('accountId', accountId).eq('state', 'claimed'))
    for (const row of await rows.collect()) await ctx.db.patch(row._id, { attempts: 5 })
  })
  expect(await world.hello('box-1', 'boot-2')).toMatchObject({ role: 'active' })
  await backend.finishScheduled()
  expect((await world.deliveries()).map(({ state }) => state)).toEqual(Array(64).fill('dead'))
})

it('claims 16 updates whose deleted messages stand for long threads', TIMEOUT, async () => {
  const { ada, accountId, taskId } = world
  const agents = await addAgents(14)
  for (const agentId of [...agents, world.engineer, world.qa])
    await ada.mutation(api.subscriptions.subscribe, { accountId, taskId, agentId })
  const first = await world.post('first')
  const author = world.engineer
  for (let n = 0; n < 12; n++) {
    await backend.mutation(api.service.messages.createFromAgent, {
      ...world.service,
      ...{ agentId: author, taskId, content: '鱼'.repeat(LIMITS.messageChars), key: `k${n}` },
    })
  }
  const last = await world.post('last')
  await backend.finishScheduled()
  await ada.mutation(api.messages.remove, { accountId, messageId: first })
  await ada.mutation(api.messages.remove, { accountId, messageId: last })
  const ids = await backend.run(async (ctx) => {
    const rows = ctx.db
      .query('deliveries')
      .withIndex('by_account_state_due', (q) => q.eq('accountId', accountId).eq('state', 'ready'))
    return (await rows.collect()).map(({ _id }) => _id)
  })
  expect(ids).toHaveLength(16)
  const claimed = new Set<string>()
  while (claimed.size < ids.length) {
    const { items } = await world.claim(ids.filter((id) => !claimed.has(id)))
    expect(items.length).toBeGreaterThan(0)
    for (const { id } of items) claimed.add(id)
  }
})

it('ends the last attempts of 64 turns of each of ten runtimes that stopped checking in', TIMEOUT, async () => {
  const accounts = [world.accountId]
  for (let n = 1; n < 10; n++) accounts.push((await createWorld(backend, { account: `Account ${n}` })).accountId)
  for (const accountId of accounts) await claimCopies(accountId)
  await backend.advance(60 * 60_000)
  await backend.mutation(internal.maintenance.lapse, {})
  await backend.finishScheduled()
  for (const accountId of accounts) {
    expect(await statesOf(accountId)).toEqual(['dead:64'])
  }
})

const statesOf = (accountId: Id<'accounts'>) =>
  backend.run(async (ctx) => {
    const counts = new Map<string, number>()
    const rows = ctx.db.query('deliveries').withIndex('by_account_state_due', (q) => q.eq('accountId', accountId))
    for (const { state } of await rows.collect()) counts.set(state, (counts.get(state) ?? 0) + 1)
    return [...counts].map(([state, count]) => `${state}:${count}`)
  })

/** 64 agents at work: one is really claimed, the others are copies of all its rows. */
async function claimCopies(accountId: Id<'accounts'>, prefix = 'copy'): Promise<void> {
  const { ada } = world
  const taskId = await ada.mutation(api.tasks.create, { accountId, title: prefix })
  await ada.mutation(api.messages.post, { accountId, taskId, content: '@engineer go' })
  await backend.run(async (ctx) => {
    const item = await ctx.db
      .query('deliveries')
      .withIndex('by_account_task', (q) => q.eq('accountId', accountId).eq('taskId', taskId))
      .first()
    const runtime = await ctx.db
      .query('runtimes')
      .withIndex('by_account_role', (q) => q.eq('accountId', accountId).eq('role', 'active'))
      .first()
    if (!item || !runtime) throw new Error('There is no item, or nobody to claim it.')
    const claimed = { state: 'claimed' as const, fence: 1, attempts: 5, claimedBy: runtime.epoch, claimedAt: Date.now() }
    await ctx.db.patch(item._id, claimed)
    const [agent, lane] = [await ctx.db.get(item.agentId), await ctx.db.get(item.laneId)]
    if (!agent || !lane) throw new Error('The item has no agent or lane.')
    for (let n = 1; n < 64; n++) {
      const agentId = await ctx.db.insert('agents', { ...bare(agent), slug: `${prefix}-${n}` })
      const laneId = await ctx.db.insert('lanes', { ...bare(lane), agentId })
      const id = await ctx.db.insert('deliveries', { ...bare(item), ...claimed, agentId, laneId })
      await ctx.db.patch(laneId, { activeId: id, tailId: id })
    }
  })
}

function bare<T extends { _id: unknown; _creationTime: number }>({
  _id,
  _creationTime,
  ...row
}: T): Omit<T, '_id' | '_creationTime'> {
  return row
}

it('checks in with as many turns as a runtime may hold, all past their deadline and their last attempt', TIMEOUT, async () => {
  for (let n = 0; n < 8; n++) await claimCopies(world.accountId, `batch-${n}`)
  const held = await backend.run(async (ctx) => {
    const rows = ctx.db
      .query('deliveries')
      .withIndex('by_account_state_due', (q) => q.eq('accountId', world.accountId).eq('state', 'claimed'))
    const found = await rows.take(LIMITS.heldItems)
    for (const { _id } of found) await ctx.db.patch(_id, { dueAt: Date.now() - 1 })
    return found.map(({ _id, fence }) => ({ id: _id, fence }))
  })
  expect(held).toHaveLength(LIMITS.heldItems)
  const answer = await world.checkIn(held)
  // All must be aborted at once; they are taken back 64 at a time.
  expect(answer).toMatchObject({ superseded: false, stop: held.map(({ id }) => id) })
  expect((await statesOf(world.accountId)).sort()).toEqual(['claimed:448', 'dead:64'])
  for (let n = 1; n < 8; n++) await world.checkIn([])
  expect((await statesOf(world.accountId)).sort()).toEqual(['claimed:12', 'dead:500'])
})
