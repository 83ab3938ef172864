/**
 * On real Convex two mutations conflict when one writes what the other has read, and the loser is tried again about 100 ms later.
 * The embedded backend has one writer and would never show it; so the read and write sets themselves are compared.
 */
import { conflicts } from '@mission-control/embedded'
import { LEASE_IDLE_MS } from '@mission-control/shared/lanes/policy'
import type { ToolName } from '@mission-control/shared/tools'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { api } from '../convex/_generated/api.js'
import type { EmbeddedBackend } from './harness/embedded.ts'
import { buildFunctions, openEmbedded } from './harness/embedded.ts'
import { STALE_AFTER_MS } from '../convex/model/stale.js'
import { identityOf } from './harness/backend.ts'
import type { World } from './harness/world.ts'
import { createWorld, PLACE, RUN, VERSIONS } from './harness/world.ts'

const functions = await buildFunctions()
type Traced = Awaited<ReturnType<EmbeddedBackend['engine']['trace']>>

describe('on the way from commit to claim', () => {
  let backend: EmbeddedBackend
  let world: World
  /** Traces of one call each, all made from states in which they could have run side by side. */
  let post: Traced
  /** Into the very lane, and so the very thread, that the claim is about. */
  let postToLane: Traced
  let claim: Traced
  let settle: Traced
  let checkIn: Traced
  let ready: Traced
  let signals: Traced

  beforeEach(async () => {
    backend = await openEmbedded(functions)
    world = await createWorld(backend)
    const { accountId, service, epoch } = world
    const task = () => world.ada.mutation(api.tasks.create, { accountId, title: 'Another' })
    const [a, b, c] = [await task(), await task(), await task()]
    // Everybody has been here before: first subscriptions and lanes are made once, not on each message.
    for (const id of [a, b, c]) await world.post('@engineer hello', id)
    for (const item of await world.claimReady()) await world.settle(item, 'hello')
    await world.post('@engineer claim me', a)
    await world.post('@engineer settle me', b)
    const [toClaim, toSettle] = await world.ready()
    const held = (await world.claim([toSettle?.id ?? ''])).items[0]
    if (!toClaim || !held) throw new Error('The scene is not set.')
    await backend.advance(1_000)
    await world.checkIn([held])

    // Reads first, so that none of them changes what the others meet.
    const { trace } = backend.engine
    ready = await trace(api.service.notifications.ready, service)
    signals = await trace(api.service.runtime.signals, service)
    post = await backend.engine.withIdentity(identityOf('Ada')).trace(api.messages.post, {
      ...{ accountId, taskId: c, content: '@engineer a third one' },
    })
    postToLane = await backend.engine.withIdentity(identityOf('Ada')).trace(api.messages.post, {
      ...{ accountId, taskId: a, content: '@engineer one more' },
    })
    claim = await trace(api.service.notifications.claim, { ...service, epoch, ids: [toClaim.id] })
    expect((claim.result as { items: unknown[] }).items).toHaveLength(1)
    settle = await trace(api.service.notifications.settle, {
      ...{ ...service, id: held.id, fence: held.fence, outcome: 'reply' as const, reply: 'settled', run: RUN },
    })
    expect(settle.result).toMatchObject({ state: 'delivered' })
    const info = { versions: VERSIONS, infrastructure: PLACE, announcedIntervalMs: 60_000, reasons: [] }
    checkIn = await trace(api.service.runtime.checkIn, {
      ...{ ...service, ...info, epoch, held: [], dueAgents: [], status: 'online' as const },
    })
    expect(checkIn.result).toMatchObject({ superseded: false })
  })
  afterEach(() => backend.close())

  it('a message conflicts with nothing the runtime does', () => {
    for (const other of [claim, settle, checkIn]) expect(conflicts(other, post)).toBe(false)
  })

  it('a claim conflicts with no message and no settle', () => {
    for (const other of [post, postToLane, settle]) expect(conflicts(other, claim)).toBe(false)
  })

  it('a message into the lane that is just being claimed does not conflict either', () => {
    for (const other of [claim, checkIn]) expect(conflicts(other, postToLane)).toBe(false)
  })

  it('a settle conflicts with no message, claim or check-in', () => {
    for (const other of [post, claim, checkIn]) expect(conflicts(other, settle)).toBe(false)
  })

  it('a claim shares one document with a check-in, the lease of the runtime that makes both, and no range', () => {
    expect(conflicts(checkIn, claim)).toBe(true)
    const written = new Set(checkIn.writes.map(({ id }) => id))
    const ranges = claim.reads
      .filter((read) => 'index' in read)
      .map((read) => `${read.table}.${'index' in read ? read.index : ''}`)
    expect(ranges.filter((range) => range.startsWith('runtimes.'))).toEqual([])
    const shared = claim.reads.filter((read) => 'id' in read && written.has(read.id))
    expect(shared.map(({ table }) => table)).toEqual(['runtimes'])
  })

  it('a claim reads no range but those of its token, its signals, the thread up to its item, and its own new run', () => {
    const ranges = claim.reads.flatMap((read) => ('index' in read ? [`${read.table}.${read.index}`] : []))
    expect([...new Set(ranges)].sort()).toEqual([
      'messages.by_account_task',
      'serviceTokens.by_account_lookup',
      'signals.by_account',
    ])
  })

  it('the two subscriptions read their token and their own rows, so that nothing else wakes them', () => {
    const ranges = (trace: Traced) =>
      [...new Set(trace.reads.map((read) => ('index' in read ? `${read.table}.${read.index}` : read.table)))].sort()
    expect(ranges(ready)).toEqual(['deliveries.by_account_state_due', 'serviceTokens.by_account_lookup'])
    expect(ranges(signals)).toEqual(['serviceTokens.by_account_lookup', 'signals.by_account'])
    expect(conflicts(checkIn, ready)).toBe(false)
    for (const other of [post, claim, settle, checkIn]) expect(conflicts(other, signals)).toBe(false)
  })

  it('a message wakes the ready subscription, and so does the claim that takes it away', () => {
    expect(conflicts(post, ready)).toBe(true)
    expect(conflicts(claim, ready)).toBe(true)
  })
})

