/** Agents and tasks as people manage them, and what the runtime sees of it. */
import { errorCode } from '@mission-control/shared/errors'
import { expect, it } from 'vitest'
import { api, internal } from '../convex/_generated/api.js'
import type { TableNames } from '../convex/_generated/dataModel.js'
import schema from '../convex/schema.js'
import { onEachEngine } from './harness/engines.ts'
import type { World } from './harness/world.ts'
import { createWorld } from './harness/world.ts'

const rosterVersion = async (world: World) =>
  (await world.backend.query(api.service.runtime.signals, world.service)).rosterVersion
const roster = (world: World) => world.backend.query(api.service.agents.list, { ...world.service, cursor: null, limit: 200 })
const statusOf = async (world: World) =>
  (await world.ada.query(api.agents.get, { accountId: world.accountId, agentId: world.engineer })).status
const report = (world: World, status: 'online' | 'idle' | 'error', reason: string | null = null) =>
  world.backend.mutation(api.service.agents.upsertHeartbeat, {
    ...world.service,
    agents: [{ agentId: world.engineer, status, reason }],
  })

onEachEngine('the roster', (open) => {
  it('shows the runtime each agent, page by page', async () => {
    const world = await createWorld(await open())
    const first = await world.backend.query(api.service.agents.list, { ...world.service, cursor: null, limit: 1 })
    expect(first.agents).toMatchObject([
      {
        ...{ id: world.engineer, slug: 'engineer', name: 'Engineer', heartbeatMinutes: 15, paused: false, lead: false },
        ...{ sessionKey: `agent:engineer:${world.accountId}`.toLowerCase(), lastHeartbeatSlot: null, model: null },
      },
    ])
    const second = await world.backend.query(api.service.agents.list, { ...world.service, cursor: first.cursor, limit: 5 })
    expect(second.agents.map(({ slug }) => slug)).toEqual(['qa'])
    expect(second.cursor).toBeNull()
  })

  it('moves its version exactly when the runtime has something to do, for every mutation of agents and accounts', async () => {
    const world = await createWorld(await open())
    const { accountId, engineer: agentId } = world
    const update = (fields: object) => world.ada.mutation(api.agents.update, { accountId, agentId, ...fields })
    const defaults = (permissionDefaults: object) =>
      world.ada.mutation(api.accounts.setPermissionDefaults, { accountId, permissionDefaults })
    const caps = { turnsPerHour: 10, tokensPerDay: null, microUsdPerDay: null }
    const retention = { deliveriesDays: 9, activitiesDays: 99, notificationsDays: 9 }
    const steps: [what: string, mutation: string, step: () => Promise<unknown>, moves: number][] = [
      ['a model', 'agents:update', () => update({ model: 'm1' }), 1],
      ['the same again', 'agents:update', () => update({ model: 'm1', role: '' }), 0],
      ['a role, which stands in the workspace', 'agents:update', () => update({ role: 'Builds' }), 1],
      ['a name', 'agents:update', () => update({ name: 'Ada Lovelace' }), 1],
      ['an interval', 'agents:update', () => update({ heartbeatMinutes: 5 }), 1],
      ['a slug', 'agents:update', () => update({ slug: 'builder' }), 1],
      ['an icon', 'agents:update', () => update({ icon: 'hammer' }), 0],
      ['a profile', 'agents:update', () => update({ profile: { soul: 'Be kind.' } }), 1],
      ['the same profile', 'agents:update', () => update({ profile: { soul: 'Be kind.' } }), 0],
      ['a permission', 'agents:update', () => update({ permissions: { canReview: true } }), 1],
      ['an override that changes nothing', 'agents:update', () => update({ permissions: { canCreateDocuments: true } }), 0],
      ['an override taken back', 'agents:update', () => update({ permissions: { canReview: null } }), 1],
      ['account defaults', 'accounts:setPermissionDefaults', () => defaults({ canReview: true }), 1],
      ['the same defaults', 'accounts:setPermissionDefaults', () => defaults({ canReview: true }), 0],
      [
        'defaults that change no agent',
        'accounts:setPermissionDefaults',
        () => defaults({ canReview: true, canMarkDone: false }),
        0,
      ],
      [
        'caps of an agent',
        'agents:setBudgets',
        () => world.ada.mutation(api.agents.setBudgets, { accountId, agentId, budgets: caps }),
        0,
      ],
      ['caps', 'accounts:setBudgets', () => world.ada.mutation(api.accounts.setBudgets, { accountId, budgets: caps }), 0],
      ['retention', 'accounts:setRetention', () => world.ada.mutation(api.accounts.setRetention, { accountId, retention }), 0],
      ['a new account name', 'accounts:update', () => world.ada.mutation(api.accounts.update, { accountId, name: 'Acme 2' }), 0],
      [
        'an account pause',
        'accounts:setPaused',
        () => world.ada.mutation(api.accounts.setPaused, { accountId, paused: true }),
        0,
      ],
      ['a command', 'accounts:setCommand', () => world.ada.mutation(api.accounts.setCommand, { accountId, command: 'drain' }), 0],
      ['another account', 'accounts:create', () => world.ada.mutation(api.accounts.create, { name: 'Second' }), 0],
      ['a lead', 'agents:setLead', () => world.ada.mutation(api.agents.setLead, { accountId, agentId }), 1],
      ['the same lead', 'agents:setLead', () => world.ada.mutation(api.agents.setLead, { accountId, agentId }), 0],
      ['a pause', 'agents:pause', () => world.ada.mutation(api.agents.pause, { accountId, agentId }), 1],
      ['a second pause', 'agents:pause', () => world.ada.mutation(api.agents.pause, { accountId, agentId }), 0],
      ['a resume', 'agents:resume', () => world.ada.mutation(api.agents.resume, { accountId, agentId }), 1],
      ['a second resume', 'agents:resume', () => world.ada.mutation(api.agents.resume, { accountId, agentId }), 0],
      ['a heartbeat', 'service', () => report(world, 'online'), 0],
      ['a message', 'service', () => world.post('@qa go'), 0],
      [
        'a new agent',
        'agents:create',
        () => world.ada.mutation(api.agents.create, { accountId, slug: 'third', name: 'Third' }),
        1,
      ],
      ['a removal', 'agents:remove', () => world.ada.mutation(api.agents.remove, { accountId, agentId }), 1],
    ]
    for (const [what, , step, moves] of steps) {
      const before = await rosterVersion(world)
      await step()
      expect([what, (await rosterVersion(world)) - before]).toEqual([what, moves])
    }
    const mutations = (name: string, module: object) =>
      Object.entries(module).flatMap(([key, fn]) =>
        (fn as { isMutation?: boolean; isPublic?: boolean }).isMutation && (fn as { isPublic?: boolean }).isPublic
          ? [`${name}:${key}`]
          : [],
      )
    // After a deletion there is no token left to read the version with.
    const tried = new Set([...steps.map(([, mutation]) => mutation), 'accounts:remove'])
    const all = [
      ...mutations('agents', await import('../convex/agents.js')),
      ...mutations('accounts', await import('../convex/accounts.js')),
    ]
    expect(all.filter((mutation) => !tried.has(mutation))).toEqual([])
  })

  it('says what each agent may do', async () => {
    const world = await createWorld(await open())
    const { accountId, engineer: agentId } = world
    await world.ada.mutation(api.agents.update, { accountId, agentId, permissions: { canMarkDone: true } })
    expect((await roster(world)).agents.map(({ slug, permissions }) => [slug, permissions.canMarkDone])).toEqual([
      ['engineer', true],
      ['qa', false],
    ])
  })

  it('changes a profile hash exactly with the profile', async () => {
    const world = await createWorld(await open())
    const hash = async () => (await roster(world)).agents.find(({ id }) => id === world.engineer)?.profileHash
    const update = (fields: object) =>
      world.ada.mutation(api.agents.update, { accountId: world.accountId, agentId: world.engineer, ...fields })
    const before = await hash()
    await update({ role: 'Builds things' })
    expect(await hash()).toBe(before)
    await update({ profile: { identity: 'I am E.' } })
    expect(await hash()).not.toBe(before)
    const ids = [world.engineer, 'nonsense', world.taskId]
    const profiles = await world.backend.query(api.service.agents.profiles, { ...world.service, ids })
    expect(profiles).toEqual([{ id: world.engineer, profileHash: await hash(), soul: '', identity: 'I am E.', user: '' }])
  })

  it('refuses slugs that are reserved, malformed or taken, and more agents than the account may have', async () => {
    const world = await createWorld(await open())
    const create = (slug: string) =>
      world.ada.mutation(api.agents.create, { accountId: world.accountId, slug, name: 'X' }).catch(errorCode)
    expect([await create('main'), await create('No Slug'), await create('qa')]).toEqual(['INVALID', 'INVALID', 'CONFLICT'])
    await world.backend.run((ctx) => ctx.db.patch(world.accountId, { agentLimit: 2 }))
    expect(await create('third')).toBe('LIMIT')
  })
})

