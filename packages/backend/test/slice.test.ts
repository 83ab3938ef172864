/** The way of one message: account, agent, task, mention, claim, reply. */
import { errorCode } from '@mission-control/shared/errors'
import { expect, it } from 'vitest'
import { api } from '../convex/_generated/api.js'
import { onEachEngine } from './harness/engines.ts'
import { createWorld } from './harness/world.ts'

onEachEngine('a mention and its reply', (open) => {
  it('reaches the agent and comes back into the thread', async () => {
    const world = await createWorld(await open())
    const messageId = await world.post('@engineer please look')
    const item = await world.claimOne()
    expect(item).toMatchObject({
      fence: 1,
      turnKey: `${item.id}.1`,
      reconcile: false,
      type: 'mention',
      attempt: 1,
      depth: 0,
      sessionKey: `agent:engineer:${world.accountId}:task:${world.taskId}`.toLowerCase(),
      agent: { id: world.engineer, slug: 'engineer', name: 'Engineer' },
    })
    expect(item.turnCode).toMatch(/^[a-z0-9]{6}$/)
    expect(item.context).toMatchObject({
      title: 'Ada mentioned you: Ship it',
      body: '@engineer please look',
      task: { id: world.taskId, title: 'Ship it', status: 'inbox' },
      message: { id: messageId, author: { type: 'user', name: 'Ada' } },
      thread: [],
      voidEarlier: false,
    })

    const settled = await world.settle(item, 'Looks fine.')
    expect(settled).toMatchObject({ state: 'delivered', replayed: false })
    const thread = await world.thread()
    expect(thread.map(({ author, content }) => [author.name, content])).toEqual([
      ['Ada', '@engineer please look'],
      ['Engineer', 'Looks fine.'],
    ])
    expect(thread[1]?.id).toBe(settled.messageId)
    expect(await world.ready()).toEqual([])
    expect(await world.noticesOf('ada')).toMatchObject([{ type: 'thread_update', messageId: settled.messageId }])
  })

  it('writes the run with every time of the way', async () => {
    const world = await createWorld(await open())
    await world.post('@engineer go')
    await world.backend.advance(100)
    const item = await world.claimOne()
    await world.backend.advance(500)
    await world.settle(item, 'done')
    const trace = await world.trace(item.id)
    const claimedAt = trace.committedAt + 100
    expect(trace).toMatchObject({ state: 'delivered', attempts: 1, fence: 1 })
    expect(trace.runs).toEqual([
      {
        ...{ fence: 1, outcome: 'reply', reason: null, claimedAt, usage: null },
        ...{ sentAt: claimedAt + 5, acceptedAt: claimedAt + 9, repliedAt: claimedAt + 40, endedAt: claimedAt + 500 },
      },
    ])
  })

  it('posts the reply once, however often it is settled, and only under the newest fence', async () => {
    const world = await createWorld(await open())
    await world.post('@engineer go')
    const item = await world.claimOne()
    const first = await world.settle(item, 'one')
    expect(await world.settle(item, 'two')).toEqual({ ...first, replayed: true })
    expect((await world.thread()).map(({ content }) => content)).toEqual(['@engineer go', 'one'])
    const stale = world.settle({ id: item.id, fence: 0 }, 'three')
    await expect(stale.catch(errorCode)).resolves.toBe('STALE_FENCE')
  })

  it('never gives one item to two claimers', async () => {
    const world = await createWorld(await open())
    await world.post('@engineer go')
    const ids = (await world.ready()).map(({ id }) => id)
    const [a, b] = await Promise.all([world.claim(ids), world.claim(ids)])
    expect([...a.items, ...b.items]).toHaveLength(1)
  })

  it('keeps a lane to one item in flight, in order', async () => {
    const world = await createWorld(await open())
    await world.post('@engineer first')
    await world.post('@engineer second')
    const first = await world.claimOne()
    expect(first.context.body).toBe('@engineer first')
    expect(await world.ready()).toEqual([])
    await world.settle(first, 'ok')
    expect((await world.claimOne()).context.body).toBe('@engineer second')
  })

  it('lets a receipt end an item without a message', async () => {
    const world = await createWorld(await open())
    await world.post('@engineer fyi')
    const item = await world.claimOne()
    expect(await world.settle(item, null)).toMatchObject({ state: 'delivered', messageId: null })
    expect(await world.thread()).toHaveLength(1)
  })

  it('gives a runtime no item while it is not the active one, or while the account is paused', async () => {
    const world = await createWorld(await open())
    await world.post('@engineer go')
    const ids = (await world.ready()).map(({ id }) => id)
    await expect(world.claim(ids, world.epoch + 1).catch(errorCode)).resolves.toBe('SUPERSEDED')
    await world.ada.mutation(api.accounts.setPaused, { accountId: world.accountId, paused: true })
    await expect(world.claim(ids).catch(errorCode)).resolves.toBe('PAUSED')
  })
})
