/** What agents may do through tools, and what not: every tool and every permission, allowed and refused. */
import { LEASE_IDLE_MS } from '@mission-control/shared/lanes/policy'
import { LIMITS } from '@mission-control/shared/limits'
import { TOOL_NAMES } from '@mission-control/shared/tools'
import { expect, it } from 'vitest'
import { api } from '../convex/_generated/api.js'
import type { Id } from '../convex/_generated/dataModel.js'
import { onEachEngine } from './harness/engines.ts'
import { give, makeLead, putInto, taskOf, toolsOf, turnOf } from './harness/tools.ts'
import type { World } from './harness/world.ts'
import { createWorld } from './harness/world.ts'

const refusal = (calling: Promise<unknown>): Promise<{ code: string; message: string }> =>
  calling.then(
    () => ({ code: 'accepted', message: '' }),
    (error: { data: { code: string; message: string } }) => error.data,
  )
const getTask = (world: World, taskId: Id<'tasks'> = world.taskId) =>
  world.ada.query(api.tasks.get, { accountId: world.accountId, taskId })
const idOf = (result: unknown): Id<'tasks'> => (result as { id: Id<'tasks'> }).id
const itemsOf = (world: World, taskId: Id<'tasks'>) =>
  world.backend.run(async (ctx) => {
    const items = (await ctx.db.query('deliveries').collect()).filter((item) => item.taskId === taskId)
    return await Promise.all(items.map(async (item) => [(await ctx.db.get(item.agentId))?.slug, item.type, item.depth] as const))
  })

