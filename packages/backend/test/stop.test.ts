/** `/stop`, written into the thread. What it does to lanes is in lanes.test.ts: here is what counts as one, and what people see. */
import { LIMITS } from '@mission-control/shared/limits'
import { expect, it } from 'vitest'
import { api } from '../convex/_generated/api.js'
import { onEachEngine } from './harness/engines.ts'
import type { World } from './harness/world.ts'
import { createWorld } from './harness/world.ts'

const contents = async (world: World) => (await world.thread()).map(({ content }) => content)
const states = async (world: World) => (await world.deliveries()).map(({ state, reason }) => [state, reason])
const signals = (world: World) => world.backend.query(api.service.runtime.signals, world.service)

onEachEngine('/stop in a thread', (open) => {
  it('stands there as a line, is told to nobody, and stops what waits and what runs', async () => {
    const world = await createWorld(await open())
    const { accountId, taskId } = world
    await world.cy.mutation(api.messages.post, { accountId, taskId, content: '@engineer @qa start' })
    await world.post('@qa and then this')
    const [running] = (await world.claimReady()).filter(({ agent }) => agent.slug === 'engineer')
    const heard = (await world.noticesOf('cy')).length
    const before = await signals(world)
    await world.post(' /Stop\n')
    expect((await signals(world)).stopSeq).toBe(before.stopSeq + 1)
    expect((await contents(world)).at(-1)).toBe(' /Stop\n')
    expect(await world.noticesOf('cy')).toHaveLength(heard)
    expect(running && (await world.checkIn([running]))).toMatchObject({ stop: [running?.id] })
    expect((await states(world)).filter(([state]) => state === 'queued' || state === 'ready')).toEqual([])
  })

  it('drops the reply that comes after it, and the journal says so and keeps the text', async () => {
    const world = await createWorld(await open())
    await world.post('@engineer start')
    const running = await world.claimOne()
    await world.post('/stop')
    expect(await world.settle(running, 'too late')).toMatchObject({ state: 'skipped', messageId: null })
    expect(await contents(world)).toEqual(['@engineer start', '/stop'])
    const { runs, reason } = await world.trace(running.id)
    expect([reason, runs[0]?.outcome, runs[0]?.reason]).toEqual(['stopped', 'skipped', 'stopped'])
    const kept = await world.ada.query(api.deliveries.keptReply, {
      ...{ accountId: world.accountId, deliveryId: (await world.deliveries())[0]?.id as never },
      paginationOpts: { numItems: 5, cursor: null },
    })
    expect(kept.page.map(({ text }) => text)).toEqual(['too late'])
  })

  it('leaves the reply that came before it', async () => {
    const world = await createWorld(await open())
    await world.post('@engineer start')
    await world.settle(await world.claimOne(), 'in time')
    await world.post('/stop')
    expect(await contents(world)).toEqual(['@engineer start', 'in time', '/stop'])
    expect(await states(world)).toEqual([['delivered', null]])
  })

  it('does not stop the message right behind it, also while the stopped turn still runs', async () => {
    const world = await createWorld(await open())
    await world.post('@engineer start')
    const running = await world.claimOne()
    await world.post('/stop')
    await world.post('@engineer this instead')
    expect(await world.ready()).toEqual([])
    await world.settle(running, 'too late')
    await world.backend.finishScheduled()
    const next = await world.claimOne()
    expect(next.context).toMatchObject({ body: '@engineer this instead', voidEarlier: true })
    await world.settle(next, 'done')
    expect((await contents(world)).at(-1)).toBe('done')
  })

  it('is harmless where nothing runs, and does not reach another task', async () => {
    const world = await createWorld(await open())
    const other = await world.ada.mutation(api.tasks.create, { accountId: world.accountId, title: 'Another' })
    await world.post('@engineer go on', other)
    await world.post('/stop')
    await world.backend.finishScheduled()
    expect(await world.claimOne()).toMatchObject({ type: 'mention' })
    expect(await states(world)).toEqual([])
  })

  it('reaches what a large telling has yet to enqueue, in its own task only; people are told all the same', async () => {
    const world = await createWorld(await open())
    const { accountId } = world
    for (let n = 0; n <= LIMITS.fanOutStep; n++) {
      await world.ada.mutation(api.agents.create, { accountId, slug: `agent-${n}`, name: `Agent ${n}` })
    }
    const other = await world.ada.mutation(api.tasks.create, { accountId, title: 'Another' })
    await world.post('@all hands')
    await world.post('@all hands', other)
    await world.post('/stop')
    await world.backend.finishScheduled()
    expect(await states(world)).toEqual([])
    expect(await world.deliveries(other)).toHaveLength(LIMITS.fanOutStep + 3)
    expect(await world.noticesOf('cy')).toHaveLength(2)
    await world.post('@all once more')
    await world.backend.finishScheduled()
    expect(await states(world)).toHaveLength(LIMITS.fanOutStep + 3)
  })

  it('is nothing but the word: a sentence about it is a message, and so is an agent that says it', async () => {
    const world = await createWorld(await open())
    await world.post('@engineer start')
    const running = await world.claimOne()
    await world.post('please do not /stop now')
    await world.post('/stop now')
    await world.settle(running, '/stop')
    expect((await world.thread()).at(-1)).toMatchObject({ content: '/stop', author: { type: 'agent' } })
    expect((await states(world)).map(([state]) => state)).toEqual(['ready', 'delivered'])
  })

  it('is recorded with who it was, as the button is', async () => {
    const world = await createWorld(await open())
    const { accountId, taskId } = world
    await world.cy.mutation(api.messages.post, { accountId, taskId, content: '/stop' })
    await world.bo.mutation(api.deliveries.stop, { accountId, taskId })
    const { page } = await world.ada.query(api.activities.list, { accountId, paginationOpts: { numItems: 9, cursor: null } })
    const stops = page.filter(({ type }) => type === 'delivery_stopped')
    expect(stops.map(({ actor }) => actor.name)).toEqual(['Bo', 'Cy'])
    expect(await contents(world)).toEqual(['/stop'])
  })
})
