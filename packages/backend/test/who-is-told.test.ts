/**
 * The table "who is notified" of domain.md, row by row and column by column; how agents' items behave once they are enqueued is in
 * telling.test.ts and lanes.test.ts.
 */
import type { TaskStatus } from '@mission-control/shared/enums'
import { LIMITS } from '@mission-control/shared/limits'
import { expect, it } from 'vitest'
import { api } from '../convex/_generated/api.js'
import type { Id } from '../convex/_generated/dataModel.js'
import { onEachEngine } from './harness/engines.ts'
import type { World } from './harness/world.ts'
import { createWorld } from './harness/world.ts'

type Person = 'ada' | 'bo' | 'cy'
const PEOPLE: readonly Person[] = ['ada', 'bo', 'cy']
const CY = { type: 'user', id: 'test|Cy' } as const
const ADA = { type: 'user', id: 'test|Ada' } as const
const BO = { type: 'user', id: 'test|Bo' } as const

/** What everybody was told of since the last look: types by name, agents by slug. Nobody who was told nothing. */
function lookout(world: World) {
  const seen = new Set<string>()
  return async (): Promise<Record<string, string[]>> => {
    await world.backend.finishScheduled()
    const told: Record<string, string[]> = {}
    const note = (who: string, id: string, type: string) => {
      if (seen.has(id)) return
      seen.add(id)
      ;(told[who] ??= []).push(type)
    }
    for (const who of PEOPLE) for (const { id, type } of (await world.noticesOf(who)).reverse()) note(who, id, type)
    const rows = await world.backend.run(async (ctx) => {
      const items = await ctx.db.query('deliveries').collect()
      return await Promise.all(items.map(async (item) => ({ item, agent: await ctx.db.get(item.agentId) })))
    })
    for (const { item, agent } of rows) note(agent?.slug ?? '?', item._id, item.type)
    return told
  }
}
const assign = (world: World, ...parties: { type: 'user' | 'agent'; id: string }[]) =>
  world.ada.mutation(api.tasks.assign, { accountId: world.accountId, taskId: world.taskId, assignees: parties })
const engineer = (world: World) => ({ type: 'agent', id: world.engineer }) as const
const move = (world: World, status: TaskStatus, who = world.ada) =>
  who.mutation(api.tasks.updateStatus, {
    ...{ accountId: world.accountId, taskId: world.taskId, status },
    ...(status === 'blocked' ? { reason: 'wait' } : {}),
  })
const agentSays = (world: World, content: string) =>
  world.backend.mutation(api.service.messages.createFromAgent, {
    ...{ ...world.service, agentId: world.engineer, taskId: world.taskId, content, key: content },
  })
/** Lets agents finish what they have, without a word. */
async function quiet(world: World): Promise<void> {
  for (let items = await world.claimReady(); items.length > 0; items = await world.claimReady()) {
    for (const item of items) await world.settle(item, null)
  }
}

onEachEngine('row "message by a person"', (open) => {
  it('agents and people that are mentioned: mention; people that follow: thread_update; agents that follow: nothing', async () => {
    const world = await createWorld(await open())
    const told = lookout(world)
    // Ada made the task, so she follows it.
    await world.cy.mutation(api.messages.post, { accountId: world.accountId, taskId: world.taskId, content: '@qa @bo look' })
    expect(await told()).toEqual({ qa: ['mention'], bo: ['mention'], ada: ['thread_update'] })
    await quiet(world)
    await world.cy.mutation(api.messages.post, { accountId: world.accountId, taskId: world.taskId, content: '@engineer look' })
    expect(await told()).toEqual({ engineer: ['mention'], bo: ['thread_update'], ada: ['thread_update'] })
  })

  it('without a mention: everybody that follows, thread_update', async () => {
    const world = await createWorld(await open())
    await world.post('@engineer @cy hello')
    await quiet(world)
    const told = lookout(world)
    await told()
    await world.post('news')
    expect(await told()).toEqual({ engineer: ['thread_update'], cy: ['thread_update'] })
  })

  it('a follower that is mentioned hears once, as mentioned', async () => {
    const world = await createWorld(await open())
    await world.post('@cy hello')
    const told = lookout(world)
    await told()
    await world.post('@cy and again @cy')
    expect(await told()).toEqual({ cy: ['mention'] })
  })
})