onEachEngine('permissions', (open) => {
  it('canCreateTasks: without it task_create is refused, with it the task is in the inbox and is the agent’s', async () => {
    const world = await createWorld(await open())
    const { call, read } = toolsOf(world)
    const item = await turnOf(world, world.engineer)
    const create = () => call(item, 'task_create', { title: 'Write tests', labels: ['QA'], priority: 2, due: '2030-02-03' })
    const refused = await refusal(create())
    expect(refused.code).toBe('FORBIDDEN')
    expect(refused.message).toContain('canCreateTasks')
    await give(world, world.engineer, { canCreateTasks: true })
    const { task } = await create()
    expect(await getTask(world, idOf(task))).toMatchObject({
      ...{ title: 'Write tests', status: 'inbox', assignees: [], priority: 2, dueAt: Date.UTC(2030, 1, 3) },
      createdBy: { type: 'agent', id: world.engineer },
    })
    await world.settle(item, null)
    const later = await turnOf(world, world.engineer)
    expect(await read(later, 'task_get', { task: idOf(task) })).toMatchObject({ title: 'Write tests', createdBy: 'Engineer' })
  })

  it('canModifyTaskStatus: without it a task is not moved', async () => {
    const world = await createWorld(await open())
    const { call } = toolsOf(world)
    const task = await taskOf(world, 'Work', [world.engineer])
    const item = await turnOf(world, world.engineer)
    const move = () => call(item, 'task_update_status', { task, from: 'assigned', status: 'in_progress' })
    await give(world, world.engineer, { canModifyTaskStatus: false })
    const refused = await refusal(move())
    expect([refused.code, (await getTask(world, task)).status]).toEqual(['FORBIDDEN', 'assigned'])
    expect(refused.message).toContain('canModifyTaskStatus')
    await give(world, world.engineer, { canModifyTaskStatus: true })
    expect(await move()).toMatchObject({ changed: true, task: { status: 'in_progress' } })
    expect((await getTask(world, task)).status).toBe('in_progress')
  })

  it.each([
    ['review', 'in_progress'],
    ['review', 'blocked'],
    ['done', 'review'],
  ] as const)('canReview: without it a task does not go from %s to %s', async (from, status) => {
    const world = await createWorld(await open())
    const { call } = toolsOf(world)
    const task = await taskOf(world, 'Work', [world.engineer])
    await putInto(world, task, from)
    const item = await turnOf(world, world.engineer)
    const move = () => call(item, 'task_update_status', { task, from, status, reason: 'because' })
    await give(world, world.engineer, { canMarkDone: true, canReview: false })
    const refused = await refusal(move())
    expect([refused.code, (await getTask(world, task)).status]).toEqual(['FORBIDDEN', from])
    expect(refused.message).toContain('canReview')
    await give(world, world.engineer, { canReview: true, canModifyTaskStatus: false })
    expect(await move()).toMatchObject({ changed: true, task: { status } })
  })

  it('canMarkDone: without it nothing is closed, with it only what is in review', async () => {
    const world = await createWorld(await open())
    const { call } = toolsOf(world)
    const task = await taskOf(world, 'Work', [world.engineer])
    const item = await turnOf(world, world.engineer)
    const close = (from: 'review' | 'in_progress' | 'assigned') =>
      call(item, 'task_update_status', { task, from, status: 'done' })
    await putInto(world, task, 'review')
    await give(world, world.engineer, { canReview: true, canModifyTaskStatus: true })
    const refused = await refusal(close('review'))
    expect([refused.code, (await getTask(world, task)).status]).toEqual(['FORBIDDEN', 'review'])
    expect(refused.message).toContain('canMarkDone')
    await give(world, world.engineer, { canMarkDone: true, canReview: false, canModifyTaskStatus: false })
    for (const from of ['assigned', 'in_progress'] as const) {
      await putInto(world, task, from)
      expect([from, (await refusal(close(from))).code]).toEqual([from, 'TRANSITION'])
    }
    await putInto(world, task, 'review')
    expect(await close('review')).toMatchObject({ task: { status: 'done' } })
  })

  it('canCreateDocuments: without it nothing is written, neither a new document nor a version', async () => {
    const world = await createWorld(await open())
    const { call, read } = toolsOf(world)
    const item = await turnOf(world, world.engineer)
    const document = await world.ada.mutation(api.documents.create, { accountId: world.accountId, title: 'Notes', content: 'a' })
    await give(world, world.engineer, { canCreateDocuments: false })
    const create = () => call(item, 'document_write', { title: 'Plan', content: 'b', task: world.taskId, type: 'deliverable' })
    const rewrite = () => call(item, 'document_write', { document, content: 'b' })
    for (const write of [create, rewrite]) expect((await refusal(write())).message).toContain('canCreateDocuments')
    expect(await read(item, 'document_read', { document })).toMatchObject({ version: 1, content: 'a' })
    await give(world, world.engineer, { canCreateDocuments: true })
    expect(await rewrite()).toMatchObject({ version: 2, changed: true })
    expect(await create()).toMatchObject({ version: 1 })
    expect(await read(item, 'document_list', { task: world.taskId })).toMatchObject({
      documents: [{ title: 'Plan', type: 'deliverable', by: 'Engineer', task: world.taskId }],
      cursor: null,
    })
  })

  it('canRequestResponses: without it nobody is asked', async () => {
    const world = await createWorld(await open())
    const { call } = toolsOf(world)
    const item = await turnOf(world, world.engineer)
    const ask = () => call(item, 'response_request', { task: world.taskId, recipients: ['qa'], message: 'Good?' })
    await give(world, world.engineer, { canRequestResponses: false })
    const refused = await refusal(ask())
    expect(refused.code).toBe('FORBIDDEN')
    expect(refused.message).toContain('canRequestResponses')
    expect(await world.ready()).toEqual([])
    await give(world, world.engineer, { canRequestResponses: true })
    expect(await ask()).toMatchObject({ asked: ['@qa'] })
  })

  it('are those of this moment, not of the claim', async () => {
    const world = await createWorld(await open())
    const { call } = toolsOf(world)
    await give(world, world.engineer, { canCreateTasks: true })
    const item = await turnOf(world, world.engineer)
    await call(item, 'task_create', { title: 'One' })
    await give(world, world.engineer, { canCreateTasks: false })
    expect((await refusal(call(item, 'task_create', { title: 'Two' }))).code).toBe('FORBIDDEN')
  })
})

