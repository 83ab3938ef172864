/** The record of what happened, as people look things up in it. */
import { expect, it } from 'vitest'
import { api } from '../convex/_generated/api.js'
import { onEachEngine } from './harness/engines.ts'
import { EVERYTHING, outcome } from './harness/people.ts'
import type { World } from './harness/world.ts'
import { createWorld } from './harness/world.ts'

type Filter = Omit<typeof api.activities.list._args, 'accountId' | 'paginationOpts'>
const list = (world: World, filter: Filter) =>
  world.cy.query(api.activities.list, { accountId: world.accountId, ...filter, paginationOpts: EVERYTHING })
const lines = async (world: World, filter: Filter) =>
  (await list(world, filter)).page.map(({ type, actor, targetName }) => [type, actor.name, targetName])

onEachEngine('the activities of an account', (open) => {
  it('are listed by task, type, actor or target, newest first', async () => {
    const world = await createWorld(await open())
    const { bo, accountId, taskId, engineer } = world
    const other = await bo.mutation(api.tasks.create, { accountId, title: 'Other' })
    await bo.mutation(api.agents.pause, { accountId, agentId: engineer })
    expect(await lines(world, { taskId })).toEqual([['task_created', 'Ada', 'Ship it']])
    expect(await lines(world, { type: 'task_created' })).toEqual([
      ['task_created', 'Bo', 'Other'],
      ['task_created', 'Ada', 'Ship it'],
    ])
    expect(await lines(world, { actorId: 'test|Bo' })).toEqual([
      ['agent_paused', 'Bo', 'Engineer'],
      ['task_created', 'Bo', 'Other'],
    ])
    expect(await lines(world, { targetId: engineer })).toEqual([
      ['agent_paused', 'Bo', 'Engineer'],
      ['agent_created', 'Ada', 'Engineer'],
    ])
    expect((await lines(world, {})).length).toBeGreaterThan(6)
    expect(await outcome(list(world, { taskId: other, type: 'task_created' }))).toBe('INVALID')
  })
})