onEachEngine('what an agent may do', (open) => {
  const permissionsOf = async (world: World) => {
    const agent = await world.ada.query(api.agents.get, { accountId: world.accountId, agentId: world.engineer })
    return { value: agent.permissions, from: agent.permissionsFrom }
  }

  it('is the default, over it the account, over it the agent, and says which', async () => {
    const world = await createWorld(await open())
    const { accountId, engineer: agentId } = world
    const update = (permissions: object) => world.ada.mutation(api.agents.update, { accountId, agentId, permissions })
    const defaults = (permissionDefaults: object) =>
      world.ada.mutation(api.accounts.setPermissionDefaults, { accountId, permissionDefaults })
    expect(await permissionsOf(world)).toMatchObject({ value: { canReview: false }, from: { canReview: 'default' } })
    await defaults({ canReview: true, canCreateTasks: true })
    expect(await permissionsOf(world)).toMatchObject({ value: { canReview: true }, from: { canReview: 'account' } })
    await update({ canReview: false })
    expect(await permissionsOf(world)).toMatchObject({
      value: { canReview: false, canCreateTasks: true, canModifyTaskStatus: true },
      from: { canReview: 'agent', canCreateTasks: 'account', canModifyTaskStatus: 'default' },
    })
    await defaults({ canReview: true })
    expect(await permissionsOf(world)).toMatchObject({
      value: { canReview: false, canCreateTasks: false },
      from: { canReview: 'agent', canCreateTasks: 'default' },
    })
    await update({ canReview: null })
    expect(await permissionsOf(world)).toMatchObject({ value: { canReview: true }, from: { canReview: 'account' } })
  })

  it('follows the account for an agent made after its defaults were set, and keeps the layers of its creation', async () => {
    const world = await createWorld(await open())
    const { accountId } = world
    await world.ada.mutation(api.accounts.setPermissionDefaults, { accountId, permissionDefaults: { canMarkDone: true } })
    const permissions = { canReview: true, canCreateTasks: null }
    const agentId = await world.ada.mutation(api.agents.create, { accountId, slug: 'third', name: 'Third', permissions })
    const agent = await world.ada.query(api.agents.get, { accountId, agentId })
    expect(agent.permissions).toMatchObject({ canMarkDone: true, canReview: true, canCreateTasks: false })
    expect(agent.permissionsFrom).toMatchObject({ canMarkDone: 'account', canReview: 'agent', canCreateTasks: 'default' })
  })
})