onEachEngine('the lead', (open) => {
  it('alone assigns; its assignments wake the agents one step deeper, and are no-ops where they hold', async () => {
    const world = await createWorld(await open())
    const { call } = toolsOf(world)
    const task = await taskOf(world, 'Work')
    const item = await turnOf(world, world.engineer)
    const assign = () => call(item, 'task_assign', { task, assignees: ['@qa'] })
    const refused = await refusal(assign())
    expect([refused.code, (await getTask(world, task)).assignees]).toEqual(['FORBIDDEN', []])
    expect(refused.message).toContain('Only the lead may assign tasks')
    await makeLead(world, world.engineer)
    expect(await assign()).toMatchObject({ changed: true, task: { status: 'assigned' } })
    expect(await assign()).toMatchObject({ changed: false })
    expect((await getTask(world, task)).assignees).toEqual([{ type: 'agent', id: world.qa }])
    expect(await itemsOf(world, task)).toEqual([['qa', 'assignment', 1]])
    expect(await call(item, 'task_assign', { task, assignees: ['engineer'] })).toMatchObject({ changed: true })
    expect((await getTask(world, task)).assignees).toHaveLength(2)
    expect(await itemsOf(world, task)).toEqual([['qa', 'assignment', 1]])
  })

  it('alone names assignees of a new task, which is then assigned to them', async () => {
    const world = await createWorld(await open())
    const { call } = toolsOf(world)
    await give(world, world.engineer, { canCreateTasks: true })
    const item = await turnOf(world, world.engineer)
    const create = () => call(item, 'task_create', { title: 'Work', assignees: ['qa'] })
    expect((await refusal(create())).message).toContain('Only the lead may assign tasks')
    await makeLead(world, world.engineer)
    const { task } = await create()
    expect(task).toMatchObject({ status: 'assigned' })
    expect(await itemsOf(world, idOf(task))).toEqual([['qa', 'assignment', 1]])
  })

  it('assigns nobody that is unknown, and then nothing at all', async () => {
    const world = await createWorld(await open())
    const { call } = toolsOf(world)
    const task = await taskOf(world, 'Work')
    await makeLead(world, world.engineer)
    await give(world, world.engineer, { canCreateTasks: true })
    const item = await turnOf(world, world.engineer)
    const refused = await refusal(call(item, 'task_assign', { task, assignees: ['qa', 'ghost', 'spook'] }))
    expect([refused.code, (await getTask(world, task)).assignees]).toEqual(['NOT_FOUND', []])
    expect(refused.message).toContain('ghost, spook')
    expect((await refusal(call(item, 'task_create', { title: 'New', assignees: ['ghost'] }))).code).toBe('NOT_FOUND')
    expect(await world.ada.query(api.tasks.list, { ...listed(world), status: 'assigned' })).toMatchObject({ page: [] })
  })

  it('lists the whole account and others’ tasks; everybody else only its own', async () => {
    const world = await createWorld(await open())
    const { read } = toolsOf(world)
    const mine = await taskOf(world, 'Mine', [world.engineer])
    const theirs = await taskOf(world, 'Theirs', [world.qa])
    const item = await turnOf(world, world.engineer)
    const list = async (args: Parameters<typeof read<'task_list'>>[2]) =>
      ((await read(item, 'task_list', args))['tasks'] as { id: string }[]).map(({ id }) => id).sort()
    expect(await list({})).toEqual([mine])
    expect(await list({ status: 'assigned' })).toEqual([mine])
    expect(await list({ assignee: 'engineer' })).toEqual([mine])
    for (const args of [{ assignee: 'qa' }, { scope: 'account', status: 'assigned' }] as const) {
      expect((await refusal(list(args))).code).toBe('FORBIDDEN')
    }
    await makeLead(world, world.engineer)
    expect(await list({})).toEqual([mine])
    expect(await list({ assignee: 'qa' })).toEqual([theirs])
    expect(await list({ scope: 'account', status: 'assigned' })).toEqual([mine, theirs].sort())
    expect((await refusal(list({ scope: 'account' }))).message).toContain('name a status')
    expect((await refusal(list({ scope: 'account', status: 'assigned', assignee: 'qa' }))).code).toBe('INVALID')
  })

  it('sees what happened in the whole account; everybody else what it did itself', async () => {
    const world = await createWorld(await open())
    const { call, read } = toolsOf(world)
    const item = await turnOf(world, world.engineer)
    await call(item, 'message_post', { task: world.taskId, content: 'Hi.' })
    const who = async () => {
      const { activities } = (await read(item, 'activity_list', {})) as { activities: { by: string }[] }
      return [...new Set(activities.map(({ by }) => by))].sort()
    }
    expect(await who()).toEqual(['Engineer'])
    await makeLead(world, world.engineer)
    expect(await who()).toEqual(['Ada', 'Engineer', 'Mission Control'])
  })
})

