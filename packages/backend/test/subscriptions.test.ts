/** Following a thread by choice. Who follows it by doing something is in who-is-told.test.ts. */
import { errorCode } from '@mission-control/shared/errors'
import { expect, it } from 'vitest'
import { api } from '../convex/_generated/api.js'
import type { Id } from '../convex/_generated/dataModel.js'
import type { Caller } from './harness/backend.ts'
import { onEachEngine } from './harness/engines.ts'
import type { World } from './harness/world.ts'
import { createWorld } from './harness/world.ts'

type Agent = { agentId?: Id<'agents'> }
const codeOf = (calling: Promise<unknown>) => calling.then(() => 'accepted', errorCode)
const subscribe = (world: World, who: Caller, agent: Agent = {}) =>
  who.mutation(api.subscriptions.subscribe, { accountId: world.accountId, taskId: world.taskId, ...agent })
const unsubscribe = (world: World, who: Caller, agent: Agent = {}) =>
  who.mutation(api.subscriptions.unsubscribe, { accountId: world.accountId, taskId: world.taskId, ...agent })
const mine = (world: World, who: Caller) =>
  who.query(api.subscriptions.mine, { accountId: world.accountId, taskId: world.taskId })
const list = async (world: World, numItems = 50, cursor: string | null = null) =>
  await world.cy.query(api.subscriptions.list, {
    ...{ accountId: world.accountId, taskId: world.taskId, paginationOpts: { numItems, cursor } },
  })
const changes = async (world: World) => {
  const paginationOpts = { numItems: 50, cursor: null }
  const { page } = await world.ada.query(api.activities.list, { accountId: world.accountId, paginationOpts })
  return page.filter(({ type }) => type === 'subscription_changed').map(({ actor, detail }) => `${actor.name}: ${detail}`)
}

onEachEngine('a member', (open) => {
  it('follows a thread, hears of it, and follows it no more', async () => {
    const world = await createWorld(await open())
    expect(await mine(world, world.cy)).toBe(false)
    await subscribe(world, world.cy)
    expect(await mine(world, world.cy)).toBe(true)
    await world.post('news')
    await unsubscribe(world, world.cy)
    expect(await mine(world, world.cy)).toBe(false)
    await world.post('more news')
    expect((await world.noticesOf('cy')).map(({ type }) => type)).toEqual(['thread_update'])
  })

  it('decides for himself and for agents', async () => {
    const world = await createWorld(await open())
    const agent = { agentId: world.engineer }
    await subscribe(world, world.cy, agent)
    expect(await mine(world, world.cy)).toBe(false)
    await world.post('for whoever follows')
    const item = await world.claimOne()
    expect(item).toMatchObject({ type: 'thread_update', agent: { slug: 'engineer' } })
    await world.settle(item, null)
    await unsubscribe(world, world.cy, agent)
    await world.post('for nobody')
    expect(await world.ready()).toEqual([])
  })

  it('changes something once: a repeated call records nothing', async () => {
    const world = await createWorld(await open())
    for (let n = 0; n < 2; n++) await subscribe(world, world.cy)
    for (let n = 0; n < 2; n++) await subscribe(world, world.cy, { agentId: world.qa })
    for (let n = 0; n < 2; n++) await unsubscribe(world, world.cy)
    expect(await changes(world)).toEqual(['Cy: Cy follows no more', 'Cy: Quality Bot follows', 'Cy: Cy follows'])
  })

  it('sees who follows, page by page', async () => {
    const world = await createWorld(await open())
    await subscribe(world, world.cy)
    await subscribe(world, world.cy, { agentId: world.qa })
    const first = await list(world, 2)
    const rest = await list(world, 2, first.continueCursor)
    expect([...first.page, ...rest.page]).toEqual([
      { type: 'agent', id: world.qa, name: 'Quality Bot' },
      { type: 'user', id: 'test|Ada', name: 'Ada' },
      { type: 'user', id: 'test|Cy', name: 'Cy' },
    ])
  })

  it('cannot make another account’s agent follow, nor anybody an archived task, but may leave that', async () => {
    const world = await createWorld(await open())
    const others = { ...world.backend, as: (name: string) => world.backend.as(`other-${name}`) }
    const foreign = await createWorld(others, { account: 'Foreign' })
    expect(await codeOf(subscribe(world, world.cy, { agentId: foreign.engineer }))).toBe('NOT_FOUND')
    await subscribe(world, world.cy)
    const { accountId, taskId } = world
    await world.ada.mutation(api.tasks.updateStatus, { accountId, taskId, status: 'archived' })
    expect(await codeOf(subscribe(world, world.bo))).toBe('INVALID')
    await unsubscribe(world, world.cy)
    expect((await list(world)).page.map(({ name }) => name)).toEqual(['Ada'])
  })
})
