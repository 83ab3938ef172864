/* eslint-disable @typescript-eslint/no-explicit-any -- documents without a data model */
import { actionGeneric, createFunctionHandle, makeFunctionReference, mutationGeneric, queryGeneric } from 'convex/server'
import { ConvexError, v } from 'convex/values'
import { describe, expect, it } from 'vitest'
import { createTestClock, createTestRandom, inMemory } from '../../test/fixtures/backend.ts'
import { schema } from '../../test/fixtures/functions.ts'

/** What the build's defines turn `Date.now()`, `Math.random()`, `fetch`, `console` and `process.env` into. */
const bundled = () => (globalThis as any).Convex

const f = {
  time: queryGeneric({
    args: {},
    handler: async () => {
      const first = [bundled().now(), new (bundled().Date)().getTime()]
      await Promise.resolve()
      return [...first, bundled().Date.now()]
    },
  }),
  random: mutationGeneric({ args: {}, handler: () => [bundled().random(), bundled().random()] }),
  fetches: queryGeneric({ args: {}, handler: () => bundled().fetch('http://localhost') }),
  waits: mutationGeneric({ args: {}, handler: () => bundled().setTimeout(() => {}, 1) }),
  actionWaits: actionGeneric({
    args: {},
    handler: () => new Promise((resolve) => bundled().setTimeout(() => resolve('done'), 1)),
  }),
  prints: queryGeneric({ args: {}, handler: () => bundled().console.log('hello', { a: 1 }) }),
  randomBytes: mutationGeneric({
    args: {},
    handler: () => [bundled().crypto.randomUUID(), [...bundled().crypto.getRandomValues(new Uint8Array(4))]],
  }),
  digests: queryGeneric({
    args: {},
    handler: async () => Buffer.from(await bundled().crypto.subtle.digest('SHA-256', new Uint8Array(0))).toString('hex'),
  }),
  makesKey: queryGeneric({
    args: {},
    handler: () => bundled().crypto.subtle.generateKey({ name: 'AES-GCM', length: 128 }, true, ['encrypt']),
  }),
  fillsTooMuch: queryGeneric({ args: {}, handler: () => void bundled().crypto.getRandomValues(new Uint8Array(65_537)) }),
  measures: queryGeneric({ args: {}, handler: () => bundled().performance.now() }),
  actionWithKey: actionGeneric({
    args: {},
    handler: async () => {
      await bundled().crypto.subtle.generateKey({ name: 'AES-GCM', length: 128 }, true, ['encrypt'])
      return [bundled().crypto.randomUUID().length, typeof bundled().performance.now()]
    },
  }),
  printsMuch: queryGeneric({
    args: {},
    handler: () => {
      bundled().console.log('x'.repeat(5_000))
      for (let i = 0; i < 300; i++) bundled().console.error(i)
    },
  }),
  times: queryGeneric({
    args: {},
    handler: () => {
      const { console } = bundled()
      console.time()
      console.time()
      console.timeLog(undefined, 'so far', 1)
      console.timeEnd()
      console.timeEnd('other')
    },
  }),
  prettyPrints: queryGeneric({ args: {}, handler: () => bundled().console.table([1]) }),
  env: queryGeneric({ args: {}, handler: () => bundled().env.GREETING ?? null }),
  isDate: queryGeneric({
    args: {},
    handler: () => new (bundled().Date)(0) instanceof bundled().Date && new (bundled().Date)(0) instanceof Date,
  }),
  writesInQuery: queryGeneric({
    args: {},
    handler: (ctx) => (ctx.db as any).insert?.('anything', {}) ?? 'no insert on the reader',
  }),
  returns: queryGeneric({ args: {}, returns: v.object({ a: v.number() }), handler: () => ({ a: 'x' }) as any }),
  refuses: queryGeneric({
    args: {},
    handler: () => {
      throw new ConvexError({ code: 'NO', big: 5n })
    },
  }),
  handle: queryGeneric({ args: {}, handler: () => createFunctionHandle(makeFunctionReference<'query'>('f:time')) }),
  forwards: actionGeneric({ args: {}, handler: (ctx) => ctx.runQuery('f:refuses' as any, {}) }),
  snapshots: mutationGeneric({ args: {}, handler: async (ctx) => ctx.db.insert('anything', { k: undefined, n: null } as any) }),
}
const functions = { schema, modules: { f: () => Promise.resolve(f) } }

