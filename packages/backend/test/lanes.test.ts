/** The lane rules through the backend: retries, dead letters, redrive, stop, and what a next turn is told of an unanswered one. */
import { errorCode } from '@mission-control/shared/errors'
import { LIMITS } from '@mission-control/shared/limits'
import { CONFIGURATION_RETRY_MS, DELIVERY_POLICY, ORPHAN_MS, TURN_CAP_MS } from '@mission-control/shared/lanes/policy'
import { expect, it } from 'vitest'
import { api, internal } from '../convex/_generated/api.js'
import { fitMessage } from '../convex/model/reply.js'
import { onEachEngine } from './harness/engines.ts'
import type { World } from './harness/world.ts'
import { createWorld } from './harness/world.ts'

/** Later than any backoff. */
const LATER = DELIVERY_POLICY.backoffCapMs * 2

onEachEngine('an attempt that fails', (open) => {
  it('comes back after its backoff under the next fence, and under the next turn because the last one ended', async () => {
    const world = await createWorld(await open())
    await world.post('@engineer go')
    const first = await world.claimOne()
    const failed = await world.fail(first, { ended: true })
    expect(failed.state).toBe('ready')
    expect(failed.retryInMs).toBeGreaterThanOrEqual(1_600)
    expect(failed.retryInMs).toBeLessThanOrEqual(2_400)
    const early = await world.claim([first.id])
    expect(early).toEqual({ items: [], notDueInMs: failed.retryInMs })
    await world.backend.advance(failed.retryInMs ?? 0)
    const second = await world.claimOne()
    expect(second).toMatchObject({ id: first.id, fence: 2, attempt: 2, turnKey: `${first.id}.2`, reconcile: false })
    expect(second.context.voidEarlier).toBe(true)
    await expect(world.settle(first, 'late').catch(errorCode)).resolves.toBe('STALE_FENCE')
    await expect(world.fail(first).catch(errorCode)).resolves.toBe('STALE_FENCE')
    await expect(world.release(first).catch(errorCode)).resolves.toBe('STALE_FENCE')
  })

  it('says reconcile and keeps turn key and code when the turn may have been sent', async () => {
    const world = await createWorld(await open())
    await world.post('@engineer go')
    const first = await world.claimOne()
    await world.fail(first, { ended: false })
    await world.backend.advance(LATER)
    const second = await world.claimOne()
    expect(second).toMatchObject({ turnKey: first.turnKey, turnCode: first.turnCode, reconcile: true, fence: 2 })
  })

  it('waits at least as long as the gateway asked for', async () => {
    const world = await createWorld(await open())
    await world.post('@engineer go')
    const { retryInMs } = await world.fail(await world.claimOne(), { retryAfterMs: 90_000 })
    expect(retryInMs).toBe(90_000)
  })

  it('dies when its attempts are used up; people are told, and the next item goes on', async () => {
    const world = await createWorld(await open())
    await world.cy.mutation(api.messages.post, { accountId: world.accountId, taskId: world.taskId, content: '@engineer poison' })
    await world.post('@engineer next')
    const [poison] = await world.ready()
    for (let attempt = 1; attempt <= DELIVERY_POLICY.attempts; attempt++) {
      const item = await world.claimOne()
      expect(item).toMatchObject({ id: poison?.id, attempt })
      const { state } = await world.fail(item)
      expect(state).toBe(attempt < DELIVERY_POLICY.attempts ? 'ready' : 'dead')
      if (state === 'ready') await world.backend.advance(LATER)
    }
    expect((await world.claimOne()).context).toMatchObject({ body: '@engineer next', voidEarlier: true })
    for (const who of ['ada', 'bo', 'cy'] as const) {
      expect(await world.noticesOf(who)).toContainEqual(expect.objectContaining({ type: 'dead_letter', deliveryId: poison?.id }))
    }
    const dead = await world.backend.query(api.service.notifications.listDead, { ...world.service, cursor: null, limit: 10 })
    expect(dead).toMatchObject({
      items: [{ id: poison?.id, state: 'dead', agentSlug: 'engineer', taskTitle: 'Ship it', reason: 'TURN_FAILED: It broke.' }],
      cursor: null,
    })
  })

  it('dies at once when it can never work', async () => {
    const world = await createWorld(await open())
    await world.post('@engineer go')
    expect(await world.fail(await world.claimOne(), { class: 'terminal' })).toEqual({ state: 'dead', retryInMs: null })
  })

  it('uses no attempt and alerts once when the gateway is misconfigured', async () => {
    const world = await createWorld(await open())
    await world.post('@engineer go')
    for (let round = 0; round < 3; round++) {
      const item = await world.claimOne()
      expect(item.attempt).toBe(1)
      const failed = await world.fail(item, { class: 'configuration' })
      expect(failed).toEqual({ state: 'ready', retryInMs: CONFIGURATION_RETRY_MS })
      await world.backend.advance(CONFIGURATION_RETRY_MS)
    }
    expect((await world.noticesOf('ada')).filter(({ type }) => type === 'runtime_status')).toHaveLength(1)
  })

  it('given back, is ready at once and has used no attempt', async () => {
    const world = await createWorld(await open())
    await world.post('@engineer go')
    await world.release(await world.claimOne())
    expect(await world.claimOne()).toMatchObject({ attempt: 1, fence: 2, reconcile: true })
  })

  it('is tried again from the tail when it is redriven', async () => {
    const world = await createWorld(await open())
    await world.post('@engineer poison')
    const poison = await world.claimOne()
    await world.fail(poison, { class: 'terminal' })
    await world.post('@engineer second')
    await world.post('@engineer third')
    const redriven = await world.backend.mutation(api.service.notifications.redrive, { ...world.service, id: poison.id })
    expect(redriven).toEqual({ state: 'queued' })
    const order: string[] = []
    for (let n = 0; n < 3; n++) {
      const item = await world.claimOne()
      order.push(item.context.body)
      await world.settle(item, null)
    }
    expect(order).toEqual(['@engineer second', '@engineer third', '@engineer poison'])
    const again = world.backend.mutation(api.service.notifications.redrive, { ...world.service, id: poison.id })
    await expect(again.catch(errorCode)).resolves.toBe('CONFLICT')
  })
})

