/* eslint-disable @typescript-eslint/no-explicit-any -- documents without a data model */
import { internalMutationGeneric, makeFunctionReference, mutationGeneric, queryGeneric } from 'convex/server'
import { v } from 'convex/values'
import { describe, expect, it, vi } from 'vitest'
import { inMemory, onDisk, createTestClock } from '../../test/fixtures/backend.ts'
import { schema } from '../../test/fixtures/functions.ts'
import type { Connection } from '../storage/connection.ts'

const child = makeFunctionReference<'mutation', any>('m:child')
const leaked: Promise<unknown>[] = []
const pauses = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
async function writesMeanwhile(ctx: any): Promise<void> {
  for (let turn = 0; turn < 30; turn++) {
    await Promise.resolve()
    await ctx.db.insert('anything', { k: 100 })
  }
}
const m = {
  child: internalMutationGeneric({
    args: { k: v.number(), fail: v.optional(v.boolean()) },
    handler: async (ctx, { k, fail }) => {
      await ctx.db.insert('anything', { k })
      await Promise.resolve() // a turn in which a sibling or the parent could interleave
      await ctx.db.insert('anything', { k: k + 0.5 })
      if (fail) throw new Error(`child ${k} failed`)
      return k
    },
  }),
  patchesAndFails: internalMutationGeneric({
    args: { id: v.id('anything') },
    handler: async (ctx, { id }) => {
      await ctx.db.patch(id, { n: 99 })
      throw new Error('after its patch')
    },
  }),
  keepsWhatSucceeded: mutationGeneric({
    args: {},
    handler: async (ctx) => {
      await ctx.db.insert('anything', { k: 0 })
      const failed = await ctx.runMutation(child, { k: 1, fail: true }).catch((error: Error) => error.message)
      await ctx.runMutation(child, { k: 2 })
      return failed
    },
  }),
  parallel: mutationGeneric({
    args: {},
    handler: async (ctx) => {
      const results = await Promise.allSettled([
        ctx.runMutation(child, { k: 2, fail: true }),
        writesMeanwhile(ctx), // must not vanish with the child that fails meanwhile
        ctx.runMutation(child, { k: 1 }),
        ctx.runMutation(child, { k: 3 }),
      ])
      return results.map((result) => result.status)
    },
  }),
  forgets: mutationGeneric({
    args: {},
    handler: (ctx) => {
      leaked.push(new Promise((resolve) => setTimeout(resolve, 1)).then(() => ctx.db.insert('anything', { k: 666 })))
      return 'returned'
    },
  }),
  forgetsChild: mutationGeneric({
    args: {},
    handler: (ctx) => {
      void ctx.runMutation(child, { k: 1, fail: true }).catch(() => {})
      leaked.push(ctx.runMutation(child, { k: 2 }))
      return 'returned'
    },
  }),
  failsBesideChild: mutationGeneric({
    args: {},
    handler: async (ctx) => {
      const middle = makeFunctionReference<'mutation', any>('m:failsWhileChildRuns')
      await ctx.db.insert('anything', { k: 10 })
      const failed = await ctx.runMutation(middle, {}).catch((error: Error) => error.message)
      await ctx.db.insert('anything', { k: 11 })
      return failed
    },
  }),
  failsWhileChildRuns: internalMutationGeneric({
    args: {},
    handler: async (ctx) => {
      await Promise.all([ctx.runMutation(child, { k: 1 }), Promise.reject(new Error('beside its child'))])
    },
  }),
  hangsInChild: mutationGeneric({
    args: {},
    handler: (ctx) => ctx.runMutation(makeFunctionReference<'mutation', any>('m:hangs'), {}),
  }),
  pauses: internalMutationGeneric({
    args: { k: v.number() },
    handler: async (ctx, { k }) => {
      await ctx.db.insert('anything', { k })
      await pauses[k]!.promise
    },
  }),
  pausesInChild: mutationGeneric({
    args: { k: v.number() },
    handler: async (ctx, args) => {
      await ctx.runMutation(makeFunctionReference<'mutation', any>('m:pauses'), args)
    },
  }),
  hangs: mutationGeneric({
    args: {},
    handler: async (ctx) => {
      await ctx.db.insert('anything', { k: 1 })
      await new Promise(() => {})
    },
  }),
  insert: mutationGeneric({ args: { k: v.number() }, handler: (ctx, { k }) => ctx.db.insert('anything', { k }) }),
  deep: mutationGeneric({
    args: { level: v.number() },
    handler: async (ctx, { level }): Promise<number> =>
      level === 0 ? 0 : ctx.runMutation(makeFunctionReference<'mutation', any>('m:deep'), { level: level - 1 }),
  }),
  increment: mutationGeneric({
    args: {},
    handler: async (ctx) => {
      const row = await ctx.db.query('anything').first()
      await Promise.resolve()
      if (!row) return void (await ctx.db.insert('anything', { k: 1 }))
      await ctx.db.patch(row._id, { k: row.k + 1 })
    },
  }),
  values: queryGeneric({
    args: {},
    handler: async (ctx) => (await ctx.db.query('anything').withIndex('by_k').collect()).map((row) => row.k as number),
  }),
  tooMany: mutationGeneric({
    args: { writes: v.optional(v.number()), gets: v.optional(v.number()), reads: v.optional(v.boolean()) },
    handler: async (ctx, { writes = 0, gets = 0, reads }) => {
      for (let k = 0; k < writes; k++) await ctx.db.insert('anything', { k })
      const row = gets > 0 ? await ctx.db.insert('anything', { k: 0 }) : null
      for (let k = 0; k < gets; k++) await ctx.db.get(row!)
      if (reads) for (let round = 0; round < 3; round++) await ctx.db.query('anything').collect()
    },
  }),
  large: mutationGeneric({
    args: { bytes: v.number() },
    handler: (ctx, { bytes }) => ctx.db.insert('anything', { k: 'x'.repeat(bytes) }),
  }),
}
const functions = { schema, modules: { m } }