describe('executions', () => {
  it('freeze time, seed randomness, and follow the given clock', async () => {
    const { clock } = createTestClock(1_700_000_000_000)
    const backend = await inMemory({ functions, clock, random: createTestRandom(1), autoSchedule: false })
    expect(await backend.query('f:time', {})).toEqual([1_700_000_000_000, 1_700_000_000_000, 1_700_000_000_000])
    const [a, b] = (await backend.mutation('f:random', {})) as number[]
    expect(a).not.toBe(b)
    const again = await inMemory({ functions, clock, random: createTestRandom(1), autoSchedule: false })
    await again.query('f:time', {})
    expect(await again.mutation('f:random', {})).toEqual([a, b])
    expect(Math.abs(bundled().now() - Date.now())).toBeLessThan(1_000) // outside an execution: the real clock
  })

  it('refuse fetch and timers in queries and mutations, allow them in actions', async () => {
    const backend = await inMemory({ functions })
    await expect(backend.query('f:fetches', {})).rejects.toThrow("Can't use fetch() in queries and mutations")
    await expect(backend.mutation('f:waits', {})).rejects.toThrow("Can't use setTimeout in queries and mutations")
    await expect(backend.action('f:actionWaits', {})).resolves.toBe('done')
  })

  it('collect what was printed, see the given environment, keep Date a Date', async () => {
    const backend = await inMemory({ functions, env: { GREETING: 'hi' } })
    const answer = await backend.engine.core.call('f:prints', ['query'], {}, { identity: null, internal: false })
    expect(answer.logLines).toEqual(["[LOG] 'hello' { a: 1 }"])
    expect(await backend.query('f:env', {})).toBe('hi')
    expect(await backend.query('f:isDate', {})).toBe(true)
  })

  it('cut long lines and too many of them, and time what they are asked to', async () => {
    const backend = await inMemory({ functions })
    const printed = async (path: string) =>
      (await backend.engine.core.call(path, ['query'], {}, { identity: null, internal: false })).logLines
    const much = await printed('f:printsMuch')
    expect(much).toHaveLength(256)
    expect(much[0]).toMatch(/^\[LOG\] 'x{4000}.* \(truncated due to length\)$/)
    expect(much.at(-1)).toBe('[ERROR] Log overflow (maximum 256). Remaining log lines omitted.')
    expect(await printed('f:times')).toEqual([
      "[WARN] Timer 'default' already exists",
      expect.stringMatching(/^\[INFO\] default: \d+ms 'so far' 1$/),
      expect.stringMatching(/^\[INFO\] default: \d+ms$/),
      "[WARN] Timer 'other' does not exist",
    ])
    await expect(printed('f:prettyPrints')).rejects.toThrow('not supported by the embedded backend: console.table')
  })

  it('WebCrypto: random values follow the seed, digests work, keys are made in actions only', async () => {
    const { clock } = createTestClock()
    const open = () => inMemory({ functions, clock, random: createTestRandom(7), autoSchedule: false })
    const [one, two] = [await open(), await open()]
    const [id, bytes] = (await one.mutation('f:randomBytes', {})) as [string, number[]]
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    expect(new Set(bytes).size).toBeGreaterThan(1)
    expect(await two.mutation('f:randomBytes', {})).toEqual([id, bytes])
    expect(await one.mutation('f:randomBytes', {})).not.toEqual([id, bytes])
    expect(await one.query('f:digests', {})).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855')
    await expect(one.query('f:makesKey', {})).rejects.toThrow("Can't use cryptographic randomness in queries and mutations")
    await expect(one.query('f:fillsTooMuch', {})).rejects.toThrow('65536 bytes at most')
    await expect(one.query('f:measures', {})).rejects.toThrow("Can't use the Performance API in queries and mutations")
    expect(await one.action('f:actionWithKey', {})).toEqual([36, 'number'])
  })

  it('two engines in one process do not mix', async () => {
    const one = await inMemory({ functions, env: { GREETING: 'one' } })
    const two = await inMemory({ functions, env: { GREETING: 'two' } })
    expect(await Promise.all([one.query('f:env', {}), two.query('f:env', {})])).toEqual(['one', 'two'])
  })

  it('report results that do not match, and ConvexErrors with their data, through actions too', async () => {
    const backend = await inMemory({ functions })
    await expect(backend.query('f:returns', {})).rejects.toThrow(
      'ReturnsValidationError: Value does not match validator.\nPath: .a',
    )
    for (const call of [backend.query('f:refuses', {}), backend.action('f:forwards', {})]) {
      const error = await call.catch((thrown: unknown) => thrown)
      expect(error).toBeInstanceOf(ConvexError)
      expect((error as ConvexError<any>).data).toEqual({ code: 'NO', big: 5n })
    }
  })

  it('say what is not supported', async () => {
    const backend = await inMemory({ functions })
    await expect(backend.query('f:handle', {})).rejects.toThrow('not supported by the embedded backend: 1.0/createFunctionHandle')
    await expect(backend.query('f:missing', {})).rejects.toThrow(/Could not find (public )?function for 'f:missing'/)
    await expect(backend.mutation('f:time', {})).rejects.toThrow(
      'Trying to execute f.js:time as Mutation, but it is defined as Query.',
    )
  })
})

describe('documents', () => {
  it('patch merges and removes, replace replaces, both keep system fields', async () => {
    const backend = await inMemory()
    const result = await backend.run(async (ctx) => {
      const id = await ctx.db.insert('anything', { k: 1, gone: true })
      await ctx.db.patch(id, { k: 2, gone: undefined })
      const patched = await ctx.db.get('anything', id)
      await ctx.db.replace('anything', id, { other: 1 })
      const replaced = await ctx.db.get(id)
      await ctx.db.delete('anything', id)
      return { patched, replaced, gone: await ctx.db.get(id), id }
    })
    expect(result.patched).toEqual({ _id: result.id, _creationTime: expect.any(Number), k: 2 })
    expect(result.replaced).toEqual({ _id: result.id, _creationTime: result.patched._creationTime, other: 1 })
    expect(result.gone).toBeNull()
  })

  it('normalizeId accepts only ids of the table', async () => {
    const backend = await inMemory()
    const result = await backend.run(async (ctx) => {
      const id = await ctx.db.insert('anything', {})
      return [ctx.db.normalizeId('anything', id) === id, ctx.db.normalizeId('users', id), ctx.db.normalizeId('users', 'junk')]
    })
    expect(result).toEqual([true, null, null])
  })

  it.each([
    ['a wrong table', (db: any, id: string) => db.get('users', id), 'expected an ID of table "users"'],
    ['no id', (db: any) => db.get('junk'), 'Unable to decode ID'],
    [
      'a missing document',
      async (db: any, id: string) => (await db.delete(id), db.patch(id, {})),
      'Update on nonexistent document ID',
    ],
    ['another _id', (db: any, id: string) => db.patch(id, { _id: 'x' }), "doesn't match '_id' field"],
    ['an underscore field', (db: any) => db.insert('anything', { _mine: 1 }), "Field '_mine' starts with an underscore"],
    ['a system table', (db: any) => db.query('_scheduled_functions').collect(), 'can only be accessed from db.system'],
    [
      'a schema violation',
      (db: any) => db.insert('users', { name: 5 }),
      'because it does not match the schema: Value does not match validator.\nPath: .name',
    ],
  ])('refuse %s', async (_name, misuse, message) => {
    const backend = await inMemory()
    await expect(
      backend.run(async (ctx) => {
        const id: string = await ctx.db.insert('anything', {})
        await misuse(ctx.db, id)
      }),
    ).rejects.toThrow(message)
  })

  it('creation times grow strictly', async () => {
    const backend = await inMemory({ clock: createTestClock().clock, autoSchedule: false })
    const times = await backend.run(async (ctx) => {
      for (let i = 0; i < 50; i++) await ctx.db.insert('anything', {})
      return (await ctx.db.query('anything').collect()).map((row: any) => row._creationTime)
    })
    expect(new Set(times).size).toBe(50)
    expect(times).toEqual(times.toSorted((a: number, b: number) => a - b))
  })
})
