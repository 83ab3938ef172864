/* eslint-disable @typescript-eslint/no-explicit-any -- documents without a data model */
/** The less common fates of scheduled functions. Everyday ones are in scheduler.test.ts. */
import { actionGeneric, internalMutationGeneric, makeFunctionReference, mutationGeneric, queryGeneric } from 'convex/server'
import { ConvexError, v } from 'convex/values'
import { describe, expect, it, vi } from 'vitest'
import { createTestClock, inMemory, onDisk, temporaryFolder } from '../../test/fixtures/backend.ts'
import { schema } from '../../test/fixtures/functions.ts'
import type { EmbeddedConvex } from '../index.ts'
import type { Connection } from '../storage/connection.ts'

const ref = (name: string) => makeFunctionReference<any>(name)
const MIB = 1024 * 1024
const YEARS_5_MS = 5 * 366 * 24 * 3_600_000

let hold: Promise<void> | undefined
let began: (() => void) | undefined
const j = {
  note: internalMutationGeneric({
    args: { k: v.any() },
    handler: async (ctx, { k }) => void (await ctx.db.insert('anything', { k })),
  }),
  takes: internalMutationGeneric({
    args: { text: v.string() },
    handler: async (ctx, { text }) => void (await ctx.db.insert('anything', { k: text.length })),
  }),
  readsAll: internalMutationGeneric({
    args: { text: v.string() },
    handler: async (ctx) => void (await ctx.db.query('anything').collect()),
  }),
  refuses: internalMutationGeneric({
    args: {},
    handler: () => {
      throw new ConvexError({ code: 'NO' })
    },
  }),
  cancelsItself: internalMutationGeneric({
    args: {},
    handler: async (ctx) => {
      const [own] = await ctx.db.system.query('_scheduled_functions').collect()
      await ctx.scheduler.cancel(own!._id)
      await ctx.db.insert('anything', { k: own!.state.kind })
      await ctx.scheduler.runAfter(0, ref('j:note'), { k: 'child' })
    },
  }),
  waits: actionGeneric({
    args: {},
    handler: async (ctx) => {
      began?.()
      await hold
      await ctx.scheduler.runAfter(0, ref('j:note'), { k: 'from the action' })
      await ctx.runMutation(ref('j:schedules'), { at: 0 })
    },
  }),
  schedules: mutationGeneric({
    args: { at: v.number() },
    handler: (ctx, { at }) => ctx.scheduler.runAt(at === 0 ? Date.now() : at, ref('j:note'), { k: 'scheduled' }),
  }),
  after: mutationGeneric({
    args: { fn: v.string(), args: v.any() },
    handler: (ctx, { fn, args }) => ctx.scheduler.runAfter(0, ref(fn), args),
  }),
  large: mutationGeneric({
    args: { bytes: v.number(), times: v.number() },
    handler: async (ctx, { bytes, times }) => {
      for (let i = 0; i < times; i++) await ctx.scheduler.runAfter(0, ref('j:takes'), { text: 'x'.repeat(bytes) })
    },
  }),
  many: mutationGeneric({
    args: { times: v.number() },
    handler: async (ctx, { times }) => {
      for (let k = 0; k < times; k++) await ctx.scheduler.runAfter(0, ref('j:note'), { k })
    },
  }),
  delayed: mutationGeneric({
    args: { ms: v.any() },
    handler: (ctx, { ms }) => ctx.scheduler.runAfter(ms, ref('j:note'), { k: ms }),
  }),
  cancel: mutationGeneric({ args: { id: v.any() }, handler: (ctx, { id }) => ctx.scheduler.cancel(id) }),
  jobs: queryGeneric({ args: {}, handler: (ctx) => ctx.db.system.query('_scheduled_functions').collect() }),
  notes: queryGeneric({ args: {}, handler: async (ctx) => (await ctx.db.query('anything').collect()).map((row) => row.k) }),
}
const functions = { schema, modules: { j } }
const states = async (backend: EmbeddedConvex) => ((await backend.query('j:jobs', {})) as any[]).map((job) => job.state)

