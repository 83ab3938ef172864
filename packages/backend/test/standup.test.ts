/** The daily summary: whose day it is, what is in it, and that each day has one. */
import { errorCode } from '@mission-control/shared/errors'
import type { TaskStatus } from '@mission-control/shared/enums'
import { describe, expect, it } from 'vitest'
import { api, internal } from '../convex/_generated/api.js'
import type { Id } from '../convex/_generated/dataModel.js'
import { addDays, checkDate, localDays } from '../convex/lib/localDays.js'
import { START } from './harness/backend.ts'
import { onEachEngine } from './harness/engines.ts'
import type { World } from './harness/world.ts'
import { createWorld } from './harness/world.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
/** The last turns of a day must have ended before it is summed up. */
const LATE_MS = 15 * 60_000

/** The cron's first run after now that may write the day. */
const cron = async (world: World) => {
  await world.backend.advance(LATE_MS)
  await world.backend.mutation(internal.standup.writeAll, {})
  await world.backend.finishScheduled()
}
const latest = (world: World) => world.ada.query(api.standup.latest, { accountId: world.accountId })
const byDate = (world: World, date: string) => world.ada.query(api.standup.byDate, { accountId: world.accountId, date })
const dates = async (world: World) => {
  const paginationOpts = { numItems: 50, cursor: null }
  return (await world.ada.query(api.standup.list, { accountId: world.accountId, paginationOpts })).page.map(({ date }) => date)
}
const setZone = (world: World, timeZone: string) => world.backend.run((ctx) => ctx.db.patch(world.accountId, { timeZone }))
const create = (world: World, title: string) => world.ada.mutation(api.tasks.create, { accountId: world.accountId, title })

/** Moves a task along to this state, by way of Cy. */
async function bring(world: World, taskId: Id<'tasks'>, to: Exclude<TaskStatus, 'inbox' | 'archived'>): Promise<void> {
  const { accountId, ada } = world
  const way = { assigned: [], in_progress: ['in_progress'], review: ['in_progress', 'review'], blocked: ['blocked'] } as const
  const steps = to === 'done' ? ([...way.review, 'done'] as const) : way[to]
  await ada.mutation(api.tasks.assign, { accountId, taskId, assignees: [{ type: 'user', id: 'test|Cy' }] })
  for (const status of steps) await ada.mutation(api.tasks.updateStatus, { accountId, taskId, status, reason: 'No key.' })
}

const addUsage = (world: World, start: number, turns: number) =>
  world.backend.run((ctx) =>
    ctx.db.insert('usage', {
      ...{ accountId: world.accountId, agentId: null, period: 'hour', start, turns },
      ...{ inputTokens: turns * 100, outputTokens: turns, microUsd: turns * 7, reached: [] },
    }),
  )