describe('the look for stale tasks in the check-in of a lead that is due', () => {
  let backend: EmbeddedBackend
  beforeEach(async () => {
    backend = await openEmbedded(functions)
  })
  afterEach(() => backend.close())

  it('conflicts with no message and no settle, nor with a task that moves or is made', async () => {
    const world = await createWorld(backend)
    const { ada, accountId, service, epoch, engineer, qa } = world
    await ada.mutation(api.agents.setLead, { accountId, agentId: engineer })
    const assignees = [{ type: 'agent' as const, id: qa }]
    const task = (title: string) => ada.mutation(api.tasks.create, { accountId, title, assignees })
    const [quiet, busy] = [await task('Quiet'), await task('Busy')]
    for (const item of await world.claimReady()) await world.settle(item, null)
    await backend.finishScheduled()
    await backend.advance(STALE_AFTER_MS + 1_000)
    const fresh = await task('Fresh')
    for (const item of await world.claimReady()) await world.settle(item, null)
    await world.post('@qa settle me', busy)
    const [held] = await world.claimReady()
    await world.post('@qa claim me', fresh)
    await backend.finishScheduled()
    const [head] = await world.ready()
    if (!held || !head) throw new Error('The scene is not set.')
    await backend.advance(1_000)

    const asAda = backend.engine.withIdentity(identityOf('Ada'))
    const { trace } = backend.engine
    const info = { versions: VERSIONS, infrastructure: PLACE, announcedIntervalMs: 60_000, reasons: [] }
    const dueAgents = [{ agentId: engineer, slot: backend.now() }]
    const checkIn = await trace(api.service.runtime.checkIn, {
      ...{ ...service, ...info, epoch, held: [{ id: held.id, fence: held.fence }], dueAgents, status: 'online' as const },
    })
    expect(checkIn.result).toMatchObject({ work: [engineer] })
    const others = {
      message: await asAda.trace(api.messages.post, { accountId, taskId: quiet, content: 'I am on it.' }),
      newTask: await asAda.trace(api.tasks.create, { accountId, title: 'New', assignees }),
      move: await asAda.trace(api.tasks.updateStatus, { accountId, taskId: fresh, status: 'in_progress' }),
    }
    for (const [name, other] of Object.entries(others)) {
      expect([name, conflicts(other, checkIn), conflicts(checkIn, other)]).toEqual([name, false, false])
    }
    const settle = await trace(api.service.notifications.settle, {
      ...{ ...service, id: held.id, fence: held.fence, outcome: 'reply' as const, reply: 'settled', run: RUN },
    })
    // The other way round they share the claimed item, as every check-in does.
    expect(conflicts(checkIn, settle)).toBe(false)
    const looked = new Set(checkIn.reads.map(({ table }) => table))
    expect(looked.has('tasks') && looked.has('activities')).toBe(true)
  })
})

