/* eslint-disable @typescript-eslint/no-explicit-any -- documents without a data model */
/** Functions that call functions: what they share, what is undone, what is refused. Writes that interleave are in transactions.test.ts. */
import {
  actionGeneric,
  internalMutationGeneric,
  internalQueryGeneric,
  makeFunctionReference,
  mutationGeneric,
  queryGeneric,
} from 'convex/server'
import { ConvexError, v } from 'convex/values'
import { expect, it } from 'vitest'
import { inMemory } from '../../test/fixtures/backend.ts'
import { schema } from '../../test/fixtures/functions.ts'

const ref = (name: string) => makeFunctionReference<any>(name)
const bundled = () => (globalThis as any).Convex
const caught = (call: Promise<unknown>) => call.catch((error: Error) => error.message)

const n = {
  child: internalMutationGeneric({
    args: { fail: v.boolean() },
    handler: async (ctx, { fail }) => {
      await ctx.db.insert('anything', { k: 'child' })
      await ctx.scheduler.runAfter(0, ref('n:note'), { k: 'scheduled by the child' })
      if (fail) throw new ConvexError({ code: 'CHILD' })
    },
  }),
  note: internalMutationGeneric({
    args: { k: v.any() },
    handler: async (ctx, { k }) => void (await ctx.db.insert('anything', { k })),
  }),
  parent: mutationGeneric({
    args: { fail: v.boolean() },
    handler: async (ctx, args) => {
      await ctx.scheduler.runAfter(0, ref('n:note'), { k: 'scheduled by the parent' })
      const data = await ctx.runMutation(ref('n:child'), args).catch((error: ConvexError<any>) => error.data)
      return data ?? null
    },
  }),
  changesAll: internalMutationGeneric({
    args: { changed: v.any(), removed: v.any() },
    handler: async (ctx, { changed, removed }) => {
      await ctx.db.patch(changed, { k: 'by the child' })
      await ctx.db.delete(removed)
      throw new Error('undone')
    },
  }),
  looksAfterwards: mutationGeneric({
    args: {},
    handler: async (ctx) => {
      const ids = { changed: await ctx.db.insert('anything', { k: 1 }), removed: await ctx.db.insert('anything', { k: 2 }) }
      await ctx.runMutation(ref('n:changesAll'), ids).catch(() => undefined)
      const found = await ctx.db.query('anything').collect()
      await ctx.db.patch(ids.changed, { other: true })
      return [await ctx.db.get(ids.changed), await ctx.db.get(ids.removed), ...found].map((row) => row?.['k'] as number)
    },
  }),
  whoAndWhen: internalQueryGeneric({
    args: {},
    handler: async (ctx) => [(await ctx.auth.getUserIdentity())?.subject ?? null, bundled().now()],
  }),
  asksChild: queryGeneric({
    args: {},
    handler: async (ctx) => [bundled().now(), await ctx.runQuery(ref('n:whoAndWhen'), {})],
  }),
  deeper: queryGeneric({
    args: { left: v.number() },
    handler: (ctx, { left }): any => (left === 0 ? 'bottom' : ctx.runQuery(ref('n:deeper'), { left: left - 1 })),
  }),
  returnsNumber: queryGeneric({ args: {}, returns: v.string(), handler: () => 7 as any }),
  refusals: mutationGeneric({
    args: {},
    handler: async (ctx) => [
      await caught(ctx.runQuery(ref('n:gone'), {})),
      await caught(ctx.runQuery(ref('n:parent'), {})),
      await caught(ctx.runMutation(ref('n:asksChild'), {})),
      await caught(ctx.runMutation(ref('n:note'), {})),
      await caught(ctx.runQuery(ref('n:returnsNumber'), {})),
    ],
  }),
  mutatesInQuery: queryGeneric({
    args: {},
    handler: () => bundled().asyncSyscall('1.0/runUdf', JSON.stringify({ name: 'n:note', udfType: 'mutation', args: { k: 1 } })),
  }),
  writesMany: internalMutationGeneric({
    args: { times: v.number() },
    handler: async (ctx, { times }) => {
      for (let k = 0; k < times; k++) await ctx.db.insert('anything', { k })
    },
  }),
  sharesLimits: mutationGeneric({
    args: {},
    handler: async (ctx) => {
      await ctx.runMutation(ref('n:writesMany'), { times: 10_000 })
      await ctx.runMutation(ref('n:writesMany'), { times: 10_000 })
    },
  }),
  schedulesWho: mutationGeneric({ args: {}, handler: (ctx) => ctx.scheduler.runAfter(0, ref('n:notesWho'), {}) }),
  notesWho: internalMutationGeneric({
    args: {},
    handler: async (ctx) => void (await ctx.db.insert('anything', { k: await ctx.auth.getUserIdentity() })),
  }),
  asksAsUser: actionGeneric({ args: {}, handler: async (ctx) => ((await ctx.runQuery(ref('n:whoAndWhen'), {})) as any[])[0] }),
  values: queryGeneric({ args: {}, handler: async (ctx) => (await ctx.db.query('anything').collect()).map((row) => row.k) }),
}
const functions = { schema, modules: { n } }

