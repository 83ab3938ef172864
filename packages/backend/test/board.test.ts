/** The board: what it shows, what it reads, and what makes it run again. */
import { conflicts } from '@mission-control/embedded'
import type { TaskStatus } from '@mission-control/shared/enums'
import { TASK_STATUSES } from '@mission-control/shared/enums'
import { LIMITS } from '@mission-control/shared/limits'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { api, internal } from '../convex/_generated/api.js'
import type { Id } from '../convex/_generated/dataModel.js'
import { rankOf } from '../convex/model/rank.js'
import { identityOf } from './harness/backend.ts'
import type { EmbeddedBackend } from './harness/embedded.ts'
import { buildFunctions, openEmbedded } from './harness/embedded.ts'
import { onEachEngine } from './harness/engines.ts'
import type { World } from './harness/world.ts'
import { createWorld, PLACE, RUN, VERSIONS } from './harness/world.ts'

const create = (world: World, title: string, over: { priority?: number; description?: string } = {}) =>
  world.ada.mutation(api.tasks.create, { accountId: world.accountId, title, ...over })
const assign = (world: World, taskId: Id<'tasks'>, id: string = world.engineer) =>
  world.ada.mutation(api.tasks.assign, { accountId: world.accountId, taskId, assignees: [{ type: 'agent', id }] })
const move = (world: World, taskId: Id<'tasks'>, status: TaskStatus) =>
  world.ada.mutation(api.tasks.updateStatus, {
    ...{ accountId: world.accountId, taskId, status },
    ...(status === 'blocked' ? { reason: 'why' } : {}),
  })
const board = (world: World) => world.ada.query(api.tasks.board, { accountId: world.accountId })
const countsOf = ({ columns, archived }: Awaited<ReturnType<typeof board>>) => ({
  ...Object.fromEntries(columns.map(({ status, count }) => [status, count])),
  archived,
})
/** Counted row by row, as nothing else may. */
const truth = (world: World) =>
  world.backend.run(async (ctx) => {
    const tasks = await ctx.db.query('tasks').collect()
    const mine = tasks.filter(({ accountId }) => accountId === world.accountId)
    return Object.fromEntries(TASK_STATUSES.map((status) => [status, mine.filter((task) => task.status === status).length]))
  })
const counters = (world: World) => world.backend.run((ctx) => ctx.db.query('counters').collect())
const pending = (world: World) => world.backend.run((ctx) => ctx.db.query('counterChanges').collect())

