/** Who is told of what: the table of docs, row by row. */
import { errorCode } from '@mission-control/shared/errors'
import { LIMITS } from '@mission-control/shared/limits'
import { expect, it } from 'vitest'
import { api } from '../convex/_generated/api.js'
import type { Id } from '../convex/_generated/dataModel.js'
import { onEachEngine } from './harness/engines.ts'
import { toolsOf, turnOf } from './harness/tools.ts'
import type { World } from './harness/world.ts'
import { createWorld } from './harness/world.ts'

/** Open items by agent slug: type and body. */
async function told(world: World): Promise<Record<string, string[]>> {
  const rows = await world.backend.run(async (ctx) => {
    const items = await ctx.db.query('deliveries').collect()
    return await Promise.all(items.map(async (item) => ({ item, agent: await ctx.db.get(item.agentId) })))
  })
  const byAgent: Record<string, string[]> = {}
  for (const { item, agent } of rows) (byAgent[agent?.slug ?? '?'] ??= []).push(item.type)
  return byAgent
}
const types = (notices: { type: string }[]) => notices.map(({ type }) => type)
const assign = (world: World, ...ids: string[]) =>
  world.ada.mutation(api.tasks.assign, {
    accountId: world.accountId,
    taskId: world.taskId,
    assignees: ids.map((id) => ({ type: id.startsWith('test|') ? 'user' : 'agent', id }) as const),
  })
const move = (world: World, status: 'in_progress' | 'review' | 'done' | 'blocked' | 'archived', reason?: string) =>
  world.ada.mutation(api.tasks.updateStatus, {
    accountId: world.accountId,
    taskId: world.taskId,
    status,
    ...(reason ? { reason } : {}),
  })

onEachEngine('a message by a person', (open) => {
  it('goes to the mentioned only, by slug, quoted name or both, in any case, but not out of code', async () => {
    const world = await createWorld(await open())
    await world.post('@ENGINEER and @"quality bot" and @engineer, not `@qa`')
    expect(await told(world)).toEqual({ engineer: ['mention'], qa: ['mention'] })
  })

  it('without a mention goes to the subscribed agents', async () => {
    const world = await createWorld(await open())
    await world.post('@engineer hello')
    await world.settle(await world.claimOne(), null)
    await world.post('nobody in particular')
    expect(await told(world)).toEqual({ engineer: ['mention', 'thread_update'] })
  })

  it('that mentions one agent does not wake the others', async () => {
    const world = await createWorld(await open())
    await world.post('@engineer hello')
    await world.post('@qa please')
    expect(await told(world)).toEqual({ engineer: ['mention'], qa: ['mention'] })
  })

  it('tells mentioned people, and subscribed ones, and never the author', async () => {
    const world = await createWorld(await open())
    await world.post('@cy and @ada look')
    await world.cy.mutation(api.messages.post, { accountId: world.accountId, taskId: world.taskId, content: 'looked' })
    expect(types(await world.noticesOf('cy'))).toEqual(['mention'])
    expect(types(await world.noticesOf('ada'))).toEqual(['thread_update'])
    expect(await world.noticesOf('bo')).toEqual([])
  })

  it('with @all goes to every agent and member but the author', async () => {
    const world = await createWorld(await open())
    await world.post('@all hands')
    expect(await told(world)).toEqual({ engineer: ['mention'], qa: ['mention'] })
    expect(types(await world.noticesOf('bo'))).toEqual(['mention'])
    expect(types(await world.noticesOf('cy'))).toEqual(['mention'])
    expect(await world.noticesOf('ada')).toEqual([])
  })

  it('to more than a few commits first and is told in steps, each recipient once', async () => {
    const world = await createWorld(await open())
    const count = LIMITS.fanOutStep * 2 + 5
    for (let n = 0; n < count; n++) {
      const slug = `agent-${String(n).padStart(3, '0')}`
      await world.ada.mutation(api.agents.create, { accountId: world.accountId, slug, name: `Agent ${n}` })
    }
    await world.post('@all hands')
    expect(await told(world)).toEqual({})
    await world.backend.finishScheduled()
    const all = await told(world)
    expect(Object.keys(all)).toHaveLength(count + 2)
    expect(new Set(Object.values(all).map((list) => list.join()))).toEqual(new Set(['mention']))
    expect(types(await world.noticesOf('cy'))).toEqual(['mention'])
  })

  it('wakes nobody in an archived task', async () => {
    const world = await createWorld(await open())
    await world.post('@engineer hello')
    await move(world, 'archived')
    const posting = world.post('@engineer still there?')
    await expect(posting.catch(errorCode)).resolves.toBe('INVALID')
    expect((await world.deliveries()).map(({ state, reason }) => [state, reason])).toEqual([['skipped', 'task_archived']])
  })
})