onEachEngine('an icon', (open) => {
  it('is a short name or none', async () => {
    const world = await createWorld(await open())
    const { accountId, engineer: agentId } = world
    const update = (icon: string | null) => world.ada.mutation(api.agents.update, { accountId, agentId, icon }).catch(errorCode)
    const icon = async () => (await world.ada.query(api.agents.get, { accountId, agentId })).icon
    expect(await icon()).toBeNull()
    expect(await update('test-tube-2')).toBeNull()
    expect(await icon()).toBe('test-tube-2')
    for (const bad of ['', 'Hammer', 'a b', '<svg>', 'x'.repeat(41)]) expect([bad, await update(bad)]).toEqual([bad, 'INVALID'])
    expect(await update(null)).toBeNull()
    expect(await icon()).toBeNull()
    const id = await world.ada.mutation(api.agents.create, { accountId, slug: 'third', name: 'Third', icon: 'bot' })
    const agents = await world.ada.query(api.agents.list, { accountId })
    expect(agents.map((agent) => [agent.slug, agent.icon])).toEqual([
      ['engineer', null],
      ['qa', null],
      ['third', 'bot'],
    ])
    expect(agents.at(-1)?.id).toBe(id)
  })
})

onEachEngine('a paused agent', (open) => {
  it('keeps its heads waiting and its order, and goes on when resumed', async () => {
    const world = await createWorld(await open())
    const agent = { accountId: world.accountId, agentId: world.engineer }
    await world.post('@engineer one')
    await world.ada.mutation(api.agents.pause, agent)
    await world.post('@engineer two')
    expect(await world.ready()).toEqual([])
    expect((await world.deliveries()).map(({ state }) => state).sort()).toEqual(['queued', 'waiting'])
    await world.ada.mutation(api.agents.resume, agent)
    const one = await world.claimOne()
    expect(one.context.body).toBe('@engineer one')
    await world.settle(one, null)
    expect((await world.claimOne()).context.body).toBe('@engineer two')
  })

  it('gets new items as waiting, and finishes the turn it is in', async () => {
    const world = await createWorld(await open())
    await world.post('@engineer one')
    const running = await world.claimOne()
    await world.ada.mutation(api.agents.pause, { accountId: world.accountId, agentId: world.engineer })
    await world.post('@engineer two')
    expect(await world.settle(running, 'done')).toMatchObject({ state: 'delivered' })
    expect(await world.ready()).toEqual([])
    expect(await world.lane(world.engineer)).toMatchObject({ queued: 0 })
  })

  it('is put on hold at the claim if its head was still ready', async () => {
    const world = await createWorld(await open())
    await world.post('@engineer one')
    const [head] = await world.ready()
    await world.backend.run((ctx) => ctx.db.patch(world.engineer, { paused: true }))
    expect(await world.claim([head?.id ?? ''])).toEqual({ items: [], notDueInMs: null })
    expect(await world.ready()).toEqual([])
    expect((await world.deliveries())[0]?.state).toBe('waiting')
  })
})