onEachEngine('the board', (open) => {
  it('has a column per status with its count and its first cards, and only counts what is archived', async () => {
    const world = await createWorld(await open())
    const low = await create(world, 'Low', { priority: 5, description: 'not on a card' })
    const high = await create(world, 'x'.repeat(500), { priority: 1 })
    await move(world, await create(world, 'Old'), 'archived')
    await assign(world, low)
    await move(world, low, 'blocked')
    const shown = await board(world)
    expect(shown.columns.map(({ status }) => status)).toEqual(TASK_STATUSES.filter((status) => status !== 'archived'))
    expect(countsOf(shown)).toEqual({ inbox: 2, assigned: 0, in_progress: 0, review: 0, done: 0, blocked: 1, archived: 1 })
    const [inbox] = shown.columns
    expect(inbox?.cards.map(({ id }) => id)).toEqual([high, world.taskId])
    expect(inbox?.cards[0]?.title).toBe(`${'x'.repeat(200)}…`)
    expect(shown.columns.at(-1)?.cards).toEqual([
      {
        ...{ id: low, title: 'Low', status: 'blocked', priority: 5, labels: [], dueAt: null, blockedReason: 'why' },
        assignees: [{ type: 'agent', id: world.engineer }],
        statusChangedAt: world.backend.now(),
      },
    ])
  })

  it('shows the first page of a full column, and counts them all', async () => {
    const world = await createWorld(await open())
    for (let n = 0; n < LIMITS.boardColumn + 5; n++) await create(world, `Task ${n}`, { priority: 4 })
    const [inbox] = (await board(world)).columns
    expect(inbox?.count).toBe(LIMITS.boardColumn + 6)
    expect(inbox?.cards).toHaveLength(LIMITS.boardColumn)
    expect(inbox?.cards[0]?.id).toBe(world.taskId)
  })

  it('shows less of a column of the longest texts, so that it never reads more than a function may', async () => {
    const world = await createWorld(await open())
    const description = '漢'.repeat(LIMITS.descriptionChars)
    for (let n = 0; n < LIMITS.boardColumn; n++) await create(world, `Long ${n}`, { description, priority: 1 })
    const [inbox] = (await board(world)).columns
    expect(inbox?.count).toBe(LIMITS.boardColumn + 1)
    expect(inbox?.cards.length).toBeGreaterThan(3)
    expect(inbox?.cards.length).toBeLessThan(LIMITS.boardColumn)
  })

  it('counts right at every moment: before the counters have a change in them, and after', async () => {
    const world = await createWorld(await open())
    const tasks = [world.taskId]
    for (let n = 0; n < 6; n++) tasks.push(await create(world, `Task ${n}`))
    const steps: [number, TaskStatus][] = [
      [0, 'in_progress'],
      [0, 'review'],
      [1, 'blocked'],
      [0, 'done'],
      [2, 'archived'],
      [0, 'review'],
      [3, 'archived'],
    ]
    for (const n of [0, 1]) await assign(world, tasks[n] ?? world.taskId)
    for (const [at, [n, status]] of steps.entries()) {
      await move(world, tasks[n] ?? world.taskId, status)
      expect(await pending(world)).not.toEqual([])
      expect(countsOf(await board(world))).toEqual(await truth(world))
      if (at % 2 === 0) await world.backend.finishScheduled()
      expect(countsOf(await board(world))).toEqual(await truth(world))
    }
    await world.backend.finishScheduled()
    expect(await pending(world)).toEqual([])
    const folded = await counters(world)
    expect(folded.length).toBeLessThanOrEqual(TASK_STATUSES.length)
    expect(folded.reduce((sum, { value }) => sum + value, 0)).toBe(tasks.length)
  })

  it('adds each change once, however often the fold runs', async () => {
    const world = await createWorld(await open())
    await create(world, 'Another')
    for (let n = 0; n < 3; n++) await world.backend.mutation(internal.maintenance.foldCounters, { accountId: world.accountId })
    await world.backend.finishScheduled()
    expect(countsOf(await board(world))).toEqual(await truth(world))
    expect(await pending(world)).toEqual([])
  })

  it('folds more changes than one step takes in the steps after it', async () => {
    const world = await createWorld(await open())
    const { accountId } = world
    await world.backend.run(async (ctx) => {
      for (let n = 0; n < 1_200; n++) await ctx.db.insert('counterChanges', { accountId, key: 'tasks:done', by: 1 })
    })
    await world.backend.mutation(internal.maintenance.foldCounters, { accountId })
    await world.backend.finishScheduled()
    expect(await pending(world)).toEqual([])
    expect(countsOf(await board(world))).toMatchObject({ done: 1_200, inbox: 1 })
  })

  it('has no counters brought back by a fold that comes after the account was deleted', async () => {
    const world = await createWorld(await open())
    const { accountId } = world
    await world.backend.run(async (ctx) => {
      await ctx.db.patch(accountId, { deletingAt: world.backend.now() })
      for (const { _id } of await ctx.db.query('counters').collect()) await ctx.db.delete(_id)
    })
    await world.backend.mutation(internal.maintenance.foldCounters, { accountId })
    expect(await counters(world)).toEqual([])
  })
})

const functions = await buildFunctions()
type Traced = Awaited<ReturnType<EmbeddedBackend['engine']['trace']>>

