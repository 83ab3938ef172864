/** Making, changing, assigning and listing tasks. */
import { errorCode } from '@mission-control/shared/errors'
import { LIMITS } from '@mission-control/shared/limits'
import { describe, expect, it } from 'vitest'
import { api } from '../convex/_generated/api.js'
import type { Doc, Id, TableNames } from '../convex/_generated/dataModel.js'
import schema from '../convex/schema.js'
import { onEachEngine } from './harness/engines.ts'
import type { World } from './harness/world.ts'
import { createWorld } from './harness/world.ts'

type NewTask = Omit<typeof api.tasks.create._args, 'accountId'>
type Change = Omit<typeof api.tasks.update._args, 'accountId' | 'taskId'>
type Filter = Omit<typeof api.tasks.list._args, 'accountId' | 'paginationOpts'>

const create = (world: World, task: NewTask) => world.ada.mutation(api.tasks.create, { accountId: world.accountId, ...task })
const update = (world: World, change: Change, taskId = world.taskId) =>
  world.ada.mutation(api.tasks.update, { accountId: world.accountId, taskId, ...change })
const getTask = (world: World, taskId = world.taskId) => world.ada.query(api.tasks.get, { accountId: world.accountId, taskId })
const archive = (world: World, taskId = world.taskId) =>
  world.ada.mutation(api.tasks.updateStatus, { accountId: world.accountId, taskId, status: 'archived' })
const party = (id: string) => ({ type: id.startsWith('test|') ? ('user' as const) : ('agent' as const), id })
const assign = (world: World, ids: string[], taskId = world.taskId) =>
  world.ada.mutation(api.tasks.assign, { accountId: world.accountId, taskId, assignees: ids.map(party) })

/** Every task of a list, page by page. */
async function list(world: World, filter: Filter, numItems = 3): Promise<string[]> {
  const titles: string[] = []
  for (let cursor: string | null = null; ;) {
    const paginationOpts = { numItems, cursor }
    const page: typeof api.tasks.list._returnType = await world.ada.query(api.tasks.list, {
      ...{ accountId: world.accountId, ...filter, paginationOpts },
    })
    titles.push(...page.page.map(({ title }) => title))
    if (page.isDone) return titles
    cursor = page.continueCursor
  }
}

const dump = (world: World) =>
  world.backend.run(async (ctx) => {
    const tables = Object.keys(schema.tables) as TableNames[]
    return (await Promise.all(tables.map((table) => ctx.db.query(table).collect()))).flat()
  })
const activities = async (world: World, type: Doc<'activities'>['type'], taskId = world.taskId) => {
  const paginationOpts = { numItems: 100, cursor: null }
  const page = await world.ada.query(api.activities.list, { accountId: world.accountId, taskId, paginationOpts })
  return page.page.filter((row) => row.type === type).reverse()
}
const labelRows = (world: World, taskId: Id<'tasks'> = world.taskId) =>
  world.backend.run(async (ctx) => {
    const rows = await ctx.db
      .query('taskLabels')
      .withIndex('by_account_task', (q) => q.eq('accountId', world.accountId).eq('taskId', taskId))
      .collect()
    return rows.map(({ label }) => label).sort()
  })

