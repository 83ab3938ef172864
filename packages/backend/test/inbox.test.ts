/** People's notifications: what is listed, read, removed and muted, and a count of the unread that is exact in the end. */
import { NOTIFICATION_TYPES, UNMUTABLE_NOTIFICATION_TYPES } from '@mission-control/shared/enums'
import type { NotificationType } from '@mission-control/shared/enums'
import { errorCode } from '@mission-control/shared/errors'
import { LIMITS } from '@mission-control/shared/limits'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { api, internal } from '../convex/_generated/api.js'
import type { Id } from '../convex/_generated/dataModel.js'
import { deleteRows } from '../convex/model/inbox.js'
import { notifyEach } from '../convex/model/notices.js'
import type { Caller } from './harness/backend.ts'
import { identityOf } from './harness/backend.ts'
import { buildFunctions, openEmbedded } from './harness/embedded.ts'
import { onEachEngine } from './harness/engines.ts'
import type { World } from './harness/world.ts'
import { createWorld } from './harness/world.ts'

const unread = (world: World, who: Caller = world.cy) => who.query(api.notifications.unreadCount, { accountId: world.accountId })
const list = (world: World, which: { unread?: boolean; type?: NotificationType } = {}, who: Caller = world.cy) =>
  who.query(api.notifications.list, {
    ...{ accountId: world.accountId, paginationOpts: { numItems: 200, cursor: null }, ...which },
  })
const read = (world: World, ids: Id<'notifications'>[], who: Caller = world.cy) =>
  who.mutation(api.notifications.markRead, { accountId: world.accountId, notificationIds: ids })
const mute = (world: World, ...muted: NotificationType[]) =>
  world.cy.mutation(api.notifications.setPreferences, { accountId: world.accountId, muted })
/** In one transaction, as a fan-out does. */
const tell = (world: World, people: string[], type: NotificationType = 'mention', key?: string) =>
  world.backend.run((ctx) =>
    notifyEach(
      ctx,
      world.accountId,
      people.map((userId) => ({ userId, notice: { type, title: 'Look', ...(key ? { key } : {}) } })),
    ),
  )
const CY = 'test|Cy'
const rowsOf = (world: World, userId = CY) =>
  world.backend.run((ctx) =>
    ctx.db
      .query('notifications')
      .withIndex('by_account_user', (q) => q.eq('accountId', world.accountId).eq('userId', userId))
      .collect(),
  )
const inboxOf = (world: World, userId: string) =>
  world.backend.run((ctx) =>
    ctx.db
      .query('inboxes')
      .withIndex('by_account_user', (q) => q.eq('accountId', world.accountId).eq('userId', userId))
      .unique(),
  )

onEachEngine('the list of notifications', (open) => {
  it('is the caller’s own, newest first, all or unread, of any type or one', async () => {
    const world = await createWorld(await open())
    for (const type of ['mention', 'assignment', 'mention'] as const) await tell(world, [CY, 'test|Bo'], type)
    const all = (await list(world)).page
    expect(all.map(({ type }) => type)).toEqual(['mention', 'assignment', 'mention'])
    expect(all.map(({ createdAt }) => createdAt)).toEqual(all.map(({ createdAt }) => createdAt).sort((a, b) => b - a))
    await read(world, [all[0]?.id as Id<'notifications'>])
    expect((await list(world, { unread: true })).page.map(({ type }) => type)).toEqual(['assignment', 'mention'])
    expect((await list(world, { type: 'mention' })).page).toHaveLength(2)
    expect((await list(world, { type: 'mention', unread: true })).page.map(({ id }) => id)).toEqual([all[2]?.id])
    expect((await list(world, {}, world.bo)).page).toHaveLength(3)
    expect((await list(world, {}, world.ada)).page).toEqual([])
  })

  it('comes in pages, each row once', async () => {
    const world = await createWorld(await open())
    for (let n = 0; n < 7; n++) await tell(world, [CY])
    const seen: string[] = []
    for (let cursor: string | null = null; ;) {
      const page: Awaited<ReturnType<typeof list>> = await world.cy.query(api.notifications.list, {
        ...{ accountId: world.accountId, unread: true, paginationOpts: { numItems: 3, cursor } },
      })
      seen.push(...page.page.map(({ id }) => id))
      if (page.isDone) break
      cursor = page.continueCursor
    }
    expect(new Set(seen).size).toBe(7)
    expect(seen).toHaveLength(7)
  })
})

