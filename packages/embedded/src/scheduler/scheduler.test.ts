/* eslint-disable @typescript-eslint/no-explicit-any -- documents without a data model */
import {
  actionGeneric,
  cronJobs,
  internalActionGeneric,
  internalMutationGeneric,
  makeFunctionReference,
  mutationGeneric,
  queryGeneric,
} from 'convex/server'
import { v } from 'convex/values'
import { describe, expect, it, vi } from 'vitest'
import { createTestClock, inMemory, onDisk, temporaryFolder } from '../../test/fixtures/backend.ts'
import { schema } from '../../test/fixtures/functions.ts'
import { firstRun, nextRun, type Schedule } from './cron-schedule.ts'
import { jobsIn } from './jobs.ts'
import { CRONS } from '../storage/catalog.ts'

const ref = (name: string) => makeFunctionReference<any>(name)
let hold: Promise<void> | undefined
const s = {
  note: internalMutationGeneric({
    args: { k: v.any() },
    handler: async (ctx, { k }) => void (await ctx.db.insert('anything', { k })),
  }),
  noteAction: internalActionGeneric({
    args: { k: v.any() },
    handler: async (ctx, { k }) => {
      await ctx.runMutation(ref('s:note'), { k })
      if (hold) await hold
    },
  }),
  failing: internalMutationGeneric({
    args: {},
    handler: async (ctx) => {
      await ctx.db.insert('anything', { k: 'never' })
      throw new Error('no')
    },
  }),
  chain: internalMutationGeneric({
    args: { left: v.number() },
    handler: async (ctx, { left }) => {
      await ctx.db.insert('anything', { k: left })
      if (left > 0) await ctx.scheduler.runAfter(1_000, ref('s:chain'), { left: left - 1 })
    },
  }),
  schedule: mutationGeneric({
    args: { fn: v.string(), args: v.any(), afterMs: v.number(), fail: v.optional(v.boolean()) },
    handler: async (ctx, { fn, args, afterMs, fail }) => {
      const id = await ctx.scheduler.runAfter(afterMs, ref(fn), args)
      if (fail) throw new Error('scheduled, then failed')
      return id
    },
  }),
  scheduleFromAction: actionGeneric({
    args: {},
    handler: (ctx) => ctx.scheduler.runAfter(0, ref('s:note'), { k: 'from action' }),
  }),
  cancel: mutationGeneric({ args: { id: v.id('_scheduled_functions') }, handler: (ctx, { id }) => ctx.scheduler.cancel(id) }),
  job: queryGeneric({ args: { id: v.id('_scheduled_functions') }, handler: (ctx, { id }) => ctx.db.system.get(id) }),
  notes: queryGeneric({ args: {}, handler: async (ctx) => (await ctx.db.query('anything').collect()).map((row) => row.k) }),
}
const functions = { schema, modules: { s } }
const later = (fn: string, args: object, afterMs: number) => ({ fn, args, afterMs })