onEachEngine('a create with a key', (open) => {
  const total = async (world: World) => (await dump(world)).length

  it('makes one task, document or folder, however often it is sent, and tells once', async () => {
    const world = await createWorld(await open())
    const { ada, bo, accountId, engineer } = world
    const task = { accountId, title: 'Once', assignees: [party(engineer)], key: 'form-1' }
    const document = { accountId, title: 'Once', content: 'text', key: 'form-1' }
    const sendAll = (who: typeof ada) =>
      Promise.all([
        who.mutation(api.tasks.create, task),
        who.mutation(api.documents.create, document),
        who.mutation(api.documents.createFolder, { accountId, title: 'Once', key: 'form-2' }),
      ])
    const made = await sendAll(ada)
    await world.backend.finishScheduled()
    const rows = await total(world)
    expect(await sendAll(ada)).toEqual(made)
    await world.backend.finishScheduled()
    expect(await total(world)).toBe(rows)
    // Somebody else's key is another one, and so is none at all.
    const others = await sendAll(bo)
    const unkeyed = await ada.mutation(api.tasks.create, { accountId, title: 'Once' })
    expect(new Set([...made, ...others, unkeyed]).size).toBe(7)
  })

  it('refuses an empty key and one that is too long, and makes nothing', async () => {
    const world = await createWorld(await open())
    const { ada, accountId } = world
    const rows = await total(world)
    for (const [key, code] of [
      ['', 'INVALID'],
      ['k'.repeat(201), 'LIMIT'],
    ] as const) {
      expect(await ada.mutation(api.tasks.create, { accountId, title: 'No', key }).catch(errorCode)).toBe(code)
      expect(await ada.mutation(api.documents.create, { accountId, title: 'No', key }).catch(errorCode)).toBe(code)
    }
    expect(await total(world)).toBe(rows)
  })
})

onEachEngine('a new task', (open) => {
  it('has everything it is given, in one transaction with its assignees', async () => {
    const world = await createWorld(await open())
    const dueAt = world.backend.now() + 1_000
    const description = 'All of it.'
    const assignees = [party(world.engineer), party('test|Cy')]
    const taskId = await create(world, {
      title: ' Build it ',
      description,
      priority: 1,
      labels: ['Back End', 'bug'],
      dueAt,
      assignees,
    })
    expect(await getTask(world, taskId)).toEqual({
      ...{ id: taskId, title: 'Build it', description, status: 'assigned', priority: 1, dueAt, assignees },
      ...{ labels: ['back end', 'bug'], blockedReason: null },
      createdBy: { type: 'user', id: 'test|Ada', name: 'Ada' },
      createdAt: expect.any(Number) as number,
      statusChangedAt: world.backend.now(),
    })
    expect(await labelRows(world, taskId)).toEqual(['back end', 'bug'])
    expect(await world.deliveries(taskId)).toMatchObject([{ type: 'assignment', agentId: world.engineer }])
    expect((await world.noticesOf('cy')).map(({ type }) => type)).toEqual(['assignment'])
    expect(await world.noticesOf('ada')).toEqual([])
  })

  it('waits in the inbox, with priority 3, when only its title is given', async () => {
    const world = await createWorld(await open())
    const taskId = await create(world, { title: 'Bare' })
    expect(await getTask(world, taskId)).toMatchObject({ status: 'inbox', priority: 3, labels: [], dueAt: null, assignees: [] })
  })

  const bad: [string, NewTask, string][] = [
    ['an empty title', { title: '  ' }, 'INVALID'],
    ['a title that is too long', { title: 'x'.repeat(LIMITS.titleChars + 1) }, 'LIMIT'],
    ['a description that is too long', { title: 'a', description: 'x'.repeat(LIMITS.descriptionChars + 1) }, 'LIMIT'],
    ['priority 0', { title: 'a', priority: 0 }, 'INVALID'],
    ['priority 6', { title: 'a', priority: 6 }, 'INVALID'],
    ['priority 2.5', { title: 'a', priority: 2.5 }, 'INVALID'],
    ['a due date that is no millisecond', { title: 'a', dueAt: 0.5 }, 'INVALID'],
    ['a due date after the end of time', { title: 'a', dueAt: 1e17 }, 'INVALID'],
    ['an empty label', { title: 'a', labels: ['ok', ' '] }, 'INVALID'],
    ['a label that is too long', { title: 'a', labels: ['x'.repeat(LIMITS.labelChars + 1)] }, 'LIMIT'],
    ['too many labels', { title: 'a', labels: Array.from({ length: LIMITS.labelsPerTask + 1 }, (_, n) => `l${n}`) }, 'LIMIT'],
    ['an assignee nobody knows', { title: 'a', assignees: [party('test|Nobody')] }, 'NOT_FOUND'],
    [
      'too many assignees',
      { title: 'a', assignees: Array.from({ length: LIMITS.assigneesPerTask + 1 }, (_, n) => party(`test|${n}`)) },
      'LIMIT',
    ],
  ]
  it.each(bad)('is refused with %s, and nothing is written', async (_what, task, code) => {
    const world = await createWorld(await open())
    const before = await dump(world)
    await expect(create(world, task).catch(errorCode)).resolves.toBe(code)
    expect(await dump(world)).toEqual(before)
  })
})