describe('nested mutations', () => {
  it('a failed child leaves nothing, its siblings and parent stay', async () => {
    const backend = await inMemory({ functions })
    expect(await backend.mutation('m:keepsWhatSucceeded', {})).toBe('Uncaught Error: child 1 failed')
    expect(await backend.query('m:values', {})).toEqual([0, 2, 2.5])
  })

  it('parallel children run one after another, and the parent waits for them', async () => {
    const backend = await inMemory({ functions })
    expect(await backend.mutation('m:parallel', {})).toEqual(['rejected', 'fulfilled', 'fulfilled', 'fulfilled'])
    expect(await backend.query('m:values', {})).toEqual([1, 1.5, 3, 3.5, ...Array(30).fill(100)])
  })

  it('a child nobody waited for ends before its caller does', async () => {
    const backend = await inMemory({ functions })
    expect(await backend.mutation('m:forgetsChild', {})).toBe('returned')
    await expect(leaked.at(-1)).rejects.toThrow('has already ended') // it had not started when the caller returned
    expect(await backend.query('m:values', {})).toEqual([])
  })

  it("a caller that fails while its child runs rolls back its own savepoint, not a stranger's", async () => {
    const backend = await inMemory({ functions })
    expect(await backend.mutation('m:failsBesideChild', {})).toBe('Uncaught Error: beside its child')
    expect(await backend.query('m:values', {})).toEqual([10, 11])
  })

  it('nest eight deep and no deeper', async () => {
    const backend = await inMemory({ functions })
    await expect(backend.mutation('m:deep', { level: 8 })).resolves.toBe(0)
    await expect(backend.mutation('m:deep', { level: 9 })).rejects.toThrow('depth limit')
  })
})

