/** Who is typing and who has seen what, as it follows from the queue. */
import { conflicts } from '@mission-control/embedded'
import { DELIVERY_POLICY } from '@mission-control/shared/lanes/policy'
import { expect, it } from 'vitest'
import { api } from '../convex/_generated/api.js'
import type { Id } from '../convex/_generated/dataModel.js'
import { identityOf } from './harness/backend.ts'
import { buildFunctions, openEmbedded } from './harness/embedded.ts'
import { onEachEngine } from './harness/engines.ts'
import type { World } from './harness/world.ts'
import { createWorld, RUN } from './harness/world.ts'

const state = (world: World, taskId = world.taskId) =>
  world.cy.query(api.deliveries.threadState, { accountId: world.accountId, taskId })
const only = async (world: World) => {
  const [agent, ...others] = await state(world)
  expect(others).toEqual([])
  return agent ?? expect.fail('No agent was ever told of this thread.')
}
/** Texts of the messages that lie in what the agent has seen. */
const seenBy = async (world: World, agentId: Id<'agents'>) => {
  const spans = (await state(world)).find((agent) => agent.agentId === agentId)?.seen ?? []
  const isSeen = (at: number) => spans.some(({ from, until }) => from <= at && at <= until)
  return (await world.thread()).filter(({ createdAt }) => isSeen(createdAt)).map(({ content }) => content)
}

onEachEngine('beside a thread, an agent', (open) => {
  it('is absent before it was ever told of it', async () => {
    const world = await createWorld(await open())
    await world.post('hello')
    expect(await state(world)).toEqual([])
  })

  it('is queued, then typing, then done', async () => {
    const world = await createWorld(await open())
    await world.post('@engineer go')
    await world.post('@engineer and on')
    expect(await only(world)).toMatchObject({ agentId: world.engineer, doing: 'queued', type: 'mention', behind: 1, seen: [] })
    const item = await world.claimOne()
    expect(await only(world)).toMatchObject({ doing: 'typing', deliveryId: item.id, reason: null, nextTryAt: null })
    await world.settle(item, 'gone')
    await world.settle(await world.claimOne(), null)
    expect(await only(world)).toMatchObject({ doing: null, type: null, deliveryId: null, behind: 0 })
  })

  it('that failed says why and when it tries again, and is typing once more when it does', async () => {
    const world = await createWorld(await open())
    await world.post('@engineer go')
    const { retryInMs } = await world.fail(await world.claimOne())
    expect(await only(world)).toMatchObject({
      ...{ doing: 'retrying', reason: 'TURN_FAILED: It broke.', nextTryAt: world.backend.now() + (retryInMs ?? -1) },
    })
    await world.backend.advance(DELIVERY_POLICY.backoffCapMs)
    await world.claimOne()
    expect(await only(world)).toMatchObject({ doing: 'typing', reason: null, nextTryAt: null })
  })

  it('that was given up stays failed until something else is asked of it', async () => {
    const world = await createWorld(await open())
    await world.post('@engineer go')
    await world.fail(await world.claimOne(), { class: 'terminal' })
    expect(await only(world)).toMatchObject({ doing: 'failed', reason: 'TURN_FAILED: It broke.', nextTryAt: null })
    await world.post('@engineer once more')
    expect(await only(world)).toMatchObject({ doing: 'queued', reason: null })
  })

  it('that is paused waits, and says for what', async () => {
    const world = await createWorld(await open())
    await world.ada.mutation(api.agents.pause, { accountId: world.accountId, agentId: world.engineer })
    await world.post('@engineer go')
    expect(await only(world)).toMatchObject({ doing: 'waiting', reason: 'agent_paused' })
  })

  it('is stopping from /stop until its turn is aborted', async () => {
    const world = await createWorld(await open())
    await world.post('@engineer go')
    const item = await world.claimOne()
    await world.post('/stop')
    expect(await only(world)).toMatchObject({ doing: 'stopping' })
    await world.settle(item, 'late')
    expect(await only(world)).toMatchObject({ doing: null })
  })

  it('has seen what its running turn shows and its answered turns have shown, and nothing newer', async () => {
    const world = await createWorld(await open())
    await world.post('one')
    await world.post('@engineer two')
    expect(await seenBy(world, world.engineer)).toEqual([])
    const first = await world.claimOne()
    await world.backend.advance(1_000)
    await world.post('three')
    expect(await seenBy(world, world.engineer)).toEqual(['one', '@engineer two'])
    await world.settle(first, 'ok')
    expect(await seenBy(world, world.engineer)).toEqual(['one', '@engineer two'])
    const second = await world.claimOne()
    expect((await seenBy(world, world.engineer)).slice(0, 3)).toEqual(['one', '@engineer two', 'three'])
    await world.backend.advance(1_000)
    await world.post('@qa four')
    await world.settle(second, null)
    expect(await seenBy(world, world.engineer)).not.toContain('@qa four')
    expect(await seenBy(world, world.qa)).toEqual([])
  })

  it('has not seen what a turn without an answer has shown', async () => {
    const world = await createWorld(await open())
    await world.post('@engineer go')
    await world.fail(await world.claimOne())
    expect(await seenBy(world, world.engineer)).toEqual([])
    await world.backend.advance(DELIVERY_POLICY.backoffCapMs)
    await world.fail(await world.claimOne(), { class: 'terminal' })
    expect(await seenBy(world, world.engineer)).toEqual([])
  })
})

it('does not run again for what happens in another task, and does for what happens in its own', async () => {
  const backend = await openEmbedded(await buildFunctions())
  try {
    const world = await createWorld(backend)
    const { accountId, service, epoch } = world
    const other = await world.ada.mutation(api.tasks.create, { accountId, title: 'Another' })
    for (const id of [world.taskId, other]) await world.post('@engineer hello', id)
    for (const item of await world.claimReady()) await world.settle(item, 'hello')
    const { trace } = backend.engine
    const ada = backend.engine.withIdentity(identityOf('Ada'))
    const reading = () => ada.trace(api.deliveries.threadState, { accountId, taskId: world.taskId })
    for (const [taskId, expected] of [
      [other, false],
      [world.taskId, true],
    ] as const) {
      const query = await reading()
      const post = await ada.trace(api.messages.post, { accountId, taskId, content: '@engineer go' })
      const [head] = await world.ready()
      const posted = await reading()
      const claim = await trace(api.service.notifications.claim, { ...service, epoch, ids: [head?.id ?? ''] })
      const claimed = await reading()
      const [item] = (claim.result as { items: { id: string; fence: number }[] }).items
      const { id = '', fence = 0 } = item ?? {}
      const settle = await trace(api.service.notifications.settle, {
        ...{ ...service, id, fence, outcome: 'reply' as const, reply: 'done', run: RUN },
      })
      expect([conflicts(post, query), conflicts(claim, posted), conflicts(settle, claimed)]).toEqual([
        expected,
        expected,
        expected,
      ])
    }
  } finally {
    await backend.close()
  }
})

it('reads as much after a hundred messages as after ten', async () => {
  const backend = await openEmbedded(await buildFunctions())
  try {
    const world = await createWorld(backend)
    const read: number[] = []
    for (let n = 1; n <= 100; n++) {
      await world.post('@engineer go')
      await world.settle(await world.claimOne(), 'gone')
      if (n === 10 || n === 100) {
        const args = { accountId: world.accountId, taskId: world.taskId }
        read.push((await backend.engine.withIdentity(identityOf('Ada')).trace(api.deliveries.threadState, args)).documentsRead)
      }
    }
    expect(read[1]).toBe(read[0])
  } finally {
    await backend.close()
  }
})