it.each([
  [true, { code: 'CHILD' }, ['scheduled by the parent']],
  [false, null, ['child', 'scheduled by the parent', 'scheduled by the child']],
])('a child that fails (%s) takes back what it wrote and scheduled, and nothing else', async (fail, result, values) => {
  const backend = await inMemory({ functions })
  expect(await backend.mutation('n:parent', { fail })).toEqual(result)
  await backend.finishScheduled()
  expect(await backend.query('n:values', {})).toEqual(values)
})

it('what a failed child changed and removed is as before for its parent, which goes on with it', async () => {
  const backend = await inMemory({ functions })
  expect(await backend.mutation('n:looksAfterwards', {})).toEqual([1, 2, 1, 2])
})

it('a child has its caller’s time and identity; what is scheduled has nobody’s', async () => {
  const backend = await inMemory({ functions })
  const ann = backend.withIdentity({ subject: 'ann', issuer: 'i' })
  const [now, [who, childNow]] = (await ann.query('n:asksChild', {})) as [number, [string, number]]
  expect([who, childNow]).toEqual(['ann', now])
  expect(await ann.action('n:asksAsUser', {})).toBe('ann')
  await ann.mutation('n:schedulesWho', {})
  await backend.finishScheduled()
  expect(await backend.query('n:values', {})).toEqual([null])
})

it('what the parent schedules beside a failing child stays, however long its module takes to load', async () => {
  const childRuns = Promise.withResolvers<void>()
  const late = { note: internalMutationGeneric({ args: {}, handler: () => null }) }
  const p = {
    fails: internalMutationGeneric({
      args: {},
      handler: async (ctx) => {
        childRuns.resolve()
        for (let turn = 0; turn < 30; turn++) await ctx.db.query('anything').first()
        throw new Error('no')
      },
    }),
    parent: mutationGeneric({
      args: {},
      handler: async (ctx) => {
        const child = () => ctx.runMutation(ref('p:fails'), {}).catch(() => {})
        const [id] = await Promise.all([ctx.scheduler.runAfter(0, ref('late:note'), {}), child()])
        return id
      },
    }),
    jobs: internalQueryGeneric({
      args: {},
      handler: async (ctx) => (await ctx.db.system.query('_scheduled_functions').collect()).map((job) => job._id),
    }),
  }
  const modules = { p, late: () => childRuns.promise.then(() => late) }
  const backend = await inMemory({ functions: { schema, modules }, autoSchedule: false })
  const id = await backend.mutation('p:parent', {})
  expect(await backend.query('p:jobs', {})).toEqual([id])
})

it('eight deep, and no deeper', async () => {
  const backend = await inMemory({ functions })
  expect(await backend.query('n:deeper', { left: 8 })).toBe('bottom')
  await expect(backend.query('n:deeper', { left: 9 })).rejects.toThrow(
    'Cross component call depth limit exceeded. Do you have an infinite loop in your app?',
  )
})

it('what cannot be called is refused with production’s words, and can be caught', async () => {
  const backend = await inMemory({ functions })
  expect(await backend.mutation('n:refusals', {})).toEqual([
    expect.stringContaining("Could not find public function for 'n:gone'"),
    'Trying to execute n.js:parent as Query, but it is defined as Mutation.',
    'Trying to execute n.js:asksChild as Mutation, but it is defined as Query.',
    expect.stringContaining('ArgumentValidationError: Object is missing the required field `k`'),
    expect.stringContaining('ReturnsValidationError'),
  ])
  await expect(backend.query('n:mutatesInQuery', {})).rejects.toThrow('Cannot call a Mutation function from a Query function')
})

it('children count towards the limits of the whole', async () => {
  const backend = await inMemory({ functions })
  await expect(backend.mutation('n:sharesLimits', {})).rejects.toThrow('Too many writes in a single function execution')
  expect(await backend.query('n:values', {})).toEqual([])
})