onEachEngine('an item whose agent is renamed while its turn runs', (open) => {
  const rename = async (world: World) => {
    const { accountId, engineer } = world
    await world.ada.mutation(api.agents.update, { accountId, agentId: engineer, slug: 'builder' })
    await world.backend.finishScheduled()
  }
  const key = ({ accountId, taskId }: World, slug: string) => `agent:${slug}:${accountId}:task:${taskId}`.toLowerCase()

  it('moves to the new session with its next turn', async () => {
    const world = await createWorld(await open())
    await world.post('@engineer go')
    const first = await world.claimOne()
    await rename(world)
    await world.fail(first, { ended: true })
    await world.backend.advance(LATER)
    expect(await world.claimOne()).toMatchObject({
      turnKey: `${first.id}.2`,
      reconcile: false,
      sessionKey: key(world, 'builder'),
    })
  })

  it('does so too when it is given back', async () => {
    const world = await createWorld(await open())
    await world.post('@engineer go')
    const first = await world.claimOne()
    await rename(world)
    await world.release(first, true)
    expect((await world.claimOne()).sessionKey).toBe(key(world, 'builder'))
  })

  it('is looked for in its old session as long as its turn may run there', async () => {
    const world = await createWorld(await open())
    await world.post('@engineer go')
    const first = await world.claimOne()
    await rename(world)
    await world.release(first, false)
    expect(await world.claimOne()).toMatchObject({ reconcile: true, sessionKey: key(world, 'engineer') })
  })
})