onEachEngine('a pause taken back before all its steps have run', (open) => {
  it('leaves no head waiting', async () => {
    const world = await createWorld(await open())
    await manyLanes(world, 230)
    const agent = { accountId: world.accountId, agentId: world.engineer }
    await world.ada.mutation(api.agents.pause, agent)
    await world.ada.mutation(api.agents.resume, agent)
    await world.backend.finishScheduled()
    const states = await world.backend.run(async (ctx) => (await ctx.db.query('deliveries').collect()).map(({ state }) => state))
    expect(new Set(states)).toEqual(new Set(['ready']))
  })

  it('ignores a step of the pause that comes late', async () => {
    const world = await createWorld(await open())
    await world.post('@engineer go')
    const agent = { accountId: world.accountId, agentId: world.engineer }
    await world.backend.mutation(internal.sweeps.step, { job: { kind: 'hold', ...agent } })
    expect(await world.ready()).toHaveLength(1)
  })
})

/** An item in each of many lanes of the engineer. */
async function manyLanes(world: World, count: number): Promise<void> {
  await world.backend.run(async (ctx) => {
    const { enqueue } = await import('../convex/model/enqueue.js')
    const [agent, task] = [await ctx.db.get(world.engineer), await ctx.db.get(world.taskId)]
    if (!agent || !task) throw new Error('no rows')
    const { _id, _creationTime, ...fields } = task
    for (let n = 0; n < count; n++) {
      const taskId = await ctx.db.insert('tasks', fields)
      await enqueue(ctx, { type: 'mention', agent, taskId, messageId: null, depth: 0 })
    }
  })
}

