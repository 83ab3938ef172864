/** Retention: what is old goes, batch by batch, what is young stays, and a run without work costs nothing. */
import { errorCode } from '@mission-control/shared/errors'
import { NO_USAGE } from '@mission-control/shared/budgets'
import { expect, it } from 'vitest'
import { api, internal } from '../convex/_generated/api.js'
import type { Doc, Id, TableNames } from '../convex/_generated/dataModel.js'
import type { MutationCtx } from '../convex/_generated/server.js'
import { keepReply } from '../convex/model/runs.js'
import { hashToken } from '../convex/lib/tokens.js'
import { START } from './harness/backend.ts'
import { buildFunctions, openEmbedded } from './harness/embedded.ts'
import { upload } from './harness/files.ts'
import { onEachEngine } from './harness/engines.ts'
import type { World } from './harness/world.ts'
import { createWorld } from './harness/world.ts'

const DAY = 86_400_000
/** One run of the cron with all batches it leads to. */
async function retain(world: World): Promise<void> {
  await world.backend.mutation(internal.maintenance.retainAll, {})
  await world.backend.finishScheduled()
}
const count = (world: World, table: TableNames) => world.backend.run(async (ctx) => (await ctx.db.query(table).collect()).length)
const retention = (world: World, over: Partial<Doc<'accounts'>['retention']>, who = world.bo) =>
  who.mutation(api.accounts.setRetention, {
    accountId: world.accountId,
    retention: { deliveriesDays: 30, activitiesDays: 365, notificationsDays: 90, ...over },
  })
const activity = (ctx: MutationCtx, world: World, targetName: string) =>
  ctx.db.insert('activities', {
    ...{ accountId: world.accountId, type: 'task_updated', actorType: 'system', actorId: 'x', actorName: 'x' },
    ...{ targetId: 'x', targetName, taskId: null, detail: null },
  })
const notification = (ctx: MutationCtx, world: World, userId: string, readAt: number | null) =>
  ctx.db.insert('notifications', {
    ...{ accountId: world.accountId, userId, type: 'mention', title: 'Look', taskId: null, messageId: null, deliveryId: null },
    ...{ key: null, readAt, counted: true },
  })

