/* eslint-disable @typescript-eslint/no-explicit-any -- documents without a data model */
import { makeFunctionReference, mutationGeneric, queryGeneric } from 'convex/server'
import { v } from 'convex/values'
import { describe, expect, it } from 'vitest'
import { createTestClock, inMemory } from '../../test/fixtures/backend.ts'
import { schema } from '../../test/fixtures/functions.ts'
import { createStopwatch } from './thread-time.ts'
import { createUserTimes } from './user-time.ts'

const LIMIT_MS = 200
const TEXT = `Function execution timed out (maximum duration: ${LIMIT_MS}ms)`
function processorMs(): number {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1_000
}

/** Computes until this thread has used the processor for so long: a busy machine does not make it shorter or longer. */
function compute(ms: number): void {
  for (const start = processorMs(); processorMs() - start < ms;);
}

const u = {
  computes: mutationGeneric({
    args: { ms: v.number() },
    handler: async (ctx, { ms }) => {
      await ctx.db.insert('anything', { k: ms })
      compute(ms)
    },
  }),
  computesInPieces: mutationGeneric({
    args: {},
    handler: async (ctx) => {
      const read = () => ctx.db.query('anything').collect()
      for (let i = 0; i < 10; i++) {
        await read()
        compute(LIMIT_MS / 8)
      }
    },
  }),
  computesBesideACall: mutationGeneric({
    args: {},
    handler: async (ctx) => {
      const inserted = ctx.db.insert('anything', { k: 1 })
      compute(LIMIT_MS + 50)
      await inserted
    },
  }),
  throwsAfterwards: mutationGeneric({
    args: {},
    handler: () => {
      compute(LIMIT_MS + 50)
      throw new Error('hides what happened')
    },
  }),
  catchesItsChild: mutationGeneric({
    args: {},
    handler: async (ctx) => {
      await ctx.db.insert('anything', { k: 'parent' })
      return ctx.runMutation(makeFunctionReference<'mutation', any>('u:computes'), { ms: LIMIT_MS + 50 }).catch(String)
    },
  }),
  values: queryGeneric({ args: {}, handler: async (ctx) => (await ctx.db.query('anything').collect()).map((row) => row.k) }),
}
const functions = { schema, modules: { u } }

async function open() {
  const warnings: unknown[] = []
  const log = { info() {}, error() {}, warn: (message: string, fields?: object) => warnings.push([message, fields]) }
  // The clock stands still: only what was computed counts.
  const { clock } = createTestClock()
  const deadlines = { transactionMs: LIMIT_MS }
  return { backend: await inMemory({ functions, clock, log, deadlines, autoSchedule: false }), warnings }
}

describe('a function that computes for too long', () => {
  it.each([
    ['after a call', 'u:computes', { ms: LIMIT_MS + 50 }],
    ['in pieces between calls', 'u:computesInPieces', {}],
    ['while a call is in flight', 'u:computesBesideACall', {}],
    ['and throws', 'u:throwsAfterwards', {}],
  ])('%s: it is refused by name, and nothing of it is kept', async (_name, path, args) => {
    const { backend, warnings } = await open()
    await expect(backend.mutation(path, args)).rejects.toThrow(TEXT)
    expect(await backend.query('u:values', {})).toEqual([])
    expect(warnings).toContainEqual(['a function took too long', expect.objectContaining({ function: path, error: TEXT })])
  })

  it('loading the module of what is scheduled is not the one’s who schedules', async () => {
    const note = mutationGeneric({ args: {}, handler: () => null })
    const schedules = mutationGeneric({
      args: {},
      handler: async (ctx) => void (await ctx.scheduler.runAfter(0, makeFunctionReference<'mutation'>('big:note'), {})),
    })
    async function big() {
      await Promise.resolve()
      compute(LIMIT_MS + 50)
      return { note }
    }
    const { clock } = createTestClock()
    const functions = { schema, modules: { s: { schedules }, big } }
    const backend = await inMemory({ functions, clock, deadlines: { transactionMs: LIMIT_MS }, autoSchedule: false })
    expect(await backend.mutation('s:schedules', {})).toBeNull()
  })

  it('below the limit it is kept', async () => {
    const { backend } = await open()
    await backend.mutation('u:computes', { ms: LIMIT_MS / 4 })
    expect(await backend.query('u:values', {})).toEqual([LIMIT_MS / 4])
  })

  it('a nested one fails alone: its caller has its own second', async () => {
    const { backend } = await open()
    expect(await backend.mutation('u:catchesItsChild', {})).toContain(TEXT)
    expect(await backend.query('u:values', {})).toEqual(['parent'])
  })
})

describe('time that counts', () => {
  const limits = { transactionMs: 1_000, systemMs: 15_000 }
  const start = () => {
    const time = createTestClock()
    return { ...time, time: createUserTimes(time.clock, limits)(false) }
  }
  const never = () => new Promise(() => {})

  it('time inside calls is not the function’s, until there is too much of it', async () => {
    const { time, pass, sleepers } = start()
    const refused = expect(time.cutOff(never())).rejects.toThrow('Your request timed out performing too many system operations.')
    time.enter()
    time.worked()
    await pass(14_999)
    expect(sleepers()).toBe(1)
    await pass(1)
    await refused
  })

  it('what a call does at once counts whole: nobody else ran', async () => {
    const { time, advance } = start()
    time.enter()
    await advance(15_000)
    time.worked()
    expect(time.overrun()?.message).toContain('too many system operations')
  })

  it('time outside calls is, and the one who waits is cut off', async () => {
    const { time, pass, sleepers } = start()
    const refused = expect(time.cutOff(never())).rejects.toThrow('maximum duration: 1s')
    time.enter()
    time.worked()
    await pass(5_000)
    time.leave()
    await pass(999)
    expect(sleepers()).toBe(1)
    await pass(1)
    await refused
    expect(sleepers()).toBe(0)
  })

  it('a look that comes late charges no more than one in time', async () => {
    const { time, advance, pass, sleepers } = start()
    const refused = expect(time.cutOff(never())).rejects.toThrow('maximum duration: 1s')
    await advance(60_000)
    await pass(949)
    expect(sleepers()).toBe(1)
    await pass(1)
    await refused
  })
})

describe('a stretch of computing', () => {
  const start = () => {
    const at = { clock: 1_000, processor: 50 }
    const watch = createStopwatch(
      () => at.clock,
      () => at.processor,
    )
    watch.start()
    return { at, watch }
  }

  it.each([
    ['short: by the clock', 0.5, 0, 0.5],
    ['long: by the processor', 300, 200, 200],
    ['in a process that stood still', 60_000, 0, 0],
    ['never longer than it took', 300, 400, 300],
  ])('%s', (_name, clockMs, processorMs, ms) => {
    const { at, watch } = start()
    at.clock += clockMs
    at.processor += processorMs
    expect(watch.stop()).toBe(ms)
  })

  it('what ran before it is not counted', () => {
    const { at, watch } = start()
    at.clock += 5_000
    at.processor += 4_000
    watch.start()
    at.clock += 100
    at.processor += 10
    expect(watch.stop()).toBe(10)
  })
})