onEachEngine('a removed agent', (open) => {
  it('loses its queue; its running turn is aborted and posts nothing; its tasks fall back', async () => {
    const world = await createWorld(await open())
    const { accountId, taskId } = world
    await world.ada.mutation(api.tasks.assign, { accountId, taskId, assignees: [{ type: 'agent', id: world.engineer }] })
    const running = await world.claimOne()
    await world.post('@engineer more')
    await world.ada.mutation(api.agents.remove, { accountId, agentId: world.engineer })
    await world.backend.finishScheduled()
    expect(await world.checkIn([running])).toMatchObject({ stop: [running.id] })
    expect(await world.settle(running, 'too late')).toMatchObject({ state: 'skipped', messageId: null })
    expect((await world.deliveries()).map(({ state }) => state)).toEqual(['skipped', 'skipped'])
    const task = await world.ada.query(api.tasks.get, { accountId, taskId })
    expect(task).toMatchObject({ status: 'inbox', assignees: [] })
    expect((await roster(world)).agents.map(({ slug }) => slug)).toEqual(['qa'])
    await world.post('anybody?')
    expect(await world.ready()).toEqual([])
  })

  it('leaves no row that names it but what it did, what it cost and what it was told', async () => {
    const world = await createWorld(await open())
    const { accountId, taskId, engineer: agentId } = world
    await world.ada.mutation(api.agents.setLead, { accountId, agentId })
    await world.ada.mutation(api.tasks.assign, { accountId, taskId, assignees: [{ type: 'agent', id: agentId }] })
    await world.settle(await world.claimOne(), 'On it, @cy.')
    const running = await world.claimOne()
    await world.ada.mutation(api.agents.remove, { accountId, agentId })
    expect(await world.checkIn([running])).toMatchObject({ stop: [running.id] })
    await world.settle(running, 'late')
    await world.backend.finishScheduled()
    const naming = await world.backend.run(async (ctx) => {
      const tables = Object.keys(schema.tables) as TableNames[]
      const rows = await Promise.all(tables.map(async (table) => [table, await ctx.db.query(table).collect()] as const))
      return rows.filter(([, all]) => JSON.stringify(all).includes(agentId)).map(([table]) => table)
    })
    // Lanes and deliveries are closed and go with retention.
    expect(naming.sort()).toEqual(['activities', 'agentRuns', 'deliveries', 'lanes', 'messages', 'usage'])
    expect((await world.ada.query(api.accounts.get, { accountId })).leadAgentId).toBeNull()
    expect(await world.lane(agentId)).toMatchObject({ closed: 'agent_deleted', activeId: null })
  })

  it('leaves a task in progress blocked, with the reason', async () => {
    const world = await createWorld(await open())
    const { accountId, taskId } = world
    await world.ada.mutation(api.tasks.assign, { accountId, taskId, assignees: [{ type: 'agent', id: world.engineer }] })
    await world.ada.mutation(api.tasks.updateStatus, { accountId, taskId, status: 'in_progress' })
    await world.ada.mutation(api.agents.remove, { accountId, agentId: world.engineer })
    await world.backend.finishScheduled()
    const task = await world.ada.query(api.tasks.get, { accountId, taskId })
    expect(task).toMatchObject({ status: 'blocked', blockedReason: 'Its only assignee was deleted.' })
  })

  it('closes more lanes than one step may change', async () => {
    const world = await createWorld(await open())
    await manyLanes(world, 230)
    await world.ada.mutation(api.agents.remove, { accountId: world.accountId, agentId: world.engineer })
    await world.backend.finishScheduled()
    const left = await world.backend.run(async (ctx) => ({
      open: (await ctx.db.query('lanes').collect()).filter(({ closed }) => closed === null).length,
      states: [...new Set((await ctx.db.query('deliveries').collect()).map(({ state }) => state))],
    }))
    expect(left).toEqual({ open: 0, states: ['skipped'] })
  })
})

onEachEngine('session keys', (open) => {
  it('follow a new slug; a turn already sent keeps the key it was sent to', async () => {
    const world = await createWorld(await open())
    await world.post('@engineer one')
    const sent = await world.claimOne()
    await world.post('@engineer two')
    await world.ada.mutation(api.agents.update, { accountId: world.accountId, agentId: world.engineer, slug: 'builder' })
    await world.fail(sent, { ended: false })
    await world.backend.advance(600_000)
    const again = await world.claimOne()
    expect(again.sessionKey).toBe(sent.sessionKey)
    await world.settle(again, null)
    expect((await world.claimOne()).sessionKey).toBe(sent.sessionKey.replace('engineer', 'builder'))
  })

  it('of a redriven item stay those of the session where its turn may have been sent', async () => {
    const world = await createWorld(await open())
    await world.post('@engineer one')
    const sent = await world.claimOne()
    await world.fail(sent, { class: 'terminal', ended: false })
    await world.ada.mutation(api.agents.update, { accountId: world.accountId, agentId: world.engineer, slug: 'builder' })
    await world.backend.mutation(api.service.notifications.redrive, { ...world.service, id: sent.id })
    expect(await world.claimOne()).toMatchObject({ sessionKey: sent.sessionKey, reconcile: true })
  })

  it('start a generation when a done task is reopened, and items keep their order', async () => {
    const world = await createWorld(await open())
    const { accountId, taskId } = world
    const move = (status: 'in_progress' | 'review' | 'done') =>
      world.ada.mutation(api.tasks.updateStatus, { accountId, taskId, status })
    await world.ada.mutation(api.tasks.assign, { accountId, taskId, assignees: [{ type: 'user', id: 'test|Cy' }] })
    await world.post('@engineer one')
    const first = await world.claimOne()
    await world.settle(first, null)
    for (const status of ['in_progress', 'review', 'done'] as const) await move(status)
    await world.post('@engineer why?')
    await move('review')
    const next = await world.claimOne()
    expect([next.sessionKey, next.context.body]).toEqual([`${first.sessionKey}:v2`, '@engineer why?'])
  })
})