describe('what makes the board run again', () => {
  let backend: EmbeddedBackend
  let world: World
  let shown: Traced
  const ada = () => backend.engine.withIdentity(identityOf('Ada'))
  const traceBoard = () => ada().trace(api.tasks.board, { accountId: world.accountId })

  beforeEach(async () => {
    backend = await openEmbedded(functions)
    world = await createWorld(backend)
    await backend.finishScheduled()
  })
  afterEach(() => backend.close())

  it('is nothing that leaves tasks as they are', async () => {
    const { accountId, taskId, service, epoch } = world
    const foreign = await createWorld({ ...backend, as: (name) => backend.as(`other-${name}`) }, { account: 'Foreign' })
    await world.post('@engineer claim me')
    await world.post('@qa settle me')
    const [first, second] = await world.ready()
    const held = (await world.claim([second?.id ?? ''])).items[0]
    if (!first || !held) throw new Error('The scene is not set.')
    await backend.finishScheduled()
    shown = await traceBoard()
    const { trace } = backend.engine
    const info = { versions: VERSIONS, infrastructure: PLACE, announcedIntervalMs: 60_000, reasons: [] }
    const others: Record<string, Traced> = {
      post: await ada().trace(api.messages.post, { accountId, taskId, content: '@engineer hello' }),
      claim: await trace(api.service.notifications.claim, { ...service, epoch, ids: [first.id] }),
      settle: await trace(api.service.notifications.settle, {
        ...{ ...service, id: held.id, fence: held.fence, outcome: 'reply' as const, reply: 'done', run: RUN },
      }),
      checkIn: await trace(api.service.runtime.checkIn, {
        ...{ ...service, ...info, epoch, held: [], dueAgents: [], status: 'online' as const },
      }),
      stop: await ada().trace(api.deliveries.stop, { accountId, taskId }),
      pauseAgent: await ada().trace(api.agents.pause, { accountId, agentId: world.engineer }),
      foreignTask: await backend.engine
        .withIdentity(identityOf('other-Ada'))
        .trace(api.tasks.create, { accountId: foreign.accountId, title: 'Elsewhere' }),
      foreignFold: await trace(internal.maintenance.foldCounters, { accountId: foreign.accountId }),
    }
    const [notice] = await world.noticesOf('ada')
    others['markRead'] = await ada().trace(api.notifications.markRead, {
      accountId,
      notificationIds: [notice?.id ?? expect.fail()],
    })
    others['account'] = await ada().trace(api.accounts.setPaused, { accountId, paused: true })
    for (const [name, other] of Object.entries(others)) {
      expect([name, other.writes.length > 0 || name === 'foreignFold']).toEqual([name, true])
      expect([name, conflicts(other, shown)]).toEqual([name, false])
    }
  })

  // Documents, activities, notifications, lanes, subscriptions: what it does not read cannot wake it.
  it('can only be its caller, its tasks and their counters', async () => {
    shown = await traceBoard()
    const tables = new Set(shown.reads.map((read) => ('index' in read ? `${read.table}.${read.index}` : read.table)))
    expect([...tables].sort()).toEqual([
      'counterChanges.by_account',
      'counters.by_account_key',
      'memberships.by_account_user',
      'tasks.by_account_status_rank',
    ])
  })

  it('is a new task, a move, a change of a card that is shown, and its fold', async () => {
    const { accountId, taskId } = world
    shown = await traceBoard()
    expect(conflicts(await ada().trace(api.tasks.update, { accountId, taskId, title: 'New' }), shown)).toBe(true)
    expect(conflicts(await ada().trace(api.tasks.create, { accountId, title: 'Another' }), shown)).toBe(true)
    shown = await traceBoard()
    expect(conflicts(await backend.engine.trace(internal.maintenance.foldCounters, { accountId }), shown)).toBe(true)
  })

  it('is no change of a task below the first page of its column', async () => {
    const { accountId, taskId } = world
    for (let n = 0; n < LIMITS.boardColumn; n++) await create(world, `High ${n}`, { priority: 1 })
    await backend.finishScheduled()
    shown = await traceBoard()
    expect(conflicts(await ada().trace(api.tasks.update, { accountId, taskId, description: 'Longer.' }), shown)).toBe(false)
  })

  it('reads as much with 20,000 tasks as with 1,000', async () => {
    const { accountId } = world
    const grow = async (from: number, to: number) => {
      const statuses = TASK_STATUSES
      for (let start = from; start < to; start += 1_000) {
        await backend.run(async (ctx) => {
          const base = await ctx.db.get(world.taskId)
          if (!base) throw new Error('The scene is not set.')
          const { _id, _creationTime, ...row } = base
          for (let n = start; n < Math.min(to, start + 1_000); n++) {
            const status = statuses[n % statuses.length] ?? 'inbox'
            await ctx.db.insert('tasks', { ...row, status, rank: rankOf(3, n), statusChangedAt: n })
            await ctx.db.insert('counterChanges', { accountId, key: `tasks:${status}`, by: 1 })
          }
        })
        await backend.mutation(internal.maintenance.foldCounters, { accountId })
        await backend.finishScheduled()
      }
      return await traceBoard()
    }
    const small = await grow(0, 1_000)
    const large = await grow(1_000, 20_000)
    expect(large.documentsRead).toBe(small.documentsRead)
    expect(countsOf(large.result)).toEqual(await truth(world))
  }, 60_000)
})

