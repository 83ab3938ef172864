/** Every move of a task, allowed and refused, with what it causes in the same transaction. */
import type { TaskStatus } from '@mission-control/shared/enums'
import { TASK_STATUSES } from '@mission-control/shared/enums'
import { errorCode } from '@mission-control/shared/errors'
import { LIMITS } from '@mission-control/shared/limits'
import { describe, expect, it } from 'vitest'
import { api } from '../convex/_generated/api.js'
import type { Id, TableNames } from '../convex/_generated/dataModel.js'
import schema from '../convex/schema.js'
import { onEachEngine } from './harness/engines.ts'
import type { World } from './harness/world.ts'
import { createWorld } from './harness/world.ts'

/** The table of the domain, written down once more, so that a change of either side is noticed. */
const ALLOWED: Readonly<Record<TaskStatus, readonly TaskStatus[]>> = {
  inbox: ['assigned', 'archived'],
  assigned: ['inbox', 'in_progress', 'blocked', 'archived'],
  in_progress: ['review', 'blocked', 'archived'],
  review: ['in_progress', 'done', 'blocked', 'archived'],
  done: ['review', 'archived'],
  blocked: ['assigned', 'in_progress', 'archived'],
  archived: [],
}
/** Moves that a task makes by itself when it gets its first or loses its last assignee, and that nobody can ask for. */
const AUTOMATIC = ['inbox -> assigned', 'assigned -> inbox']
/** How to get there from `assigned`. */
const WAY: Readonly<Record<Exclude<TaskStatus, 'inbox'>, readonly TaskStatus[]>> = {
  assigned: [],
  in_progress: ['in_progress'],
  review: ['in_progress', 'review'],
  done: ['in_progress', 'review', 'done'],
  blocked: ['blocked'],
  archived: ['archived'],
}

const REASON = 'The key is missing.'
const of = (world: World) => ({ accountId: world.accountId, taskId: world.taskId })
const move = (world: World, status: TaskStatus, over: { reason?: string; from?: TaskStatus } = {}) =>
  world.ada.mutation(api.tasks.updateStatus, {
    ...of(world),
    status,
    ...(status === 'blocked' ? { reason: REASON } : {}),
    ...over,
  })
const party = (id: string) => ({ type: id.startsWith('test|') ? ('user' as const) : ('agent' as const), id })
const assign = (world: World, ...ids: string[]) =>
  world.ada.mutation(api.tasks.assign, { ...of(world), assignees: ids.map(party) })
const unassign = (world: World, id: string) => world.ada.mutation(api.tasks.unassign, { ...of(world), assignee: party(id) })
const getTask = (world: World) => world.ada.query(api.tasks.get, of(world))

/** A task in this state. In every state but the inbox it belongs to an agent, to Cy and to Ada. */
async function inState(world: World, status: TaskStatus): Promise<void> {
  if (status === 'inbox') return
  await assign(world, world.engineer, 'test|Cy', 'test|Ada')
  for (const step of WAY[status]) await move(world, step)
  await world.backend.finishScheduled()
}

/** Every row of every table. */
const dump = (world: World) =>
  world.backend.run(async (ctx) => {
    const tables = Object.keys(schema.tables) as TableNames[]
    return (await Promise.all(tables.map((table) => ctx.db.query(table).collect()))).flat()
  })

const moves = (world: World) =>
  world.backend.run(async (ctx) => {
    const rows = await ctx.db
      .query('activities')
      .withIndex('by_account_type', (q) => q.eq('accountId', world.accountId).eq('type', 'task_status_changed'))
      .collect()
    return rows.map(({ actorName, detail, taskId }) => ({ actorName, detail, taskId }))
  })
const row = (world: World, id: Id<'tasks'> = world.taskId) => world.backend.run((ctx) => ctx.db.get(id))
const statusNotices = async (world: World, who: 'ada' | 'cy') =>
  (await world.noticesOf(who)).filter(({ type }) => type === 'status_change')
/** Oldest first. */
const told = async (world: World) =>
  (await world.deliveries())
    .filter(({ type }) => type === 'status_change')
    .map(({ agentId }) => agentId)
    .reverse()

const pairs = TASK_STATUSES.flatMap((from) => TASK_STATUSES.map((to) => ({ from, to })))
const isAsked = ({ from, to }: (typeof pairs)[number]) => ALLOWED[from].includes(to) && !AUTOMATIC.includes(`${from} -> ${to}`)