describe('telling the same person and counting the same usage', () => {
  let backend: EmbeddedBackend
  beforeEach(async () => {
    backend = await openEmbedded(functions)
  })
  afterEach(() => backend.close())

  it('two settles, a failure of another agent and a message do not conflict; each tells Ada', async () => {
    const world = await createWorld(backend)
    const { accountId, service } = world
    const task = (title: string) => world.ada.mutation(api.tasks.create, { accountId, title })
    const [a, b, c, d] = [await task('A'), await task('B'), await task('C'), await task('D')]
    // Everybody has been here before, also in the counts.
    for (const id of [a, b, c]) await world.post('@engineer hello', id)
    await world.post('@qa hello', d)
    for (const item of await world.claimReady()) await world.settle(item, 'hello')
    await world.cy.mutation(api.messages.post, { accountId, taskId: c, content: '@ada hello' })
    for (const item of await world.claimReady()) await world.settle(item, null)
    await backend.finishScheduled()
    for (const id of [a, b]) await world.post('@engineer go', id)
    await world.post('@qa go', d)
    const items = await world.claimReady()
    expect(items).toHaveLength(3)
    await backend.finishScheduled()
    const told = (await world.noticesOf('ada')).length

    const { trace } = backend.engine
    const run = { ...RUN, usage: { model: 'm', inputTokens: 10, outputTokens: 10, costUsd: 1 } }
    const settles: Traced[] = []
    const fails: Traced[] = []
    for (const { id, fence } of items.slice(0, 2)) {
      settles.push(
        await trace(api.service.notifications.settle, { ...service, id, fence, outcome: 'reply' as const, reply: 'done', run }),
      )
    }
    for (const { id, fence } of items.slice(2)) {
      const failure = { class: 'terminal' as const, code: 'TURN_FAILED', reason: 'no', ended: true, retryAfterMs: null, run }
      fails.push(await trace(api.service.notifications.fail, { ...service, id, fence, ...failure }))
    }
    const post = await backend.engine.withIdentity(identityOf('Cy')).trace(api.messages.post, {
      ...{ accountId, taskId: c, content: '@ada look' },
    })
    expect((await world.noticesOf('ada')).length - told).toBe(4)
    const calls = [...settles, ...fails, post]
    for (const writer of calls) {
      for (const reader of calls.filter((other) => other !== writer)) expect(conflicts(writer, reader)).toBe(false)
      for (const { table } of writer.writes)
        expect(['inboxes', 'usage', 'counters', 'memberships', 'accounts']).not.toContain(table)
    }
    await backend.finishScheduled()
    expect(await world.ada.query(api.notifications.unreadCount, { accountId })).toBe((await world.noticesOf('ada')).length)
  })

  it('two first replies of one agent that each move their task to in progress, tell Ada and count usage do not conflict', async () => {
    const world = await createWorld(backend)
    const { accountId, service, engineer } = world
    const tasks = []
    for (const title of ['A', 'B']) tasks.push(await world.ada.mutation(api.tasks.create, { accountId, title }))
    for (const id of tasks) await world.post('@engineer hello', id)
    for (const item of await world.claimReady()) await world.settle(item, 'hello')
    const assignees = [{ type: 'agent' as const, id: engineer }]
    for (const taskId of tasks) await world.ada.mutation(api.tasks.assign, { accountId, taskId, assignees })
    const items = await world.claimReady()
    expect(items.map(({ type }) => type)).toEqual(['assignment', 'assignment'])
    await backend.finishScheduled()
    const run = { ...RUN, usage: { model: 'm', inputTokens: 10, outputTokens: 10, costUsd: 1 } }
    const settles: Traced[] = []
    for (const { id, fence } of items) {
      const args = { ...service, id, fence, outcome: 'reply' as const, reply: 'taken, @ada', run }
      settles.push(await backend.engine.trace(api.service.notifications.settle, args))
    }
    for (const taskId of tasks) {
      expect((await world.ada.query(api.tasks.get, { accountId, taskId })).status).toBe('in_progress')
    }
    const [one, two] = settles
    if (!one || !two) throw new Error('Nothing was settled.')
    expect([conflicts(one, two), conflicts(two, one)]).toEqual([false, false])
  })

  it('a claim without caps reads no usage, and a claim with a cap conflicts with no settle and no message either', async () => {
    const world = await createWorld(backend)
    const { accountId, service, epoch, engineer: agentId } = world
    const task = (title: string) => world.ada.mutation(api.tasks.create, { accountId, title })
    const [a, b] = [await task('A'), await task('B')]
    for (const id of [a, b]) await world.post('@engineer hello', id)
    for (const item of await world.claimReady()) await world.settle(item, 'hello')
    await backend.finishScheduled()
    for (const capped of [false, true]) {
      if (capped) {
        const budgets = { turnsPerHour: 100, tokensPerDay: 1_000_000, microUsdPerDay: null }
        await world.ada.mutation(api.agents.setBudgets, { accountId, agentId, budgets })
      }
      await world.post('@engineer settle me', a)
      const [held] = await world.claimReady()
      if (!held) throw new Error('Nothing held.')
      await world.post('@engineer claim me', b)
      await backend.finishScheduled()
      const [head] = await world.ready()
      const { trace } = backend.engine
      const post = await backend.engine.withIdentity(identityOf('Ada')).trace(api.messages.post, {
        ...{ accountId, taskId: b, content: '@engineer one more' },
      })
      const claim = await trace(api.service.notifications.claim, { ...service, epoch, ids: [head?.id ?? ''] })
      const settle = await trace(api.service.notifications.settle, {
        ...{ ...service, id: held.id, fence: held.fence, outcome: 'reply' as const, reply: 'settled', run: RUN },
      })
      expect((claim.result as { items: unknown[] }).items).toHaveLength(1)
      expect(claim.reads.some(({ table }) => table === 'usage')).toBe(capped)
      expect([conflicts(settle, claim), conflicts(post, claim), conflicts(claim, settle)]).toEqual([false, false, false])
      for (const { id, fence } of (claim.result as { items: { id: string; fence: number }[] }).items) {
        await world.settle({ id, fence }, 'ok')
      }
      for (const item of await world.claimReady()) await world.settle(item, 'ok')
      expect(await world.ready()).toEqual([])
    }
  })
})