describe('large arguments', () => {
  it('4 MiB each, 16 MiB together, and what is over is refused', async () => {
    const backend = await inMemory({ functions })
    await backend.mutation('j:large', { bytes: 4 * MIB - 100, times: 4 })
    await expect(backend.mutation('j:large', { bytes: 4 * MIB, times: 1 })).rejects.toThrow('too large')
    await expect(backend.mutation('j:large', { bytes: 3.5 * MIB, times: 5 })).rejects.toThrow(
      'Too large total size of the arguments of scheduled functions from this mutation (limit: 16777216 bytes)',
    )
    expect(await backend.finishScheduled()).toBe(4)
    expect(await backend.query('j:notes', {})).toEqual(Array.from({ length: 4 }, () => 4 * MIB - 100))
  })

  it('many of them are run, and cleaned up a week later', async () => {
    const { clock, advance } = createTestClock()
    const backend = await inMemory({ functions, clock })
    for (let i = 0; i < 2; i++) await backend.mutation('j:large', { bytes: 3 * MIB, times: 5 })
    await vi.waitFor(async () => expect(await backend.query('j:notes', {})).toHaveLength(10), { timeout: 20_000 })
    await vi.waitFor(
      async () => {
        await advance(7 * 24 * 3_600_000)
        expect(await backend.run((ctx) => ctx.db.system.query('_scheduled_functions').first())).toBeNull()
      },
      { timeout: 20_000 },
    )
  })
})

it('a mutation that leaves no room for its own end fails once', async () => {
  const backend = await inMemory({ functions })
  for (let i = 0; i < 13; i++)
    await backend.run(async (ctx) => void (await ctx.db.insert('anything', { k: 'x'.repeat(MIB - 200) })))
  await backend.mutation('j:after', { fn: 'j:readsAll', args: { text: 'x'.repeat(2 * MIB) } })
  expect(await backend.finishScheduled({ advance: true })).toBe(1)
  expect(await states(backend)).toEqual([{ kind: 'failed', error: expect.stringContaining('Too many bytes read') }])
})

describe('times', () => {
  it.each([
    ['the future', 2_000_000_000_000 + YEARS_5_MS + 1_000, 'is more than 5 years in the future'],
    ['the past', 2_000_000_000_000 - YEARS_5_MS - 1_000, 'is more than 5 years in the past'],
    ['times that no date has', 1e18, '1000000000000000000 is more than 5 years in the future'],
  ])('further than 5 years in %s', async (_name, at, message) => {
    const backend = await inMemory({ functions, clock: createTestClock(2_000_000_000_000).clock, autoSchedule: false })
    await expect(backend.mutation('j:schedules', { at })).rejects.toThrow(message)
  })

  it.each([
    [-1, '`delayMs` must be non-negative'],
    [Number.NaN, '`delayMs` must be a finite number'],
    [Number.POSITIVE_INFINITY, '`delayMs` must be a finite number'],
    ['1', '`delayMs` must be a number'],
  ])('runAfter(%s)', async (ms, message) => {
    const backend = await inMemory({ functions })
    await expect(backend.mutation('j:delayed', { ms })).rejects.toThrow(message)
  })

  it('the past means now, and keeps the time that was asked for', async () => {
    const { clock } = createTestClock()
    const backend = await inMemory({ functions, clock, autoSchedule: false })
    const at = clock.now() - 3_600_000
    await backend.mutation('j:schedules', { at })
    expect(await backend.finishScheduled()).toBe(1)
    expect(await backend.query('j:jobs', {})).toMatchObject([{ scheduledTime: at, completedTime: clock.now() }])
  })

  it('a delay longer than a timer can hold does not fire at once', async () => {
    const { clock, advance } = createTestClock()
    const backend = await inMemory({ functions, clock })
    await backend.mutation('j:delayed', { ms: 2 ** 31 + 5_000 })
    await advance(60_000)
    expect(await backend.query('j:notes', {})).toEqual([])
    await advance(2 ** 31)
    await vi.waitFor(async () => expect(await backend.query('j:notes', {})).toEqual([2 ** 31 + 5_000]))
  })
})