onEachEngine('a runtime that forgets', (open) => {
  it('gets an item back whose claim answer was lost, without using an attempt', async () => {
    const world = await createWorld(await open())
    await world.post('@engineer go')
    const lost = await world.claimOne()
    await world.backend.advance(ORPHAN_MS)
    await world.checkIn([])
    expect(await world.ready()).toEqual([])
    await world.backend.advance(1)
    await world.checkIn([])
    expect(await world.claimOne()).toMatchObject({ id: lost.id, attempt: 1, fence: 2, reconcile: true })
  })

  it('keeps what it holds, however long', async () => {
    const world = await createWorld(await open())
    await world.post('@engineer go')
    const item = await world.claimOne()
    await world.backend.advance(TURN_CAP_MS - 1)
    expect(await world.checkIn([item])).toMatchObject({ superseded: false, stop: [] })
    expect(await world.settle(item, 'at last')).toMatchObject({ state: 'delivered' })
  })

  it('loses an item that is past its deadline and is told to stop it', async () => {
    const world = await createWorld(await open())
    await world.post('@engineer go')
    const item = await world.claimOne()
    await world.backend.advance(TURN_CAP_MS + 1)
    expect(await world.checkIn([item])).toMatchObject({ stop: [item.id] })
    expect((await world.trace(item.id)).runs).toMatchObject([{ outcome: 'lapsed', reason: 'deadline' }])
  })

  it('is told to drop what is no longer its own', async () => {
    const world = await createWorld(await open())
    await world.post('@engineer go')
    const item = await world.claimOne()
    await world.release(item)
    expect(await world.checkIn([item])).toMatchObject({ stop: [item.id] })
    await world.settle(await world.claimOne(), null)
    expect(await world.checkIn([item])).toMatchObject({ stop: [item.id] })
    expect(await world.checkIn([{ id: 'nothing', fence: 1 }])).toMatchObject({ stop: ['nothing'] })
  })

  it('has its new claim left alone by a check-in that was on its way while it claimed the item again', async () => {
    const world = await createWorld(await open())
    await world.post('@engineer go')
    const old = await world.claimOne()
    await world.release(old)
    const newer = await world.claimOne()
    expect(await world.checkIn([old])).toMatchObject({ stop: [] })
    expect(await world.checkIn([newer])).toMatchObject({ stop: [] })
    await world.ada.mutation(api.deliveries.stop, { accountId: world.accountId, taskId: world.taskId })
    expect(await world.checkIn([old])).toMatchObject({ stop: [] })
    expect(await world.checkIn([newer])).toMatchObject({ stop: [newer.id] })
  })
})

onEachEngine('/stop', (open) => {
  it('skips what waits, aborts what runs, and shows no late reply', async () => {
    const world = await createWorld(await open())
    await world.post('@engineer one')
    await world.post('@engineer two')
    const running = await world.claimOne()
    const before = await world.backend.query(api.service.runtime.signals, world.service)
    await world.ada.mutation(api.deliveries.stop, { accountId: world.accountId, taskId: world.taskId })
    const after = await world.backend.query(api.service.runtime.signals, world.service)
    expect(after.stopSeq).toBe(before.stopSeq + 1)
    expect(await world.checkIn([running])).toMatchObject({ stop: [running.id] })
    expect(await world.settle(running, 'too late')).toMatchObject({ state: 'skipped', messageId: null })
    expect((await world.thread()).map(({ content }) => content)).toEqual(['@engineer one', '@engineer two'])
    expect((await world.deliveries()).map(({ state, reason }) => [state, reason])).toEqual([
      ['skipped', 'stopped'],
      ['skipped', 'stopped'],
    ])
    const kept = await world.backend.run((ctx) => ctx.db.query('replyParts').collect())
    expect(kept.map(({ text }) => text)).toEqual(['too late'])
  })

  it('does not stop what comes after it, and that turn is told that earlier text is void', async () => {
    const world = await createWorld(await open())
    await world.post('@engineer one')
    const running = await world.claimOne()
    await world.ada.mutation(api.deliveries.stop, { accountId: world.accountId, taskId: world.taskId })
    await world.post('@engineer instead')
    await world.release(running, true)
    const next = await world.claimOne()
    expect(next.context).toMatchObject({ body: '@engineer instead', voidEarlier: true })
    await world.settle(next, 'ok')
    await world.post('@engineer and now')
    expect((await world.claimOne()).context.voidEarlier).toBe(false)
  })

  it('reaches every item of a long queue in steps', async () => {
    const world = await createWorld(await open())
    const count = 450
    await world.backend.run(async (ctx) => {
      const { enqueue } = await import('../convex/model/enqueue.js')
      const agent = await ctx.db.get(world.engineer)
      if (!agent) throw new Error('no agent')
      for (let n = 0; n < count; n++) {
        await enqueue(ctx, { type: 'mention', agent, taskId: world.taskId, messageId: null, depth: 0 })
      }
    })
    await world.ada.mutation(api.deliveries.stop, { accountId: world.accountId, taskId: world.taskId })
    await world.backend.finishScheduled()
    expect(await world.lane(world.engineer)).toMatchObject({ queued: 0, activeId: null })
    const states = await world.backend.run((ctx) => ctx.db.query('deliveries').collect())
    expect(new Set(states.map(({ state }) => state))).toEqual(new Set(['skipped']))
    expect(states).toHaveLength(count)
  })
})

