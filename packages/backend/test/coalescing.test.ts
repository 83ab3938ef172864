/** One item that stands for several messages: every one of them is shown, counted, or still to come. */
import { LIMITS } from '@mission-control/shared/limits'
import type { ClaimedItem } from '@mission-control/shared/service-contract'
import { expect, it } from 'vitest'
import { api } from '../convex/_generated/api.js'
import { jsonBytes } from '../convex/lib/text.js'
import { onEachEngine } from './harness/engines.ts'
import type { World } from './harness/world.ts'
import { createWorld } from './harness/world.ts'

/** The engineer is assigned to the task, and so hears of every message. */
async function followed(world: World): Promise<World> {
  const { accountId, taskId, engineer } = world
  await world.ada.mutation(api.tasks.assign, { accountId, taskId, assignees: [{ type: 'agent', id: engineer }] })
  await world.settle(await world.claimOne(), null)
  return world
}

/** Posts with so many followers that telling them is left to a scheduled step, which has not run yet. */
async function postLate(world: World, content: string) {
  const { accountId, taskId } = world
  const crowd = await world.backend.run(async (ctx) => {
    const ids = []
    for (let n = 0; n <= LIMITS.fanOutStep; n++) {
      const subscriber = { subscriberType: 'user', subscriberId: `test|crowd-${n}` } as const
      ids.push(await ctx.db.insert('subscriptions', { accountId, taskId, ...subscriber }))
    }
    return ids
  })
  const messageId = await world.post(content)
  await world.backend.run(async (ctx) => {
    for (const id of crowd) await ctx.db.delete(id)
  })
  return messageId
}

const shown = ({ context }: ClaimedItem) => [...context.thread.map(({ content }) => content), context.body]
const heartbeat = async (world: World) => {
  const args = { ...world.service, epoch: world.epoch, agentId: world.engineer, slot: world.backend.now() }
  const begun = await world.backend.mutation(api.service.heartbeats.begin, args)
  if ('skip' in begun) throw new Error(begun.skip)
  return begun.item
}
const redrive = (world: World, { id }: ClaimedItem) =>
  world.backend.mutation(api.service.notifications.redrive, { ...world.service, id })

onEachEngine('messages that nobody has claimed yet', (open) => {
  it('all reach the agent in one turn, however many there are', async () => {
    const world = await followed(await createWorld(await open()))
    const texts = Array.from({ length: 60 }, (_, n) => `plain message ${n + 1}`)
    for (const text of texts) await world.post(text)
    const item = await world.claimOne()
    expect(shown(item)).toEqual(texts)
    await world.settle(item, 'Read.')
    expect(await world.ready()).toEqual([])
  })

  it('get smaller shares of the context when they are long, so that none is missing', async () => {
    const world = await followed(await createWorld(await open()))
    for (let n = 1; n <= 40; n++) await world.post(`<${n}> ${'word '.repeat(1_000)}`)
    const { context } = await world.claimOne()
    expect(context.thread.map(({ content }) => content.split(' ')[0])).toEqual(Array.from({ length: 39 }, (_, n) => `<${n + 1}>`))
    expect(context.thread[0]?.content).toContain('[cut: ')
    expect(jsonBytes(context)).toBeLessThanOrEqual(LIMITS.contextBytes)
  })

  it('are counted where even that does not suffice', async () => {
    const world = await followed(await createWorld(await open()))
    for (let n = 1; n <= 300; n++) await world.post(`<${n}> ${'word '.repeat(100)}`)
    const { context } = await world.claimOne()
    const [marker, ...rest] = context.thread
    expect(marker?.author.type).toBe('system')
    const count = 300 - 1 - rest.length
    expect(marker?.content).toContain(`[${count} earlier messages are left out`)
    expect(rest[0]?.content).toMatch(new RegExp(`^<${count + 1}> `))
    expect(rest.length).toBeGreaterThan(80)
    expect(jsonBytes(context)).toBeLessThanOrEqual(LIMITS.contextBytes)
  })

  it('say that there are more when they are too many to count', async () => {
    const world = await followed(await createWorld(await open()))
    for (let n = 1; n <= 13; n++) await world.post('long '.repeat(LIMITS.messageChars / 5))
    const { context } = await world.claimOne()
    expect(context.thread[0]?.content).toMatch(/^\[more than \d+ earlier messages? (is|are) left out/)
    expect(jsonBytes(context)).toBeLessThanOrEqual(LIMITS.contextBytes)
  })

  it('are asked for once more after an attempt that ended, and none of them is called void', async () => {
    const world = await followed(await createWorld(await open()))
    await world.post('one')
    await world.post('two')
    const first = await world.claimOne()
    await world.fail(first, { ended: true })
    await world.backend.advance(600_000)
    const second = await world.claimOne()
    expect(second).toMatchObject({ id: first.id, context: { voidEarlier: false } })
    expect(shown(second)).toEqual(['one', 'two'])
  })
})

onEachEngine('what an agent has seen', (open) => {
  it('does not grow by a heartbeat, which shows no thread', async () => {
    const world = await followed(await createWorld(await open()))
    await postLate(world, 'late')
    await world.settle(await heartbeat(world), null)
    await world.backend.finishScheduled()
    expect((await world.claimOne()).context.body).toBe('late')
  })

  it('does not matter for an item that somebody drives again', async () => {
    const world = await followed(await createWorld(await open()))
    await world.post('please look')
    const item = await world.claimOne()
    await world.fail(item, { class: 'terminal' })
    await world.post('@engineer something else')
    await world.settle(await world.claimOne(), 'Done.')
    await redrive(world, item)
    expect((await world.claimOne()).context.body).toBe('please look')
  })

  it('is not told again by a step of a large fan-out that comes late', async () => {
    const world = await followed(await createWorld(await open()))
    await postLate(world, 'one')
    await world.post('@engineer two')
    const later = await world.claimOne()
    expect(shown(later)).toContain('one')
    await world.settle(later, null)
    await world.backend.finishScheduled()
    const [late] = await world.ready()
    expect((await world.claimReady()).length).toBe(0)
    expect(await world.trace(late?.id ?? '')).toMatchObject({ state: 'skipped', reason: 'already_seen' })
  })

  it('ends where a context had no room: an older message that comes late is still told', async () => {
    const world = await followed(await createWorld(await open()))
    await postLate(world, 'out of sight')
    for (let n = 0; n < 25; n++) await world.post(`note ${n} for @qa`)
    await world.post('@engineer two')
    const later = (await world.claimReady()).find(({ agent }) => agent.slug === 'engineer')
    if (!later) throw new Error('nothing claimed')
    expect(shown(later)).not.toContain('out of sight')
    await world.settle(later, null)
    await world.backend.finishScheduled()
    const late = (await world.claimReady()).find(({ agent }) => agent.slug === 'engineer')
    expect(late?.context.body).toBe('out of sight')
  })
})

onEachEngine('an older message that a late step brings', (open) => {
  it('joins the newer one instead of taking its place', async () => {
    const world = await followed(await createWorld(await open()))
    await postLate(world, 'one')
    await world.post('two')
    const newest = await world.post('three')
    await world.backend.finishScheduled()
    const item = await world.claimOne()
    expect(item.context.message?.id).toBe(newest)
    expect(shown(item)).toEqual(['one', 'two', 'three'])
    await world.settle(item, null)
    expect(await world.ready()).toEqual([])
  })
})
