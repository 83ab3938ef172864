/** Budgets: what is counted, when a cap holds, who hears of it, and how it ends. */
import type { Budgets } from '@mission-control/shared/budgets'
import { errorCode } from '@mission-control/shared/errors'
import { TURN_CAP_MS } from '@mission-control/shared/lanes/policy'
import type { ClaimedItem, RunUsage } from '@mission-control/shared/service-contract'
import { expect, it } from 'vitest'
import { api } from '../convex/_generated/api.js'
import type { Id } from '../convex/_generated/dataModel.js'
import { START } from './harness/backend.ts'
import { onEachEngine } from './harness/engines.ts'
import type { World } from './harness/world.ts'
import { createWorld, RUN } from './harness/world.ts'

const HOUR = 3_600_000
const NONE: Budgets = { turnsPerHour: null, tokensPerDay: null, microUsdPerDay: null }
const USAGE: RunUsage = { model: 'm', inputTokens: 100, outputTokens: 20, costUsd: 0.001_5 }

const capAccount = (world: World, budgets: Partial<Budgets>) =>
  world.ada.mutation(api.accounts.setBudgets, { accountId: world.accountId, budgets: { ...NONE, ...budgets } })
const capAgent = (world: World, budgets: Partial<Budgets>, agentId = world.engineer) =>
  world.ada.mutation(api.agents.setBudgets, { accountId: world.accountId, agentId, budgets: { ...NONE, ...budgets } })
const settle = (world: World, { id, fence }: ClaimedItem, usage: RunUsage | null = USAGE) =>
  world.backend.mutation(api.service.notifications.settle, {
    ...world.service,
    ...{ id, fence, outcome: 'reply' as const, reply: 'ok', run: { ...RUN, usage } },
  })
const rowOf = async (world: World, agentId: Id<'agents'> | null, period: 'hour' | 'day', from = START) => {
  const page = await world.ada.query(api.usage.list, {
    ...{
      accountId: world.accountId,
      agentId,
      period,
      from,
      to: from + 24 * HOUR,
      paginationOpts: { numItems: 50, cursor: null },
    },
  })
  return page.page
}
const stateOf = (world: World, agentId: Id<'agents'> | null = null) =>
  world.cy.query(api.usage.state, { accountId: world.accountId, agentId, at: world.backend.now() })
const budgetNotices = async (world: World, who: 'ada' | 'bo' | 'cy') =>
  (await world.noticesOf(who)).filter(({ type }) => type === 'budget')
const newTask = (world: World, title: string) => world.ada.mutation(api.tasks.create, { accountId: world.accountId, title })
/** `count` tasks, each with an item for the engineer. */
async function posts(world: World, count: number): Promise<void> {
  for (let n = 0; n < count; n++) await world.post('@engineer go', await newTask(world, `Task ${n}`))
}
const headIds = (world: World) =>
  world.backend.run(async (ctx) => {
    const items = await ctx.db.query('deliveries').collect()
    return items.filter(({ state }) => state === 'ready').map(({ _id }) => _id)
  })

