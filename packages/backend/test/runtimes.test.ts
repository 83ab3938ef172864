/** Which runtime is active, and what becomes of claims when it is not. */
import { errorCode } from '@mission-control/shared/errors'
import { LEASE_BUSY_MS, LEASE_IDLE_MS } from '@mission-control/shared/lanes/policy'
import { expect, it } from 'vitest'
import { api, internal } from '../convex/_generated/api.js'
import { onEachEngine } from './harness/engines.ts'
import { createWorld } from './harness/world.ts'

onEachEngine('hello', (open) => {
  it('answers the same boot with the same epoch', async () => {
    const world = await createWorld(await open())
    expect(await world.hello('box-1', 'boot-1')).toMatchObject({ role: 'active', epoch: world.epoch })
  })

  it('lets a new process of the same installation take over at once, with the items of the old one', async () => {
    const world = await createWorld(await open())
    await world.post('@engineer go')
    const old = await world.claimOne()
    const next = await world.hello('box-1', 'boot-2')
    expect(next).toMatchObject({ role: 'active', epoch: world.epoch + 1 })
    expect(await world.checkIn([old])).toEqual({ superseded: true })
    await expect(world.claim([old.id]).catch(errorCode)).resolves.toBe('SUPERSEDED')
    await expect(world.settle(old, 'from the grave').catch(errorCode)).resolves.toBe('STALE_FENCE')
    expect(await world.claimOne(world.epoch + 1)).toMatchObject({ id: old.id, fence: 2, reconcile: true })
  })

  it('makes another installation stand by while the lease runs, and lets it in after', async () => {
    const world = await createWorld(await open())
    expect(await world.hello('box-2', 'boot-9')).toEqual({ role: 'standby', activeLeaseMs: LEASE_IDLE_MS })
    await world.backend.advance(LEASE_IDLE_MS - 1)
    expect(await world.hello('box-2', 'boot-9')).toEqual({ role: 'standby', activeLeaseMs: 1 })
    await world.backend.advance(1)
    expect(await world.hello('box-2', 'boot-9')).toMatchObject({ role: 'active', epoch: world.epoch + 1 })
    expect(await world.checkIn([])).toEqual({ superseded: true })
    const { runtimes } = await world.ada.query(api.runtimes.status, { accountId: world.accountId })
    expect(runtimes.map(({ instanceId, role }) => [instanceId, role]).sort()).toEqual([
      ['box-1', 'gone'],
      ['box-2', 'active'],
    ])
  })

  it('keeps one active runtime when two start at the same time', async () => {
    const world = await createWorld(await open())
    await world.backend.advance(LEASE_IDLE_MS)
    const both = await Promise.all([world.hello('box-2', 'a'), world.hello('box-3', 'b')])
    expect(both.map(({ role }) => role).sort()).toEqual(['active', 'standby'])
  })
})

onEachEngine('the lease', (open) => {
  it('is short from the moment something is claimed', async () => {
    const world = await createWorld(await open())
    await world.post('@engineer go')
    await world.claimOne()
    expect(await world.hello('box-2', 'b')).toEqual({ role: 'standby', activeLeaseMs: LEASE_BUSY_MS })
  })

  it('follows what the check-in holds', async () => {
    const world = await createWorld(await open())
    await world.post('@engineer go')
    const item = await world.claimOne()
    await world.backend.advance(1_000)
    await world.checkIn([item])
    expect(await world.hello('box-2', 'b')).toEqual({ role: 'standby', activeLeaseMs: LEASE_BUSY_MS })
    await world.settle(item, null)
    await world.checkIn([])
    expect(await world.hello('box-2', 'b')).toEqual({ role: 'standby', activeLeaseMs: LEASE_IDLE_MS })
  })

  it('run out, gives the items back and tells people once', async () => {
    const world = await createWorld(await open())
    await world.post('@engineer go')
    const item = await world.claimOne()
    const before = await world.backend.query(api.service.runtime.signals, world.service)
    await world.backend.advance(LEASE_BUSY_MS + 1)
    await world.backend.mutation(internal.maintenance.lapse, {})
    await world.backend.finishScheduled()
    expect(await world.ready()).toMatchObject([{ id: item.id }])
    expect((await world.trace(item.id)).runs).toMatchObject([{ outcome: 'lapsed', reason: 'lease_expired' }])
    expect(await world.ada.query(api.runtimes.status, { accountId: world.accountId })).toMatchObject({ status: 'offline' })
    expect((await world.noticesOf('bo')).filter(({ type }) => type === 'runtime_status')).toHaveLength(1)
    const after = await world.backend.query(api.service.runtime.signals, world.service)
    expect(after.controlSeq).toBe(before.controlSeq + 1)
    expect(await world.checkIn([item])).toEqual({ superseded: true })
  })

  it('still running is left alone', async () => {
    const world = await createWorld(await open())
    await world.backend.advance(LEASE_IDLE_MS)
    await world.backend.mutation(internal.maintenance.lapse, {})
    await world.backend.finishScheduled()
    expect(await world.ada.query(api.runtimes.status, { accountId: world.accountId })).toMatchObject({ status: 'online' })
  })
})