const listed = (world: World) => ({ accountId: world.accountId, paginationOpts: { numItems: 10, cursor: null } })

/** What each tool that names a task does with one. */
const TASK_CALLS = (task: Id<'tasks'>, document: Id<'documents'>) =>
  ({
    task_get: { task },
    thread_read: { task },
    activity_list: { task },
    document_list: { task },
    document_read: { document },
    message_post: { task, content: 'Hello.' },
    task_update_status: { task, from: 'assigned', status: 'in_progress' },
    response_request: { task, recipients: ['helper'], message: 'Well?' },
    document_write: { title: 'Notes', content: 'x', task },
  }) as const

onEachEngine('a task of others', (open) => {
  async function scene(world: World) {
    const { accountId } = world
    await world.ada.mutation(api.agents.create, { accountId, slug: 'helper', name: 'Helper' })
    const task = await taskOf(world, 'Secret', [world.qa])
    const document = await world.ada.mutation(api.documents.create, { accountId, title: 'Draft', content: 'x', taskId: task })
    const { call, read } = toolsOf(world)
    const calls = TASK_CALLS(task, document)
    const reads: readonly string[] = ['task_get', 'thread_read', 'activity_list', 'document_list', 'document_read']
    const run = async (held: { id: string; fence: number }, name: keyof typeof calls) =>
      (
        await refusal(
          reads.includes(name) ? read(held, name as 'task_get', calls[name] as never) : call(held, name, calls[name] as never),
        )
      ).code
    const each = async (held: { id: string; fence: number }) => {
      const codes: [string, string][] = []
      for (const name of Object.keys(calls) as (keyof typeof calls)[]) codes.push([name, await run(held, name)])
      return codes
    }
    return { task, document, each, call, read, calls }
  }
  const all = (code: string) => Object.keys(TASK_CALLS('' as Id<'tasks'>, '' as Id<'documents'>)).map((name) => [name, code])

  it('is closed to every tool, and nothing changes', async () => {
    const world = await createWorld(await open())
    const { each, task, document, call, read } = await scene(world)
    const item = await turnOf(world, world.engineer)
    expect(await each(item)).toEqual(all('FORBIDDEN'))
    expect((await refusal(call(item, 'document_write', { document, content: 'mine' }))).code).toBe('FORBIDDEN')
    expect(await getTask(world, task)).toMatchObject({ status: 'assigned' })
    expect(await world.thread(task)).toEqual([])
    expect(await read(item, 'document_list', {})).toMatchObject({ documents: [] })
    expect((await refusal(read(item, 'task_get', { task: world.accountId }))).code).toBe('NOT_FOUND')
    const other = await world.ada.mutation(api.accounts.create, { name: 'Other' })
    const foreign = await world.ada.mutation(api.tasks.create, { accountId: other, title: 'Foreign' })
    expect((await refusal(read(item, 'task_get', { task: foreign }))).code).toBe('NOT_FOUND')
  })

  it.each([
    ['it is the lead', (world: World) => makeLead(world, world.engineer)],
    [
      'it is assigned',
      (world: World, task: Id<'tasks'>) =>
        world.ada.mutation(api.tasks.assign, {
          ...{ accountId: world.accountId, taskId: task, assignees: [{ type: 'agent' as const, id: world.engineer }] },
        }),
    ],
    ['it was mentioned there', (world: World, task: Id<'tasks'>) => world.post('@engineer look', task)],
    [
      'it made it',
      (world: World, task: Id<'tasks'>) =>
        world.backend.run((ctx) => ctx.db.patch(task, { createdByType: 'agent', createdBy: world.engineer })),
    ],
  ])('is open to every tool when %s', async (_why, letIn) => {
    const world = await createWorld(await open())
    const { each, task } = await scene(world)
    const item = await turnOf(world, world.engineer)
    await letIn(world, task)
    expect(await each(item)).toEqual(all('accepted'))
  })

  it('is open in a turn about it, also when everybody was called', async () => {
    const world = await createWorld(await open())
    const { each, task } = await scene(world)
    await world.post('@all look', task)
    const lane = await world.lane(world.engineer, task)
    const [item] = (await world.claim([lane?.activeId ?? ''])).items
    expect(await each(item ?? expect.fail('no turn'))).toEqual(all('accepted'))
  })

  it('is open to reviewers while it is in review', async () => {
    const world = await createWorld(await open())
    const { read } = toolsOf(world)
    const { task } = await scene(world)
    const item = await turnOf(world, world.engineer)
    await putInto(world, task, 'review')
    const look = async () => (await refusal(read(item, 'task_get', { task }))).code
    expect(await look()).toBe('FORBIDDEN')
    await give(world, world.engineer, { canReview: true })
    expect(await look()).toBe('accepted')
    await give(world, world.engineer, { canReview: false, canMarkDone: true })
    expect(await look()).toBe('accepted')
    await putInto(world, task, 'in_progress')
    expect(await look()).toBe('FORBIDDEN')
  })

  it('closes again to one who is taken off it', async () => {
    const world = await createWorld(await open())
    const { read } = toolsOf(world)
    const { task } = await scene(world)
    const { accountId } = world
    const assignee = { type: 'agent' as const, id: world.engineer }
    await world.ada.mutation(api.tasks.assign, { accountId, taskId: task, assignees: [assignee] })
    const item = await turnOf(world, world.engineer)
    expect((await refusal(read(item, 'task_get', { task }))).code).toBe('accepted')
    await world.ada.mutation(api.tasks.unassign, { accountId, taskId: task, assignee })
    expect((await refusal(read(item, 'task_get', { task }))).code).toBe('FORBIDDEN')
  })
})

