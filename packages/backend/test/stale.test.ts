/** The lead's heartbeat: woken for tasks that nobody attends to, told of a handful at a time, and of each only now and then. */
import { LIMITS } from '@mission-control/shared/limits'
import type { TaskStatus } from '@mission-control/shared/enums'
import type { HeartbeatContext } from '@mission-control/shared/service-contract'
import { expect, it } from 'vitest'
import { api } from '../convex/_generated/api.js'
import type { Id } from '../convex/_generated/dataModel.js'
import { NO_REVIEWER_AFTER_MS, NUDGE_AGAIN_MS, STALE_AFTER_MS, STALE_SHOWN, STALE_WINDOW } from '../convex/model/stale.js'
import { jsonBytes } from '../convex/lib/text.js'
import { onEachEngine } from './harness/engines.ts'
import type { World } from './harness/world.ts'
import { createWorld } from './harness/world.ts'

const MINUTE = 60_000

/** The engineer leads and has no task; the quality bot may be given some. */
async function led(world: World) {
  await world.ada.mutation(api.agents.setLead, { accountId: world.accountId, agentId: world.engineer })
  return world
}

async function taskIn(world: World, title: string, ...states: TaskStatus[]): Promise<Id<'tasks'>> {
  const { ada, accountId, qa } = world
  const taskId = await ada.mutation(api.tasks.create, { accountId, title, assignees: [{ type: 'agent', id: qa }] })
  for (const status of states) {
    await ada.mutation(api.tasks.updateStatus, {
      accountId,
      taskId,
      status,
      ...(status === 'blocked' ? { reason: 'No key.' } : {}),
    })
  }
  return taskId
}

/** Whoever has been told of something has read it: lanes are free for a heartbeat. */
async function settleAll(world: World): Promise<void> {
  for (;;) {
    const items = await world.claimReady()
    if (items.length === 0) return
    for (const item of items) await world.settle(item, null)
  }
}

/** The check-in and, where it names the agent, the heartbeat; `null` for a receipt. */
async function beat(world: World, agentId: Id<'agents'> = world.engineer): Promise<HeartbeatContext | null> {
  const slot = world.backend.now()
  const answer = await world.checkIn([], { dueAgents: [{ agentId, slot }] })
  if (!('work' in answer) || !answer.work.includes(agentId)) return null
  const { service, epoch } = world
  const begun = await world.backend.mutation(api.service.heartbeats.begin, { ...service, epoch, agentId, slot })
  if ('skip' in begun) throw new Error(begun.skip)
  await world.settle(begun.item, null)
  return begun.item.context.heartbeat
}
const titles = (context: HeartbeatContext | null) => context?.stale.map(({ title }) => title) ?? []