describe('scheduled functions', () => {
  it('run when due, in order, and keep their state', async () => {
    const backend = await inMemory({ functions })
    const second = await backend.mutation('s:schedule', later('s:note', { k: 2 }, 2_000))
    const first = await backend.mutation('s:schedule', later('s:noteAction', { k: 1 }, 1_000))
    const failed = await backend.mutation('s:schedule', later('s:failing', {}, 3_000))
    expect(await backend.finishScheduled()).toBe(0)
    expect(await backend.finishScheduled({ advance: true })).toBe(3)
    expect(await backend.query('s:notes', {})).toEqual([1, 2])
    const states = await Promise.all(
      [first, second, failed].map(async (id) => ((await backend.query('s:job', { id })) as any).state),
    )
    expect(states).toEqual([{ kind: 'success' }, { kind: 'success' }, { kind: 'failed', error: 'Uncaught Error: no' }])
  })

  it('a failed mutation schedules nothing', async () => {
    const backend = await inMemory({ functions })
    await expect(backend.mutation('s:schedule', { ...later('s:note', { k: 1 }, 0), fail: true })).rejects.toThrow('then failed')
    expect(await backend.finishScheduled({ advance: true })).toBe(0)
  })

  it('run what scheduled functions schedule, on a test clock', async () => {
    const { clock, advance } = createTestClock()
    const backend = await inMemory({ functions, clock, autoSchedule: false })
    await backend.mutation('s:schedule', later('s:chain', { left: 2 }, 500))
    expect(await backend.finishScheduled({ advance: (toMs) => advance(toMs - clock.now()) })).toBe(3)
    expect(await backend.query('s:notes', {})).toEqual([2, 1, 0])
    expect(clock.now()).toBe(1_800_000_002_500)
  })

  it('the loop follows the given clock', async () => {
    const { clock, advance } = createTestClock()
    const backend = await inMemory({ functions, clock })
    await backend.mutation('s:schedule', later('s:note', { k: 1 }, 90_000))
    await advance(60_000) // the longest sleep of the loop
    expect(await backend.query('s:notes', {})).toEqual([])
    await advance(29_999)
    expect(await backend.query('s:notes', {})).toEqual([])
    await advance(1)
    await vi.waitFor(async () => expect(await backend.query('s:notes', {})).toEqual([1]))
  })

  it('goes on after the database refused its housekeeping once', async () => {
    const { clock, advance } = createTestClock()
    let refusals = 0
    const backend = await inMemory({
      functions,
      clock,
      wrapConnection: (connection) => ({
        ...connection,
        exec(sql) {
          if (refusals > 0 && sql === 'COMMIT') {
            refusals -= 1
            throw Object.assign(new Error('database or disk is full'), { code: 'ERR_SQLITE_ERROR' })
          }
          return connection.exec(sql)
        },
      }),
    })
    await backend.mutation('s:schedule', later('s:note', { k: 1 }, 7_000_000))
    refusals = 1
    await advance(3_500_000) // soon the hourly clean-up is due, and nothing else
    await vi.waitFor(async () => {
      await advance(60_000)
      expect(refusals).toBe(0)
    })
    await vi.waitFor(async () => {
      await advance(500_000)
      expect(await backend.query('s:notes', {})).toEqual([1])
    })
  })

  it('cancel pending ones; what has ended stays as it is', async () => {
    const backend = await inMemory({ functions })
    const id = await backend.mutation('s:schedule', later('s:note', { k: 1 }, 1_000))
    const done = await backend.mutation('s:schedule', later('s:note', { k: 2 }, 0))
    await backend.finishScheduled()
    await backend.mutation('s:cancel', { id })
    await backend.mutation('s:cancel', { id: done })
    expect(await backend.finishScheduled({ advance: true })).toBe(0)
    expect(await backend.query('s:job', { id })).toMatchObject({ state: { kind: 'canceled' } })
    expect(await backend.query('s:job', { id: done })).toMatchObject({ state: { kind: 'success' } })
    expect(await backend.query('s:notes', {})).toEqual([2])
  })

  it('a cancel that commits after the job was found but before it ran wins', async () => {
    const backend = await inMemory({ functions })
    const id = await backend.mutation('s:schedule', later('s:note', { k: 1 }, 0))
    await Promise.all([backend.finishScheduled(), backend.mutation('s:cancel', { id } as any)])
    expect(await backend.query('s:job', { id })).toMatchObject({ state: { kind: 'canceled' } })
    expect(await backend.query('s:notes', {})).toEqual([])
  })

  it('actions schedule too, queries cannot be scheduled', async () => {
    const backend = await inMemory({ functions })
    await backend.action('s:scheduleFromAction', {})
    await backend.finishScheduled()
    expect(await backend.query('s:notes', {})).toEqual(['from action'])
    await expect(backend.mutation('s:schedule', later('s:notes', {}, 0))).rejects.toThrow('defined as Query')
    await expect(backend.mutation('s:schedule', later('s:gone', {}, 0))).rejects.toThrow('Could not find')
  })

  it('survive a restart: mutations run once, an action that was running is not repeated', async () => {
    const dataDir = await temporaryFolder()
    const first = await onDisk({ functions, dataDir, autoSchedule: false })
    await first.mutation('s:schedule', later('s:note', { k: 'mutation' }, 0))
    const id = await first.mutation('s:schedule', later('s:noteAction', { k: 'action' }, 0))
    const release = Promise.withResolvers<void>()
    hold = release.promise
    const finishing = first.finishScheduled().catch(() => {})
    await vi.waitFor(async () => expect(await first.query('s:notes', {})).toEqual(['mutation', 'action']))
    await first.close() // the action is still running: as good as a crash for its job
    hold = undefined
    const second = await onDisk({ functions, dataDir, autoSchedule: false })
    expect(await second.finishScheduled({ advance: true })).toBe(0)
    expect(await second.query('s:notes', {})).toEqual(['mutation', 'action'])
    expect(await second.query('s:job', { id })).toMatchObject({ state: { kind: 'failed' } })
    release.resolve()
    await finishing
  })
})