onEachEngine('usage', (open) => {
  it('of a run is added to hour and day, of the agent and of the account', async () => {
    const world = await createWorld(await open())
    await world.post('@engineer and @qa')
    for (const item of await world.claimReady()) await settle(world, item)
    await world.backend.finishScheduled()
    const one = { turns: 1, inputTokens: 100, outputTokens: 20, microUsd: 1_500 }
    const both = { turns: 2, inputTokens: 200, outputTokens: 40, microUsd: 3_000 }
    for (const period of ['hour', 'day'] as const) {
      for (const agentId of [world.engineer, world.qa])
        expect(await rowOf(world, agentId, period)).toEqual([{ start: START, ...one }])
      expect(await rowOf(world, null, period)).toEqual([{ start: START, ...both }])
    }
  })

  it('counts where the run was claimed, also if it ends in the next hour', async () => {
    const world = await createWorld(await open())
    await world.backend.advance(HOUR - 60_000)
    await world.post('@engineer go')
    await world.checkIn()
    const item = await world.claimOne()
    await world.backend.advance(120_000)
    await settle(world, item)
    await world.backend.finishScheduled()
    expect((await rowOf(world, world.engineer, 'hour')).map(({ start }) => start)).toEqual([START])
  })

  it('counts each attempt that may have reached a model, and none that cannot have', async () => {
    const world = await createWorld(await open())
    const turns = async () => {
      await world.backend.finishScheduled()
      return (await rowOf(world, world.engineer, 'day'))[0]?.turns ?? 0
    }
    await world.post('@engineer go')
    await world.release(await world.claimOne())
    expect(await turns()).toBe(0)
    const unsent = { ...RUN, sentAfterMs: null, acceptedAfterMs: null, repliedAfterMs: null }
    const failing = await world.claimOne()
    await world.backend.mutation(api.service.notifications.fail, {
      ...{ ...world.service, id: failing.id, fence: failing.fence, class: 'retryable' as const, code: 'TURN_FAILED' },
      ...{ reason: 'no gateway', ended: true, retryAfterMs: null, run: unsent },
    })
    expect(await turns()).toBe(0)
    await world.backend.advance(10_000)
    await world.fail(await world.claimOne())
    expect(await turns()).toBe(1)
    await world.backend.advance(10_000)
    await world.settle(await world.claimOne(), 'ok')
    expect(await turns()).toBe(2)
  })

  it('of a settle that is repeated counts once', async () => {
    const world = await createWorld(await open())
    await world.post('@engineer go')
    const item = await world.claimOne()
    for (let n = 0; n < 3; n++) await settle(world, item)
    await world.backend.finishScheduled()
    expect(await rowOf(world, null, 'day')).toMatchObject([{ turns: 1, inputTokens: 100 }])
  })

  it('of a turn whose claim was lost is told late, and counts once', async () => {
    const world = await createWorld(await open())
    await world.post('@engineer go')
    const item = await world.claimOne()
    const late = (usage: RunUsage | null = USAGE) =>
      world.backend.mutation(api.service.notifications.reportUsage, {
        ...{ ...world.service, id: item.id, fence: item.fence, run: { ...RUN, usage } },
      })
    // Not lost yet: its settle will say it.
    expect(await late()).toBe(false)
    await world.backend.advance(TURN_CAP_MS + 1)
    await world.checkIn([item])
    await expect(settle(world, item).catch(errorCode)).resolves.toBe('STALE_FENCE')
    expect([await late(null), await late(), await late()]).toEqual([false, true, false])
    await world.backend.finishScheduled()
    expect(await rowOf(world, null, 'day')).toEqual([
      { start: START, turns: 1, inputTokens: 100, outputTokens: 20, microUsd: 1_500 },
    ])
    const runs = (await world.trace(item.id)).runs
    expect(runs).toMatchObject([{ outcome: 'lapsed', usage: USAGE }])
  })

  it('is summed up per agent and day, page by page', async () => {
    const world = await createWorld(await open())
    await world.post('@engineer and @qa')
    for (const item of await world.claimReady()) await settle(world, item)
    await world.backend.advance(24 * HOUR)
    await world.checkIn()
    const { epoch } = await reborn(world)
    await world.post('@engineer again')
    for (const item of await world.claimReady(epoch)) await settle(world, item)
    await world.backend.finishScheduled()
    const summary = (cursor: string | null) =>
      world.cy.query(api.usage.summary, {
        ...{ accountId: world.accountId, from: START, to: START + 48 * HOUR, paginationOpts: { numItems: 1, cursor } },
      })
    const first = await summary(null)
    expect(first.page).toMatchObject([
      { slug: 'engineer', total: { turns: 2, microUsd: 3_000 }, days: [{ turns: 1 }, { turns: 1 }] },
    ])
    expect((await summary(first.continueCursor)).page).toMatchObject([
      { slug: 'qa', total: { turns: 1 }, days: [{ start: START }] },
    ])
    const tooLong = world.cy.query(api.usage.summary, {
      ...{ accountId: world.accountId, from: START, to: START + 93 * 24 * HOUR, paginationOpts: { numItems: 1, cursor: null } },
    })
    await expect(tooLong.catch(errorCode)).resolves.toBe('LIMIT')
  })
})