describe('tools called in a turn', () => {
  let backend: EmbeddedBackend
  beforeEach(async () => {
    backend = await openEmbedded(functions)
  })
  afterEach(() => backend.close())

  it('conflict with no claim of another lane, no check-in, no message elsewhere, and wake no subscription they need not', async () => {
    const world = await createWorld(backend)
    const { accountId, service, epoch } = world
    const task = (title: string) => world.ada.mutation(api.tasks.create, { accountId, title })
    const [a, b, c, d] = [await task('A'), await task('B'), await task('C'), await task('D')]
    const permissions = { canCreateTasks: true, canReview: false }
    await world.ada.mutation(api.agents.update, { accountId, agentId: world.engineer, permissions })
    await world.ada.mutation(api.agents.setLead, { accountId, agentId: world.engineer })
    await world.ada.mutation(api.tasks.assign, { accountId, taskId: a, assignees: [{ type: 'agent', id: world.engineer }] })
    // Everybody has been here before.
    for (const id of [a, b, c]) await world.post('@engineer hello', id)
    for (const id of [a, b, c, d]) await world.post('@qa hello', id)
    for (;;) {
      const items = await world.claimReady()
      if (items.length === 0) break
      for (const item of items) await world.settle(item, 'hello')
    }
    await world.post('@engineer work', a)
    const [held] = await world.claimReady()
    await world.post('@engineer claim me', b)
    await world.post('@qa claim me', b)
    await backend.finishScheduled()
    const heads = (await world.ready()).map(({ id }) => id)
    if (!held || heads.length !== 2) throw new Error('The scene is not set.')

    const { trace } = backend.engine
    const ready = await trace(api.service.notifications.ready, service)
    const signals = await trace(api.service.runtime.signals, service)
    // While heads are ready, as in the state that all of these meet: it looks at the oldest one only.
    const info = { versions: VERSIONS, infrastructure: PLACE, announcedIntervalMs: 60_000, reasons: [] }
    const checkIn = await trace(api.service.runtime.checkIn, {
      ...{ ...service, ...info, epoch, held: [{ id: held.id, fence: held.fence }], dueAgents: [], status: 'online' as const },
    })
    let calls = 0
    const call = async (tool: ToolName, args: object) => {
      const given = { ...service, id: held.id, fence: held.fence, tool, args: JSON.stringify(args) }
      return [tool, await trace(api.service.tools.call, { ...given, pass: 'p', callId: `c${++calls}` })] as const
    }
    const tools = [
      await call('task_create', { title: 'New', labels: ['x'] }),
      await call('message_post', { task: a, content: 'done, @ada' }),
      await call('document_write', { title: 'Notes', content: 'x', task: a }),
      await call('task_update_status', { task: a, from: 'in_progress', status: 'review' }),
      await call('response_request', { task: c, recipients: ['qa'], message: 'good?' }),
      await call('task_assign', { task: d, assignees: ['qa'] }),
    ]
    const post = await backend.engine.withIdentity(identityOf('Ada')).trace(api.messages.post, {
      ...{ accountId, taskId: b, content: '@engineer one more' },
    })
    const claim = await trace(api.service.notifications.claim, { ...service, epoch, ids: heads })
    expect((claim.result as { items: unknown[] }).items).toHaveLength(2)
    const wakes = new Set<ToolName>(['response_request', 'task_assign'])
    for (const [tool, traced] of tools) {
      for (const [what, other] of Object.entries({ claim, checkIn, post })) {
        expect([tool, what, conflicts(traced, other), conflicts(other, traced)]).toEqual([tool, what, false, false])
      }
      expect([tool, conflicts(traced, signals)]).toEqual([tool, false])
      // Those that give another agent work wake the subscription, as they must.
      expect([tool, conflicts(traced, ready)]).toEqual([tool, wakes.has(tool)])
    }
  })

  it('two of different arguments in one turn, and equal ones of two turns, do not conflict', async () => {
    const world = await createWorld(backend)
    const { accountId, service } = world
    const task = (title: string) => world.ada.mutation(api.tasks.create, { accountId, title })
    const [a, b] = [await task('A'), await task('B')]
    await world.post('@engineer go', a)
    await world.post('@qa go', b)
    const items = await world.claimReady()
    const [one, two] = items
    if (!one || !two) throw new Error('The scene is not set.')
    const call = (item: { id: string; fence: number }, content: string, taskId: string, callId: string) =>
      backend.engine.trace(api.service.tools.call, {
        ...{ ...service, id: item.id, fence: item.fence, tool: 'document_write', pass: 'p', callId },
        args: JSON.stringify({ title: content, content, task: taskId }),
      })
    const traces = [await call(one, 'x', a, 'c1'), await call(one, 'y', a, 'c2'), await call(two, 'x', b, 'c3')]
    for (const writer of traces) {
      for (const reader of traces.filter((other) => other !== writer)) expect(conflicts(writer, reader)).toBe(false)
    }
  })
})

describe('what a call reads does not grow with history', () => {
  it('claim, settle and check-in read as many documents after 200 turns as after 20', async () => {
    const backend = await openEmbedded(functions)
    try {
      const world = await createWorld(backend)
      const turn = async () => {
        await world.post('@engineer go')
        const [head] = await world.ready()
        const { service, epoch } = world
        const { trace } = backend.engine
        const claim = await trace(api.service.notifications.claim, { ...service, epoch, ids: [head?.id ?? ''] })
        const item = (claim.result as { items: { id: string; fence: number }[] }).items[0]
        if (!item) throw new Error('Nothing claimed.')
        const { id, fence } = item
        const settle = await trace(api.service.notifications.settle, {
          ...{ ...service, id, fence, outcome: 'reply' as const, reply: 'ok', run: RUN },
        })
        return { claim: claim.documentsRead, settle: settle.documentsRead }
      }
      const after: Record<number, { claim: number; settle: number }> = {}
      for (let n = 1; n <= 200; n++) after[n] = await turn()
      expect(after[200]).toEqual(after[20])
      await backend.advance(LEASE_IDLE_MS)
    } finally {
      await backend.close()
    }
  })
})