describe('a document that is changed several times', () => {
  it('is seen as it stands by every query, follows its savepoint, and is written once', async () => {
    const written: string[] = []
    const wrapConnection = (connection: Connection): Connection => ({
      ...connection,
      updateDocument(row, json) {
        written.push((JSON.parse(json) as { name: string }).name)
        connection.updateDocument(row, json)
      },
    })
    const backend = await inMemory({ functions, wrapConnection })
    await backend.run(async (ctx) => {
      const at = (k: number) =>
        ctx.db
          .query('anything')
          .withIndex('by_k', (q: any) => q.eq('k', k))
          .collect()
      const [a, b, c] = [
        await ctx.db.insert('anything', { k: 1, name: 'a', n: 0 }),
        await ctx.db.insert('anything', { k: 1, name: 'b', n: 0 }),
        await ctx.db.insert('anything', { k: 1, name: 'c', n: 0 }),
      ]
      for (let n = 1; n <= 3; n++) await ctx.db.patch(a, { n })
      expect((await at(1)).map(({ n }: any) => n as number)).toEqual([3, 0, 0])
      expect(written).toEqual([]) // its contents changed, its place did not
      await ctx.db.patch(a, { k: 2 })
      await ctx.db.patch(b, { k: 3 })
      expect([(await at(1)).length, (await at(2))[0]?.n, (await at(3)).length]).toEqual([1, 3, 1])
      expect(written).toEqual(['a', 'b'])
      await ctx.db.patch(c, { n: 7 })
      await expect(ctx.runMutation(child, { k: 50, fail: true })).rejects.toThrow('child 50 failed')
      const failing = makeFunctionReference<'mutation', any>('m:patchesAndFails')
      await expect(ctx.runMutation(failing, { id: c })).rejects.toThrow('after its patch')
      expect(await ctx.db.get(c)).toMatchObject({ n: 7 })
      await ctx.db.patch(b, { k: 4 })
      await ctx.db.delete(b)
      expect([(await at(3)).length, (await at(4)).length]).toEqual([0, 0])
    })
    expect(written).toEqual(['a', 'b', 'c', 'b'])
    expect(await backend.query('m:values', {})).toEqual([1, 2])
  })
})