onEachEngine('a task', (open) => {
  describe('may move', () => {
    it.each(pairs.filter(isAsked))('from $from to $to', async ({ from, to }) => {
      const world = await createWorld(await open())
      await inState(world, from)
      const [before, noticed] = [await moves(world), await statusNotices(world, 'cy')]
      await world.backend.advance(1_000)
      const moved = await move(world, to)
      expect(moved).toMatchObject({ status: to, statusChangedAt: world.backend.now() })
      expect(await getTask(world)).toMatchObject({ status: to, blockedReason: to === 'blocked' ? REASON : null })
      // In the same transaction: one activity, the rows of the assignees, and what the assigned people are told.
      const detail = `${from} -> ${to}${to === 'blocked' ? `: ${REASON}` : ''}`
      expect((await moves(world)).slice(before.length)).toEqual([{ actorName: 'Ada', detail, taskId: world.taskId }])
      const rows = await world.backend.run((ctx) =>
        ctx.db
          .query('assignments')
          .withIndex('by_account_task_assignee', (q) => q.eq('accountId', world.accountId).eq('taskId', world.taskId))
          .collect(),
      )
      expect(rows.map(({ status }) => status)).toEqual(from === 'inbox' ? [] : [to, to, to])
      expect((await row(world))?.archivedAt).toBe(to === 'archived' ? world.backend.now() : null)
      const news = (await statusNotices(world, 'cy')).length - noticed.length
      expect(news).toBe(from === 'inbox' ? 0 : 1)
      expect(await statusNotices(world, 'ada')).toEqual([])
    })
  })

  describe('may not move', () => {
    it.each(pairs.filter(({ from, to }) => !ALLOWED[from].includes(to)))('from $from to $to', async ({ from, to }) => {
      const world = await createWorld(await open())
      await inState(world, from)
      const before = await dump(world)
      const refused: unknown = await move(world, to).catch((error: unknown) => error)
      expect(errorCode(refused)).toBe('TRANSITION')
      const allowed = ALLOWED[from].length > 0 ? `it may move to ${ALLOWED[from].join(', ')}` : 'it is final'
      expect((refused as { data: { message: string } }).data.message).toBe(
        `A task in "${from}" cannot move to "${to}"; ${allowed}.`,
      )
      expect(await dump(world)).toEqual(before)
    })
  })

  describe('moves by itself and only so', () => {
    it('from inbox to assigned with its first assignee', async () => {
      const world = await createWorld(await open())
      await expect(move(world, 'assigned').catch(errorCode)).resolves.toBe('TRANSITION')
      expect((await assign(world, world.engineer)).status).toBe('assigned')
      expect(await moves(world)).toMatchObject([{ actorName: 'Ada', detail: 'inbox -> assigned' }])
      // The assignment itself says all there is to say.
      expect(await told(world)).toEqual([])
    })

    it('from assigned to inbox without its last assignee', async () => {
      const world = await createWorld(await open())
      await assign(world, world.engineer, 'test|Cy')
      await expect(move(world, 'inbox').catch(errorCode)).resolves.toBe('TRANSITION')
      expect((await unassign(world, world.engineer)).status).toBe('assigned')
      expect((await unassign(world, 'test|Cy')).status).toBe('inbox')
      expect((await moves(world)).map(({ detail }) => detail)).toEqual(['inbox -> assigned', 'assigned -> inbox'])
    })

    it('from assigned to in_progress with the first reply of an agent, who is not told of it', async () => {
      const world = await createWorld(await open())
      await assign(world, world.engineer)
      await world.settle(await world.claimOne(), 'On it.')
      expect((await getTask(world)).status).toBe('in_progress')
      expect(await moves(world)).toMatchObject([{}, { actorName: 'Engineer', detail: 'assigned -> in_progress' }])
      expect(await told(world)).toEqual([])
    })
  })

  it.each(['assigned', 'in_progress'] as const)('needs somebody to work on it to become %s', async (status) => {
    const world = await createWorld(await open())
    await inState(world, 'blocked')
    for (const id of [world.engineer, 'test|Cy', 'test|Ada']) await unassign(world, id)
    expect((await getTask(world)).status).toBe('blocked')
    const before = await dump(world)
    await expect(move(world, status).catch(errorCode)).resolves.toBe('TRANSITION')
    expect(await dump(world)).toEqual(before)
    await assign(world, 'test|Cy')
    expect((await move(world, status)).status).toBe(status)
  })

  it('in progress keeps its last assignee', async () => {
    const world = await createWorld(await open())
    await assign(world, world.engineer)
    await move(world, 'in_progress')
    await expect(unassign(world, world.engineer).catch(errorCode)).resolves.toBe('TRANSITION')
    expect((await getTask(world)).assignees).toEqual([party(world.engineer)])
  })

  it('needs a reason to be blocked, keeps it while it is, and forgets it afterwards', async () => {
    const world = await createWorld(await open())
    await inState(world, 'in_progress')
    for (const reason of ['', '   '])
      await expect(move(world, 'blocked', { reason }).catch(errorCode)).resolves.toBe('TRANSITION')
    const long = 'x'.repeat(LIMITS.reasonChars + 1)
    await expect(move(world, 'blocked', { reason: long }).catch(errorCode)).resolves.toBe('LIMIT')
    expect(await getTask(world)).toMatchObject({ status: 'in_progress', blockedReason: null })
    expect(await move(world, 'blocked', { reason: ' why ' })).toMatchObject({ blockedReason: 'why' })
    expect(await move(world, 'in_progress')).toMatchObject({ blockedReason: null })
    expect(await getTask(world)).toMatchObject({ status: 'in_progress', blockedReason: null })
  })

  it('moves only from the state the caller believes it is in', async () => {
    const world = await createWorld(await open())
    await inState(world, 'assigned')
    const before = await dump(world)
    await expect(move(world, 'blocked', { from: 'in_progress' }).catch(errorCode)).resolves.toBe('CONFLICT')
    expect(await dump(world)).toEqual(before)
    expect((await move(world, 'in_progress', { from: 'assigned' })).status).toBe('in_progress')
  })

  it('refuses the same move sent twice, with nothing written the second time', async () => {
    const world = await createWorld(await open())
    await inState(world, 'assigned')
    await move(world, 'in_progress', { from: 'assigned' })
    const before = await dump(world)
    await expect(move(world, 'in_progress', { from: 'assigned' }).catch(errorCode)).resolves.toBe('CONFLICT')
    await expect(move(world, 'in_progress').catch(errorCode)).resolves.toBe('TRANSITION')
    expect(await dump(world)).toEqual(before)
  })

  it('that is archived takes no assignees, gives none away, and ends its lanes', async () => {
    const world = await createWorld(await open())
    await inState(world, 'assigned')
    await move(world, 'archived')
    await world.backend.finishScheduled()
    await expect(assign(world, world.qa).catch(errorCode)).resolves.toBe('INVALID')
    await expect(unassign(world, world.engineer).catch(errorCode)).resolves.toBe('INVALID')
    expect(await world.deliveries()).toMatchObject([{ state: 'skipped', reason: 'task_archived' }])
    expect((await world.lane(world.engineer))?.closed).toBe('task_archived')
  })

  it('that is reopened starts with fresh sessions', async () => {
    const world = await createWorld(await open())
    await inState(world, 'done')
    const key = (await world.lane(world.engineer))?.sessionKey
    await move(world, 'review')
    const lane = await world.lane(world.engineer)
    expect(lane).toMatchObject({ generation: 2, sessionKey: `${key}:v2` })
    // Any other move keeps them.
    await move(world, 'in_progress')
    expect((await world.lane(world.engineer))?.generation).toBe(2)
  })
})