/** The runtime is back after a long time without a check-in. */
async function reborn(world: World): Promise<{ epoch: number }> {
  const hello = await world.hello('box-1', `boot-${world.backend.now()}`)
  if (hello.role !== 'active') throw new Error('It must be active.')
  return hello
}

onEachEngine('a cap on turns per hour', (open) => {
  it('is exact for a batch: the rest waits for the reset, with the reason, and is claimed then', async () => {
    const world = await createWorld(await open())
    await capAgent(world, { turnsPerHour: 3 })
    await posts(world, 10)
    await world.backend.advance(10 * 60_000)
    const { epoch } = await reborn(world)
    const claimed = await world.claim(await headIds(world), epoch)
    expect(claimed.items).toHaveLength(3)
    expect(claimed.notDueInMs).toBe(50 * 60_000)
    const waiting = (await items(world)).filter(({ state }) => state === 'ready')
    expect(new Set(waiting.map(({ dueAt, reason }) => `${reason} ${dueAt}`))).toEqual(new Set([`over_budget ${START + HOUR}`]))
    expect(await world.claim(await headIds(world), epoch)).toEqual({ items: [], notDueInMs: 50 * 60_000 })

    await world.backend.advance(50 * 60_000)
    const { epoch: later } = await reborn(world)
    expect((await world.claim(await headIds(world), later)).items).toHaveLength(3)
  })

  it('of the account holds over all agents', async () => {
    const world = await createWorld(await open())
    await capAccount(world, { turnsPerHour: 1 })
    await world.post('@engineer and @qa')
    expect((await world.claim(await headIds(world))).items).toHaveLength(1)
    expect(await stateOf(world)).toMatchObject([{ cap: 'turnsPerHour', limit: 1, used: 1, over: true, until: START + HOUR }])
  })

  it('gives a turn back that never was one', async () => {
    const world = await createWorld(await open())
    await capAgent(world, { turnsPerHour: 1 })
    await world.post('@engineer go')
    const item = await world.claimOne()
    expect(await stateOf(world, world.engineer)).toMatchObject([{ used: 1, over: true }])
    await world.release(item)
    // Faster than the giving back: it waits, but not until the reset.
    expect(await world.claim([item.id])).toEqual({ items: [], notDueInMs: HOUR })
    await world.backend.finishScheduled()
    expect(await stateOf(world, world.engineer)).toMatchObject([{ used: 0, over: false }])
    await world.settle(await world.claimOne(), 'ok')
    await world.backend.finishScheduled()
    expect(await stateOf(world, world.engineer)).toMatchObject([{ used: 1, over: true }])
  })

  it('that is set while turns are under way counts them, once', async () => {
    const world = await createWorld(await open())
    await world.post('@engineer and @qa')
    const items = await world.claimReady()
    expect(items).toHaveLength(2)
    await capAgent(world, { turnsPerHour: 1 })
    await capAccount(world, { turnsPerHour: 2 })
    expect(await stateOf(world, world.engineer)).toMatchObject([{ used: 1, over: true }])
    expect(await stateOf(world)).toMatchObject([{ used: 2, over: true }])
    for (const item of items) await world.settle(item, 'ok')
    await world.backend.finishScheduled()
    expect(await stateOf(world)).toMatchObject([{ used: 2, over: true }])
    await world.post('@qa more')
    expect((await world.claim(await headIds(world))).items).toEqual([])
  })

  it('of 0 lets nothing begin', async () => {
    const world = await createWorld(await open())
    await capAgent(world, { turnsPerHour: 0 })
    await world.post('@engineer go')
    expect((await world.claim(await headIds(world))).items).toEqual([])
  })

  it('does not hold back agents without one', async () => {
    const world = await createWorld(await open())
    await capAgent(world, { turnsPerHour: 0 })
    await world.post('@engineer and @qa')
    expect((await world.claimReady()).map(({ agent }) => agent.slug)).toEqual(['qa'])
  })
})

