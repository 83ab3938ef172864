/* eslint-disable @typescript-eslint/no-explicit-any -- random programs over documents without a data model */
/** Random programs run on the official unit-test mock and on the engine must give the same results, ids and times aside. */
import { convexTest } from 'convex-test'
import { makeFunctionReference, mutationGeneric, queryGeneric } from 'convex/server'
import { v } from 'convex/values'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { createEmbeddedConvex } from '../src/index.ts'
import { schema } from './fixtures/functions.ts'

const RUNS = 100

type Range = { op: 'eq' | 'gt' | 'gte' | 'lt' | 'lte'; value: any }[]
type Op =
  | { kind: 'insert'; value: any }
  | { kind: 'patch' | 'replace'; target: number; value: any }
  | { kind: 'delete' | 'get'; target: number }
  | { kind: 'query'; index: boolean; range: Range; order: 'asc' | 'desc'; filter: any; take: number | null }
  | { kind: 'pages'; order: 'asc' | 'desc'; size: number }

function rangeOf(range: Range) {
  return (q: any) => range.reduce((built, { op, value }) => built[op]('k', value), q)
}

/** Runs operations; every id is replaced by the place of its document in order of insertion. */
async function interpret(ctx: any, ops: Op[], ids: string[]): Promise<any[]> {
  const label = (doc: any): any => {
    if (!doc) return doc
    const { _id, _creationTime, ...rest } = doc
    return { n: ids.indexOf(_id), ...rest }
  }
  const results: any[] = []
  for (const op of ops) {
    const target = 'target' in op ? ids[op.target % Math.max(1, ids.length)] : undefined
    if ('target' in op && target === undefined) continue
    const exists = target !== undefined && (await ctx.db.get(target)) !== null
    if (op.kind === 'insert') ids.push(await ctx.db.insert('anything', op.value))
    else if (op.kind === 'get') results.push(label(await ctx.db.get(target)))
    else if (op.kind === 'query') {
      let query = ctx.db.query('anything')
      query = op.index ? query.withIndex('by_k', rangeOf(op.range)) : query
      query = query.order(op.order)
      if (op.filter !== null) query = query.filter((q: any) => q.and(q.eq(q.field('k'), op.filter), q.neq(q.field('extra'), 1)))
      results.push((op.take === null ? await query.collect() : await query.take(op.take)).map(label))
    } else if (!exists) results.push('missing')
    else if (op.kind === 'delete') await ctx.db.delete(target)
    else if (op.kind === 'patch') await ctx.db.patch(target, op.value)
    else if (op.kind === 'replace') await ctx.db.replace(target, op.value)
  }
  return results
}

const p = {
  write: mutationGeneric({
    args: { ops: v.any(), ids: v.array(v.string()), fail: v.boolean() },
    handler: async (ctx, { ops, ids, fail }) => {
      const results = await interpret(ctx, ops, ids)
      if (fail) throw new Error('rolled back')
      return { results, ids }
    },
  }),
  parent: mutationGeneric({
    args: { ops: v.any(), ids: v.array(v.string()), fail: v.boolean() },
    handler: async (ctx, args): Promise<any> => {
      const nested = await ctx
        .runMutation(makeFunctionReference<'mutation', any>('p:write'), args)
        .catch(() => ({ results: ['failed'], ids: args.ids }))
      return {
        results: [
          ...nested.results,
          ...(await interpret(
            ctx,
            [{ kind: 'query', index: false, range: [], order: 'asc', filter: null, take: null }],
            nested.ids,
          )),
        ],
        ids: nested.ids,
      }
    },
  }),
  page: queryGeneric({
    args: { order: v.any(), cursor: v.any(), size: v.number(), ids: v.array(v.string()) },
    handler: async (ctx, { order, cursor, size, ids }) => {
      const result = await ctx.db.query('anything').withIndex('by_k').order(order).paginate({ cursor, numItems: size })
      return { rows: result.page.map((row: any) => ids.indexOf(row._id)), isDone: result.isDone, cursor: result.continueCursor }
    },
  }),
}