onEachEngine('agents are told of a move', (open) => {
  it.each([
    ['in_progress', 'blocked'],
    ['blocked', 'assigned'],
    ['blocked', 'in_progress'],
    ['review', 'in_progress'],
    ['assigned', 'in_progress'],
    ['review', 'done'],
    ['assigned', 'blocked'],
    ['done', 'archived'],
  ] as const)('from %s to %s if they are assigned and have to act', async (from, to) => {
    const world = await createWorld(await open())
    await inState(world, from)
    const before = await told(world)
    await move(world, to)
    await world.backend.finishScheduled()
    const quiet = to === 'blocked' || to === 'done' || to === 'archived'
    expect((await told(world)).slice(before.length)).toEqual(quiet ? [] : [world.engineer])
  })

  it.each([
    ['in_progress', 'review'],
    ['done', 'review'],
  ] as const)('from %s to %s if they review', async (from, to) => {
    const world = await createWorld(await open())
    const { accountId, qa: agentId } = world
    await world.ada.mutation(api.agents.update, { accountId, agentId, permissions: { canReview: true } })
    await inState(world, from)
    const before = await told(world)
    await move(world, to)
    expect((await told(world)).slice(before.length)).toEqual([world.qa])
  })

  it('but not of their own, which the people hear of', async () => {
    const world = await createWorld(await open())
    await inState(world, 'blocked')
    const before = (await statusNotices(world, 'ada')).length
    await world.backend.run(async (ctx) => {
      const { moveTask } = await import('../convex/model/taskMoves.js')
      const { agentActor } = await import('../convex/model/actors.js')
      const [task, agent] = [await ctx.db.get(world.taskId), await ctx.db.get(world.engineer)]
      if (!task || !agent) throw new Error('The scene is not set.')
      await moveTask(ctx, task, { to: 'in_progress', actor: agentActor(agent) })
    })
    expect(await told(world)).toEqual([])
    expect((await statusNotices(world, 'ada')).length).toBe(before + 1)
  })
})