onEachEngine('a cap on tokens or money per day', (open) => {
  it.each([
    ['tokensPerDay', 120, 120],
    ['microUsdPerDay', 1_500, 1_500],
  ] as const)('%s: the turn that reaches it ends, the next one waits until the day is over', async (cap, limit, used) => {
    const world = await createWorld(await open())
    await capAgent(world, { [cap]: limit })
    await world.post('@engineer one')
    await world.post('@engineer two')
    await settle(world, await world.claimOne())
    await world.backend.finishScheduled()
    expect(await stateOf(world, world.engineer)).toMatchObject([{ cap, limit, used, over: true, until: START + 24 * HOUR }])
    expect(await world.claim(await headIds(world))).toEqual({ items: [], notDueInMs: 24 * HOUR })
    await world.backend.advance(24 * HOUR)
    const { epoch } = await reborn(world)
    expect((await world.claim(await headIds(world), epoch)).items).toHaveLength(1)
  })
})

onEachEngine('over budget', (open) => {
  it('is visible to people and told to owners and admins once for each reset', async () => {
    const world = await createWorld(await open())
    await capAgent(world, { turnsPerHour: 1 })
    await posts(world, 5)
    await world.claim(await headIds(world))
    for (const who of ['ada', 'bo'] as const) expect(await budgetNotices(world, who)).toHaveLength(1)
    expect(await budgetNotices(world, 'cy')).toEqual([])
    const [notice] = await budgetNotices(world, 'ada')
    expect(notice?.title).toContain('Engineer has reached its budget (turnsPerHour: 1 of 1)')
    await world.ada.mutation(api.notifications.markRead, {
      accountId: world.accountId,
      notificationIds: [notice?.id as Id<'notifications'>],
    })

    await capAgent(world, { turnsPerHour: 1, tokensPerDay: 1_000_000 })
    await world.claim(await headIds(world))
    expect(await budgetNotices(world, 'ada')).toHaveLength(1)
    const reached = await activitiesOf(world, 'budget_reached')
    expect(reached).toMatchObject([{ targetId: world.engineer, targetName: 'Engineer', actorType: 'system' }])
    const agent = () => world.cy.query(api.agents.get, { accountId: world.accountId, agentId: world.engineer })
    expect((await agent()).statusReason).toBe(`Over budget until ${new Date(START + HOUR).toISOString()}`)

    await world.backend.advance(HOUR)
    const { epoch } = await reborn(world)
    await world.claim(await headIds(world), epoch)
    expect(await budgetNotices(world, 'ada')).toHaveLength(2)
  })

  it('ends when a cap is raised: what waits is claimable at once, what waits for a retry keeps waiting', async () => {
    const world = await createWorld(await open())
    await capAgent(world, { turnsPerHour: 1 })
    await world.post('@engineer first')
    const { retryInMs } = await world.fail(await world.claimOne(), { retryAfterMs: 600_000 })
    await posts(world, 3)
    await world.claim(await headIds(world))
    expect(await world.claim(await headIds(world))).toMatchObject({ items: [] })
    await capAgent(world, { turnsPerHour: 3 })
    const claimed = await world.claim(await headIds(world))
    expect(claimed.items).toHaveLength(2)
    expect(claimed.notDueInMs).toBe(retryInMs)
    expect(
      (await world.cy.query(api.agents.get, { accountId: world.accountId, agentId: world.engineer })).statusReason,
    ).toBeNull()
  })

  it('ends for more items than one step looks at', async () => {
    const world = await createWorld(await open())
    await capAccount(world, { turnsPerHour: 0 })
    await posts(world, 230)
    const heads = await headIds(world)
    for (let n = 0; n < heads.length; n += 16) await world.claim(heads.slice(n, n + 16))
    await capAccount(world, {})
    await world.backend.finishScheduled()
    const left = (await items(world)).filter(({ dueAt, reason }) => dueAt > world.backend.now() || reason !== null)
    expect(left).toEqual([])
  })

  it('skips a heartbeat with the reason, and its slot is done', async () => {
    const world = await createWorld(await open())
    const { accountId, taskId, engineer: agentId, epoch } = world
    await world.ada.mutation(api.tasks.assign, { accountId, taskId, assignees: [{ type: 'agent', id: agentId }] })
    for (let n = 0; n < 2; n++) await settle(world, await world.claimOne(), null)
    await world.backend.finishScheduled()
    await capAgent(world, { turnsPerHour: 2 })
    const begin = (slot: number) =>
      world.backend.mutation(api.service.heartbeats.begin, { ...world.service, epoch, agentId, slot })
    expect(await begin(START)).toEqual({ skip: 'over_budget' })
    expect(await begin(START)).toEqual({ skip: 'slot_done' })
    await capAgent(world, { turnsPerHour: 3 })
    expect(await begin(START + 1)).toMatchObject({ item: { type: 'heartbeat' } })
    expect(await stateOf(world, agentId)).toMatchObject([{ used: 3, over: true }])
  })

  it('uses no attempt and loses nothing: a late lapse of an earlier turn changes no cap', async () => {
    const world = await createWorld(await open())
    await capAgent(world, { turnsPerHour: 1 })
    await world.post('@engineer one')
    const item = await world.claimOne()
    await world.backend.advance(TURN_CAP_MS + 1)
    const { epoch } = await reborn(world)
    expect(await world.claim([item.id], epoch)).toMatchObject({ items: [] })
    expect(await items(world)).toMatchObject([{ state: 'ready', attempts: 1, reason: 'over_budget' }])
    expect(await world.deliveries()).toMatchObject([{ state: 'ready', reason: 'over_budget', dueAt: START + HOUR }])
    expect(await stateOf(world, world.engineer)).toMatchObject([{ used: 1 }])
  })
})