onEachEngine('thread updates', (open) => {
  it('coalesce into the tail that was never sent, and carry the newest message', async () => {
    const world = await createWorld(await open())
    await world.post('@engineer hello')
    const busy = await world.claimOne()
    await world.post('one')
    await world.post('two')
    await world.settle(busy, null)
    const update = await world.claimOne()
    expect(update).toMatchObject({ type: 'thread_update' })
    expect(update.context.body).toBe('two')
    expect(update.context.thread.map(({ content }) => content)).toEqual(['@engineer hello', 'one'])
  })

  it('posted while the update is being read make a new item: nothing is lost', async () => {
    const world = await createWorld(await open())
    await world.post('@engineer hello')
    await world.settle(await world.claimOne(), null)
    await world.post('one')
    const reading = await world.claimOne()
    await world.post('two')
    await world.settle(reading, null)
    expect((await world.claimOne()).context.body).toBe('two')
  })

  it('do not jump over a mention that stands behind them', async () => {
    const world = await createWorld(await open())
    await world.post('@engineer hello')
    const busy = await world.claimOne()
    await world.post('one')
    await world.post('@engineer stop that')
    await world.post('two')
    await world.settle(busy, null)
    const bodies: string[] = []
    for (let n = 0; n < 3; n++) {
      const item = await world.claimOne()
      bodies.push(item.context.body)
      await world.settle(item, null)
    }
    expect(bodies).toEqual(['one', '@engineer stop that', 'two'])
  })
})

onEachEngine('a message by an agent', (open) => {
  it('wakes no agent, by mention, @all or subscription, and tells people', async () => {
    const world = await createWorld(await open())
    await world.post('@engineer and @qa hello')
    const items = await world.claimReady()
    const [mine] = items.filter(({ agent }) => agent.slug === 'engineer')
    if (!mine) throw new Error('nothing claimed')
    await world.settle(mine, 'Ask @qa, @cy or @all.')
    expect(await told(world)).toEqual({ engineer: ['mention'], qa: ['mention'] })
    expect(types(await world.noticesOf('cy'))).toEqual(['mention'])
  })

  it('is posted once per key', async () => {
    const world = await createWorld(await open())
    const args = { ...world.service, agentId: world.engineer, taskId: world.taskId, content: 'Report.', key: 'k1' }
    const first = await world.backend.mutation(api.service.messages.createFromAgent, args)
    const again = await world.backend.mutation(api.service.messages.createFromAgent, { ...args, content: 'Other.' })
    expect([first.created, again]).toEqual([true, { messageId: first.messageId, created: false }])
    expect(await world.thread()).toMatchObject([{ content: 'Report.', author: { name: 'Engineer' } }])
    expect(types(await world.noticesOf('ada'))).toEqual(['thread_update'])
  })
})