onEachEngine('the unread count', (open) => {
  it('is 0 for somebody who was never told anything', async () => {
    const world = await createWorld(await open())
    expect(await unread(world)).toBe(0)
  })

  it('follows what is told, read, read again and removed', async () => {
    const world = await createWorld(await open())
    for (let n = 0; n < 3; n++) await tell(world, [CY])
    await world.backend.finishScheduled()
    expect(await unread(world)).toBe(3)
    const ids = (await rowsOf(world)).map(({ _id }) => _id)
    const [a, b, c] = ids as [Id<'notifications'>, Id<'notifications'>, Id<'notifications'>]
    await read(world, [a, a])
    await read(world, [a, b])
    expect(await unread(world)).toBe(1)
    const remove = (notificationId: Id<'notifications'>) =>
      world.cy.mutation(api.notifications.remove, { accountId: world.accountId, notificationId })
    await remove(a)
    expect(await unread(world)).toBe(1)
    await remove(c)
    expect(await unread(world)).toBe(0)
    expect(await rowsOf(world)).toMatchObject([{ _id: b }])
  })

  it('does not count what was read or removed before it was counted', async () => {
    const world = await createWorld(await open())
    for (let n = 0; n < 2; n++) await tell(world, [CY])
    await world.backend.finishScheduled()
    const counted = (await rowsOf(world)).length
    for (let n = 0; n < 3; n++) await tell(world, [CY])
    const rows = (await rowsOf(world)).slice(counted)
    const [a, b] = rows.map(({ _id }) => _id) as [Id<'notifications'>, Id<'notifications'>]
    await read(world, [a])
    await world.cy.mutation(api.notifications.remove, { accountId: world.accountId, notificationId: b })
    expect(await unread(world)).toBe(2)
    await world.backend.finishScheduled()
    expect(await unread(world)).toBe(3)
  })

  it('counts a row once, however often its fold runs', async () => {
    const world = await createWorld(await open())
    await tell(world, [CY])
    const ids = (await rowsOf(world)).map(({ _id }) => _id)
    for (let n = 0; n < 3; n++)
      await world.backend.mutation(internal.totals.add, { accountId: world.accountId, usage: [], notices: ids })
    await world.backend.finishScheduled()
    expect(await unread(world)).toBe(1)
  })

  it('costs one scheduled call for all people of one transaction', async () => {
    const world = await createWorld(await open())
    await world.backend.finishScheduled()
    const before = await scheduled(world)
    await tell(world, [CY, 'test|Bo', 'test|Ada'])
    expect((await scheduled(world)) - before).toBe(1)
    const told = await scheduled(world)
    await world.post('@bo @cy look')
    // The counts of people; nothing else of a message is scheduled.
    expect((await scheduled(world)) - told).toBe(1)
  })

  it('stays unwritten for an account that is being deleted', async () => {
    const world = await createWorld(await open())
    await tell(world, [CY])
    await world.backend.run((ctx) => ctx.db.patch(world.accountId, { deletingAt: 1 }))
    await world.backend.finishScheduled()
    expect(await inboxOf(world, CY)).toBeNull()
  })

  it('equals the unread rows after any history, once the scheduled work is done', async () => {
    const step = fc.oneof(
      { weight: 4, arbitrary: fc.record({ do: fc.constant('tell' as const), to: fc.subarray(['test|Ada', 'test|Bo', CY]) }) },
      { weight: 2, arbitrary: fc.record({ do: fc.constant('tellOnce' as const), to: fc.subarray(['test|Bo', CY]) }) },
      {
        weight: 3,
        arbitrary: fc.record({ do: fc.constantFrom('read' as const, 'remove' as const, 'retain' as const), nth: fc.nat(6) }),
      },
      {
        weight: 1,
        arbitrary: fc.record({ do: fc.constantFrom('readAll' as const, 'fold' as const, 'mute' as const, 'unmute' as const) }),
      },
    )
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 25 }), async (history) => {
        const backend = await open()
        const world = await createWorld(backend)
        for (const act of history) {
          const rows = await rowsOf(world)
          const row = 'nth' in act ? rows[act.nth % Math.max(1, rows.length)] : undefined
          if (act.do === 'tell') await tell(world, act.to)
          if (act.do === 'tellOnce') await tell(world, act.to, 'runtime_status', 'one-key')
          if (act.do === 'readAll') await world.cy.mutation(api.notifications.markAllRead, { accountId: world.accountId })
          if (act.do === 'fold') await backend.finishScheduled()
          if (act.do === 'mute') await mute(world, 'mention')
          if (act.do === 'unmute') await mute(world)
          if (row && act.do === 'read') await read(world, [row._id])
          if (row && act.do === 'remove') {
            await world.cy.mutation(api.notifications.remove, { accountId: world.accountId, notificationId: row._id })
          }
          if (row && act.do === 'retain') await backend.run((ctx) => deleteRows(ctx, [row]))
        }
        await backend.finishScheduled()
        for (const userId of ['test|Ada', 'test|Bo', CY]) {
          const rows = await rowsOf(world, userId)
          expect(await unread(world, backend.as(userId.slice('test|'.length)))).toBe(
            rows.filter(({ readAt }) => readAt === null).length,
          )
          expect(rows.every(({ counted }) => counted)).toBe(true)
        }
        await backend.close()
      }),
      { numRuns: 15 },
    )
  })
})