onEachEngine('the lead', (open) => {
  it('without tasks of its own is woken when a task is stale, and not before; nobody else is', async () => {
    const world = await led(await createWorld(await open()))
    await taskIn(world, 'Fix login', 'in_progress')
    await settleAll(world)
    await world.backend.advance(STALE_AFTER_MS - MINUTE)
    expect(await beat(world)).toBeNull()
    await world.backend.advance(2 * MINUTE)
    const { accountId } = world
    const bystander = await world.ada.mutation(api.agents.create, { accountId, slug: 'bystander', name: 'Bystander' })
    expect(await beat(world, bystander)).toBeNull()
    const context = await beat(world)
    expect(context?.assigned).toEqual([])
    expect(context?.stale).toMatchObject([
      { title: 'Fix login', status: 'in_progress', priority: 3, assignees: [{ type: 'agent', name: 'qa' }], blockedReason: null },
    ])
    expect(context?.stale[0]?.quietMs).toBeGreaterThanOrEqual(STALE_AFTER_MS)
    // The quality bot has the task, but is not the lead.
    expect((await beat(world, world.qa))?.stale).toEqual([])
  })

  it('hears of each only now and then, and no more once something has happened', async () => {
    const world = await led(await createWorld(await open()))
    const blocked = await taskIn(world, 'Fix login', 'in_progress', 'blocked')
    await world.backend.advance(STALE_AFTER_MS + MINUTE)
    expect((await beat(world))?.stale).toMatchObject([{ title: 'Fix login', blockedReason: 'No key.' }])
    await world.backend.advance(15 * MINUTE)
    expect(await beat(world)).toBeNull()
    await world.backend.advance(NUDGE_AGAIN_MS)
    expect(titles(await beat(world))).toEqual(['Fix login'])
    await world.post('I have the key.', blocked)
    await world.backend.advance(NUDGE_AGAIN_MS + MINUTE)
    expect(await beat(world)).toBeNull()
    await world.backend.advance(STALE_AFTER_MS)
    expect(titles(await beat(world))).toEqual(['Fix login'])
  })

  it('hears of a review sooner where no agent may review', async () => {
    const world = await led(await createWorld(await open()))
    await taskIn(world, 'Review me', 'in_progress', 'review')
    await world.backend.advance(NO_REVIEWER_AFTER_MS + MINUTE)
    expect(titles(await beat(world))).toEqual(['Review me'])
    const { accountId, qa } = world
    await world.ada.mutation(api.agents.update, { accountId, agentId: qa, permissions: { canReview: true } })
    await world.backend.advance(NUDGE_AGAIN_MS + MINUTE)
    expect(await beat(world)).toBeNull()
    await world.backend.advance(STALE_AFTER_MS)
    expect(titles(await beat(world))).toEqual(['Review me'])
  })

  it('is not told of its own tasks, of finished ones and of those in the inbox', async () => {
    const world = await led(await createWorld(await open()))
    const { ada, accountId, engineer } = world
    await ada.mutation(api.tasks.create, { accountId, title: 'Own', assignees: [{ type: 'agent', id: engineer }] })
    await taskIn(world, 'Finished', 'in_progress', 'review', 'done')
    await settleAll(world)
    await world.backend.advance(2 * STALE_AFTER_MS)
    const context = await beat(world)
    expect(context?.assigned).toMatchObject([{ title: 'Own' }])
    expect(context?.stale).toEqual([])
  })

  it('is told of a handful at a time, and of all in turn, blocked ones first', async () => {
    const world = await led(await createWorld(await open()))
    for (let n = 0; n < STALE_SHOWN + 2; n++) await taskIn(world, `Quiet ${n}`)
    await taskIn(world, 'Blocked', 'blocked')
    await world.backend.advance(STALE_AFTER_MS + MINUTE)
    const first = titles(await beat(world))
    expect(first).toHaveLength(STALE_SHOWN)
    expect(first[0]).toBe('Blocked')
    await world.backend.advance(15 * MINUTE)
    const second = titles(await beat(world))
    expect(new Set([...first, ...second]).size).toBe(STALE_SHOWN + 3)
    await world.backend.advance(15 * MINUTE)
    expect(await beat(world)).toBeNull()
  })

  it(
    'finds the one behind many that are looked after, also where all moved at the same moment',
    { timeout: 60_000 },
    async () => {
      const world = await led(await createWorld(await open()))
      const { accountId, backend } = world
      const first = await taskIn(world, 'Busy 0')
      await backend.run(async (ctx) => {
        const row = await ctx.db.get(first)
        if (!row) throw new Error('no task')
        const { _id, _creationTime, ...task } = row
        for (let n = 1; n <= 3 * STALE_WINDOW; n++) await ctx.db.insert('tasks', { ...task, title: `Busy ${n}` })
        await ctx.db.insert('tasks', { ...task, title: 'Quiet' })
      })
      await backend.advance(STALE_AFTER_MS + MINUTE)
      await backend.run(async (ctx) => {
        const tasks = await ctx.db
          .query('tasks')
          .withIndex('by_account_status_rank', (q) => q.eq('accountId', accountId).eq('status', 'assigned'))
          .collect()
        for (const { _id, title } of tasks) {
          if (title === 'Quiet') continue
          const actor = { actorType: 'user', actorId: 'test|Ada', actorName: 'Ada' } as const
          const what = { type: 'message_created', targetId: _id, targetName: title, taskId: _id, detail: null } as const
          await ctx.db.insert('activities', { accountId, ...actor, ...what })
        }
      })
      await backend.advance(MINUTE)
      const looks: string[][] = []
      for (let n = 0; n < 5; n++) {
        looks.push(titles(await beat(world)))
        await backend.advance(MINUTE)
      }
      expect(looks).toEqual([[], [], [], ['Quiet'], []])
      // The round is over and begins anew.
      await backend.advance(NUDGE_AGAIN_MS)
      const again: string[] = []
      for (let n = 0; n < 5; n++) {
        again.push(...titles(await beat(world)))
        await backend.advance(MINUTE)
      }
      expect(again).toEqual(['Quiet'])
    },
  )
})