onEachEngine('an assignment', (open) => {
  it('moves the task, tells the new assignees once, and subscribes them', async () => {
    const world = await createWorld(await open())
    await assign(world, world.engineer, 'test|Cy')
    const again = await assign(world, world.engineer, 'test|Cy', world.qa)
    expect(again.status).toBe('assigned')
    expect(await told(world)).toEqual({ engineer: ['assignment'], qa: ['assignment'] })
    expect(types(await world.noticesOf('cy'))).toEqual(['assignment'])
    await world.settle(
      (await world.claimReady()).find(({ agent }) => agent.slug === 'qa')!,
      null,
    )
    await world.post('news')
    expect((await told(world))['qa']).toEqual(['assignment', 'thread_update'])
  })

  it('answered, moves the task to in_progress and goes on at once in the same session', async () => {
    const world = await createWorld(await open())
    await assign(world, world.engineer, 'test|Cy')
    const item = await world.claimOne()
    expect(item).toMatchObject({ type: 'assignment', context: { body: 'Ada assigned this task to you.' } })
    await world.settle(item, 'On it.')
    const task = await world.ada.query(api.tasks.get, { accountId: world.accountId, taskId: world.taskId })
    expect(task.status).toBe('in_progress')
    const next = await world.claimOne()
    expect(next).toMatchObject({ type: 'continuation', depth: 1, sessionKey: item.sessionKey })
    await world.settle(next, 'Done.')
    expect(await world.ready()).toEqual([])
    expect(types(await world.noticesOf('cy'))).toContain('status_change')
  })

  it('answered after a person has moved the task leaves the state alone', async () => {
    const world = await createWorld(await open())
    await assign(world, world.engineer)
    const item = await world.claimOne()
    await move(world, 'blocked', 'wait')
    await world.settle(item, 'On it.')
    expect(await world.ada.query(api.tasks.get, { accountId: world.accountId, taskId: world.taskId })).toMatchObject({
      status: 'blocked',
      blockedReason: 'wait',
    })
  })

  it('lets what people wrote meanwhile go before the continuation', async () => {
    const world = await createWorld(await open())
    await assign(world, world.engineer)
    const item = await world.claimOne()
    await world.post('@engineer one more thing')
    await world.settle(item, 'On it.')
    const next = await world.claimOne()
    expect(next.type).toBe('mention')
    await world.settle(next, 'ok')
    expect((await world.claimOne()).type).toBe('continuation')
  })

  it('of a task that is done when the turn comes is skipped', async () => {
    const world = await createWorld(await open())
    await assign(world, world.engineer)
    await move(world, 'in_progress')
    await move(world, 'review')
    await move(world, 'done')
    const items = await world.claimReady()
    expect(items.map(({ type }) => type)).not.toContain('assignment')
    expect((await world.deliveries()).map(({ type, reason }) => [type, reason])).toContainEqual(['assignment', 'task_done'])
  })

  it('refuses unknown and foreign assignees', async () => {
    const world = await createWorld(await open())
    await expect(assign(world, 'test|Nobody').catch(errorCode)).resolves.toBe('NOT_FOUND')
    await expect(assign(world, world.taskId).catch(errorCode)).resolves.toBe('NOT_FOUND')
  })
})

onEachEngine('a status change', (open) => {
  it('goes to assigned agents when there is something to do about it, and to people who are assigned', async () => {
    const world = await createWorld(await open())
    await assign(world, world.engineer, 'test|Cy', 'test|Ada')
    await world.settle(await world.claimOne(), null)
    await move(world, 'in_progress')
    expect(await told(world)).toEqual({ engineer: ['assignment', 'status_change'] })
    await world.settle(await world.claimOne(), null)
    for (const [status, reason] of [['review'], ['blocked', 'why'], ['archived']] as const) await move(world, status, reason)
    expect(await told(world)).toEqual({ engineer: ['assignment', 'status_change'] })
    expect(types(await world.noticesOf('cy')).filter((type) => type === 'status_change')).toHaveLength(4)
    expect(types(await world.noticesOf('ada'))).not.toContain('status_change')
  })

  it('to review goes to those who may review', async () => {
    const world = await createWorld(await open())
    await world.ada.mutation(api.agents.update, {
      accountId: world.accountId,
      agentId: world.qa,
      permissions: { canReview: true },
    })
    await assign(world, world.engineer)
    await world.settle(await world.claimOne(), null)
    await move(world, 'in_progress')
    await world.settle(await world.claimOne(), null)
    await move(world, 'review')
    expect((await told(world))['qa']).toEqual(['status_change'])
    expect((await world.claimOne()).context.body).toBe('The task moved from in_progress to review.')
  })

  it('to review goes to all who may review, also to more than are told at once', async () => {
    const backend = await open()
    const world = await createWorld(backend)
    const { ada, accountId } = world
    await ada.mutation(api.accounts.setPermissionDefaults, { accountId, permissionDefaults: { canReview: true } })
    for (let n = 0; n < LIMITS.fanOutStep; n++)
      await ada.mutation(api.agents.create, { accountId, slug: `r${n}-x`, name: `R${n}` })
    await assign(world, world.engineer)
    await world.settle(await world.claimOne(), null)
    await move(world, 'in_progress')
    await world.settle(await world.claimOne(), null)
    await move(world, 'review')
    await backend.finishScheduled()
    const reviewers = (await world.deliveries()).filter(({ type, state }) => type === 'status_change' && state === 'ready')
    expect(new Set(reviewers.map(({ agentId }) => agentId)).size).toBe(LIMITS.fanOutStep + 2)
  })
})