onEachEngine('a standup', (open) => {
  it('has what was done in the day, and how the rest stands', async () => {
    const world = await createWorld(await open())
    const ids = {
      done: world.taskId,
      progress: await create(world, 'B'),
      blocked: await create(world, 'C'),
      review: await create(world, 'D'),
    }
    await bring(world, ids.done, 'done')
    await bring(world, ids.progress, 'in_progress')
    await bring(world, ids.blocked, 'blocked')
    await bring(world, ids.review, 'review')
    await create(world, 'In the inbox')
    await addUsage(world, START, 3)
    await addUsage(world, START + 23 * HOUR_MS, 4)
    await addUsage(world, START + DAY_MS, 100)
    await world.post('@engineer this will die')
    await world.fail(await world.claimOne(), { class: 'terminal' })
    expect(await latest(world)).toBeNull()
    await world.backend.advance(DAY_MS)
    // What happens on the new day is not in it.
    await bring(world, await create(world, 'Done today'), 'done')
    await cron(world)
    const line = (id: Id<'tasks'>, title: string, detail: string | null = null) => ({ id, title, detail })
    expect(await latest(world)).toMatchObject({
      ...{ date: '2030-01-01', timeZone: 'UTC', from: START, until: START + DAY_MS },
      done: { count: 1, exact: true, first: [line(ids.done, 'Ship it')] },
      inProgress: { count: 1, exact: true, first: [line(ids.progress, 'B')] },
      blocked: { count: 1, exact: true, first: [line(ids.blocked, 'C', 'No key.')] },
      inReview: { count: 1, exact: true, first: [line(ids.review, 'D')] },
      // The turn that failed counts too.
      ...{ deadLetters: 1, turns: 8, tokens: 707, microUsd: 49 },
    })
    const activity = await world.backend.run((ctx) =>
      ctx.db
        .query('activities')
        .withIndex('by_account_type', (q) => q.eq('accountId', world.accountId).eq('type', 'standup_written'))
        .collect(),
    )
    const detail = '1 done, 1 in progress, 1 blocked, 1 in review'
    expect(activity).toMatchObject([{ actorType: 'system', targetName: '2030-01-01', detail }])
  })

  it('is written once per day, however often the cron runs', async () => {
    const world = await createWorld(await open())
    await cron(world)
    expect(await dates(world)).toEqual([])
    await world.backend.advance(DAY_MS)
    await cron(world)
    const first = await latest(world)
    await world.backend.advance(HOUR_MS)
    await bring(world, world.taskId, 'in_progress')
    for (let n = 0; n < 3; n++) await cron(world)
    expect(await latest(world)).toEqual(first)
    expect(await dates(world)).toEqual(['2030-01-01'])
    await world.backend.advance(DAY_MS)
    await cron(world)
    expect(await dates(world)).toEqual(['2030-01-02', '2030-01-01'])
  })

  it('ends when the day ends where the account is', async () => {
    const world = await createWorld(await open())
    await setZone(world, 'America/Los_Angeles')
    // Midnight there is at 08:00 in UTC, and the first day of the account is still in 2029.
    await world.backend.advance(8 * HOUR_MS - 1)
    await cron(world)
    expect(await latest(world)).toBeNull()
    await world.backend.advance(1)
    await world.backend.mutation(internal.standup.writeAll, {})
    await world.backend.finishScheduled()
    expect(await latest(world)).toMatchObject({ date: '2029-12-31', until: START + 8 * HOUR_MS })
  })

  it('counts what is done at the last millisecond, and not at the first of the next day', async () => {
    const world = await createWorld(await open())
    const [late, later] = [await create(world, 'Late'), await create(world, 'Later')]
    await world.backend.advance(DAY_MS - 1)
    await bring(world, late, 'done')
    await world.backend.advance(1)
    await bring(world, later, 'done')
    await cron(world)
    expect((await latest(world))?.done.first.map(({ id }) => id)).toEqual([late])
    await world.backend.advance(DAY_MS)
    await cron(world)
    expect((await latest(world))?.done.first.map(({ id }) => id)).toEqual([later])
  })

  it('is written later for days on which nothing ran, but for no more than seven', async () => {
    const world = await createWorld(await open())
    await world.backend.advance(DAY_MS)
    await cron(world)
    await world.backend.advance(3 * DAY_MS)
    await cron(world)
    expect(await dates(world)).toEqual(['2030-01-04', '2030-01-03', '2030-01-02', '2030-01-01'])
    await world.backend.advance(30 * DAY_MS)
    await cron(world)
    const written = await dates(world)
    expect(written).toHaveLength(4 + 7)
    expect(written.slice(0, 8)).toEqual([
      ...['2030-02-03', '2030-02-02', '2030-02-01', '2030-01-31', '2030-01-30', '2030-01-29', '2030-01-28'],
      '2030-01-04',
    ])
  })

  it.each([
    ['west', 'UTC', 'America/Los_Angeles'],
    ['east', 'America/Los_Angeles', 'Pacific/Kiritimati'],
  ])('loses no hour when the account moves %s', async (_where, before, after) => {
    const world = await createWorld(await open())
    await setZone(world, before)
    await world.backend.advance(2 * DAY_MS)
    await cron(world)
    await setZone(world, after)
    for (let n = 0; n < 3; n++) {
      await world.backend.advance(DAY_MS)
      await cron(world)
    }
    const paginationOpts = { numItems: 50, cursor: null }
    const rows = (await world.ada.query(api.standup.list, { accountId: world.accountId, paginationOpts })).page.reverse()
    expect(rows.length).toBeGreaterThan(3)
    for (const [n, row] of rows.entries()) {
      expect(row.until).toBeGreaterThan(row.from)
      if (n > 0) expect(row.from).toBe(rows[n - 1]?.until)
    }
  })

  it('names the first of many, and counts the rest', async () => {
    const world = await createWorld(await open())
    for (let n = 0; n < 25; n++) await bring(world, await create(world, `Done ${n}`), 'done')
    await world.backend.advance(DAY_MS)
    await cron(world)
    const row = await latest(world)
    expect(row?.done).toMatchObject({ count: 25, exact: true })
    expect(row?.done.first).toHaveLength(20)
  })

  it('says so when it cannot count them all', async () => {
    const world = await createWorld(await open())
    await world.backend.run(async (ctx) => {
      const base = await ctx.db.get(world.taskId)
      if (!base) throw new Error('The scene is not set.')
      const { _id, _creationTime, ...row } = base
      for (let n = 0; n < 501; n++) await ctx.db.insert('tasks', { ...row, status: 'done', statusChangedAt: START + n })
    })
    await world.backend.advance(DAY_MS)
    await cron(world)
    expect((await latest(world))?.done).toMatchObject({ count: 500, exact: false })
  })

  it('is written for every account, and none that is being deleted', async () => {
    const world = await createWorld(await open())
    const other = { ...world.backend, as: (name: string) => world.backend.as(`other-${name}`) }
    const leaving = await createWorld(other, { account: 'Leaving' })
    await world.backend.run((ctx) => ctx.db.patch(leaving.accountId, { deletingAt: START }))
    await world.backend.advance(DAY_MS)
    await cron(world)
    const rows = await world.backend.run((ctx) => ctx.db.query('standups').collect())
    expect(rows.map(({ accountId }) => accountId)).toEqual([world.accountId])
  })

  it('is found by its date, and a date that is none is refused', async () => {
    const world = await createWorld(await open())
    await world.backend.advance(DAY_MS)
    await cron(world)
    expect((await byDate(world, '2030-01-01'))?.date).toBe('2030-01-01')
    expect(await byDate(world, '2030-01-02')).toBeNull()
    for (const date of ['yesterday', '2030-1-1', '2030-02-30', '2030-13-01', '']) {
      await expect(byDate(world, date).catch(errorCode)).resolves.toBe('INVALID')
    }
  })
})