onEachEngine('staleness', (open) => {
  it('is judged by the interval the runtime announced, between the busy lease and the idle one', async () => {
    const world = await createWorld(await open())
    const leaseWith = async (announcedIntervalMs: number) => {
      await world.checkIn([], { announcedIntervalMs })
      const answer = await world.hello('box-2', 'b')
      return answer.role === 'standby' ? answer.activeLeaseMs : null
    }
    expect(await leaseWith(5_000)).toBe(LEASE_BUSY_MS)
    expect(await leaseWith(30_000)).toBe(90_000)
    expect(await leaseWith(3_600_000)).toBe(LEASE_IDLE_MS)
    await world.hello('box-1', 'boot-1', 20_000) // the same boot again
    await world.backend.advance(60_001)
    await world.backend.mutation(internal.maintenance.lapse, {})
    await world.backend.finishScheduled()
    expect(await world.ada.query(api.runtimes.status, { accountId: world.accountId })).toMatchObject({ status: 'offline' })
  })

  it('takes a standby that no longer asks off the list', async () => {
    const world = await createWorld(await open())
    await world.hello('box-2', 'b')
    const roles = async () => {
      const { runtimes } = await world.ada.query(api.runtimes.status, { accountId: world.accountId })
      return Object.fromEntries(runtimes.map(({ instanceId, role, status }) => [instanceId, `${role} ${status}`]))
    }
    expect(await roles()).toEqual({ 'box-1': 'active online', 'box-2': 'standby online' })
    await world.backend.advance(LEASE_IDLE_MS / 2)
    await world.checkIn([])
    await world.backend.advance(LEASE_IDLE_MS / 2 + 1)
    await world.checkIn([])
    await world.backend.mutation(internal.maintenance.lapse, {})
    await world.backend.finishScheduled()
    expect(await roles()).toEqual({ 'box-1': 'active online', 'box-2': 'gone offline' })
    expect(await world.hello('box-2', 'b')).toMatchObject({ role: 'standby' })
    expect(await roles()).toMatchObject({ 'box-2': 'standby online' })
  })
})

onEachEngine('drain', (open) => {
  it('claims nothing and begins no heartbeat until it is taken back', async () => {
    const world = await createWorld(await open())
    const { service, accountId } = world
    await world.post('@engineer go')
    const [head] = await world.ready()
    await world.ada.mutation(api.accounts.setCommand, { accountId, command: 'drain' })
    await expect(world.claim([head?.id ?? '']).catch(errorCode)).resolves.toBe('PAUSED')
    const slot = { ...service, epoch: world.epoch, agentId: world.qa, slot: 1 }
    expect(await world.backend.mutation(api.service.heartbeats.begin, slot)).toEqual({ skip: 'draining' })
    await world.ada.mutation(api.accounts.setCommand, { accountId, command: null })
    expect(await world.claimOne()).toMatchObject({ id: head?.id, committedAgoMs: expect.any(Number) })
  })
})

onEachEngine('tokenInfo', (open) => {
  it('tells a token its name and its end, and nothing of others', async () => {
    const world = await createWorld(await open())
    const { accountId, backend } = world
    const { token } = await world.ada.action(api.serviceTokens.create, { accountId, name: 'short', expiresInDays: 3 })
    const info = await backend.query(api.service.runtime.tokenInfo, { accountId, serviceToken: token })
    expect(info).toEqual({ name: 'short', expiresAt: expect.any(Number) })
    expect(await backend.query(api.service.runtime.tokenInfo, world.service)).toEqual({ name: 'box', expiresAt: null })
  })
})