onEachEngine('a change of a task', (open) => {
  it('writes one activity that names the fields, and only those that are different now', async () => {
    const world = await createWorld(await open())
    await update(world, { title: 'Ship it', description: 'Now.', priority: 2, labels: ['A', ' a '], dueAt: 5 })
    const changed = await getTask(world)
    expect(changed).toMatchObject({ title: 'Ship it', description: 'Now.', priority: 2, labels: ['a'], dueAt: 5 })
    expect(await activities(world, 'task_updated')).toMatchObject([{ detail: 'description, priority, labels, dueAt' }])
    await update(world, { dueAt: null })
    expect((await getTask(world)).dueAt).toBeNull()
    expect(await activities(world, 'task_updated')).toMatchObject([{}, { detail: 'dueAt', actor: { name: 'Ada' } }])
  })

  it('that changes nothing writes nothing', async () => {
    const world = await createWorld(await open())
    await update(world, { labels: ['a', 'b'], dueAt: 5 })
    const before = await dump(world)
    await update(world, {})
    await update(world, { title: ' Ship it ', priority: 3, labels: ['A', 'b'], dueAt: 5, description: '' })
    expect(await dump(world)).toEqual(before)
  })

  it('of the labels keeps the rows they are found by in step', async () => {
    const world = await createWorld(await open())
    await update(world, { labels: ['a', 'b'] })
    await update(world, { labels: ['c', 'b'] })
    expect(await labelRows(world)).toEqual(['b', 'c'])
    await archive(world)
    expect(await labelRows(world)).toEqual([])
    expect((await getTask(world)).labels).toEqual(['c', 'b'])
  })

  it('of the priority moves it within its column', async () => {
    const world = await createWorld(await open())
    await create(world, { title: 'Other', priority: 2 })
    expect(await list(world, { status: 'inbox' })).toEqual(['Other', 'Ship it'])
    await update(world, { priority: 1 })
    expect(await list(world, { status: 'inbox' })).toEqual(['Ship it', 'Other'])
  })

  it.each([
    ['an empty title', { title: '' }, 'INVALID'],
    ['a title that is too long', { title: 'x'.repeat(LIMITS.titleChars + 1) }, 'LIMIT'],
    ['a bad priority', { description: 'new', priority: 9 }, 'INVALID'],
    ['a bad label', { description: 'new', labels: [''] }, 'INVALID'],
    ['a bad due date', { description: 'new', dueAt: -1 }, 'INVALID'],
  ])('is refused with %s, and nothing is written', async (_what, change, code) => {
    const world = await createWorld(await open())
    const before = await dump(world)
    await expect(update(world, change).catch(errorCode)).resolves.toBe(code)
    expect(await dump(world)).toEqual(before)
  })

  it('is refused once it is archived', async () => {
    const world = await createWorld(await open())
    await archive(world)
    await expect(update(world, { title: 'Too late' }).catch(errorCode)).resolves.toBe('INVALID')
    await expect(update(world, {}).catch(errorCode)).resolves.toBe('INVALID')
  })

  it('is refused for what is no task of this account', async () => {
    const world = await createWorld(await open())
    const { foreign, gone } = await world.backend.run(async (ctx) => {
      const account = await ctx.db.get(world.accountId)
      const task = await ctx.db.get(world.taskId)
      if (!account || !task) throw new Error('The scene is not set.')
      const { _id, _creationTime, ...copy } = account
      const { _id: _, _creationTime: __, ...row } = task
      const accountId = await ctx.db.insert('accounts', copy)
      const removed = await ctx.db.insert('tasks', row)
      await ctx.db.delete(removed)
      return { foreign: await ctx.db.insert('tasks', { ...row, accountId }), gone: removed }
    })
    const before = await dump(world)
    for (const taskId of [foreign, gone]) {
      await expect(update(world, { title: 'Mine' }, taskId).catch(errorCode)).resolves.toBe('NOT_FOUND')
      await expect(getTask(world, taskId).catch(errorCode)).resolves.toBe('NOT_FOUND')
      await expect(archive(world, taskId).catch(errorCode)).resolves.toBe('NOT_FOUND')
      await expect(assign(world, [world.engineer], taskId).catch(errorCode)).resolves.toBe('NOT_FOUND')
    }
    // An id of another table does not get past the validator of the arguments.
    await expect(update(world, { title: 'Mine' }, world.engineer as never)).rejects.toThrow()
    expect(await dump(world)).toEqual(before)
  })
})