describe('two settles that each move their task', () => {
  it('do not conflict, nor with claim and check-in, and are both counted', async () => {
    const backend = await openEmbedded(functions)
    try {
      const world = await createWorld(backend)
      const { service, epoch } = world
      const [a, b, c] = [await create(world, 'A'), await create(world, 'B'), await create(world, 'C')]
      // Everybody has been here before: subscriptions and lanes are made once, not on each message.
      for (const id of [a, b, c]) await assign(world, id)
      const claimed = await world.claimReady()
      const third = claimed.pop()
      if (!third) throw new Error('The scene is not set.')
      await world.release(third)
      await backend.finishScheduled()
      const { trace } = backend.engine
      const settle = async ({ id, fence }: { id: string; fence: number }) =>
        await trace(api.service.notifications.settle, {
          ...{ ...service, id, fence, outcome: 'reply' as const, reply: 'On it.', run: RUN },
        })
      const claim = await trace(api.service.notifications.claim, { ...service, epoch, ids: [third.id] })
      const settles: Traced[] = []
      for (const item of claimed) settles.push(await settle(item))
      const [one, two] = settles
      if (!one || !two) throw new Error('Two items must be claimed.')
      const moved = (traced: Traced) => traced.writes.some(({ table }) => table === 'tasks')
      expect([moved(one), moved(two)]).toEqual([true, true])
      expect(conflicts(one, two)).toBe(false)
      expect(conflicts(two, one)).toBe(false)
      for (const traced of settles) {
        expect(traced.writes.map(({ table }) => table)).not.toContain('counters')
        expect(conflicts(traced, claim)).toBe(false)
      }
      await backend.finishScheduled()
      expect(countsOf(await board(world))).toEqual({ ...(await truth(world)), in_progress: 2 })
    } finally {
      await backend.close()
    }
  })

  it('a fold reads what a settle adds, and a settle nothing that a fold writes: only the fold is tried again', async () => {
    const backend = await openEmbedded(functions)
    try {
      const world = await createWorld(backend)
      const task = await create(world, 'A')
      await assign(world, task)
      const item = await world.claimOne()
      const { trace } = backend.engine
      const { id, fence } = item
      const fold = await trace(internal.maintenance.foldCounters, { accountId: world.accountId })
      const settle = await trace(api.service.notifications.settle, {
        ...{ ...world.service, id, fence, outcome: 'reply' as const, reply: 'On it.', run: RUN },
      })
      expect(fold.writes.map(({ table }) => table)).toContain('counters')
      expect(conflicts(fold, settle)).toBe(false)
      expect(conflicts(settle, fold)).toBe(true)
    } finally {
      await backend.close()
    }
  })
})