describe('the writer', () => {
  it('serializes mutations that read what they write', async () => {
    const backend = await onDisk({ functions })
    await Promise.all(Array.from({ length: 40 }, () => backend.mutation('m:increment', {})))
    expect(await backend.query('m:values', {})).toEqual([40])
  })

  it('commits in groups: sixteen callers share commits', async () => {
    const backend = await onDisk({ functions, autoSchedule: false })
    const before = { ...backend.stats }
    const caller = async () => {
      for (let k = 0; k < 20; k++) await backend.mutation('m:insert', { k })
    }
    await Promise.all(Array.from({ length: 16 }, caller))
    const acknowledged = backend.stats.mutations - before.mutations
    expect(acknowledged).toBe(320)
    expect(backend.stats.commits - before.commits).toBeLessThanOrEqual(acknowledged / 4)
  })

  it('a failed COMMIT refuses the whole batch and takes memory back', async () => {
    let failing = false
    const wrapConnection = (connection: Connection): Connection => ({
      ...connection,
      exec(sql) {
        if (failing && sql === 'COMMIT') throw Object.assign(new Error('disk I/O error'), { code: 'ERR_SQLITE_ERROR' })
        return connection.exec(sql)
      },
    })
    const backend = await onDisk({ functions, wrapConnection })
    await backend.mutation('m:insert', { k: 1 })
    const updates: unknown[] = []
    backend.onUpdate('m:values', {}, (value) => updates.push(value))
    const tsBefore = backend.engine.lastTs()
    failing = true
    const results = await Promise.allSettled([backend.mutation('m:insert', { k: 2 }), backend.mutation('m:insert', { k: 3 })])
    expect(results.map((result) => (result.status === 'rejected' ? String(result.reason) : 'kept'))).toEqual([
      expect.stringContaining('disk I/O error'),
      expect.stringContaining('disk I/O error'),
    ])
    expect(backend.engine.lastTs()).toBe(tsBefore)
    failing = false
    await backend.mutation('m:insert', { k: 4 })
    expect(await backend.query('m:values', {})).toEqual([1, 4])
    await vi.waitFor(() => expect(updates.at(-1)).toEqual([1, 4]))
    expect(updates).not.toContainEqual(expect.arrayContaining([2]))
  })

  it('answers, tells and publishes what the disk has; what arrives meanwhile shares the next commit', async () => {
    const disk = Promise.withResolvers<void>()
    let held = false
    const wrapSync = (sync: () => Promise<void>) => async () => {
      if (held) await disk.promise
      return sync()
    }
    let inserted = 0
    const wrapConnection = (connection: Connection): Connection => ({
      ...connection,
      insertDocument(...row) {
        inserted++
        return connection.insertDocument(...row)
      },
    })
    const backend = await onDisk({ functions, wrapSync, wrapConnection, autoSchedule: false })
    const updates: unknown[] = []
    backend.onUpdate('m:values', {}, (value) => updates.push(value))
    await vi.waitFor(() => expect(updates).toEqual([[]]))
    held = true
    const ended: string[] = []
    const noted = <T>(name: string, promise: Promise<T>) => promise.then(() => ended.push(name))
    const commits = backend.stats.commits
    const first = noted('first', backend.mutation('m:insert', { k: 1 }))
    await vi.waitFor(() => expect(backend.stats.commits - commits).toBe(1))
    const reading = noted('read', backend.query('m:values', {}))
    const others = [2, 3, 4].map((k) => noted('other', backend.mutation('m:insert', { k })))
    await vi.waitFor(() => expect(inserted).toBe(4)) // all have run, and the query before them
    expect([ended, updates, backend.stats.commits - commits]).toEqual([[], [[]], 1])
    held = false
    disk.resolve()
    await Promise.all([first, reading, ...others])
    expect(backend.stats.commits - commits).toBe(2)
    expect(ended[0]).toBe('first')
    await vi.waitFor(() => expect(updates.at(-1)).toEqual([1, 2, 3, 4]))
  })

  it('a disk that refuses to sync: nothing unsafe is answered or told, and nothing more is written', async () => {
    let failing = false
    const wrapSync = (sync: () => Promise<void>) => () =>
      failing ? Promise.reject(new Error('EIO: i/o error, fdatasync')) : sync()
    const backend = await onDisk({ functions, wrapSync, autoSchedule: false })
    await backend.mutation('m:insert', { k: 1 })
    failing = true
    const results = await Promise.allSettled([2, 3].map((k) => backend.mutation('m:insert', { k })))
    const refusal = expect.stringContaining(
      'cannot be written any more: EIO: i/o error, fdatasync. Restart the backend.',
    ) as string
    expect(results.map((result) => (result.status === 'rejected' ? String(result.reason) : 'kept'))).toEqual([refusal, refusal])
    failing = false
    await expect(backend.mutation('m:insert', { k: 4 })).rejects.toThrow('Restart the backend')
    await expect(backend.query('m:values', {})).rejects.toThrow('Restart the backend')
  })

  it('a failed COMMIT whose ROLLBACK fails too is answered, and nothing is written any more', async () => {
    let broken = false
    const wrapConnection = (connection: Connection): Connection => ({
      ...connection,
      exec(sql) {
        if (broken && (sql === 'COMMIT' || sql === 'ROLLBACK')) throw new Error(`${sql} refused`)
        return connection.exec(sql)
      },
    })
    const backend = await onDisk({ functions, wrapConnection, autoSchedule: false })
    broken = true
    await expect(backend.mutation('m:insert', { k: 1 })).rejects.toThrow('COMMIT refused. Nothing of it was kept.')
    await expect(backend.mutation('m:insert', { k: 2 })).rejects.toThrow()
    expect(await backend.query('m:values', {})).toEqual([])
  })

  it('a checkpoint that fails is tried again; writing goes on', async () => {
    let failures = 1
    let checkpoints = 0
    const wrapConnection = (connection: Connection): Connection => ({
      ...connection,
      all(sql, ...values) {
        if (!sql.includes('wal_checkpoint(PASSIVE)')) return connection.all(sql, ...values)
        if (failures-- > 0) throw Object.assign(new Error('disk I/O error'), { code: 'ERR_SQLITE_ERROR' })
        checkpoints += 1
        return connection.all(sql, ...values)
      },
    })
    const backend = await onDisk({ functions, wrapConnection })
    for (let n = 0; n < 14; n += 1) {
      await backend.run(async (ctx) => void (await ctx.db.insert('anything', { k: 'x'.repeat(500_000) })))
    }
    expect(failures).toBeLessThan(1)
    expect(checkpoints).toBeGreaterThan(0)
  })

  it('a write that SQLite refuses is not half kept when the function swallows the error', async () => {
    let failing = false
    const wrapConnection = (connection: Connection): Connection => ({
      ...connection,
      addEntry(index, key, row) {
        if (failing) throw Object.assign(new Error('database or disk is full'), { code: 'ERR_SQLITE_ERROR' })
        connection.addEntry(index, key, row)
      },
    })
    const backend = await inMemory({ functions, wrapConnection })
    failing = true
    await expect(backend.run(async (ctx) => void (await ctx.db.insert('anything', { k: 1 }).catch(() => {})))).rejects.toThrow(
      'disk is full',
    )
    failing = false
    expect(await backend.query('m:values', {})).toEqual([])
  })

  it('a query on disk never sees an uncommitted batch', async () => {
    const backend = await onDisk({ functions })
    const entered = Promise.withResolvers<void>()
    const leave = Promise.withResolvers<void>()
    const writing = backend.run(async (ctx) => {
      await ctx.db.insert('anything', { k: 1 })
      entered.resolve()
      await leave.promise
    })
    await entered.promise
    expect(await backend.query('m:values', {})).toEqual([])
    leave.resolve()
    await writing
    expect(await backend.query('m:values', {})).toEqual([1])
  })
})