onEachEngine('assignees', (open) => {
  it('are assigned once, however often it is asked for', async () => {
    const world = await createWorld(await open())
    await assign(world, [world.engineer, world.engineer])
    const before = await dump(world)
    await assign(world, [world.engineer])
    expect(await dump(world)).toEqual(before)
    expect((await getTask(world)).assignees).toEqual([party(world.engineer)])
  })

  it('are not told when they take a task themselves', async () => {
    const world = await createWorld(await open())
    await assign(world, ['test|Ada'])
    await world.backend.run(async (ctx) => {
      const { assignParties } = await import('../convex/model/assign.js')
      const { agentActor } = await import('../convex/model/actors.js')
      const [task, agent] = [await ctx.db.get(world.taskId), await ctx.db.get(world.engineer)]
      if (!task || !agent) throw new Error('The scene is not set.')
      await assignParties(ctx, task, agentActor(agent), [party(world.engineer)])
    })
    expect(await world.noticesOf('ada')).toEqual([])
    expect(await world.deliveries()).toEqual([])
    expect((await getTask(world)).assignees).toHaveLength(2)
  })

  it('who never were cannot be taken away', async () => {
    const world = await createWorld(await open())
    const args = { accountId: world.accountId, taskId: world.taskId, assignee: party('test|Cy') }
    await expect(world.ada.mutation(api.tasks.unassign, args).catch(errorCode)).resolves.toBe('NOT_FOUND')
  })

  it('who are taken away are named in the activity and follow the thread no more', async () => {
    const world = await createWorld(await open())
    await assign(world, ['test|Cy', world.engineer])
    const args = { accountId: world.accountId, taskId: world.taskId, assignee: party('test|Cy') }
    await world.ada.mutation(api.tasks.unassign, args)
    expect(await activities(world, 'task_unassigned')).toMatchObject([{ detail: 'Cy' }])
    await world.post('news')
    expect((await world.noticesOf('cy')).map(({ type }) => type)).toEqual(['assignment'])
  })

  it.each([
    ['assigned', 'inbox', null],
    ['in_progress', 'blocked', 'Gone.'],
    ['review', 'review', null],
    ['done', 'done', null],
    ['archived', 'archived', null],
  ] as const)('who leave the account leave a task that was %s %s', async (before, after, reason) => {
    const world = await createWorld(await open())
    await assign(world, ['test|Cy'])
    const way = { assigned: [], in_progress: ['in_progress'], review: ['in_progress', 'review'], archived: ['archived'] }
    const steps = before === 'done' ? [...way.review, 'done'] : way[before]
    for (const status of steps) {
      const args = { accountId: world.accountId, taskId: world.taskId, status: status as typeof before }
      await world.ada.mutation(api.tasks.updateStatus, args)
    }
    await world.backend.run(async (ctx) => {
      const { dropAssignee } = await import('../convex/model/assign.js')
      const { SYSTEM } = await import('../convex/model/actors.js')
      const task = await ctx.db.get(world.taskId)
      if (!task) throw new Error('The scene is not set.')
      await dropAssignee(ctx, task, party('test|Cy'), SYSTEM, 'Gone.')
      // Twice does no harm.
      await dropAssignee(ctx, (await ctx.db.get(world.taskId)) ?? task, party('test|Cy'), SYSTEM, 'Gone.')
    })
    expect(await getTask(world)).toMatchObject({ status: after, blockedReason: reason, assignees: [] })
    expect(await activities(world, 'task_unassigned')).toHaveLength(1)
    expect(await world.backend.run((ctx) => ctx.db.query('assignments').collect())).toEqual([])
  })

  /** Rows and arrays, task by task, and the counts of all. */
  const compare = (world: World) =>
    world.backend.run(async (ctx) => {
      const rows = await ctx.db.query('assignments').collect()
      const { countTasks } = await import('../convex/model/counters.js')
      const counts: Record<string, number> = { ...(await countTasks(ctx, world.accountId)) }
      for (const task of await ctx.db.query('tasks').collect()) {
        const mine = rows.filter(({ taskId }) => taskId === task._id)
        const key = ({ type, id }: { type: string; id: string }) => `${type} ${id}`
        const fromRows = mine.map(({ assigneeType: type, assigneeId: id }) => key({ type, id })).sort()
        expect(task.assignees.map(key).sort()).toEqual(fromRows)
        expect(mine.every(({ status, accountId }) => status === task.status && accountId === task.accountId)).toBe(true)
        const labels = await ctx.db
          .query('taskLabels')
          .withIndex('by_account_task', (q) => q.eq('accountId', world.accountId).eq('taskId', task._id))
          .collect()
        expect(labels.map(({ label }) => label).sort()).toEqual(task.status === 'archived' ? [] : [...task.labels].sort())
        counts[task.status] = (counts[task.status] ?? 0) - 1
        if (task.status === 'inbox') expect(mine).toEqual([])
        if (task.status === 'assigned' || task.status === 'in_progress') expect(mine).not.toEqual([])
      }
      expect(Object.values(counts).every((left) => left === 0)).toBe(true)
      return rows.length
    })

  it.each([1, 2, 3])('on the task and in their rows agree after any history (seed %i)', async (seed) => {
    const world = await createWorld(await open())
    let state = seed
    const pick = <T>(from: readonly T[]): T => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
      return from[Math.floor((state / 4_294_967_296) * from.length)] as T
    }
    const { accountId } = world
    const tasks = [world.taskId]
    for (let n = 0; n < 3; n++) tasks.push(await create(world, { title: `Task ${n}` }))
    const agents = [world.engineer, world.qa]
    for (const slug of ['one', 'two']) agents.push(await world.ada.mutation(api.agents.create, { accountId, slug, name: slug }))
    const people = ['test|Ada', 'test|Bo', 'test|Cy']
    const steps: Record<string, () => Promise<unknown>> = {
      assign: () => assign(world, [pick([...agents, ...people]), pick([...agents, ...people])], pick(tasks)),
      unassign: () => {
        const args = { accountId, taskId: pick(tasks), assignee: party(pick([...agents, ...people])) }
        return world.ada.mutation(api.tasks.unassign, args)
      },
      move: () => {
        const status = pick(['in_progress', 'review', 'done', 'blocked', 'assigned'] as const)
        return world.ada.mutation(api.tasks.updateStatus, { accountId, taskId: pick(tasks), status, reason: 'r' })
      },
      label: () => update(world, { labels: [pick(['a', 'b', 'c']), pick(['B', 'd'])] }, pick(tasks)),
      archive: async () => pick([1, 0, 0, 0, 0, 0]) && (await archive(world, pick(tasks))),
      removeAgent: async () =>
        pick([1, 0, 0, 0]) && (await world.ada.mutation(api.agents.remove, { accountId, agentId: pick(agents) })),
      drop: () =>
        world.backend.run(async (ctx) => {
          const { dropAssignee } = await import('../convex/model/assign.js')
          const { SYSTEM } = await import('../convex/model/actors.js')
          const task = await ctx.db.get(pick(tasks))
          if (task) await dropAssignee(ctx, task, party(pick(people)), SYSTEM)
        }),
      settle: async () => {
        const [item] = await world.claimReady()
        if (item) await world.settle(item, 'ok')
      },
    }
    let most = 0
    const codes = new Set<unknown>()
    for (let n = 0; n < 60; n++) {
      await steps[pick(Object.keys(steps))]?.().catch((error: unknown) => {
        // Refusals are part of any history; anything else is a mistake.
        if (errorCode(error) === null) throw error
        codes.add(errorCode(error))
      })
      if (pick([true, false])) await world.backend.finishScheduled()
      most = Math.max(most, await compare(world))
    }
    // In the end every agent leaves, whatever it is assigned to.
    const lasting = await create(world, { title: 'Until the end' })
    const left = await world.backend.run(async (ctx) => (await ctx.db.query('agents').collect()).map(({ _id }) => _id))
    await assign(world, ['test|Cy', ...left], lasting)
    for (const agentId of left) {
      await world.ada.mutation(api.agents.remove, { accountId, agentId })
      await world.backend.finishScheduled()
      await compare(world)
    }
    expect((await getTask(world, lasting)).assignees).toEqual([party('test|Cy')])
    expect(most).toBeGreaterThan(2)
    expect(codes.size).toBeGreaterThan(0)
  })
})