onEachEngine('a turn that is not current', (open) => {
  const tries = async (world: World, held: { id: string; fence: number }) => {
    const { call, read } = toolsOf(world)
    return [
      (await refusal(call(held, 'message_post', { task: world.taskId, content: 'late' }))).code,
      (await refusal(call(held, 'task_update_status', { task: world.taskId, from: 'inbox', status: 'assigned' }))).code,
      (await refusal(read(held, 'task_get', { task: world.taskId }))).code,
    ]
  }
  const STALE = ['STALE_FENCE', 'STALE_FENCE', 'STALE_FENCE']

  it('does nothing after another process has taken over', async () => {
    const world = await createWorld(await open())
    const item = await turnOf(world, world.engineer)
    await world.backend.advance(LEASE_IDLE_MS + 60_000)
    const next = await world.hello('box-1', 'boot-2')
    expect(next.role).toBe('active')
    expect(await tries(world, item)).toEqual(STALE)
    await world.claimReady(next.role === 'active' ? next.epoch : 0)
    expect(await tries(world, item)).toEqual(STALE)
  })

  it('does nothing after it was settled, failed or released', async () => {
    const world = await createWorld(await open())
    for (const end of [
      (item: { id: string; fence: number }) => world.settle(item, null),
      (item: { id: string; fence: number }) => world.fail(item, { class: 'terminal' }),
      (item: { id: string; fence: number }) => world.release(item),
    ]) {
      const item = await turnOf(world, world.engineer)
      await end(item)
      expect(await tries(world, item)).toEqual(STALE)
    }
  })

  it('does nothing after /stop, and its late reply does not appear either', async () => {
    const world = await createWorld(await open())
    const item = await turnOf(world, world.engineer)
    await world.post('/stop')
    expect(await tries(world, item)).toEqual(STALE)
    await world.settle(item, 'late')
    expect((await world.thread()).filter(({ author }) => author.type === 'agent')).toEqual([])
  })

  it('does nothing after its agent was deleted', async () => {
    const world = await createWorld(await open())
    const item = await turnOf(world, world.engineer)
    await world.backend.run((ctx) => ctx.db.delete(world.engineer))
    expect(await tries(world, item)).toEqual(STALE)
  })

  it('does nothing with a fence of the future, and there is no turn of another account', async () => {
    const world = await createWorld(await open())
    const item = await turnOf(world, world.engineer)
    expect(await tries(world, { ...item, fence: item.fence + 1 })).toEqual(STALE)
    expect(await tries(world, { id: world.taskId, fence: 1 })).toEqual(['NOT_FOUND', 'NOT_FOUND', 'NOT_FOUND'])
  })
})