onEachEngine('what is posted after a /stop', (open) => {
  /** A lane whose queue takes more than one step to stop, and with a coalesced update at its end. */
  async function busyLane(world: World) {
    const { accountId, taskId, engineer } = world
    await world.ada.mutation(api.tasks.assign, { accountId, taskId, assignees: [{ type: 'agent', id: engineer }] })
    await world.settle(await world.claimOne(), null)
    await world.backend.run(async (ctx) => {
      const { enqueue } = await import('../convex/model/enqueue.js')
      const agent = await ctx.db.get(engineer)
      if (!agent) throw new Error('no agent')
      for (let n = 0; n < 250; n++) await enqueue(ctx, { type: 'mention', agent, taskId, messageId: null, depth: 0 })
    })
    await world.post('update before the stop')
  }
  const stop = (world: World) => world.ada.mutation(api.deliveries.stop, { accountId: world.accountId, taskId: world.taskId })

  it('joins nothing that is being stopped, not even in the same millisecond, and is delivered', async () => {
    const world = await createWorld(await open())
    await busyLane(world)
    await stop(world)
    await world.post('after the stop')
    await world.post('and one more')
    await world.backend.finishScheduled()
    expect(await world.lane(world.engineer)).toMatchObject({ queued: 0 })
    const item = await world.claimOne()
    expect(item.context.body).toBe('and one more')
    await world.settle(item, null)
    expect(await world.ready()).toEqual([])
  })

  it('is stopped by the next one, also while the first is under way', async () => {
    const world = await createWorld(await open())
    await busyLane(world)
    await stop(world)
    await world.post('between')
    await stop(world)
    await world.post('after')
    await world.backend.finishScheduled()
    const item = await world.claimOne()
    expect(item.context.body).toBe('after')
    await world.settle(item, null)
    expect(await world.ready()).toEqual([])
  })
})

onEachEngine('limits of a lane', (open) => {
  it('refuses a mention into a full lane and says so', async () => {
    const world = await createWorld(await open())
    await world.post('@engineer first')
    await world.backend.run(async (ctx) => {
      const lane = await ctx.db.query('lanes').first()
      if (lane) await ctx.db.patch(lane._id, { queued: LIMITS.queuedPerLane })
    })
    await expect(world.post('@engineer one too many').catch(errorCode)).resolves.toBe('LANE_FULL')
    expect(await world.thread()).toHaveLength(1)
  })

  it.each([
    ['a few', 0],
    ['many', LIMITS.fanOutStep + 1],
  ])('take a plain message with %s followers all the same, and people hear whom it did not reach', async (_name, followers) => {
    const world = await createWorld(await open())
    const { accountId, taskId } = world
    await world.ada.mutation(api.tasks.assign, { accountId, taskId, assignees: [{ type: 'agent', id: world.engineer }] })
    // The tail must be something that absorbs no update.
    await world.post('@engineer first')
    await world.backend.run(async (ctx) => {
      const lane = await ctx.db.query('lanes').first()
      if (lane) await ctx.db.patch(lane._id, { queued: LIMITS.queuedPerLane })
      for (let n = 0; n < followers; n++) {
        const subscriber = { subscriberType: 'user', subscriberId: `test|crowd-${n}` } as const
        await ctx.db.insert('subscriptions', { accountId, taskId, ...subscriber })
      }
    })
    await world.post('plain')
    await world.post('and another')
    await world.backend.finishScheduled()
    expect((await world.thread()).map(({ content }) => content)).toEqual(['@engineer first', 'plain', 'and another'])
    const notices = (await world.noticesOf('bo')).filter(({ title }) => title.includes('Engineer has a full queue'))
    expect(notices).toMatchObject([{ type: 'dead_letter' }])
  })

  it('cuts a reply that is too long and keeps it whole', async () => {
    const world = await createWorld(await open())
    await world.post('@engineer go')
    const item = await world.claimOne()
    const reply = '0123456789'.repeat(60_000)
    await world.settle(item, reply)
    const [, posted] = await world.thread()
    expect(posted?.content).toBe(fitMessage(reply))
    expect(posted?.content.length).toBeLessThanOrEqual(LIMITS.messageChars)
    expect(posted?.content).toContain(`of ${reply.length} characters shown]`)
    const parts = await world.backend.run((ctx) => ctx.db.query('replyParts').collect())
    expect(parts.map(({ text }) => text).join('')).toBe(reply)
  })

  it('takes a reply with more names than a person may mention', async () => {
    const world = await createWorld(await open())
    await world.post('@engineer go')
    const names = Array.from({ length: LIMITS.mentionsPerMessage + 5 }, (_, n) => `@nobody${n}`).join(' ')
    await expect(world.post(names).catch(errorCode)).resolves.toBe('LIMIT')
    expect(await world.settle(await world.claimOne(), names)).toMatchObject({ state: 'delivered' })
  })
})

