/** Heartbeats: only for agents with work, never beside another turn of the same lane, one per slot. */
import { errorCode } from '@mission-control/shared/errors'
import { expect, it } from 'vitest'
import { api } from '../convex/_generated/api.js'
import { onEachEngine } from './harness/engines.ts'
import type { World } from './harness/world.ts'
import { createWorld } from './harness/world.ts'

/** Slots of this moment, in order. */
const slotOf = (world: World, n = 0) => world.backend.now() + n
const begin = (world: World, slot: number, epoch = world.epoch) =>
  world.backend.mutation(api.service.heartbeats.begin, { ...world.service, epoch, agentId: world.engineer, slot })
const due = (world: World, slot: number) => world.checkIn([], { dueAgents: [{ agentId: world.engineer, slot }] })

/** The engineer works on the task and has taken the assignment. */
async function atWork(world: World) {
  const { accountId, taskId } = world
  await world.ada.mutation(api.tasks.assign, { accountId, taskId, assignees: [{ type: 'agent', id: world.engineer }] })
  const assignment = await world.claimOne()
  await world.settle(assignment, 'On it.')
  await world.settle(await world.claimOne(), 'Working.')
  return assignment
}

onEachEngine('a heartbeat', (open) => {
  it('of an agent without work is a receipt, without a turn', async () => {
    const world = await createWorld(await open())
    expect(await due(world, slotOf(world))).toMatchObject({ work: [] })
    const roster = await world.backend.query(api.service.agents.list, { ...world.service, cursor: null, limit: 10 })
    expect(roster.agents.find(({ id }) => id === world.engineer)?.lastHeartbeatSlot).toBe(slotOf(world))
  })

  it('takes the lane of the focus task, already claimed, and says what there is to do', async () => {
    const world = await createWorld(await open())
    const { sessionKey } = await atWork(world)
    expect(await due(world, slotOf(world))).toMatchObject({ work: [world.engineer] })
    const begun = await begin(world, slotOf(world))
    if ('skip' in begun) throw new Error(begun.skip)
    const { item } = begun
    expect(item).toMatchObject({ type: 'heartbeat', fence: 1, attempt: 1, sessionKey, reconcile: false })
    expect(item.context.heartbeat).toMatchObject({
      nowIso: new Date(world.backend.now()).toISOString(),
      assigned: [{ id: world.taskId, title: 'Ship it', status: 'in_progress', priority: 3 }],
    })
    expect(item.context.heartbeat?.recentActivity.length).toBeGreaterThan(3)
    expect(await begin(world, slotOf(world))).toEqual({ skip: 'slot_done' })
    expect(await begin(world, slotOf(world, 1))).toEqual({ skip: 'lane_busy' })
    expect(await world.settle(item, null)).toMatchObject({ state: 'delivered' })
    expect(await due(world, slotOf(world))).toMatchObject({ work: [] })
    expect(await due(world, slotOf(world, 1))).toMatchObject({ work: [world.engineer] })
  })

  it('tells of what happened to its tasks only, but the lead of everything', async () => {
    const world = await createWorld(await open())
    const { ada, accountId, engineer } = world
    await atWork(world)
    const secret = await ada.mutation(api.tasks.create, { accountId, title: 'Salaries' })
    await ada.mutation(api.tasks.update, { accountId, taskId: secret, priority: 1 })
    const summaries = async (slot: number) => {
      const begun = await begin(world, slot)
      if ('skip' in begun) throw new Error(begun.skip)
      await world.settle(begun.item, null)
      return begun.item.context.heartbeat?.recentActivity.map(({ summary }) => summary) ?? []
    }
    const own = await summaries(slotOf(world))
    expect(own.length).toBeGreaterThan(3)
    expect(own.filter((line) => !line.includes('Ship it'))).toEqual([])
    await ada.mutation(api.agents.setLead, { accountId, agentId: engineer })
    expect((await summaries(slotOf(world, 1))).some((line) => line.includes('Salaries'))).toBe(true)
  })

  it('never runs beside a delivery of the same task, and lets one that comes meanwhile wait', async () => {
    const world = await createWorld(await open())
    await atWork(world)
    const begun = await begin(world, slotOf(world))
    if ('skip' in begun) throw new Error(begun.skip)
    await world.post('@engineer urgent')
    expect(await world.ready()).toEqual([])
    await world.settle(begun.item, 'Status: fine.')
    expect((await world.claimOne()).context.body).toBe('@engineer urgent')
  })

  it('does not begin for a slot that is more than one interval old: piled-up slots never run one after the other', async () => {
    const world = await createWorld(await open())
    await atWork(world)
    const slot = slotOf(world)
    const minutes = 20
    const { accountId, engineer } = world
    await world.ada.mutation(api.agents.update, { accountId, agentId: engineer, heartbeatMinutes: minutes })
    await world.backend.advance(minutes * 60_000 + 1)
    expect(await begin(world, slot)).toEqual({ skip: 'slot_outdated' })
    // It costs the agent nothing: the next one counts from the newest slot that ran.
    const begun = await begin(world, slot + 1)
    expect(begun).toMatchObject({ item: { type: 'heartbeat' } })
  })

  it('that fails is skipped, not tried again', async () => {
    const world = await createWorld(await open())
    await atWork(world)
    const begun = await begin(world, slotOf(world))
    if ('skip' in begun) throw new Error(begun.skip)
    expect(await world.fail(begun.item)).toEqual({ state: 'skipped', retryInMs: null })
    expect(await world.ready()).toEqual([])
  })

  it('is begun by the active runtime only, and not for a paused agent', async () => {
    const world = await createWorld(await open())
    await expect(begin(world, slotOf(world), world.epoch + 1).catch(errorCode)).resolves.toBe('SUPERSEDED')
    await world.ada.mutation(api.agents.pause, { accountId: world.accountId, agentId: world.engineer })
    expect(await begin(world, slotOf(world))).toEqual({ skip: 'agent_paused' })
    expect(await due(world, slotOf(world))).toMatchObject({ work: [] })
  })
})