describe('ends', () => {
  it('a ConvexError is a failure with its data in the text, and is not run again', async () => {
    const backend = await inMemory({ functions })
    await backend.mutation('j:after', { fn: 'j:refuses', args: {} })
    expect(await backend.finishScheduled({ advance: true })).toBe(1)
    expect(await states(backend)).toEqual([{ kind: 'failed', error: 'Uncaught ConvexError: {"code":"NO"}' }])
  })

  it('a mutation that cancels itself keeps its effects; what it schedules is canceled', async () => {
    const backend = await inMemory({ functions })
    await backend.mutation('j:after', { fn: 'j:cancelsItself', args: {} })
    expect(await backend.finishScheduled({ advance: true })).toBe(1)
    expect(await backend.query('j:notes', {})).toEqual(['inProgress'])
    expect(await states(backend)).toEqual([{ kind: 'canceled' }, { kind: 'canceled' }])
  })

  it('an action canceled while it runs goes on, but nothing more is run for it', async () => {
    const backend = await inMemory({ functions })
    const started = Promise.withResolvers<void>()
    const release = Promise.withResolvers<void>()
    began = started.resolve
    hold = release.promise
    const id = await backend.mutation('j:after', { fn: 'j:waits', args: {} })
    const finishing = backend.finishScheduled()
    await started.promise
    await backend.mutation('j:cancel', { id })
    release.resolve()
    await finishing
    expect(await backend.finishScheduled({ advance: true })).toBe(0)
    expect(await states(backend)).toEqual([{ kind: 'canceled' }, { kind: 'canceled' }, { kind: 'canceled' }])
    expect(await backend.query('j:notes', {})).toEqual([])
    hold = began = undefined
  })

  it.each([
    ['junk', 'Unable to decode ID'],
    ['another table’s', 'is not the ID of a scheduled function'],
  ])('cancel of an ID that is %s', async (which, message) => {
    const backend = await inMemory({ functions })
    const id = which === 'junk' ? which : await backend.run((ctx) => ctx.db.insert('anything', {}))
    await expect(backend.mutation('j:cancel', { id })).rejects.toThrow(message)
  })

  it('a function that a newer bundle no longer has fails with its name', async () => {
    const dataDir = await temporaryFolder()
    const one = await onDisk({ functions, dataDir, autoSchedule: false })
    await one.mutation('j:after', { fn: 'j:note', args: { k: 1 } })
    await one.close()
    const warn = vi.fn()
    const { note: _gone, ...left } = j
    const two = await onDisk({
      functions: { schema, modules: { j: left } },
      dataDir,
      autoSchedule: false,
      log: { info() {}, error() {}, warn },
    })
    expect(await two.finishScheduled()).toBe(1)
    expect(await states(two)).toEqual([
      { kind: 'failed', error: expect.stringContaining("Could not find public function for 'j:note'") },
    ])
    expect(warn).toHaveBeenCalledWith('a scheduled function failed', expect.objectContaining({ function: 'j:note' }))
  })

  it('the end of an action is written when the database works again', async () => {
    const started = Promise.withResolvers<void>()
    const release = Promise.withResolvers<void>()
    began = started.resolve
    hold = release.promise
    let refusals = 0
    const wrapConnection = (connection: Connection): Connection => ({
      ...connection,
      exec(sql) {
        if (sql === 'COMMIT' && refusals-- > 0)
          throw Object.assign(new Error('database or disk is full'), { code: 'ERR_SQLITE_ERROR' })
        return connection.exec(sql)
      },
    })
    const { clock, advance } = createTestClock()
    const backend = await inMemory({ functions, clock, wrapConnection, autoSchedule: false })
    const id = await backend.mutation('j:after', { fn: 'j:waits', args: {} })
    const finishing = backend.finishScheduled()
    await started.promise
    await backend.mutation('j:cancel', { id: await backend.mutation('j:after', { fn: 'j:note', args: { k: 0 } }) })
    refusals = 3 // what the action schedules, what its mutation schedules, and its end
    release.resolve()
    await vi.waitFor(() => expect(refusals).toBeLessThan(2))
    for (let i = 0; i < 5; i++) await advance(1_000)
    await finishing
    const job = ((await backend.query('j:jobs', {})) as any[]).find((candidate) => candidate._id === id)
    expect(job.state.kind).toBe('failed') // its own call was refused, and that could be written in the end
    hold = began = undefined
  })
})

describe('a backlog', () => {
  it('of 10,000 due jobs does not hold up those who call', { timeout: 60_000 }, async () => {
    const backend = await onDisk({ functions, autoSchedule: false })
    for (let i = 0; i < 10; i++) await backend.mutation('j:many', { times: 1_000 })
    await expect(backend.mutation('j:many', { times: 1_001 })).rejects.toThrow(
      'Too many functions scheduled by this mutation (limit: 1000)',
    )
    backend.engine.scheduler.start()
    const waits: number[] = []
    for (let i = 0; i < 20; i++) {
      const start = performance.now()
      await backend.mutation('j:schedules', { at: Date.now() + 3_600_000 })
      waits.push(performance.now() - start)
    }
    waits.sort((a, b) => a - b)
    expect(waits[10]).toBeLessThan(500)
  })
})