onEachEngine('the audit', (open) => {
  it('finds nothing in lanes that the rules made', async () => {
    const world = await createWorld(await open())
    await world.post('@engineer one')
    await world.post('@engineer two')
    await world.post('@qa three')
    await world.claimReady()
    await world.backend.mutation(internal.maintenance.auditAll, {})
    await world.backend.finishScheduled()
    expect(await world.ada.query(api.runtimes.status, { accountId: world.accountId })).toMatchObject({ laneRepairs: 0 })
  })

  it('mends a lane that lost its head, and a count that is off, and says so', async () => {
    const world = await createWorld(await open())
    await world.post('@engineer one')
    await world.post('@engineer two')
    await world.post('@engineer three')
    await world.backend.run(async (ctx) => {
      const lane = await ctx.db.query('lanes').first()
      if (!lane?.activeId) throw new Error('no lane')
      await ctx.db.patch(lane.activeId, { state: 'skipped' })
      await ctx.db.patch(lane._id, { queued: 7 })
    })
    expect(await world.ready()).toEqual([])
    await world.backend.mutation(internal.maintenance.audit, { accountId: world.accountId })
    expect(await world.ready()).toHaveLength(1)
    expect(await world.lane(world.engineer)).toMatchObject({ queued: 1 })
    expect(await world.ada.query(api.runtimes.status, { accountId: world.accountId })).toMatchObject({ laneRepairs: 3 })
  })
})

onEachEngine('the journal', (open) => {
  it('keeps how an attempt ended when its item is stopped in the queue later', async () => {
    const world = await createWorld(await open())
    await world.post('@engineer poison')
    const poison = await world.claimOne()
    await world.fail(poison, { class: 'terminal' })
    await world.post('@engineer other')
    await world.backend.mutation(api.service.notifications.redrive, { ...world.service, id: poison.id })
    await world.ada.mutation(api.deliveries.stop, { accountId: world.accountId, taskId: world.taskId })
    expect(await world.trace(poison.id)).toMatchObject({ state: 'skipped', reason: 'stopped', runs: [{ outcome: 'failed' }] })
  })

  it('has no open run of an item that a repair sent back to the queue', async () => {
    const world = await createWorld(await open())
    await world.post('@engineer one')
    const head = await world.claimOne()
    await world.post('@engineer two')
    await world.backend.run(async (ctx) => {
      const lane = await ctx.db.query('lanes').first()
      const second = await ctx.db
        .query('deliveries')
        .filter((q) => q.eq(q.field('state'), 'queued'))
        .first()
      if (!lane || !second) throw new Error('The scene is not set.')
      await ctx.db.patch(second._id, { state: 'ready' })
      await ctx.db.patch(lane._id, { activeId: second._id, queued: 0 })
    })
    await world.backend.mutation(internal.maintenance.audit, { accountId: world.accountId })
    expect(await world.trace(head.id)).toMatchObject({ state: 'queued', runs: [{ outcome: 'lapsed' }] })
  })
})

onEachEngine('retention', (open) => {
  it('deletes settled deliveries with their runs after 30 days, and nothing that is open', async () => {
    const world = await createWorld(await open())
    await world.post('@engineer done')
    await world.settle(await world.claimOne(), 'x'.repeat(LIMITS.messageChars + 1))
    await world.post('@engineer open')
    await world.backend.advance(31 * 86_400_000)
    await world.backend.mutation(internal.maintenance.retainAll, {})
    await world.backend.finishScheduled()
    const left = await world.backend.run(async (ctx) => ({
      deliveries: (await ctx.db.query('deliveries').collect()).map(({ state }) => state),
      runs: (await ctx.db.query('agentRuns').collect()).length,
      parts: (await ctx.db.query('replyParts').collect()).length,
    }))
    expect(left).toEqual({ deliveries: ['ready'], runs: 0, parts: 0 })
  })
})