onEachEngine('a heartbeat', (open) => {
  it('of a lead with the longest texts there are keeps to the limit of a context', async () => {
    const world = await led(await createWorld(await open()))
    const { ada, accountId, engineer, backend } = world
    const title = '"'.repeat(LIMITS.titleChars)
    const own = {
      accountId,
      title,
      description: '"'.repeat(LIMITS.descriptionChars),
      assignees: [{ type: 'agent' as const, id: engineer }],
    }
    for (let n = 0; n < 20; n++) await ada.mutation(api.tasks.create, own)
    await settleAll(world)
    for (let n = 0; n < STALE_SHOWN; n++) {
      const taskId = await taskIn(world, title)
      await ada.mutation(api.tasks.assign, { accountId, taskId, assignees: [{ type: 'user', id: 'test|Cy' }] })
      await ada.mutation(api.tasks.updateStatus, { accountId, taskId, status: 'blocked', reason: '"'.repeat(LIMITS.reasonChars) })
    }
    await settleAll(world)
    await backend.advance(STALE_AFTER_MS + MINUTE)
    for (let n = 0; n < 5; n++) {
      await world.post(`@engineer lost ${n}`, await taskIn(world, title))
      for (const item of await world.claimReady()) {
        if (item.agent.slug === 'engineer') await world.fail(item, { class: 'terminal' })
        else await world.settle(item, null)
      }
    }
    await settleAll(world)
    await backend.advance(MINUTE)
    const slot = backend.now()
    const begun = await backend.mutation(api.service.heartbeats.begin, {
      ...world.service,
      epoch: world.epoch,
      agentId: engineer,
      slot,
    })
    if ('skip' in begun) throw new Error(begun.skip)
    const { heartbeat } = begun.item.context
    expect([heartbeat?.assigned.length, heartbeat?.stale.length, heartbeat?.unreadMentions.length]).toEqual([20, 5, 5])
    expect(jsonBytes(begun.item.context)).toBeLessThanOrEqual(LIMITS.contextBytes)
  })

  it('for which there is no work any more is a receipt', async () => {
    const world = await createWorld(await open())
    const { service, epoch, qa: agentId } = world
    const slot = world.backend.now()
    const begin = () => world.backend.mutation(api.service.heartbeats.begin, { ...service, epoch, agentId, slot })
    expect(await begin()).toEqual({ skip: 'no_work' })
    expect(await begin()).toEqual({ skip: 'slot_done' })
  })

  it('tells once of a mention that was given up, and of none that comes as a turn of its own', async () => {
    const world = await createWorld(await open())
    const { ada, accountId, qa } = world
    await taskIn(world, 'Own')
    await world.settle(await world.claimOne(), null)
    const elsewhere = await ada.mutation(api.tasks.create, { accountId, title: 'Elsewhere' })
    await world.post('@qa lost', elsewhere)
    await world.fail(await world.claimOne(), { class: 'terminal' })
    await world.post('@qa still to come', elsewhere)
    await world.post('@engineer lost too', elsewhere)
    for (const item of await world.claimReady()) {
      if (item.agent.slug === 'engineer') await world.fail(item, { class: 'terminal' })
      else await world.release(item)
    }
    await world.backend.advance(MINUTE)
    expect((await beat(world, qa))?.unreadMentions).toMatchObject([{ taskId: elsewhere, title: 'Elsewhere', from: 'Ada' }])
    await world.backend.advance(MINUTE)
    expect((await beat(world, qa))?.unreadMentions).toEqual([])
  })
})
