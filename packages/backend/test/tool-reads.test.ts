/** What agents read through tools: short, cut with markers, page by page, and never more than they may see. */
import { expect, it } from 'vitest'
import { api } from '../convex/_generated/api.js'
import { onEachEngine } from './harness/engines.ts'
import { makeLead, taskOf, toolsOf, turnOf } from './harness/tools.ts'
import { createWorld } from './harness/world.ts'

const codeOf = (calling: Promise<unknown>) =>
  calling.then(
    () => 'accepted',
    (error: { data: { code: string } }) => error.data.code,
  )

onEachEngine('reading', (open) => {
  it('task_get gives the task with names instead of ids, and cuts a long description', async () => {
    const world = await createWorld(await open())
    const { accountId } = world
    const { read } = toolsOf(world)
    const task = await taskOf(world, 'Work', [world.engineer])
    await world.ada.mutation(api.tasks.assign, { accountId, taskId: task, assignees: [{ type: 'user', id: 'test|Cy' }] })
    const change = { description: 'x'.repeat(30_000), labels: ['Web'], dueAt: Date.UTC(2030, 5, 1) }
    await world.ada.mutation(api.tasks.update, { accountId, taskId: task, ...change })
    const item = await turnOf(world, world.engineer)
    const found = await read(item, 'task_get', { task })
    expect(found).toMatchObject({
      ...{ id: task, title: 'Work', status: 'assigned', priority: 3, labels: ['web'], due: '2030-06-01T00:00:00.000Z' },
      ...{ assignees: ['@engineer', 'Cy'], createdBy: 'Ada' },
    })
    expect(found['description']).toMatch(/x\n\[cut: 10000 of 30000 characters shown\]$/)
    expect(found).not.toHaveProperty('blockedReason')
  })

  it('thread_read goes back page by page, with a cursor that fits that thread only', async () => {
    const world = await createWorld(await open())
    const { read } = toolsOf(world)
    for (const text of ['one', 'two', 'three']) await world.post(text)
    await world.post('y'.repeat(5_000))
    const item = await turnOf(world, world.engineer)
    type Page = { messages: { content: string; by: string }[]; cursor: string | null }
    const page = async (cursor: string | null): Promise<Page> =>
      (await read(item, 'thread_read', { task: world.taskId, limit: 2, ...(cursor ? { cursor } : {}) })) as unknown as Page
    const first = await page(null)
    expect(first.messages[0]).toMatchObject({ by: 'Ada', content: '@engineer go' })
    expect(first.messages[1]?.content).toMatch(/y\n\[cut: 2000 of 5000 characters shown\]$/)
    const second = await page(first.cursor)
    expect(second.messages.map(({ content }) => content)).toEqual(['three', 'two'])
    const third = await page(second.cursor)
    expect(third.messages.map(({ content }) => content)).toEqual(['one'])
    const other = await taskOf(world, 'Other', [world.engineer])
    const cursor = first.cursor ?? expect.fail('no cursor')
    expect(await codeOf(read(item, 'thread_read', { task: other, cursor }))).toBe('INVALID')
    expect(await codeOf(read(item, 'agent_list', { cursor }))).toBe('INVALID')
    for (const bad of ['nonsense', 'x', `${cursor}0`, cursor.slice(1)]) {
      expect(await codeOf(read(item, 'thread_read', { task: world.taskId, cursor: bad }))).toBe('INVALID')
    }
  })

  it('agent_list names colleagues, the lead and oneself, page by page', async () => {
    const world = await createWorld(await open())
    const { read } = toolsOf(world)
    const item = await turnOf(world, world.engineer)
    await makeLead(world, world.qa)
    await world.ada.mutation(api.agents.update, { accountId: world.accountId, agentId: world.qa, role: 'Tests things' })
    await world.ada.mutation(api.agents.pause, { accountId: world.accountId, agentId: world.qa })
    const first = await read(item, 'agent_list', { limit: 1 })
    expect(first['agents']).toEqual([{ slug: 'engineer', name: 'Engineer', role: '', you: true }])
    const rest = await read(item, 'agent_list', { cursor: first['cursor'] as string, limit: 50 })
    expect(rest).toEqual({
      agents: [{ slug: 'qa', name: 'Quality Bot', role: 'Tests things', paused: true, lead: true }],
      cursor: null,
    })
  })

  it('notification_list names what the agent itself was told, newest first', async () => {
    const world = await createWorld(await open())
    const { read } = toolsOf(world)
    const task = await taskOf(world, 'Work', [world.engineer])
    await world.post('@qa not for the engineer')
    const item = await turnOf(world, world.engineer)
    const { notifications } = await read(item, 'notification_list', {})
    expect(notifications).toMatchObject([
      { id: item.id, type: 'mention', state: 'claimed', task: world.taskId, thisTurn: true },
      { type: 'assignment', state: 'ready', task, note: 'Ada assigned this task to you.' },
    ])
  })

  it('activity_list names what happened on a task', async () => {
    const world = await createWorld(await open())
    const { read } = toolsOf(world)
    const task = await taskOf(world, 'Work', [world.engineer])
    const item = await turnOf(world, world.engineer)
    const { activities } = await read(item, 'activity_list', { task })
    expect((activities as { type: string }[]).map(({ type }) => type)).toEqual([
      ...['task_status_changed', 'task_assigned', 'task_created'],
    ])
    expect(activities).toMatchObject([{ by: 'Ada', target: 'Work', detail: 'inbox -> assigned', task }, {}, {}])
  })

  it('document_list and document_read show folders, and a long document part by part, without splitting a character', async () => {
    const world = await createWorld(await open())
    const { accountId } = world
    const { read } = toolsOf(world)
    const folder = await world.ada.mutation(api.documents.createFolder, { accountId, title: 'Handbook' })
    const content = `${'x'.repeat(19_999)}😀${'y'.repeat(100)}`
    const document = await world.ada.mutation(api.documents.create, { accountId, title: 'Long', content, parentId: folder })
    const item = await turnOf(world, world.engineer)
    const list = async (args: object) =>
      ((await read(item, 'document_list', args))['documents'] as { title: string }[]).map(({ title }) => title)
    expect(await list({ folder: 'root' })).toEqual(['Handbook'])
    expect(await list({ folder })).toEqual(['Long'])
    expect(await list({ type: 'note' })).toEqual(['Long'])
    expect(await codeOf(list({ folder: document }))).toBe('INVALID')
    expect(await codeOf(list({ folder, type: 'note' }))).toBe('INVALID')
    const first = await read(item, 'document_read', { document })
    expect([(first['content'] as string).length, first['nextOffset'], first['chars']]).toEqual([19_999, 19_999, 20_101])
    const rest = await read(item, 'document_read', { document, offset: 19_999 })
    expect([rest['content'], rest['nextOffset']]).toEqual([`😀${'y'.repeat(100)}`, null])
    await world.ada.mutation(api.documents.remove, { accountId, documentId: document })
    expect(await codeOf(read(item, 'document_read', { document }))).toBe('NOT_FOUND')
  })

  it('task_search is not crowded by what the agent does not see', async () => {
    const world = await createWorld(await open())
    const { read } = toolsOf(world)
    for (let n = 0; n < 25; n++) await taskOf(world, 'Harvest')
    const description = 'Long after the harvest of the others there is one more thing to do here.'
    const assignees = [{ type: 'agent' as const, id: world.engineer }]
    const mine = await world.ada.mutation(api.tasks.create, { accountId: world.accountId, title: 'Jam', description, assignees })
    const item = await turnOf(world, world.engineer)
    expect((await read(item, 'task_search', { query: 'harvest' }))['tasks']).toMatchObject([{ id: mine }])
  })

  it('task_search finds only what the agent sees', async () => {
    const world = await createWorld(await open())
    const { read } = toolsOf(world)
    const mine = await taskOf(world, 'Harvest apples', [world.engineer])
    const theirs = await taskOf(world, 'Harvest pears', [world.qa])
    const item = await turnOf(world, world.engineer)
    const find = async () =>
      ((await read(item, 'task_search', { query: 'harvest' }))['tasks'] as { id: string }[]).map(({ id }) => id).sort()
    expect(await find()).toEqual([mine])
    await makeLead(world, world.engineer)
    expect(await find()).toEqual([mine, theirs].sort())
  })
})