onEachEngine('a list of tasks', (open) => {
  const scene = async (world: World) => {
    const at = (minutes: number) => world.backend.now() + minutes * 60_000
    await create(world, { title: 'A', labels: ['Red'], dueAt: at(3), assignees: [party(world.engineer)] })
    await create(world, { title: 'B', labels: ['red', 'blue'], dueAt: at(1) })
    const c = await create(world, { title: 'C', labels: ['red'], dueAt: at(2), assignees: [party(world.engineer)] })
    const d = await create(world, { title: 'D', labels: ['red'], assignees: [party(world.engineer), party('test|Cy')] })
    await archive(world, d)
    await create(world, { title: 'E', dueAt: at(0), priority: 1 })
    await world.ada.mutation(api.tasks.updateStatus, { accountId: world.accountId, taskId: c, status: 'in_progress' })
    return { at }
  }

  it('by status is sorted by priority, then the newest change', async () => {
    const world = await createWorld(await open())
    await scene(world)
    await world.backend.advance(10)
    await create(world, { title: 'F' })
    expect(await list(world, { status: 'inbox' }, 2)).toEqual(['E', 'F', expect.anything(), expect.anything()])
    expect(await list(world, { status: 'archived' })).toEqual(['D'])
  })

  it('by label ignores case and leaves out what is archived', async () => {
    const world = await createWorld(await open())
    await scene(world)
    expect(await list(world, { label: ' RED ' }, 2)).toEqual(['C', 'B', 'A'])
    expect(await list(world, { label: 'blue' })).toEqual(['B'])
    expect(await list(world, { label: 'green' })).toEqual([])
  })

  it('by assignee leaves out what is archived, unless that is asked for', async () => {
    const world = await createWorld(await open())
    await scene(world)
    expect(await list(world, { assignee: party(world.engineer) }, 1)).toEqual(['A', 'C'])
    expect(await list(world, { assignee: party(world.engineer), status: 'in_progress' })).toEqual(['C'])
    expect(await list(world, { assignee: party('test|Cy') })).toEqual([])
    expect(await list(world, { assignee: party('test|Cy'), status: 'archived' })).toEqual(['D'])
  })

  it('by due date has the earliest first, and none without one', async () => {
    const world = await createWorld(await open())
    const { at } = await scene(world)
    expect(await list(world, { status: 'inbox', dueBefore: at(10) }, 1)).toEqual(['E', 'B'])
    expect(await list(world, { status: 'inbox', dueBefore: at(1) })).toEqual(['E'])
  })

  it.each<[string, Filter]>([
    ['nothing', {}],
    ['a label and a status', { label: 'a', status: 'inbox' }],
    ['a label and a due date', { label: 'a', dueBefore: 1 }],
    ['a due date without a status', { dueBefore: 1 }],
  ])('by %s is refused, with the ways there are', async (_what, filter) => {
    const world = await createWorld(await open())
    await expect(list(world, filter).catch(errorCode)).resolves.toBe('INVALID')
  })

  it('refuses a page that is too large', async () => {
    const world = await createWorld(await open())
    await expect(list(world, { status: 'inbox' }, LIMITS.pageSize + 1).catch(errorCode)).resolves.toBe('INVALID')
  })
})