onEachEngine('setting budgets', (open) => {
  it('is written down, and the same again is not', async () => {
    const world = await createWorld(await open())
    for (let n = 0; n < 2; n++) {
      await capAccount(world, { tokensPerDay: 5 })
      await capAgent(world, { tokensPerDay: 5 })
    }
    const updates = (type: 'account_updated' | 'agent_updated') => activitiesOf(world, type)
    expect(await updates('account_updated')).toMatchObject([
      { actorName: 'Ada', detail: 'budgets: turnsPerHour none, tokensPerDay 5, microUsdPerDay none' },
    ])
    expect(await updates('agent_updated')).toHaveLength(1)
  })

  it.each([-1, 1.5, Number.NaN, 1e13])('refuses %s', async (turnsPerHour) => {
    const world = await createWorld(await open())
    await expect(capAccount(world, { turnsPerHour }).catch(errorCode)).resolves.toBe('INVALID')
    await expect(capAgent(world, { turnsPerHour }).catch(errorCode)).resolves.toBe('INVALID')
  })
})

const items = (world: World) => world.backend.run((ctx) => ctx.db.query('deliveries').collect())
const activitiesOf = (world: World, type: 'account_updated' | 'agent_updated' | 'budget_reached') =>
  world.backend.run((ctx) =>
    ctx.db
      .query('activities')
      .withIndex('by_account_type', (q) => q.eq('accountId', world.accountId).eq('type', type))
      .collect(),
  )