describe('crons', () => {
  const withCrons = (build: (crons: ReturnType<typeof cronJobs>) => void) => {
    const crons = cronJobs()
    build(crons)
    return { ...functions, crons: crons as any }
  }

  it('run at their times, skip what was missed, and remember across a restart', async () => {
    const { clock, advance } = createTestClock()
    const dataDir = await temporaryFolder()
    const cronFunctions = withCrons((crons) => crons.interval('beat', { minutes: 1 }, ref('s:note'), { k: 'beat' }))
    const first = await onDisk({ functions: cronFunctions, dataDir, clock })
    const notes = async (backend: typeof first) => ((await backend.query('s:notes', {})) as unknown[]).length
    await vi.waitFor(async () => expect(await notes(first)).toBe(1)) // an interval starts at once
    await vi.waitFor(async () => {
      await advance(10_000)
      expect(await notes(first)).toBe(2)
    })
    await first.close()
    await advance(3_600_000)
    const second = await onDisk({ functions: cronFunctions, dataDir, clock })
    await vi.waitFor(async () => expect(await notes(second)).toBe(3)) // one run catches up for the sixty that were missed
    await advance(1_000)
    expect(await notes(second)).toBe(3)
  })

  it('do not overlap themselves', async () => {
    const { clock, advance } = createTestClock()
    const release = Promise.withResolvers<void>()
    hold = release.promise
    const cronFunctions = withCrons((crons) => crons.interval('slow', { seconds: 10 }, ref('s:noteAction'), { k: 'slow' }))
    const backend = await inMemory({ functions: cronFunctions, clock })
    await vi.waitFor(async () => expect(await backend.query('s:notes', {})).toHaveLength(1))
    for (let i = 0; i < 5; i++) await advance(10_000)
    expect(await backend.query('s:notes', {})).toHaveLength(1)
    hold = undefined
    release.resolve()
    await vi.waitFor(async () => {
      await advance(10_000)
      expect(await backend.query('s:notes', {})).toHaveLength(2)
    })
  })

  it('disappear with their definition', async () => {
    const dataDir = await temporaryFolder()
    const one = await onDisk({
      functions: withCrons((crons) => crons.hourly('h', { minuteUTC: 5 }, ref('s:note'), { k: 1 })),
      dataDir,
      autoSchedule: false,
    })
    await one.runCron('h')
    expect(await one.query('s:notes', {})).toEqual([1])
    await one.close()
    const two = await onDisk({ functions, dataDir, autoSchedule: false })
    await expect(two.runCron('h')).rejects.toThrow('no pending cron')
  })

  const at = (text: string) => Date.parse(`${text}Z`)
  it.each<[string, Schedule, string, string]>([
    ['interval', { type: 'interval', minutes: 5 }, '2026-01-01T10:02:00', '2026-01-01T10:05:00'],
    ['hourly', { type: 'hourly', minuteUTC: 15 }, '2026-01-01T10:15:00', '2026-01-01T11:15:00'],
    ['daily', { type: 'daily', hourUTC: 3, minuteUTC: 30 }, '2026-01-01T10:00:00', '2026-01-02T03:30:00'],
    ['weekly', { type: 'weekly', dayOfWeek: 'monday', hourUTC: 9, minuteUTC: 0 }, '2026-01-01T10:00:00', '2026-01-05T09:00:00'],
    ['monthly', { type: 'monthly', day: 31, hourUTC: 0, minuteUTC: 0 }, '2026-02-01T00:00:00', '2026-03-31T00:00:00'],
    ['cron', { type: 'cron', cron: '*/20 8 * * *' }, '2026-01-01T08:20:00', '2026-01-01T08:40:00'],
  ])('%s: the next time is after now, in UTC', (_name, schedule, now, expected) => {
    expect(new Date(nextRun('x', schedule, at('2026-01-01T10:00:00'), at(now))).toISOString()).toBe(`${expected}.000Z`)
  })

  it.each([
    ['* * * * * *', 'five fields'],
    ['@daily', 'five fields'],
    ['0 12 * * 7', 'Sunday is 0'],
    ['0 25 * * *', 'The cron "x" cannot have the schedule'],
    ['junk is not a cron', 'The cron "x" cannot have the schedule'],
  ])('"%s" is no schedule', (cron, message) => {
    expect(() => nextRun('x', { type: 'cron', cron }, 0, 0)).toThrow(message)
  })

  it.each(['s:gone', 's:notes', 'gone:note'])('%s cannot be run by one', async (name) => {
    const crons = withCrons((build) => build.interval('beat', { minutes: 1 }, ref(name), {}))
    await expect(inMemory({ functions: crons })).rejects.toThrow(`The cron "beat" runs "${name}"`)
  })

  it('a changed schedule starts anew, changed arguments keep their time', async () => {
    const { clock } = createTestClock(at('2026-01-01T10:00:00'))
    const dataDir = await temporaryFolder()
    const open = (hourUTC: number, k: number) =>
      onDisk({
        functions: withCrons((crons) => crons.daily('d', { hourUTC, minuteUTC: 0 }, ref('s:note'), { k })),
        dataDir,
        clock,
        autoSchedule: false,
      })
    for (const [hourUTC, k] of [
      [3, 1],
      [3, 2],
      [5, 2],
    ] as const) {
      const backend = await open(hourUTC, k)
      const { catalog, snapshots } = backend.engine
      const due = await snapshots.with(async (snapshot) => jobsIn(snapshot.transaction(), catalog, CRONS, 'pending', 10))
      expect(due).toMatchObject([{ scheduledTime: at(`2026-01-02T0${hourUTC}:00:00`), args: { k } }])
      await backend.close()
    }
  })

  it('an hourly job without a minute keeps the one its name gives it', () => {
    const first = firstRun('some job', { type: 'hourly' }, at('2026-01-01T10:00:00'))
    expect(nextRun('some job', { type: 'hourly' }, first, first) - first).toBe(3_600_000)
  })
})