describe('the long texts of tasks', () => {
  onEachEngine('end a page early instead of reading more than a function may', (open) => {
    it('and lose none', async () => {
      const world = await createWorld(await open())
      const description = '漢'.repeat(LIMITS.descriptionChars)
      for (let n = 0; n < 60; n++) await create(world, { title: `Long ${n}`, description, labels: ['long'] })
      const paginationOpts = { numItems: 100, cursor: null }
      const page = await world.ada.query(api.tasks.list, { accountId: world.accountId, status: 'inbox', paginationOpts })
      expect(page.isDone).toBe(false)
      expect(page.page.length).toBeGreaterThan(20)
      expect(page.page.length).toBeLessThan(40)
      const labelled = { accountId: world.accountId, label: 'long', paginationOpts }
      expect((await world.ada.query(api.tasks.list, labelled)).page).toHaveLength(50)
      expect(new Set(await list(world, { status: 'inbox' }, 100)).size).toBe(61)
      expect(new Set(await list(world, { label: 'long' }, 100)).size).toBe(60)
    })

    it('and keep no agent from its heartbeat', async () => {
      const world = await createWorld(await open())
      const [description, assignees] = ['漢'.repeat(LIMITS.descriptionChars), [party(world.engineer)]]
      for (let n = 0; n < 60; n++) await create(world, { title: `Long ${n}`, description, assignees })
      const slot = { epoch: world.epoch, agentId: world.engineer, slot: world.backend.now() }
      const begun = await world.backend.mutation(api.service.heartbeats.begin, { ...world.service, ...slot })
      expect(begun).toEqual({ skip: 'lane_busy' })
    })
  })
})

