/** One agent asks others: what the thread shows, what each is told, and that nobody is asked twice for one answer. */
import { LIMITS } from '@mission-control/shared/limits'
import { expect, it } from 'vitest'
import { api } from '../convex/_generated/api.js'
import type { Id } from '../convex/_generated/dataModel.js'
import { STALE_AFTER_MS } from '../convex/model/stale.js'
import { onEachEngine } from './harness/engines.ts'
import type { Held } from './harness/tools.ts'
import { taskOf, toolsOf, turnOf } from './harness/tools.ts'
import type { World } from './harness/world.ts'
import { createWorld } from './harness/world.ts'

const refusal = (calling: Promise<unknown>): Promise<{ code: string; message: string }> =>
  calling.then(
    () => ({ code: 'accepted', message: '' }),
    (error: { data: { code: string; message: string } }) => error.data,
  )
const asking = (world: World) => {
  const { call } = toolsOf(world)
  return (held: Held, message: string, recipients = ['qa'], task: Id<'tasks'> = world.taskId) =>
    call(held, 'response_request', { task, recipients, message })
}
const claimedBy = async (world: World, slug: string) => {
  const item = (await world.claimReady()).find(({ agent }) => agent.slug === slug)
  return item ?? expect.fail(`nothing for ${slug}`)
}
const fromAgents = async (world: World) =>
  (await world.thread()).filter(({ author }) => author.type === 'agent').map(({ author, content }) => [author.name, content])