onEachEngine("an agent's status", (open) => {
  it('is offline, online, busy, idle or error as the domain says', async () => {
    const world = await createWorld(await open())
    expect(await statusOf(world)).toBe('offline')
    await report(world, 'online')
    expect(await statusOf(world)).toBe('online')
    await world.post('@engineer go')
    const item = await world.claimOne()
    expect(await statusOf(world)).toBe('busy')
    await world.fail(item, { class: 'terminal' })
    expect(await world.ada.query(api.agents.get, { accountId: world.accountId, agentId: world.engineer })).toMatchObject({
      status: 'error',
      statusReason: 'TURN_FAILED: It broke.',
    })
    await world.post('@engineer again')
    await world.settle(await world.claimOne(), 'fine')
    expect(await statusOf(world)).toBe('online')
    await world.checkIn([], { dueAgents: [{ agentId: world.engineer, slot: 1 }] })
    expect(await statusOf(world)).toBe('idle')
    await world.ada.mutation(api.agents.pause, { accountId: world.accountId, agentId: world.engineer })
    expect(await statusOf(world)).toBe('offline')
    await world.ada.mutation(api.agents.resume, { accountId: world.accountId, agentId: world.engineer })
    expect(await statusOf(world)).toBe('idle')
    await world.backend.mutation(api.service.runtime.goOffline, { ...world.service, epoch: world.epoch })
    expect(await statusOf(world)).toBe('offline')
  })
})

onEachEngine('a task', (open) => {
  it('moves only where the table allows, and with `from` only from there', async () => {
    const world = await createWorld(await open())
    const { accountId, taskId } = world
    type Args = { status: 'assigned' | 'in_progress' | 'blocked' | 'inbox'; from?: 'assigned' | 'review'; reason?: string }
    const move = (args: Args) => world.ada.mutation(api.tasks.updateStatus, { accountId, taskId, ...args }).catch(errorCode)
    expect(await move({ status: 'in_progress' })).toBe('TRANSITION')
    expect(await move({ status: 'assigned' })).toBe('TRANSITION')
    await world.ada.mutation(api.tasks.assign, { accountId, taskId, assignees: [{ type: 'user', id: 'test|Ada' }] })
    expect(await move({ status: 'in_progress', from: 'review' })).toBe('CONFLICT')
    expect(await move({ status: 'blocked' })).toBe('TRANSITION')
    expect(await move({ status: 'blocked', reason: 'waiting', from: 'assigned' })).toMatchObject({ blockedReason: 'waiting' })
    expect(await move({ status: 'in_progress' })).toMatchObject({ status: 'in_progress', blockedReason: null })
    const unassign = world.ada.mutation(api.tasks.unassign, { accountId, taskId, assignee: { type: 'user', id: 'test|Ada' } })
    await expect(unassign.catch(errorCode)).resolves.toBe('TRANSITION')
  })

  it('goes back to the inbox with its last assignee, who no longer follows it', async () => {
    const world = await createWorld(await open())
    const { accountId, taskId } = world
    const assignee = { type: 'agent', id: world.engineer } as const
    await world.ada.mutation(api.tasks.assign, { accountId, taskId, assignees: [assignee] })
    await world.settle(await world.claimOne(), null)
    expect(await world.ada.mutation(api.tasks.unassign, { accountId, taskId, assignee })).toMatchObject({ status: 'inbox' })
    await world.post('anybody?')
    expect(await world.ready()).toEqual([])
  })

  it('is listed by status, higher priority and then the newest first, page by page', async () => {
    const world = await createWorld(await open())
    const { accountId } = world
    for (const [title, priority] of [
      ['a', 3],
      ['b', 3],
      ['c', 2],
    ] as const) {
      await world.backend.advance(1)
      await world.ada.mutation(api.tasks.create, { accountId, title, priority })
    }
    const list = (cursor: string | null, numItems = 2) =>
      world.ada.query(api.tasks.list, { accountId, status: 'inbox', paginationOpts: { cursor, numItems } })
    const first = await list(null)
    expect(first.page.map(({ title }) => title)).toEqual(['c', 'b'])
    expect((await list(first.continueCursor)).page.map(({ title }) => title)).toEqual(['a', 'Ship it'])
    await expect(list(null, 1_000).catch(errorCode)).resolves.toBe('INVALID')
  })
})