onEachEngine('a call', (open) => {
  it('is refused in one sentence for an unknown tool, no JSON, bad arguments, or the wrong door', async () => {
    const world = await createWorld(await open())
    const { id, fence } = await turnOf(world, world.engineer)
    const held = { ...world.service, id, fence }
    const call = (tool: string, args: string, over: object = {}) =>
      refusal(world.backend.mutation(api.service.tools.call, { ...held, tool, args, pass: 'p', callId: 'c', ...over }))
    const read = (tool: string, args: string) => refusal(world.backend.query(api.service.tools.read, { ...held, tool, args }))
    expect((await call('rm', '{}')).message).toMatch(/^There is no tool "rm"; there are task_get, /)
    expect((await call('toString', '{}')).code).toBe('INVALID')
    expect((await call('message_post', '{')).message).toBe('The arguments of message_post are no JSON.')
    expect((await call('message_post', '"x"')).message).toBe('The arguments of message_post must be a JSON object.')
    expect((await call('message_post', '{"task":"x"}')).message).toBe('message_post needs the argument "content".')
    expect((await call('task_get', '{"task":"x"}')).message).toBe('task_get changes nothing: it is a call of service/tools:read.')
    expect((await read('task_create', '{"title":"x"}')).message).toContain('service/tools:call')
    expect((await call('task_create', '{"title":"x"}', { callId: '' })).code).toBe('INVALID')
    expect((await call('task_create', '{"title":"x"}', { pass: 'p'.repeat(201) })).code).toBe('LIMIT')
  })
})