onEachEngine('a request between agents', (open) => {
  /** The engineer asks the tester in a turn of this depth; its turn then ends. */
  async function request(world: World, depth: number) {
    const { call } = toolsOf(world)
    const item = await turnOf(world, world.engineer)
    await world.backend.run((ctx) => ctx.db.patch(item.id as Id<'deliveries'>, { depth: depth - 1 }))
    const args = { task: world.taskId, recipients: ['qa'], message: 'Is it good?' }
    const { asked } = await call(item, 'response_request', args)
    await world.settle(item, null)
    return asked
  }

  it('brings the answer to the agent that asked, in the session it asked from', async () => {
    const world = await createWorld(await open())
    await request(world, 1)
    const asked = await world.claimOne()
    expect(asked).toMatchObject({ type: 'response_request', depth: 1, agent: { slug: 'qa' } })
    const { messageId } = await world.settle(asked, 'It is.')
    const answer = await world.claimOne()
    expect(answer).toMatchObject({ type: 'response', depth: 2, agent: { slug: 'engineer' } })
    expect(answer.sessionKey).toBe(`agent:engineer:${world.accountId}:task:${world.taskId}`.toLowerCase())
    expect(answer.context.message).toMatchObject({ id: messageId, content: 'It is.' })
    expect(answer.context.body).toContain('It is.')
  })

  it('tells the asker too when there is no answer', async () => {
    const world = await createWorld(await open())
    await request(world, 1)
    await world.fail(await world.claimOne(), { class: 'terminal' })
    const answer = await world.claimOne()
    expect(answer).toMatchObject({ type: 'response', agent: { slug: 'engineer' }, context: { message: null } })
    expect(answer.context.body).toContain('did not answer your request: TURN_FAILED: It broke.')
  })

  it.each([
    ['stopped', (world: World) => world.ada.mutation(api.deliveries.stop, { accountId: world.accountId, taskId: world.taskId })],
    ['agent_deleted', (world: World) => world.ada.mutation(api.agents.remove, { accountId: world.accountId, agentId: world.qa })],
  ] as const)('tells the asker too when it ends in the queue (%s)', async (reason, end) => {
    const world = await createWorld(await open())
    await world.post('@qa something first')
    await request(world, 1)
    expect((await world.claimOne()).type).toBe('mention')
    await end(world)
    await world.backend.finishScheduled()
    const answer = (await world.claimReady()).find(({ type }) => type === 'response')
    expect(answer).toMatchObject({ depth: 2, agent: { slug: 'engineer' } })
    expect(answer?.context.body).toContain(`did not answer your request: ${reason}.`)
  })

  it('ends at the depth limit: nothing is enqueued, and people are told once', async () => {
    const world = await createWorld(await open())
    expect(await request(world, LIMITS.depth)).toEqual(['@qa'])
    await world.settle(await world.claimOne(), 'deep')
    expect(await world.ready()).toEqual([])
    expect(await request(world, LIMITS.depth + 1)).toEqual([])
    const notices = await world.noticesOf('ada')
    expect(notices.filter(({ title }) => title.includes('too long'))).toHaveLength(1)
  })
})