onEachEngine('retention', (open) => {
  it('goes on for as many batches as it takes, and never touches a young row', async () => {
    const world = await createWorld(await open())
    for (let n = 0; n < 1_300; n += 100) {
      await world.backend.run(async (ctx) => {
        for (let m = 0; m < 100; m++) await activity(ctx, world, 'old')
      })
    }
    await world.backend.advance(2 * DAY)
    await world.backend.run((ctx) => activity(ctx, world, 'young'))
    await world.backend.advance(365 * DAY - DAY)
    const before = await count(world, 'activities')
    expect(before).toBeGreaterThan(1_300)
    await world.backend.mutation(internal.maintenance.retain, { accountId: world.accountId })
    expect(before - (await count(world, 'activities'))).toBeLessThanOrEqual(500)
    await world.backend.finishScheduled()
    const left = await world.backend.run((ctx) => ctx.db.query('activities').collect())
    expect(left.map(({ targetName }) => targetName)).toEqual(['young'])
  })

  it('deletes a delivery with its attempts, kept text and effects, however many, and no other', async () => {
    const world = await createWorld(await open())
    await world.post('@engineer old')
    const item = await world.claimOne()
    await world.settle(item, null)
    const id = item.id as Id<'deliveries'>
    await world.backend.run(async (ctx) => {
      const row = await ctx.db.get(id)
      if (!row) throw new Error('gone')
      for (let n = 0; n < 9; n++) await keepReply(ctx, row, 'x'.repeat(300_000))
      for (let n = 0; n < 120; n++) {
        const effect = { key: `k${n}`, n: 0, pass: '', callId: '', tool: 'task_create', summary: '', result: '{}' }
        await ctx.db.insert('effects', { accountId: world.accountId, deliveryId: id, ...effect })
      }
    })
    await world.backend.advance(29 * DAY)
    await retain(world)
    expect([await count(world, 'deliveries'), await count(world, 'replyParts')]).toEqual([1, 18])
    await world.backend.advance(DAY)
    await world.post('@engineer young')
    await world.backend.advance(1)
    await retain(world)
    const left = await Promise.all(
      (['deliveries', 'agentRuns', 'replyParts', 'effects'] as const).map((table) => count(world, table)),
    )
    expect(left).toEqual([1, 0, 0, 0])
  })

  it('deletes old notifications, read or not, and keeps the counts of unread ones right', async () => {
    const world = await createWorld(await open())
    const { accountId } = world
    await world.backend.run(async (ctx) => {
      for (let n = 0; n < 700; n++) await notification(ctx, world, 'test|Cy', n % 2 ? 5 : null)
      await ctx.db.insert('inboxes', { accountId, userId: 'test|Cy', unread: 350 })
    })
    await world.backend.advance(91 * DAY)
    await world.post('@cy young')
    await world.backend.finishScheduled()
    expect(await world.cy.query(api.notifications.unreadCount, { accountId })).toBe(351)
    await retain(world)
    expect((await world.noticesOf('cy')).map(({ title }) => title)).toEqual(['Ada mentioned you in "Ship it"'])
    expect(await world.cy.query(api.notifications.unreadCount, { accountId })).toBe(1)
  })

  it('deletes usage after 400 days and standups after two years', async () => {
    const world = await createWorld(await open())
    const { accountId } = world
    const lines = { count: 0, exact: true, first: [] }
    const keep = async (at: number) =>
      await world.backend.run(async (ctx) => {
        await ctx.db.insert('usage', { accountId, agentId: null, period: 'day', start: at, ...NO_USAGE, reached: [] })
        await ctx.db.insert('standups', {
          ...{ accountId, date: new Date(at).toISOString().slice(0, 10), timeZone: 'UTC', from: at, until: at + DAY },
          ...{
            done: lines,
            inProgress: lines,
            blocked: lines,
            inReview: lines,
            deadLetters: 0,
            turns: 0,
            tokens: 0,
            microUsd: 0,
          },
        })
      })
    await keep(START)
    await keep(START + DAY)
    await world.backend.advance(401 * DAY - 1)
    await retain(world)
    expect([await count(world, 'usage'), await count(world, 'standups')]).toEqual([1, 2])
    await world.backend.advance(331 * DAY)
    await retain(world)
    expect([await count(world, 'usage'), await count(world, 'standups')]).toEqual([0, 1])
  })

  it('forgets tokens and invitations 90 days after they ended, and none that is valid', async () => {
    const world = await createWorld(await open())
    const { accountId } = world
    const old = await world.ada.action(api.serviceTokens.create, { accountId, name: 'old', expiresInDays: 1 })
    await world.backend.mutation(api.service.runtime.hello, {
      ...{ accountId, serviceToken: old.token, instanceId: 'box-1', boot: 'boot-1', announcedIntervalMs: 60_000 },
      ...{ versions: { runtime: '1', openclaw: null }, infrastructure: { dropletId: null, ip: null, region: null } },
    })
    await world.backend.run(async (ctx) => {
      for (const [state, endedAt] of [
        ['revoked', START],
        ['accepted', START + 5 * DAY],
        ['pending', null],
      ] as const) {
        await ctx.db.insert('invitations', {
          ...{ accountId, email: 'a@b.c', emailKey: 'a@b.c', role: 'member', ...hashToken(state), state, endedAt },
          ...{ expiresAt: START + 7 * DAY, invitedBy: 'x', answeredBy: null },
        })
      }
    })
    await world.backend.advance(DAY)
    await world.backend.advance(90 * DAY - 1)
    await retain(world)
    expect((await world.ada.query(api.serviceTokens.list, { accountId })).map(({ name }) => name).sort()).toEqual(['box', 'old'])
    expect(await count(world, 'invitations')).toBe(2)
    await world.backend.advance(2)
    await retain(world)
    expect((await world.ada.query(api.serviceTokens.list, { accountId })).map(({ name }) => name)).toEqual(['box'])
    expect(await world.backend.query(api.service.notifications.ready, world.service)).toEqual([])
    await world.backend.advance(5 * DAY)
    await retain(world)
    const left = await world.backend.run((ctx) => ctx.db.query('invitations').collect())
    expect(left.map(({ state }) => state)).toEqual(['pending'])
  })

  it('forgets installations that are gone for as long, not one that was seen lately', async () => {
    const world = await createWorld(await open())
    const { accountId } = world
    const gone = async (instanceId: string, lastSeenAt: number) =>
      await world.backend.run(async (ctx) => {
        const { _id, _creationTime, ...row } = (await ctx.db.query('runtimes').first()) ?? expect.fail('no runtime')
        expect([typeof _id, typeof _creationTime]).toEqual(['string', 'number'])
        await ctx.db.insert('runtimes', { ...row, accountId, instanceId, role: 'gone', lastSeenAt })
      })
    await gone('old', START)
    await gone('young', START + 2 * DAY)
    await world.backend.advance(31 * DAY)
    await retain(world)
    const left = await world.backend.run((ctx) => ctx.db.query('runtimes').collect())
    expect(left.map(({ instanceId }) => instanceId).sort()).toEqual(['box-1', 'young'])
  })

  it('removes a file that was uploaded and never sent a day later, and none that was sent', async () => {
    const world = await createWorld(await open())
    const { accountId, taskId } = world
    const register = async (name: string) => {
      const storageId = await upload(world.backend, `content of ${name}`)
      return await world.cy.action(api.attachments.register, { accountId, taskId, storageId, name })
    }
    const sent = await register('sent.txt')
    await world.cy.mutation(api.messages.post, { accountId, taskId, content: 'see', attachmentIds: [sent] })
    await register('forgotten.txt')
    await world.backend.advance(DAY)
    await register('young.txt')
    await world.backend.advance(1)
    await retain(world)
    const left = await world.backend.run(async (ctx) => ({
      names: (await ctx.db.query('attachments').collect()).map(({ name }) => name),
      files: (await ctx.db.system.query('_storage').collect()).length,
    }))
    expect(left).toEqual({ names: ['sent.txt', 'young.txt'], files: 2 })
  })

  it('leaves an account that is being deleted to its deletion', async () => {
    const world = await createWorld(await open())
    await world.backend.run((ctx) => ctx.db.patch(world.accountId, { deletingAt: 1 }))
    await world.backend.advance(400 * DAY)
    const before = await count(world, 'activities')
    await retain(world)
    expect(await count(world, 'activities')).toBe(before)
  })
})

