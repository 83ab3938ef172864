/** What people see and do about deliveries that were given up, their attempts, and text that no thread got. */
import { errorCode } from '@mission-control/shared/errors'
import { LIMITS } from '@mission-control/shared/limits'
import { expect, it } from 'vitest'
import { api } from '../convex/_generated/api.js'
import type { Id } from '../convex/_generated/dataModel.js'
import { onEachEngine } from './harness/engines.ts'
import type { World } from './harness/world.ts'
import { createWorld } from './harness/world.ts'

const page = (numItems = 10, cursor: string | null = null) => ({ numItems, cursor })
const listDead = (world: World, paginationOpts = page()) =>
  world.cy.query(api.deliveries.listDead, { accountId: world.accountId, paginationOpts })
const redrive = (world: World, id: string) =>
  world.cy.mutation(api.deliveries.redrive, { accountId: world.accountId, deliveryId: id as Id<'deliveries'> })
const kept = (world: World, id: string, paginationOpts = page()) =>
  world.cy.query(api.deliveries.keptReply, { accountId: world.accountId, deliveryId: id as Id<'deliveries'>, paginationOpts })
const runs = (world: World, id: string, paginationOpts = page()) =>
  world.cy.query(api.deliveries.runs, { accountId: world.accountId, deliveryId: id as Id<'deliveries'>, paginationOpts })
/** A delivery of its own task that died. */
async function die(world: World, title: string): Promise<string> {
  await world.post('@engineer go', await world.ada.mutation(api.tasks.create, { accountId: world.accountId, title }))
  const item = await world.claimOne()
  await world.fail(item, { class: 'terminal' })
  return item.id
}

onEachEngine('dead letters', (open) => {
  it('are listed to every member with reason, agent and task, the newest death first, in pages', async () => {
    const world = await createWorld(await open())
    const ids: string[] = []
    for (const title of ['One', 'Two', 'Three']) {
      ids.push(await die(world, title))
      await world.backend.advance(1_000)
    }
    const first = await listDead(world, page(2))
    expect(first.page.map(({ taskTitle }) => taskTitle)).toEqual(['Three', 'Two'])
    expect(first.page[0]).toMatchObject({
      ...{ id: ids[2], type: 'mention', agentId: world.engineer, agentName: 'Engineer', attempts: 1 },
      ...{ reason: 'TURN_FAILED: It broke.', diedAt: world.backend.now() - 1_000 },
    })
    const second = await listDead(world, page(2, first.continueCursor))
    expect(second).toMatchObject({ page: [{ id: ids[0] }], isDone: true })
  })

  it('are still listed when the agent is gone', async () => {
    const world = await createWorld(await open())
    await die(world, 'One')
    await world.ada.mutation(api.agents.remove, { accountId: world.accountId, agentId: world.engineer })
    await world.backend.finishScheduled()
    expect((await listDead(world)).page).toMatchObject([{ agentName: null, taskTitle: 'One' }])
  })

  it('are tried again by a person, and it is the person who did it', async () => {
    const world = await createWorld(await open())
    const id = await die(world, 'One')
    expect(await redrive(world, id)).toEqual({ state: 'ready' })
    expect((await listDead(world)).page).toEqual([])
    expect(await activityOf(world, id)).toMatchObject({ actorType: 'user', actorId: 'test|Cy', actorName: 'Cy' })
    const again = await world.claimOne()
    expect(again).toMatchObject({ id, attempt: 1, fence: 2 })
    await world.settle(again, 'Now it worked.')
    await expect(redrive(world, id).catch(errorCode)).resolves.toBe('CONFLICT')
  })

  it('of a closed lane stay dead', async () => {
    const world = await createWorld(await open())
    const id = await die(world, 'One')
    await world.ada.mutation(api.agents.remove, { accountId: world.accountId, agentId: world.engineer })
    await world.backend.finishScheduled()
    await expect(redrive(world, id).catch(errorCode)).resolves.toBe('CONFLICT')
    expect((await listDead(world)).page).toHaveLength(1)
  })

  it('tried again by the runtime’s operator name the system', async () => {
    const world = await createWorld(await open())
    const id = await die(world, 'One')
    await world.backend.mutation(api.service.notifications.redrive, { ...world.service, id })
    expect(await activityOf(world, id)).toMatchObject({ actorType: 'system' })
  })
})

onEachEngine('the attempts of a delivery', (open) => {
  it('are listed the newest first, in pages', async () => {
    const world = await createWorld(await open())
    await world.post('@engineer go')
    const first = await world.claimOne()
    await world.fail(first, { ended: false })
    await world.backend.advance(10_000)
    await world.release(await world.claimOne())
    await world.settle(await world.claimOne(), 'ok')
    const newest = await runs(world, first.id, page(2))
    expect(newest.page).toMatchObject([
      { fence: 3, outcome: 'reply', reconcile: true, keptParts: 0 },
      { fence: 2, outcome: 'released' },
    ])
    expect((await runs(world, first.id, page(2, newest.continueCursor))).page).toMatchObject([
      { fence: 1, outcome: 'failed', reason: 'TURN_FAILED: It broke.', reconcile: false },
    ])
  })
})

onEachEngine('the whole text of a reply', (open) => {
  it('that was cut is read in parts, in order, and says the same as the agent did', async () => {
    const world = await createWorld(await open())
    await world.post('@engineer go')
    const item = await world.claimOne()
    const text = Array.from({ length: 260_000 }, (_, n) => `${n % 10}`).join('')
    await world.settle(item, text)
    const parts: string[] = []
    for (let cursor: string | null = null; ;) {
      const part: Awaited<ReturnType<typeof kept>> = await kept(world, item.id, page(1, cursor))
      parts.push(...part.page.map((row) => row.text))
      if (part.isDone) break
      cursor = part.continueCursor
    }
    expect(parts.length).toBeGreaterThan(1)
    expect(parts.join('') === text).toBe(true)
    expect((await world.thread()).at(-1)?.content.length).toBeLessThanOrEqual(LIMITS.messageChars)
  })

  it('of a turn that was stopped meanwhile is kept, and of one that fits its thread is not kept twice', async () => {
    const world = await createWorld(await open())
    await world.post('@engineer go')
    const item = await world.claimOne()
    await world.ada.mutation(api.deliveries.stop, { accountId: world.accountId, taskId: world.taskId })
    await world.settle(item, 'Too late.')
    expect((await kept(world, item.id)).page).toEqual([{ fence: 1, n: 0, text: 'Too late.' }])
    await world.post('@engineer go')
    const other = await world.claimOne()
    await world.settle(other, 'Fits.')
    expect((await kept(world, other.id)).page).toEqual([])
  })
})

const activityOf = (world: World, targetId: string) =>
  world.backend.run((ctx) =>
    ctx.db
      .query('activities')
      .withIndex('by_account_target', (q) => q.eq('accountId', world.accountId).eq('targetId', targetId))
      .filter((q) => q.eq(q.field('type'), 'delivery_redriven'))
      .unique(),
  )