onEachEngine('row "@all"', (open) => {
  it('by a person: every agent and member but the author, once, whoever else is named', async () => {
    const world = await createWorld(await open())
    const told = lookout(world)
    await world.post('@all and @cy and @qa')
    expect(await told()).toEqual({ engineer: ['mention'], qa: ['mention'], bo: ['mention'], cy: ['mention'] })
  })

  it('by an agent: every member, and no agent', async () => {
    const world = await createWorld(await open())
    const told = lookout(world)
    await agentSays(world, '@all done')
    expect(await told()).toEqual({ ada: ['mention'], bo: ['mention'], cy: ['mention'] })
  })

  it('to more people than one step takes: each once, and each is counted', async () => {
    const world = await createWorld(await open())
    const { accountId } = world
    const count = LIMITS.fanOutStep * 2 + 3
    for (let n = 0; n < count; n++) {
      await world.ada.mutation(api.memberships.add, { accountId, userId: `test|M${n}`, name: `Member ${n}`, role: 'member' })
    }
    await world.backend.finishScheduled()
    const unread = () => world.backend.as('M42').query(api.notifications.unreadCount, { accountId })
    const before = await unread()
    await world.post('@all hands')
    await world.backend.finishScheduled()
    const rows = await world.backend.run((ctx) => ctx.db.query('notifications').collect())
    const mentions = rows.filter(({ type }) => type === 'mention')
    expect(mentions.map(({ userId }) => userId).sort()).toEqual(
      ['test|Bo', 'test|Cy', ...Array.from({ length: count }, (_, n) => `test|M${n}`)].sort(),
    )
    expect((await unread()) - before).toBe(1)
  })
})

onEachEngine('row "message by an agent"', (open) => {
  it('people that are mentioned: mention; that follow: thread_update; agents: nothing, mentioned or not', async () => {
    const world = await createWorld(await open())
    await world.post('@qa @engineer hello')
    await quiet(world)
    const told = lookout(world)
    await told()
    await agentSays(world, '@cy and @qa, done')
    expect(await told()).toEqual({ cy: ['mention'], ada: ['thread_update'] })
  })

  it('a reply tells the same people', async () => {
    const world = await createWorld(await open())
    await world.post('@engineer hello')
    const told = lookout(world)
    await told()
    await world.settle(await world.claimOne(), 'Hello @cy and @qa')
    expect(await told()).toEqual({ cy: ['mention'], ada: ['thread_update'] })
  })
})

onEachEngine('row "assignment"', (open) => {
  it('new assignees, agents and people, once each; never the one who assigns', async () => {
    const world = await createWorld(await open())
    const told = lookout(world)
    await assign(world, engineer(world), CY, ADA)
    expect(await told()).toEqual({ engineer: ['assignment'], cy: ['assignment'] })
    await assign(world, engineer(world), CY, BO)
    expect(await told()).toEqual({ bo: ['assignment'] })
  })

  it('taking it away tells nobody, and ends following', async () => {
    const world = await createWorld(await open())
    await assign(world, engineer(world), CY)
    await quiet(world)
    const told = lookout(world)
    await told()
    await world.ada.mutation(api.tasks.unassign, { accountId: world.accountId, taskId: world.taskId, assignee: CY })
    expect(await told()).toEqual({})
    await world.post('news')
    expect(await told()).toEqual({ engineer: ['thread_update'] })
  })
})