describe('days of a time zone', () => {
  const hours = (zone: string, date: string) => {
    const { startOf } = localDays(zone)
    return (startOf(addDays(date, 1)) - startOf(date)) / HOUR_MS
  }

  it.each([
    ['UTC', '2026-03-29', 24],
    ['Europe/Paris', '2026-03-28', 24],
    ['Europe/Paris', '2026-03-29', 23],
    ['Europe/Paris', '2026-10-25', 25],
    ['America/New_York', '2026-03-08', 23],
    ['America/New_York', '2026-11-01', 25],
    // Clocks change at midnight itself: the day begins at 01:00.
    ['Africa/Cairo', '2026-04-24', 23],
    ['America/Havana', '2026-11-01', 25],
    // By half an hour.
    ['Australia/Lord_Howe', '2026-04-05', 24.5],
    ['Australia/Lord_Howe', '2026-10-04', 23.5],
  ])('%s has on %s a day of %d hours', (zone, date, length) => {
    expect(hours(zone, date)).toBe(length)
  })

  it.each([
    'UTC',
    'Asia/Kolkata',
    'Asia/Kathmandu',
    'Pacific/Kiritimati',
    'Pacific/Pago_Pago',
    'America/St_Johns',
    'Europe/London',
  ])('%s shows one date from the first to the last millisecond of every day of a year', (zone) => {
    const { dateAt, startOf } = localDays(zone)
    for (let date = '2026-01-01'; date < '2027-01-01'; date = addDays(date, 1)) {
      const [start, end] = [startOf(date), startOf(addDays(date, 1))]
      expect([dateAt(start - 1), dateAt(start), dateAt(end - 1)]).toEqual([addDays(date, -1), date, date])
    }
  })

  it('knows where midnight is', () => {
    expect(localDays('Asia/Kolkata').startOf('2026-01-02')).toBe(Date.UTC(2026, 0, 1, 18, 30))
    expect(localDays('America/Los_Angeles').startOf('2026-07-01')).toBe(Date.UTC(2026, 6, 1, 7))
    expect(addDays('2028-02-28', 1)).toBe('2028-02-29')
    expect(addDays('2026-01-01', -1)).toBe('2025-12-31')
  })

  it('refuses what is no time zone and no date', () => {
    for (const zone of ['', 'Mars/Olympus', 'Europe/Paris; DROP']) expect(() => localDays(zone)).toThrow(/IANA/)
    for (const date of ['2026-02-29', '26-01-01', '2026-01-01T00:00']) expect(() => checkDate(date)).toThrow(/YYYY-MM-DD/)
  })
})