onEachEngine('an agent that a task was taken away from', (open) => {
  const take = (world: World) => {
    const { ada, accountId, taskId, engineer } = world
    return ada.mutation(api.tasks.unassign, { accountId, taskId, assignee: party(engineer) })
  }

  it('is not told of an assignment that has not reached it', async () => {
    const world = await createWorld(await open())
    await assign(world, [world.engineer, world.qa])
    await take(world)
    expect((await world.claimReady()).map(({ agent }) => agent.slug)).toEqual(['qa'])
    expect((await world.deliveries()).find(({ agentId }) => agentId === world.engineer)).toMatchObject({
      ...{ state: 'skipped', reason: 'unassigned' },
    })
  })

  it('may still answer, but neither begins the task nor goes on with it', async () => {
    const world = await createWorld(await open())
    await assign(world, [world.engineer])
    const item = await world.claimOne()
    await assign(world, [world.qa])
    await take(world)
    await world.settle(item, 'On it.')
    expect(await getTask(world)).toMatchObject({ status: 'assigned' })
    expect((await world.deliveries()).map(({ type }) => type)).toEqual(['assignment', 'assignment'])
  })

  it('does not go on with work it was about to go on with', async () => {
    const world = await createWorld(await open())
    await assign(world, [world.engineer, world.qa])
    for (const item of await world.claimReady()) await world.settle(item, 'On it.')
    await take(world)
    expect((await world.claimReady()).map(({ agent, type }) => [agent.slug, type])).toEqual([['qa', 'continuation']])
  })
})