it('the unread count, a page of the list and telling somebody read as much with a thousand notifications as with ten', async () => {
  const backend = await openEmbedded(await buildFunctions())
  try {
    const world = await createWorld(backend)
    const cy = backend.engine.withIdentity(identityOf('Cy'))
    const { accountId, taskId } = world
    const reads = async () => {
      const count = await cy.trace(api.notifications.unreadCount, { accountId })
      const page = await cy.trace(api.notifications.list, {
        ...{ accountId, unread: true, paginationOpts: { numItems: 5, cursor: null } },
      })
      const post = await backend.engine.withIdentity(identityOf('Ada')).trace(api.messages.post, {
        ...{ accountId, taskId, content: '@cy look' },
      })
      await backend.finishScheduled()
      return [count, page, post].map(({ documentsRead }) => documentsRead)
    }
    await world.post('@cy first')
    for (let n = 0; n < 10; n++) await tell(world, [CY])
    await backend.finishScheduled()
    const few = await reads()
    for (let n = 0; n < 1_000; n += 50)
      await tell(
        world,
        Array.from({ length: 50 }, () => CY),
      )
    await backend.finishScheduled()
    expect(await reads()).toEqual(few)
  } finally {
    await backend.close()
  }
})

onEachEngine('marking everything read', (open) => {
  it('leaves what arrives after the click unread, also while its steps still run', async () => {
    const world = await createWorld(await open())
    const count = 430
    for (let n = 0; n < count; n++) await tell(world, [CY])
    await world.backend.finishScheduled()
    expect(await unread(world)).toBe(count)
    await world.cy.mutation(api.notifications.markAllRead, { accountId: world.accountId })
    await tell(world, [CY], 'assignment')
    expect(await unread(world)).toBe(count - 200)
    await world.backend.finishScheduled()
    expect((await list(world, { unread: true })).page.map(({ type }) => type)).toEqual(['assignment'])
    expect(await unread(world)).toBe(1)
  })

  it('is the same as nothing when all is read', async () => {
    const world = await createWorld(await open())
    await world.cy.mutation(api.notifications.markAllRead, { accountId: world.accountId })
    expect(await unread(world)).toBe(0)
  })

  it('touches nobody else', async () => {
    const world = await createWorld(await open())
    await tell(world, [CY, 'test|Bo'])
    await world.backend.finishScheduled()
    await world.cy.mutation(api.notifications.markAllRead, { accountId: world.accountId })
    expect([await unread(world), await unread(world, world.bo)]).toEqual([0, 1])
  })
})

onEachEngine('somebody else’s notification', (open) => {
  it('is as good as none, and then nothing of the list is marked', async () => {
    const world = await createWorld(await open())
    await tell(world, [CY, 'test|Bo'])
    const mine = (await rowsOf(world)).map(({ _id }) => _id)
    const theirs = (await rowsOf(world, 'test|Bo')).map(({ _id }) => _id)
    await expect(read(world, [...mine, ...theirs]).catch(errorCode)).resolves.toBe('NOT_FOUND')
    const removing = world.cy.mutation(api.notifications.remove, {
      ...{ accountId: world.accountId, notificationId: theirs[0] as Id<'notifications'> },
    })
    await expect(removing.catch(errorCode)).resolves.toBe('NOT_FOUND')
    expect((await list(world, { unread: true })).page).toHaveLength(1)
    await expect(
      read(
        world,
        Array.from({ length: LIMITS.pageSize + 1 }, () => mine[0]!),
      ).catch(errorCode),
    ).resolves.toBe('LIMIT')
  })
})

onEachEngine('preferences', (open) => {
  const preferences = (world: World) => world.cy.query(api.notifications.getPreferences, { accountId: world.accountId })

  it('of one member silence a type for that member only, from then on', async () => {
    const world = await createWorld(await open())
    expect(await preferences(world)).toEqual({ muted: [] })
    await world.post('@cy before')
    await mute(world, 'mention', 'mention')
    expect(await preferences(world)).toEqual({ muted: ['mention'] })
    await world.post('@cy and @bo after')
    expect(await world.noticesOf('cy')).toHaveLength(1)
    expect(await world.noticesOf('bo')).toHaveLength(1)
    await mute(world)
    await world.post('@cy again')
    expect(await world.noticesOf('cy')).toHaveLength(2)
  })

  it.each(NOTIFICATION_TYPES)('%s is muted, or can never be', async (type) => {
    const world = await createWorld(await open())
    const never = (UNMUTABLE_NOTIFICATION_TYPES as readonly string[]).includes(type)
    const code = await mute(world, type).catch(errorCode)
    expect(code).toBe(never ? 'INVALID' : null)
    await tell(world, [CY], type)
    expect(await world.noticesOf('cy')).toHaveLength(never ? 1 : 0)
  })
})

onEachEngine('a notice with a key', (open) => {
  it('is dropped while an earlier one is unread, for that person only', async () => {
    const world = await createWorld(await open())
    await tell(world, [CY], 'runtime_status', 'k')
    await tell(world, [CY, 'test|Bo'], 'runtime_status', 'k')
    expect(await rowsOf(world)).toHaveLength(1)
    expect(await rowsOf(world, 'test|Bo')).toHaveLength(1)
    await read(
      world,
      (await rowsOf(world)).map(({ _id }) => _id),
    )
    await tell(world, [CY], 'runtime_status', 'k')
    expect(await rowsOf(world)).toHaveLength(2)
  })
})

const scheduled = (world: World) =>
  world.backend.run(async (ctx) => (await ctx.db.system.query('_scheduled_functions').collect()).length)