onEachEngine('sets', (open) => {
  it('of a status hold if it is still where the agent saw it, and are no-ops where it is already there', async () => {
    const world = await createWorld(await open())
    const { call } = toolsOf(world)
    const task = await taskOf(world, 'Work', [world.engineer])
    const item = await turnOf(world, world.engineer)
    const move = (from: 'assigned' | 'in_progress', status: 'in_progress' | 'review' | 'blocked', reason?: string) =>
      call(item, 'task_update_status', { task, from, status, ...(reason ? { reason } : {}) })
    expect(await move('assigned', 'in_progress')).toMatchObject({ changed: true })
    expect(await move('assigned', 'in_progress')).toMatchObject({ changed: false, task: { status: 'in_progress' } })
    const stale = await refusal(move('assigned', 'review'))
    expect([stale.code, stale.message]).toEqual(['CONFLICT', 'The task is "in_progress", not "assigned".'])
    expect((await refusal(move('in_progress', 'blocked'))).code).toBe('TRANSITION')
    expect(await move('in_progress', 'blocked', 'No key.')).toMatchObject({ changed: true })
    expect((await getTask(world, task)).blockedReason).toBe('No key.')
    const activities = await world.ada.query(api.activities.list, { ...listed(world), taskId: task })
    const moves = activities.page.filter(({ type }) => type === 'task_status_changed')
    expect(moves.map(({ actor, detail }) => [actor.name, detail])).toEqual([
      ['Engineer', 'in_progress -> blocked: No key.'],
      ['Engineer', 'assigned -> in_progress'],
      ['Ada', 'inbox -> assigned'],
    ])
  })

  it('of a status tell reviewers and assigned people, one step deeper and never the agent itself', async () => {
    const world = await createWorld(await open())
    const { call } = toolsOf(world)
    const { accountId } = world
    await give(world, world.qa, { canReview: true })
    await give(world, world.engineer, { canReview: true })
    const task = await taskOf(world, 'Work', [world.engineer])
    await world.ada.mutation(api.tasks.assign, { accountId, taskId: task, assignees: [{ type: 'user', id: 'test|Cy' }] })
    await putInto(world, task, 'in_progress')
    const item = await turnOf(world, world.engineer)
    await call(item, 'task_update_status', { task, from: 'in_progress', status: 'review' })
    expect((await itemsOf(world, task)).filter(([, type]) => type === 'status_change')).toEqual([['qa', 'status_change', 1]])
    expect((await world.noticesOf('cy')).map(({ type }) => type)).toContain('status_change')
  })

  it('at the end of a long chain hold, but wake no agent any more; people are told', async () => {
    const world = await createWorld(await open())
    const { call } = toolsOf(world)
    await makeLead(world, world.engineer)
    const task = await taskOf(world, 'Work')
    const item = await turnOf(world, world.engineer)
    await world.backend.run((ctx) => ctx.db.patch(item.id as Id<'deliveries'>, { depth: LIMITS.depth }))
    expect(await call(item, 'task_assign', { task, assignees: ['qa'] })).toMatchObject({ changed: true })
    await call(item, 'task_update_status', { task, from: 'assigned', status: 'in_progress' })
    expect((await getTask(world, task)).status).toBe('in_progress')
    expect(await itemsOf(world, task)).toEqual([])
    expect((await world.noticesOf('ada')).filter(({ title }) => title.includes('too long'))).toHaveLength(1)
  })

  it('of a document write the next version of what was read, and are no-ops for equal content', async () => {
    const world = await createWorld(await open())
    const { call, read } = toolsOf(world)
    const item = await turnOf(world, world.engineer)
    const { document } = await call(item, 'document_write', { title: 'Plan', content: 'one' })
    const id = document as Id<'documents'>
    const write = (content: string, base?: number) =>
      call(item, 'document_write', { document: id, content, ...(base === undefined ? {} : { base }) })
    expect(await write('one')).toMatchObject({ version: 1, changed: false })
    expect(await write('two', 1)).toMatchObject({ version: 2, changed: true, replayed: false })
    expect(await write('two', 1)).toMatchObject({ version: 2, changed: false })
    expect((await refusal(write('three', 1))).code).toBe('CONFLICT')
    expect(await read(item, 'document_read', { document: id })).toMatchObject({ version: 2, content: 'two', nextOffset: null })
    const wrong = [
      { document: id, content: 'x', title: 'New' },
      { content: 'x' },
      { title: 'x', content: 'x', base: 1 },
      { title: 'x', content: 'x', folder: id },
    ]
    for (const args of wrong) expect([args, (await refusal(call(item, 'document_write', args))).code]).toEqual([args, 'INVALID'])
  })

  it('never let an agent archive, nor touch what is archived', async () => {
    const world = await createWorld(await open())
    const { call } = toolsOf(world)
    await makeLead(world, world.engineer)
    const item = await turnOf(world, world.engineer)
    const task = await taskOf(world, 'Old', [world.qa])
    const archive = { task, from: 'assigned', status: 'archived' } as const
    expect((await refusal(call(item, 'task_update_status', archive as never))).code).toBe('INVALID')
    await putInto(world, task, 'archived')
    const codes = [
      (await refusal(call(item, 'task_update_status', { task, from: 'archived', status: 'assigned' }))).code,
      (await refusal(call(item, 'task_assign', { task, assignees: ['engineer'] }))).code,
      (await refusal(call(item, 'message_post', { task, content: 'x' }))).code,
      (await refusal(call(item, 'response_request', { task, recipients: ['qa'], message: 'x' }))).code,
      (await refusal(call(item, 'document_write', { title: 'x', content: 'x', task }))).code,
    ]
    expect(codes).toEqual(['TRANSITION', 'INVALID', 'INVALID', 'INVALID', 'INVALID'])
  })
})

onEachEngine('message_post', (open) => {
  it('tells people and wakes no agent', async () => {
    const world = await createWorld(await open())
    const { call } = toolsOf(world)
    await world.post('@qa hello')
    await world.settle(await world.claimOne(), null)
    const item = await turnOf(world, world.engineer)
    const before = (await world.noticesOf('cy')).length
    await call(item, 'message_post', { task: world.taskId, content: '@qa and @cy, it is done.' })
    expect((await world.noticesOf('cy')).length - before).toBe(1)
    expect(await world.ready()).toEqual([])
    expect((await refusal(call(item, 'message_post', { task: world.taskId, content: ' \n' }))).code).toBe('INVALID')
  })
})

it('has a test for every tool', async () => {
  const { readFile } = await import('node:fs/promises')
  const texts = await Promise.all(
    ['tools.test.ts', 'tool-reads.test.ts', 'response-requests.test.ts'].map((file) =>
      readFile(new URL(file, import.meta.url), 'utf8'),
    ),
  )
  const untested = TOOL_NAMES.filter((name) => !texts.join().includes(`'${name}'`))
  expect(untested).toEqual([])
})