onEachEngine('how long things are kept', (open) => {
  it('is set per account, holds for that account only, and is written down', async () => {
    const world = await createWorld(await open())
    await retention(world, { deliveriesDays: 2, notificationsDays: 1 })
    await retention(world, { deliveriesDays: 2, notificationsDays: 1 })
    await world.post('@engineer and @cy')
    await world.settle(await world.claimOne(), null)
    const other = await world.backend.as('Zoe').mutation(api.accounts.create, { name: 'Other' })
    await world.backend.run((ctx) => notification(ctx, { ...world, accountId: other }, 'test|Zoe', null))
    await world.backend.advance(2 * DAY + 1)
    await retain(world)
    expect([await count(world, 'deliveries'), await count(world, 'agentRuns')]).toEqual([0, 0])
    expect(await world.noticesOf('cy')).toEqual([])
    expect(await count(world, 'notifications')).toBe(1)
    const page = await world.ada.query(api.activities.list, {
      ...{ accountId: world.accountId, paginationOpts: { numItems: 50, cursor: null } },
    })
    expect(page.page.filter(({ type }) => type === 'account_updated')).toMatchObject([
      { actor: { name: 'Bo' }, detail: 'retention: deliveriesDays 30 -> 2, notificationsDays 90 -> 1' },
    ])
  })

  it.each([{ deliveriesDays: 0 }, { activitiesDays: 29 }, { notificationsDays: 3_651 }, { deliveriesDays: 1.5 }])(
    'refuses %o',
    async (over) => {
      const world = await createWorld(await open())
      await expect(retention(world, over).catch(errorCode)).resolves.toBe('INVALID')
    },
  )
})

it('a run without work reads as many documents however many young rows there are', async () => {
  const backend = await openEmbedded(await buildFunctions())
  try {
    const world = await createWorld(backend)
    const read = async () =>
      (await backend.engine.trace(internal.maintenance.retain, { accountId: world.accountId })).documentsRead
    await world.post('@engineer go')
    await world.settle(await world.claimOne(), 'ok')
    await backend.finishScheduled()
    const few = await read()
    for (let n = 0; n < 60; n++) {
      await world.post('@engineer and @cy go')
      await world.settle(await world.claimOne(), 'ok')
    }
    await backend.run(async (ctx) => {
      for (let n = 0; n < 1_000; n++) await activity(ctx, world, 'young')
      for (let n = 0; n < 1_000; n++) await notification(ctx, world, 'test|Cy', null)
    })
    await backend.finishScheduled()
    expect(await read()).toBe(few)
  } finally {
    await backend.close()
  }
})