onEachEngine('goOffline', (open) => {
  it('gives everything back unused, wakes a standby and lets it in at once', async () => {
    const world = await createWorld(await open())
    await world.post('@engineer go')
    const item = await world.claimOne()
    await world.hello('box-2', 'b')
    const before = await world.backend.query(api.service.runtime.signals, world.service)
    await world.backend.mutation(api.service.runtime.goOffline, { ...world.service, epoch: world.epoch })
    const after = await world.backend.query(api.service.runtime.signals, world.service)
    expect(after.controlSeq).toBe(before.controlSeq + 1)
    expect(await world.hello('box-2', 'b')).toMatchObject({ role: 'active', epoch: world.epoch + 1 })
    expect(await world.claimOne(world.epoch + 1)).toMatchObject({ id: item.id, attempt: 1, reconcile: true })
  })

  it('of a runtime that is no longer active changes nothing', async () => {
    const world = await createWorld(await open())
    await world.hello('box-1', 'boot-2')
    await world.backend.mutation(api.service.runtime.goOffline, { ...world.service, epoch: world.epoch })
    expect(await world.checkIn([], { epoch: world.epoch + 1 })).toMatchObject({ superseded: false })
  })
})

onEachEngine('a command of people', (open) => {
  it('is new once: no goodbye, lost lease or later hello makes it look new again', async () => {
    const world = await createWorld(await open())
    const { service, accountId } = world
    const signals = () => world.backend.query(api.service.runtime.signals, service)
    const none = await signals()
    await world.ada.mutation(api.accounts.setCommand, { accountId, command: 'restart' })
    const asked = await signals()
    expect(asked).toMatchObject({ command: 'restart', commandSeq: none.commandSeq + 1 })
    await world.backend.mutation(api.service.runtime.goOffline, { ...service, epoch: world.epoch })
    const next = await world.hello('box-1', 'boot-2')
    await world.backend.advance(LEASE_IDLE_MS + 1)
    await world.backend.mutation(internal.maintenance.lapse, {})
    await world.backend.finishScheduled()
    const later = await signals()
    expect(next).toMatchObject({ role: 'active' })
    expect(later.controlSeq).toBeGreaterThan(asked.controlSeq)
    expect(later.commandSeq).toBe(asked.commandSeq)
    await world.ada.mutation(api.accounts.setCommand, { accountId, command: 'restart' })
    expect((await signals()).commandSeq).toBe(asked.commandSeq + 1)
  })
})

onEachEngine('checkIn', (open) => {
  it('is the unconditional safety poll', async () => {
    const world = await createWorld(await open())
    expect(await world.checkIn()).toMatchObject({ oldestDueInMs: null })
    await world.post('@engineer go')
    await world.backend.advance(250)
    expect(await world.checkIn()).toMatchObject({ oldestDueInMs: -250 })
  })

  it('stops nothing of a runtime that holds more than one page of claims', async () => {
    const world = await createWorld(await open())
    const count = 70
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
    const held: { id: string; fence: number }[] = []
    while (held.length < count) held.push(...(await world.claimReady()))
    await world.backend.advance(60_000)
    expect(await world.checkIn(held)).toMatchObject({ stop: [] })
  })

  it('notes when a token was used', async () => {
    const world = await createWorld(await open())
    await world.backend.advance(5_000)
    await world.checkIn()
    const tokens = await world.ada.query(api.serviceTokens.list, { accountId: world.accountId })
    expect(tokens).toMatchObject([{ name: 'box', state: 'active', lastUsedAt: world.backend.now() }])
    expect(JSON.stringify(tokens)).not.toContain('hash')
  })

  it('shows what the runtime says of itself', async () => {
    const world = await createWorld(await open())
    const reasons = ['OpenClaw not found']
    const infrastructure = { dropletId: '42', ip: '10.0.0.1', region: 'fra1' }
    await world.backend.mutation(api.service.runtime.checkIn, {
      ...world.service,
      ...{ epoch: world.epoch, held: [], dueAgents: [], status: 'degraded', reasons, infrastructure },
      ...{ versions: { runtime: '2.0.0', openclaw: null }, announcedIntervalMs: 15_000 },
    })
    const shown = await world.cy.query(api.runtimes.status, { accountId: world.accountId })
    expect(shown).toMatchObject({ status: 'degraded', runtimes: [{ reasons, infrastructure, versions: { openclaw: null } }] })
  })
})

onEachEngine('a service token', (open) => {
  it('ends at its time by one scheduled mutation, without a clock in any query', async () => {
    const world = await createWorld(await open())
    const { accountId } = world
    const short = await world.ada.action(api.serviceTokens.create, { accountId, name: 'short', expiresInDays: 1 })
    const service = { accountId, serviceToken: short.token }
    await world.backend.advance(86_400_000 - 1)
    await expect(world.backend.query(api.service.notifications.ready, service)).resolves.toEqual([])
    await world.backend.advance(2)
    const refused = world.backend.query(api.service.notifications.ready, service)
    await expect(refused.catch(errorCode)).resolves.toBe('TOKEN_REFUSED')
  })
})