onEachEngine('row "status change"', (open) => {
  /** From `assigned`, by Ada, who is assigned herself. */
  it.each([
    [['in_progress'], ['status_change']],
    [['blocked'], []],
    [['archived'], []],
    [['blocked', 'assigned'], ['status_change']],
    [['in_progress', 'review', 'done'], []],
    [['in_progress', 'review', 'in_progress'], ['status_change']],
  ] as const)(
    '%o: assigned people but the actor each time, assigned agents where there is something to do',
    async (path, agents) => {
      const world = await createWorld(await open())
      await assign(world, engineer(world), CY, ADA)
      await quiet(world)
      for (const status of path.slice(0, -1)) await move(world, status)
      await quiet(world)
      const told = lookout(world)
      await told()
      await move(world, path.at(-1) ?? 'done')
      expect(await told()).toEqual({ cy: ['status_change'], ...(agents.length > 0 ? { engineer: agents } : {}) })
    },
  )

  it('to review: the agents that may review, not the assigned ones', async () => {
    const world = await createWorld(await open())
    const { accountId, qa: agentId } = world
    await world.ada.mutation(api.agents.update, { accountId, agentId, permissions: { canReview: true } })
    await assign(world, engineer(world), CY)
    await quiet(world)
    await move(world, 'in_progress')
    await quiet(world)
    const told = lookout(world)
    await told()
    await move(world, 'review', world.cy)
    expect(await told()).toEqual({ qa: ['status_change'] })
    await quiet(world)
    await move(world, 'done')
    await told()
    // Reopened: to review again.
    await move(world, 'review')
    expect(await told()).toEqual({ qa: ['status_change'], cy: ['status_change'] })
  })

  it('by an agent’s first reply to an assignment: assigned people, and the continuation for the agent alone', async () => {
    const world = await createWorld(await open())
    await assign(world, engineer(world), { type: 'agent', id: world.qa }, CY)
    const mine = (await world.claimReady()).find(({ agent }) => agent.slug === 'engineer')
    const told = lookout(world)
    await told()
    await world.settle(mine ?? expect.fail('nothing claimed'), 'On it.')
    expect(await told()).toEqual({
      ...{ engineer: ['continuation'], ada: ['thread_update'], cy: ['thread_update', 'status_change'] },
    })
  })
})

onEachEngine('an edit that adds a mention', (open) => {
  it('tells the added agent and person, and nobody else again', async () => {
    const world = await createWorld(await open())
    const { accountId } = world
    const messageId = await world.post('@cy and @engineer look')
    const told = lookout(world)
    await told()
    const edit = (content: string) => world.ada.mutation(api.messages.edit, { accountId, messageId, content })
    await edit('@cy and @engineer, and now @bo and @qa')
    expect(await told()).toEqual({ bo: ['mention'], qa: ['mention'] })
    await edit('@cy and @engineer, and now @bo and @qa. A typo less.')
    await edit('Nobody.')
    await edit('@bo after all')
    expect(await told()).toEqual({})
  })
})

onEachEngine('row "delivery dies"', (open) => {
  it('owners, admins and the author, once each; no other member', async () => {
    const world = await createWorld(await open())
    const { accountId, taskId } = world
    await world.ada.mutation(api.memberships.add, { accountId, userId: 'test|Di', name: 'Di', role: 'member' })
    await world.cy.mutation(api.messages.post, { accountId, taskId, content: '@engineer go' })
    const told = lookout(world)
    await told()
    await world.fail(await world.claimOne(), { class: 'terminal' })
    expect(await told()).toEqual({ ada: ['dead_letter'], bo: ['dead_letter'], cy: ['dead_letter'] })
    await world.post('@engineer go')
    await told()
    await world.fail(await world.claimOne(), { class: 'terminal' })
    expect(await told()).toEqual({ ada: ['dead_letter'], bo: ['dead_letter'] })
    const di = await world.backend.as('Di').query(api.notifications.list, {
      ...{ accountId, paginationOpts: { numItems: 10, cursor: null } },
    })
    expect(di.page.map(({ type }) => type)).not.toContain('dead_letter')
  })
})