onEachEngine('response_request', (open) => {
  it('stands in the thread, wakes the one asked, and brings its answer to the asker’s lane', async () => {
    const world = await createWorld(await open())
    const ask = asking(world)
    const item = await turnOf(world, world.engineer)
    const { message, asked } = await ask(item, 'Is it good?')
    expect(asked).toEqual(['@qa'])
    expect(await fromAgents(world)).toEqual([['Engineer', '@qa Is it good?']])
    const request = await claimedBy(world, 'qa')
    expect(request).toMatchObject({ type: 'response_request', depth: 1, context: { message: { id: message } } })
    expect(request.context).toMatchObject({ title: 'Engineer asks you: Ship it', body: '@qa Is it good?' })
    await world.settle(item, null)
    await world.settle(request, 'It is.')
    const answer = await claimedBy(world, 'engineer')
    expect(answer).toMatchObject({ type: 'response', depth: 2, sessionKey: item.sessionKey })
    expect(answer.context.body).toBe('Quality Bot answered your request.\n\nIt is.')
  })

  it('asked from another task brings the answer to the session it was asked in', async () => {
    const world = await createWorld(await open())
    const ask = asking(world)
    const elsewhere = await taskOf(world, 'Elsewhere', [world.engineer])
    for (const task of await world.claimReady()) await world.settle(task, null)
    const item = await turnOf(world, world.engineer)
    await ask(item, 'Well?', ['qa'], elsewhere)
    await world.settle(item, null)
    const request = await claimedBy(world, 'qa')
    expect(request.context.task).toMatchObject({ id: elsewhere })
    await world.settle(request, 'Well.')
    expect(await claimedBy(world, 'engineer')).toMatchObject({ type: 'response', sessionKey: item.sessionKey })
  })

  it('asked in a heartbeat without a task brings the answer to the agent’s own session', async () => {
    const world = await createWorld(await open())
    const { backend, service, epoch, accountId, engineer: agentId } = world
    await world.ada.mutation(api.agents.setLead, { accountId, agentId })
    // Nobody works on it: that is what wakes a lead without tasks.
    await taskOf(world, 'Quiet', [world.qa])
    for (const item of await world.claimReady()) await world.settle(item, null)
    await backend.advance(STALE_AFTER_MS + 1_000)
    const begun = await backend.mutation(api.service.heartbeats.begin, { ...service, epoch, agentId, slot: backend.now() })
    if (!('item' in begun)) throw new Error(begun.skip)
    await asking(world)(begun.item, 'Is it good?')
    await world.settle(begun.item, null)
    await world.settle(await claimedBy(world, 'qa'), 'It is.')
    const answer = await claimedBy(world, 'engineer')
    expect(answer).toMatchObject({ type: 'response', sessionKey: begun.item.sessionKey, context: { task: null } })
    expect(answer.context.body).toContain('It is.')
  })

  it('records who was asked what, tells the people who follow, and lets the one asked follow too', async () => {
    const world = await createWorld(await open())
    const { accountId, taskId } = world
    await world.cy.mutation(api.messages.post, { accountId, taskId, content: 'I follow.' })
    const ask = asking(world)
    const item = await turnOf(world, world.engineer)
    await ask(item, 'Is it good?')
    const paginationOpts = { numItems: 20, cursor: null }
    const activities = await world.ada.query(api.activities.list, { accountId, taskId, paginationOpts })
    expect(activities.page.filter(({ type }) => type === 'response_requested')).toMatchObject([
      { actor: { type: 'agent', name: 'Engineer' }, targetId: world.qa, targetName: 'Quality Bot', detail: 'Is it good?' },
    ])
    expect((await world.noticesOf('cy')).some(({ title }) => title.startsWith('Engineer wrote'))).toBe(true)
    const { read } = toolsOf(world)
    const other = await turnOf(world, world.qa, await taskOf(world, 'Another'))
    expect(await read(other, 'thread_read', { task: taskId, limit: 1 })).toMatchObject({
      messages: [{ content: '@qa Is it good?' }],
    })
  })

  it('is one at a time per task and agent, whoever asks: the second is refused and names the first', async () => {
    const world = await createWorld(await open())
    const { accountId } = world
    await world.ada.mutation(api.agents.create, { accountId, slug: 'helper', name: 'Helper' })
    const ask = asking(world)
    const item = await turnOf(world, world.engineer)
    const helper = await world.backend.run(async (ctx) =>
      (await ctx.db.query('agents').collect()).find(({ slug }) => slug === 'helper'),
    )
    const others = await turnOf(world, helper?._id ?? expect.fail('no helper'))
    await ask(item, 'Is it good?')
    for (const held of [item, others]) {
      const refused = await refusal(ask(held, 'And now?', ['qa']))
      expect(refused).toEqual({
        code: 'CONFLICT',
        message:
          '@qa has not answered an earlier request on this task yet ("@qa Is it good?"): wait for that answer, or ask the others without it.',
      })
    }
    // Nobody is asked if one of them cannot be.
    expect((await refusal(ask(item, 'Both?', ['helper', 'qa']))).code).toBe('CONFLICT')
    expect(await fromAgents(world)).toHaveLength(1)
    // Another task is another question.
    const elsewhere = await taskOf(world, 'Elsewhere', [world.engineer])
    expect(await ask(item, 'And here?', ['qa'], elsewhere)).toMatchObject({ asked: ['@qa'] })
  })

  it('that died is not tried again beside a newer one that is open', async () => {
    const world = await createWorld(await open())
    const ask = asking(world)
    const item = await turnOf(world, world.engineer)
    await ask(item, 'Is it good?')
    const dead = await claimedBy(world, 'qa')
    await world.fail(dead, { class: 'terminal' })
    const redrive = () => world.backend.mutation(api.service.notifications.redrive, { ...world.service, id: dead.id })
    await ask(item, 'And now?')
    expect(await refusal(redrive())).toMatchObject({ code: 'CONFLICT', message: expect.stringContaining('asked again') })
    await world.settle(await claimedBy(world, 'qa'), 'Yes.')
    expect(await redrive()).toEqual({ state: 'ready' })
  })

  const end = (how: (world: World, request: Held) => Promise<unknown>) => async (world: World) => {
    await how(world, await claimedBy(world, 'qa'))
  }
  const pause = (world: World) => world.ada.mutation(api.agents.pause, { accountId: world.accountId, agentId: world.qa })
  it.each<[string, (world: World) => Promise<unknown>, string]>([
    ['waiting in the queue', (world) => world.ready(), 'CONFLICT'],
    ['under way', (world) => world.claimReady(), 'CONFLICT'],
    ['on hold, because the agent is paused', pause, 'CONFLICT'],
    ['answered', end((world, request) => world.settle(request, 'Yes.')), 'accepted'],
    ['read and not answered', end((world, request) => world.settle(request, null)), 'accepted'],
    ['dead', end((world, request) => world.fail(request, { class: 'terminal' })), 'accepted'],
  ])('%s leaves the next one %3$s', async (_state, become, code) => {
    const world = await createWorld(await open())
    const ask = asking(world)
    const item = await turnOf(world, world.engineer)
    await ask(item, 'Is it good?')
    await become(world)
    expect((await refusal(ask(item, 'And now?'))).code).toBe(code)
  })

  it('to several is one message and a turn for each, and says who is paused', async () => {
    const world = await createWorld(await open())
    const { accountId } = world
    const agentId = await world.ada.mutation(api.agents.create, { accountId, slug: 'helper', name: 'Helper' })
    await world.ada.mutation(api.agents.pause, { accountId, agentId })
    const item = await turnOf(world, world.engineer)
    const answer = await asking(world)(item, 'Ideas?', ['@qa', 'Helper', 'qa'])
    expect(answer).toMatchObject({ asked: ['@qa', '@helper'], paused: ['@helper'] })
    expect(await fromAgents(world)).toEqual([['Engineer', '@qa @helper Ideas?']])
    expect(
      (await world.deliveries())
        .filter(({ type }) => type === 'response_request')
        .map(({ state }) => state)
        .sort(),
    ).toEqual(['ready', 'waiting'])
  })

  it('is refused to oneself, to nobody, to more than ten, for too long or empty questions, and asks nobody then', async () => {
    const world = await createWorld(await open())
    const ask = asking(world)
    const item = await turnOf(world, world.engineer)
    const many = Array.from({ length: LIMITS.responseRequestRecipients + 1 }, (_, n) => `a${n}`)
    const tries = [
      await refusal(ask(item, 'Me?', ['qa', 'engineer'])),
      await refusal(ask(item, 'Who?', [])),
      await refusal(ask(item, 'All?', many)),
      await refusal(ask(item, 'x'.repeat(LIMITS.responseRequestChars + 1))),
      await refusal(ask(item, ' ')),
      await refusal(ask(item, 'Who?', ['qa', 'ghost'])),
    ]
    expect(tries.map(({ code }) => code)).toEqual(['INVALID', 'INVALID', 'INVALID', 'INVALID', 'INVALID', 'NOT_FOUND'])
    expect([await fromAgents(world), await world.ready()]).toEqual([[], []])
  })

  it('into a full queue is refused whole', async () => {
    const world = await createWorld(await open())
    const { accountId } = world
    await world.ada.mutation(api.agents.create, { accountId, slug: 'helper', name: 'Helper' })
    await world.post('@qa hello')
    await world.backend.run(async (ctx) => {
      const lane = (await ctx.db.query('lanes').collect()).find(({ agentId }) => agentId === world.qa)
      if (lane) await ctx.db.patch(lane._id, { queued: LIMITS.queuedPerLane })
    })
    const item = await turnOf(world, world.engineer)
    const refused = await refusal(asking(world)(item, 'Well?', ['helper', 'qa']))
    expect(refused.code).toBe('LANE_FULL')
    expect(await fromAgents(world)).toEqual([])
    expect(await world.ready()).toHaveLength(1)
  })

  it('at the end of a long chain asks nobody, says so, and tells people once', async () => {
    const world = await createWorld(await open())
    const ask = asking(world)
    const item = await turnOf(world, world.engineer)
    await world.backend.run((ctx) => ctx.db.patch(item.id as Id<'deliveries'>, { depth: LIMITS.depth }))
    const answers = [await ask(item, 'One?'), await ask(item, 'Two?')]
    for (const answer of answers) {
      expect(answer).toMatchObject({ asked: [] })
      expect(answer['note']).toContain('too long')
    }
    expect([await fromAgents(world), await world.ready()]).toEqual([[], []])
    expect((await world.noticesOf('ada')).filter(({ title }) => title.includes('too long'))).toHaveLength(1)
    await world.backend.run((ctx) => ctx.db.patch(item.id as Id<'deliveries'>, { depth: LIMITS.depth - 1 }))
    expect(await ask(item, 'Three?')).toMatchObject({ asked: ['@qa'] })
  })

  it('of a retried turn is not asked again, also after it was answered', async () => {
    const world = await createWorld(await open())
    const ask = asking(world)
    const item = await turnOf(world, world.engineer)
    const first = await ask(item, 'Is it good?')
    await world.settle(await claimedBy(world, 'qa'), 'Yes.')
    await world.fail(item, { ended: false })
    await world.backend.advance(60_000)
    const again = await claimedBy(world, 'engineer')
    expect(again.id).toBe(item.id)
    expect(again.context.effectsDone).toEqual(['asked @qa: "Is it good?"'])
    expect(await ask(again, 'Is it good?')).toEqual({ ...first, replayed: true })
    expect(await fromAgents(world)).toHaveLength(2)
  })
})