// A small pool of values: what matters is that bounds, filters and documents meet.
const scalar = fc.oneof(
  { weight: 3, arbitrary: fc.integer({ min: 0, max: 3 }) },
  fc.constantFrom(null, true, false, 'a', 'b', '', 1n, -2n, 0.5),
)
const value = fc.oneof(
  { weight: 4, arbitrary: scalar },
  fc.constant(-0),
  fc.array(fc.integer({ min: 0, max: 2 }), { maxLength: 2 }),
  fc.record({ x: fc.integer({ min: 0, max: 1 }) }),
)
const body = fc.oneof(
  value.map((k) => ({ k })),
  fc.record({ k: value, extra: value }),
  fc.constant({}),
)
const target = fc.nat(20)
const order = fc.constantFrom('asc', 'desc')
const range = fc.oneof(
  fc.constant([]),
  value.map((bound) => [{ op: 'eq', value: bound }]),
  fc.tuple(fc.constantFrom('gt', 'gte'), value).map(([op, bound]) => [{ op, value: bound }]),
  fc.tuple(fc.constantFrom('lt', 'lte'), value).map(([op, bound]) => [{ op, value: bound }]),
  fc.tuple(fc.constantFrom('gt', 'gte'), value, fc.constantFrom('lt', 'lte'), value).map(([low, from, high, to]) => [
    { op: low, value: from },
    { op: high, value: to },
  ]),
)
const operation = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('insert'), value: body }) },
  fc.record({ kind: fc.constantFrom('patch', 'replace'), target, value: body }),
  fc.record({ kind: fc.constantFrom('delete', 'get'), target }),
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('query'),
      index: fc.constantFrom(true, true, false),
      range,
      order,
      filter: fc.option(scalar, { freq: 1 }),
      take: fc.option(fc.nat(4)),
    }),
  },
)
const step = fc.oneof(
  fc.record({
    fn: fc.constantFrom('p:write', 'p:parent'),
    ops: fc.array(operation, { maxLength: 8 }),
    fail: fc.constantFrom(false, false, true),
  }),
  fc.record({ fn: fc.constant('p:page'), order, size: fc.integer({ min: 1, max: 4 }) }),
)

/** Programs start with documents to find: ranges over nothing agree too easily. */
const start = fc
  .array(body, { minLength: 4, maxLength: 12 })
  .map((values) => ({ fn: 'p:write', ops: values.map((inserted) => ({ kind: 'insert', value: inserted })), fail: false }))

interface Backend {
  mutation(fn: any, args: any): Promise<any>
  query(fn: any, args: any): Promise<any>
}

async function play(backend: Backend, steps: any[]): Promise<any[]> {
  let ids: string[] = []
  const story: any[] = []
  for (const { fn, ...rest } of steps) {
    const ref = makeFunctionReference<any>(fn)
    if (fn === 'p:page') {
      for (let cursor: string | null = null; ;) {
        const page: any = await backend.query(ref, { ...rest, cursor, ids })
        story.push([page.rows, page.isDone])
        if (page.isDone) break
        cursor = page.cursor
      }
      continue
    }
    const answer = await backend
      .mutation(ref, { ...rest, ids })
      .catch((error: Error) => error.message.replace(/^Uncaught Error: /, ''))
    story.push(typeof answer === 'string' ? answer : answer.results)
    if (typeof answer !== 'string') ids = answer.ids
  }
  return story
}

it(`${RUNS} random programs agree with convex-test`, { timeout: 60_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(start, fc.array(step, { minLength: 1, maxLength: 5 }), async (first, rest) => {
      const steps = [first, ...rest]
      const mock = convexTest(schema, { '/convex/_generated/api.js': async () => ({}), '/convex/p.ts': async () => p })
      const expected = await play(mock, steps)
      const engine = await createEmbeddedConvex({ functions: { schema, modules: { p } }, memory: true })
      try {
        expect(await play(engine as unknown as Backend, steps)).toEqual(expected)
      } finally {
        await engine.close()
      }
    }),
    { numRuns: RUNS },
  )
})