describe('cut off and refused', () => {
  it('a nested mutation that never ends takes its caller with it, and the next one is not disturbed', async () => {
    const { clock, pass, sleepers } = createTestClock()
    const backend = await inMemory({ functions, clock, autoSchedule: false })
    const refused = expect(backend.mutation('m:hangsInChild', {})).rejects.toThrow('timed out')
    await vi.waitFor(() => expect(sleepers()).toBe(2))
    await pass(1_000)
    await refused
    expect(await backend.mutation('m:keepsWhatSucceeded', {})).toContain('child 1 failed')
    expect(await backend.query('m:values', {})).toEqual([0, 2, 2.5])
  })

  it("a nested mutation that goes on after it was cut off leaves the next one's savepoint alone", async () => {
    const { clock, pass, sleepers } = createTestClock()
    const backend = await inMemory({ functions, clock, autoSchedule: false })
    const refused = expect(backend.mutation('m:pausesInChild', { k: 0 })).rejects.toThrow('timed out')
    await vi.waitFor(() => expect(sleepers()).toBe(2))
    await pass(1_000)
    await refused
    const next = backend.mutation('m:pausesInChild', { k: 1 })
    await vi.waitFor(() => expect(sleepers()).toBe(2)) // it holds its savepoint now
    pauses[0]!.resolve()
    await pass(1)
    pauses[1]!.resolve()
    await next
    expect(await backend.query('m:values', {})).toEqual([1])
  })

  it('a mutation that never ends is cut at its deadline and the next one runs', async () => {
    const { clock, pass, sleepers } = createTestClock()
    const backend = await inMemory({ functions, clock, autoSchedule: false })
    const hanging = backend.mutation('m:hangs', {})
    const refused = expect(hanging).rejects.toThrow('timed out (maximum duration: 1s)')
    const next = backend.mutation('m:insert', { k: 2 })
    await vi.waitFor(() => expect(sleepers()).toBe(1))
    await pass(999)
    expect(sleepers()).toBe(1)
    await pass(1)
    await refused
    await next
    expect(await backend.query('m:values', {})).toEqual([2])
  })

  it('a call after the function returned is refused by name and writes nothing', async () => {
    const backend = await inMemory({ functions })
    expect(await backend.mutation('m:forgets', {})).toBe('returned')
    await expect(leaked.at(-1)).rejects.toThrow(/m:forgets has already ended.*Did you forget to await/)
    expect(await backend.query('m:values', {})).toEqual([])
  })

  it('a top-level call inside a transaction is refused instead of waiting for itself', async () => {
    const backend = await inMemory({ functions })
    await expect(backend.run(() => backend.mutation('m:insert', { k: 1 }))).rejects.toThrow('top-level call')
  })

  it.each([
    ['writes', { writes: 16_001 }, 'Too many writes in a single function execution (limit: 16000)'],
    ['gets', { gets: 4_097 }, 'Too many reads in a single function execution (limit: 4096)'],
    ['documents', { writes: 11_000, reads: true }, 'Too many documents read in a single function execution (limit: 32000)'],
  ])('the cap on %s', async (_name, args, message) => {
    const backend = await inMemory({ functions })
    await expect(backend.mutation('m:tooMany', args)).rejects.toThrow(message)
    expect(await backend.query('m:values', {})).toEqual([])
  })

  it('the cap on document size', async () => {
    const backend = await inMemory({ functions })
    await backend.mutation('m:large', { bytes: 1024 * 1024 - 200 })
    await expect(backend.mutation('m:large', { bytes: 1024 * 1024 })).rejects.toThrow('Value is too large')
  })

  it('a document that a patch made too large is not kept when the function swallows the error', async () => {
    const backend = await inMemory({ functions })
    const patched = backend.run(async ({ db }) => {
      const id = await db.insert('anything', { k: 1 })
      return db.patch(id, { k: 'x'.repeat(1024 * 1024) }).catch((error: Error) => error.message)
    })
    expect(await patched).toContain('Value is too large')
    expect(await backend.query('m:values', {})).toEqual([1])
  })
})