onEachEngine('whoever does something', (open) => {
  it('is not told of it: message, mention of oneself, @all, assignment, move', async () => {
    const world = await createWorld(await open())
    const told = lookout(world)
    for (const content of ['plain', '@ada me', '@all']) await world.post(content)
    await assign(world, ADA)
    await move(world, 'in_progress')
    expect((await told())['ada']).toBeUndefined()
    await agentSays(world, 'I am @engineer')
    expect((await told())['engineer']).toBeUndefined()
  })
})

onEachEngine('somebody who has muted a type', (open) => {
  it.each([
    ['mention', (world: World) => world.post('@cy look')],
    ['thread_update', (world: World) => world.post('news')],
    ['assignment', (world: World) => assign(world, CY)],
    ['status_change', (world: World) => assign(world, CY).then(() => move(world, 'in_progress'))],
  ] as const)('is not told of a %s; who has not, is', async (type, act) => {
    for (const muted of [[], [type]]) {
      const world = await createWorld(await open())
      const { accountId } = world
      await world.cy.mutation(api.messages.post, { accountId, taskId: world.taskId, content: 'I follow' })
      await world.cy.mutation(api.notifications.setPreferences, { accountId, muted })
      await act(world)
      const types = (await world.noticesOf('cy')).map((notice) => notice.type)
      expect(types.includes(type)).toBe(muted.length === 0)
    }
  })

  it('still follows, is assigned and mentioned: only the notice is missing', async () => {
    const world = await createWorld(await open())
    const { accountId, taskId } = world
    await world.cy.mutation(api.notifications.setPreferences, { accountId, muted: ['mention', 'assignment'] })
    await world.post('@cy look')
    await assign(world, CY)
    const task = await world.ada.query(api.tasks.get, { accountId, taskId })
    expect(task.assignees).toMatchObject([{ id: CY.id }])
    await world.post('news')
    expect((await world.noticesOf('cy')).map(({ type }) => type)).toEqual(['thread_update'])
  })
})

onEachEngine('somebody who is no member any more', (open) => {
  it('is told nothing, though the thread, the assignment and the dead letter still name them', async () => {
    const world = await createWorld(await open())
    const { accountId, taskId } = world
    await world.cy.mutation(api.messages.post, { accountId, taskId, content: '@engineer go' })
    await assign(world, CY)
    await world.backend.finishScheduled()
    const before = await noticeRows(world, CY.id)
    await leave(world, CY.id)
    await world.fail((await world.claimReady())[0] ?? expect.fail('nothing claimed'), { class: 'terminal' })
    await world.post('news')
    await agentSays(world, '@all look')
    await move(world, 'in_progress')
    await world.backend.finishScheduled()
    expect(await noticeRows(world, CY.id)).toEqual(before)
  })
})

onEachEngine('an archived task', (open) => {
  it('wakes no agent, not even in the steps of a fan-out that began before', async () => {
    const world = await createWorld(await open())
    const { accountId } = world
    for (let n = 0; n < LIMITS.fanOutStep; n++) {
      await world.ada.mutation(api.agents.create, { accountId, slug: `agent-${n}`, name: `Agent ${n}` })
    }
    await world.post('@all hands')
    await move(world, 'archived')
    await world.backend.finishScheduled()
    const items = await world.backend.run((ctx) => ctx.db.query('deliveries').collect())
    expect(items.filter(({ state }) => state !== 'skipped')).toEqual([])
  })
})

/** Only the row that says who is a member: what else leaving removes is not what this is about. */
const leave = (world: World, userId: string) =>
  world.backend.run(async (ctx) => {
    const row = await ctx.db
      .query('memberships')
      .withIndex('by_account_user', (q) => q.eq('accountId', world.accountId).eq('userId', userId))
      .unique()
    await ctx.db.delete((row?._id ?? '') as Id<'memberships'>)
  })
const noticeRows = (world: World, userId: string) =>
  world.backend.run(async (ctx) => {
    const rows = await ctx.db.query('notifications').collect()
    return rows.filter((row) => row.userId === userId).map(({ _id }) => _id)
  })
