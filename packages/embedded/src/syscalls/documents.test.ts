/* eslint-disable @typescript-eslint/no-explicit-any -- documents without a data model */
/**
 * Single documents: what is kept, what is refused and in which words. Production: isolate/src/environment/udf/async_syscall.rs (argument
 * errors), database/src/transaction.rs and bootstrap_model/user_facing.rs, common/src/document.rs, value/src/{id_v6,object,array,size}.rs,
 * sync_types/src/identifier.rs; what the client library refuses before it asks: convex/src/values/value.ts, server/impl/database_impl.ts.
 */
import { defineSchema, defineTable, makeFunctionReference, mutationGeneric } from 'convex/server'
import { v } from 'convex/values'
import { describe, expect, it } from 'vitest'
import { inMemory } from '../../test/fixtures/backend.ts'
import { encodeId } from '../values/ids.ts'

const schema = defineSchema({
  anything: defineTable(v.any()).index('by_k', ['k']),
  others: defineTable({ name: v.optional(v.string()) }),
})
const later = mutationGeneric({
  args: {},
  handler: (ctx) => ctx.scheduler.runAfter(60_000, makeFunctionReference<'mutation'>('m:later'), {}),
})
/** Patches and replaces a document, with what it holds already but for `k`. */
const touch = mutationGeneric({
  args: { id: v.id('anything'), k: v.number() },
  handler: async (ctx, { id, k }) => {
    await ctx.db.patch(id, {})
    await ctx.db.patch(id, { k, gone: undefined })
    await ctx.db.replace(id, { deep: { b: NaN, a: [1] }, k } as never)
  },
})
const functions = { schema, modules: { m: { later } } }
const start = () => inMemory({ functions, autoSchedule: false })

/** Runs `body` in a mutation that has a document of each table and a scheduled function. */
async function run<T>(body: (db: any, ids: { id: string; other: string; job: string }) => Promise<T>): Promise<T> {
  const backend = await start()
  const job = (await backend.mutation('m:later', {})) as string
  return backend.run(async (ctx) => {
    const id = await ctx.db.insert('anything', { k: 1, kept: 'x' })
    return body(ctx.db, { id, other: await ctx.db.insert('others', {}), job })
  })
}
const nested = (depth: number, kind: 'array' | 'object' = 'array'): any =>
  depth === 0 ? 1 : kind === 'array' ? [nested(depth - 1, kind)] : { a: nested(depth - 1, kind) }
const fields = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, at) => [`f${at}`, 1]))
const bytesOf = (...bytes: number[]) => new Uint8Array(bytes).buffer

describe('values that are kept as they are', () => {
  it.each<[string, unknown]>([
    ['null', null],
    ['NaN', NaN],
    ['minus zero', -0],
    ['infinity', -Infinity],
    ['the smallest number', 5e-324],
    ['the largest integer', 2n ** 63n - 1n],
    ['the smallest integer', -(2n ** 63n)],
    ['text with NUL', 'a\0b'],
    ['text beyond 16 bits', '😀 ü'],
    ['empty text', ''],
    ['bytes', bytesOf(0, 255)],
    ['no bytes', bytesOf()],
    ['an empty list', []],
    ['an empty object', {}],
    ['a field name with every kind of sign', { ' a-b.c[0]"~': 1 }],
    ['a name that begins with an underscore, deeper', { _deeper: { _id: 'x' } }],
    ['8,192 elements', Array.from({ length: 8_192 }, () => 0)],
    ['1,024 fields', fields(1_024)],
    ['nesting of 16, the document included', nested(15)],
    ['a field name of 1,024 letters', { ['n'.repeat(1_024)]: 1 }],
  ])('%s', async (_name, value) => {
    const found = await run(async (db) => (await db.get(await db.insert('anything', { value }))).value)
    expect(found).toEqual(value)
    expect(Object.is(found, -0)).toBe(Object.is(value, -0))
  })

  it('absent fields of objects are left out', async () => {
    const found = await run(async (db) => db.get(await db.insert('anything', { a: undefined, deep: { b: undefined, c: 1 } })))
    expect(Object.keys(found).sort()).toEqual(['_creationTime', '_id', 'deep'])
    expect(found.deep).toEqual({ c: 1 })
  })
})

describe('values that are refused', () => {
  it.each<[string, unknown, string]>([
    ['undefined in a list', [1, undefined], 'undefined is not a valid Convex value (present at path .value[1]'],
    ['an integer of 65 bits', 2n ** 63n, 'BigInt 9223372036854775808 does not fit into a 64-bit signed integer.'],
    ['a date', new Date(0), 'is not a supported Convex type (present at path .value'],
    ['a map', new Map(), 'Map[] is not a supported Convex type'],
    ['a field name with $', { $a: 1 }, "Field name $a starts with a '$', which is reserved."],
    ['a field name with ü', { ü: 1 }, "Field name ü has invalid character 'ü': Field names can only contain non-control ASCII"],
    ['a field name with a line end', { 'a\n': 1 }, 'Field names can only contain non-control ASCII characters'],
    ['a field name of 1,025 letters', { ['n'.repeat(1_025)]: 1 }, 'exceeds maximum field name length 1024.'],
    ['an empty field name', { '': 1 }, 'Invalid argument `value` for `db.insert`: Field name cannot be empty'],
    ['8,193 elements', Array.from({ length: 8_193 }, () => 0), 'Array length is too long (8193 > maximum length 8192)'],
    ['1,025 fields', fields(1_025), 'Object has too many fields (1025 > maximum number 1024)'],
    ['lists 16 deep', nested(16), 'Document is too nested (nested 17 levels deep > maximum nesting 16)'],
    ['objects 16 deep', nested(16, 'object'), 'Document is too nested (nested 17 levels deep > maximum nesting 16)'],
    ['lists 64 deep', nested(64), 'Value is too nested (nested 65 levels deep > maximum nesting 64)'],
    ['an unpaired surrogate', 'a\ud800', 'Strings must be valid Unicode'],
    ['a mebibyte of text', 'x'.repeat(1024 * 1024), 'Value is too large (1.00 MiB > maximum size 1 MiB)'],
    ['a commit timestamp', 'COMMIT_TS', 'not supported by the embedded backend: db.vars.commitTs'],
  ])('%s', async (_name, value, expected) => {
    await expect(
      run((db) => db.insert('anything', { value: value === 'COMMIT_TS' ? [db.vars.commitTs] : value })),
    ).rejects.toThrow(expected)
    await expect(
      run((db, { id }) => db.patch(id, { value: value === 'COMMIT_TS' ? [db.vars.commitTs] : value })),
    ).rejects.toThrow(expected.replace('db.insert', 'db.patch'))
  })
})

describe('system fields', () => {
  it.each<[string, (db: any, ids: { id: string; other: string }) => Promise<unknown>, string | RegExp]>([
    [
      'insert with _id',
      (db, { id }) => db.insert('anything', { _id: id }),
      /^Provided document ID "\w{32}" doesn't match '_id' field "\w{32}"$/,
    ],
    [
      'insert with _creationTime',
      (db) => db.insert('anything', { _creationTime: 5 }),
      /Provided creation time [\d.]+ doesn't match '_creationTime' field in \{_creationTime: 5\.0, _id: "\w+"\}/,
    ],
    [
      'insert with another underscore',
      (db) => db.insert('anything', { _x: 1 }),
      /^Document\(value: \{_creationTime: [\d.]+, _id: "\w+", _x: 1\.0\}\) isn't a valid document: Field '_x' starts with an underscore, which is only allowed for system fields like '_id'$/,
    ],
    ['patch of _id', (db, { id, other }) => db.patch(id, { _id: other }), "doesn't match '_id' field"],
    ['patch of _creationTime', (db, { id }) => db.patch(id, { _creationTime: 5 }), "doesn't match '_creationTime' field"],
    ['replace with another _id', (db, { id, other }) => db.replace(id, { _id: other }), "doesn't match '_id' field"],
    ['replace with another underscore', (db, { id }) => db.replace(id, { _x: 1 }), "Field '_x' starts with an underscore"],
  ])('%s is refused', async (_name, act, expected) => {
    await expect(run(act)).rejects.toThrow(expected)
  })

  it('may be given when they are the same, and cannot be removed', async () => {
    await run(async (db, { id }) => {
      const document = await db.get(id)
      await db.replace(id, { ...document, k: 2 })
      await db.patch(id, { _id: document._id, _creationTime: document._creationTime, k: 3 })
      await db.patch(id, { _id: undefined, _creationTime: undefined })
      expect(await db.get(id)).toEqual({ ...document, k: 3 })
    })
  })

  it('creation times grow strictly, within a mutation and from one to the next', async () => {
    const backend = await start()
    const times: number[] = []
    for (let round = 0; round < 3; round++)
      times.push(
        ...(await backend.run<number[]>(async (ctx) => {
          const ids = []
          for (let at = 0; at < 50; at++) ids.push(await ctx.db.insert('anything', {}))
          return Promise.all(ids.map(async (id) => (await ctx.db.get(id))._creationTime))
        })),
      )
    for (const [at, time] of times.entries()) expect(time).toBeGreaterThan(times[at - 1] ?? 0)
  })
})

describe('patch and replace', () => {
  it('patch merges the top level only, and removes what is undefined', async () => {
    await run(async (db, { id }) => {
      await db.patch(id, { deep: { a: 1, b: 2 }, k: undefined, missing: undefined })
      await db.patch(id, { deep: { c: undefined, d: 3 } })
      const { _id, _creationTime, ...rest } = await db.get(id)
      expect(rest).toEqual({ kept: 'x', deep: { d: 3 } })
    })
  })

  it('replace keeps nothing but the system fields', async () => {
    await run(async (db, { id }) => {
      const { _id, _creationTime } = await db.get(id)
      await db.replace(id, { only: 1 })
      expect(await db.get(id)).toEqual({ _id, _creationTime, only: 1 })
    })
  })

  it('what does not change a document is no write', async () => {
    const backend = await inMemory({ functions: { schema, modules: { m: { touch } } } })
    const id = await backend.run<string>((ctx) => ctx.db.insert('anything', { k: 1, deep: { a: [1], b: NaN } }))
    expect((await backend.trace('m:touch', { id, k: 1 })).writes).toEqual([])
    expect((await backend.trace('m:touch', { id, k: 2 })).writes).toMatchObject([{ table: 'anything', id }])
  })

  it.each<[string, (db: any, id: string) => Promise<unknown>, string]>([
    ['insert of a number', (db) => db.insert('anything', 5), 'Invalid argument `value` for `db.insert`: Value must be an Object'],
    ['insert of a list', (db) => db.insert('anything', []), 'Invalid argument `value` for `db.insert`: Value must be an Object'],
    ['insert of null', (db) => db.insert('anything', null), 'Invalid argument `value` for `db.insert`: Value must be an Object'],
    ['insert of nothing', (db) => db.insert('anything'), 'Must provide arg 2 `value` to `insert`'],
    ['patch with text', (db, id) => db.patch(id, 'x'), 'Invalid argument `value` for `db.patch`: Value must be an Object'],
    [
      'patch with an integer',
      (db, id) => db.patch(id, 5n),
      "Invalid argument `value` for `db.patch`: Field name $integer starts with '$'",
    ],
    [
      'replace with bytes',
      (db, id) => db.replace(id, bytesOf(1)),
      'Invalid argument `value` for `db.replace`: Value must be an Object',
    ],
    [
      'a patch that makes the document too large',
      async (db, id) => {
        await db.patch(id, { a: 'x'.repeat(600_000) })
        await db.patch(id, { b: 'x'.repeat(600_000) })
      },
      'Value is too large (1.14 MiB > maximum size 1 MiB)',
    ],
    [
      'a patch that makes too many fields',
      (db, id) => db.patch(id, fields(1_021)),
      'Object has too many fields (1025 > maximum number 1024)',
    ],
  ])('%s is refused', async (_name, act, expected) => {
    await expect(run((db, { id }) => act(db, id))).rejects.toThrow(expected)
  })
})

describe('ids', () => {
  const absent = encodeId(20_000, new Uint8Array(16))
  const [good, checksum] = [encodeId(10_001, new Uint8Array(16)), 'Unable to decode ID: Invalid ID version']
  const changed = `${good.slice(0, 5)}${good[5] === '1' ? '2' : '1'}${good.slice(6)}`

  it.each<[string, string, string]>([
    ['empty', '', 'Unable to decode ID: Invalid ID length 0'],
    ['too short', 'abc', 'Unable to decode ID: Invalid ID length 3'],
    ['too long', 'a'.repeat(38), 'Unable to decode ID: Invalid ID length 38'],
    ['in capitals', good.toUpperCase(), "Unable to decode ID: ID wasn't valid base32"],
    ['with a letter ids do not have', `${good.slice(0, -1)}u`, "Unable to decode ID: ID wasn't valid base32"],
    ['with a changed letter', changed, checksum],
    ['of table number 0', encodeId(0, new Uint8Array(16)), 'Unable to decode ID: Invalid table number'],
    // The 37 characters decode to a right checksum, and encode to other characters: production's own example.
    ['that is another spelling', 'mz1xn7tymdnktmmzqy5xxhn7tjs2nkkfmtjjr', 'Unable to decode ID: Invalid'],
  ])('%s is refused by every method, and normalized to null', async (_name, id, why) => {
    const methods = { get: [], patch: [{}], replace: [{}], delete: [] } as Record<string, unknown[]>
    for (const [method, more] of Object.entries(methods)) {
      await expect(run((db) => db[method](id, ...more))).rejects.toThrow(`Invalid argument \`id\` for \`db.${method}\`: ${why}`)
    }
    expect(await run(async (db) => db.normalizeId('anything', id))).toBeNull()
  })

  it.each(['patch', 'replace', 'delete'])(
    '%s of a document that is gone or of a table that is not there is refused',
    async (method) => {
      const verb = { patch: 'Update', replace: 'Replace', delete: 'Delete' }[method]
      const args = method === 'delete' ? [] : [{}]
      await expect(
        run(async (db, { id }) => {
          await db.delete(id)
          await db[method](id, ...args)
        }),
      ).rejects.toThrow(new RegExp(`^${verb} on nonexistent document ID \\w{32}$`))
      await expect(run((db) => db[method](absent, ...args))).rejects.toThrow(
        `Invalid argument \`id\` for \`db.${method}\`: Table for ID "${absent}" not found`,
      )
    },
  )

  it('get of a document that is gone or of a table that is not there is null', async () => {
    await run(async (db, { id }) => {
      await db.delete(id)
      expect([await db.get(id), await db.get('anything', id), await db.get(absent)]).toEqual([null, null, null])
    })
  })

  it.each<[string, unknown, string]>([
    ['get', 5, "Invalid argument `id` for `db.get`, expected string but got 'number': 5"],
    ['get', undefined, 'Must provide arg 1 `id` to `get`'],
    ['patch', null, 'Invalid arguments for `db.patch`: invalid type: null, expected a string'],
    ['replace', 1.5, 'Invalid arguments for `db.replace`: invalid type: floating point `1.5`, expected a string'],
    ['delete', ['x'], 'Invalid arguments for `db.delete`: invalid type: sequence, expected a string'],
  ])('%s of %j is refused', async (method, id, expected) => {
    await expect(run((db) => db[method](id, ...(method === 'patch' || method === 'replace' ? [{}] : [])))).rejects.toThrow(
      expected,
    )
  })

  it('a table that is named must be the one of the id', async () => {
    for (const act of [
      (db: any, id: string) => db.get('others', id),
      (db: any, id: string) => db.patch('others', id, {}),
      (db: any, id: string) => db.replace('others', id, {}),
      (db: any, id: string) => db.delete('others', id),
    ])
      await expect(run((db, { id }) => act(db, id))).rejects.toThrow(
        /expected an ID of table "others", got "\w{32}" of table "anything"/,
      )
    await run(async (db, { id }) => {
      await db.patch('anything', id, { k: 5 })
      expect((await db.get('anything', id)).k).toBe(5)
      await db.replace('anything', id, {})
      await db.delete('anything', id)
    })
  })

  it('normalizeId knows ids of its table only, whether or not the document is there', async () => {
    await run(async (db, { id, other, job }) => {
      expect(db.normalizeId('anything', id)).toBe(id)
      expect(db.normalizeId('anything', encodeId(10_001, new Uint8Array(16)))).not.toBeNull()
      expect([other, job, absent, 'x', `${id} `].map((text) => db.normalizeId('anything', text))).toEqual(Array(5).fill(null))
      expect(db.normalizeId('nowhere', id)).toBeNull()
      expect(db.system.normalizeId('_scheduled_functions', job)).toBe(job)
      expect(db.system.normalizeId('_scheduled_functions', id)).toBeNull()
      expect(db.system.normalizeId('_crons', encodeId(2, new Uint8Array(16)))).toBeNull()
      expect(() => db.normalizeId('_storage', id)).toThrow('System tables can only be accessed from db.system.normalizeId().')
      expect(() => db.system.normalizeId('anything', id)).toThrow('User tables can only be accessed from db.normalizeId().')
    })
  })
})

describe('system tables', () => {
  it('scheduled functions and files are read through db.system', async () => {
    await run(async (db, { job }) => {
      expect(await db.system.get(job)).toMatchObject({ _id: job, name: 'm:later', state: { kind: 'pending' } })
      expect(await db.system.get('_scheduled_functions', job)).toMatchObject({ _id: job })
      expect(await db.system.query('_scheduled_functions').collect()).toHaveLength(1)
      expect(await db.system.query('_storage').collect()).toEqual([])
    })
  })

  it.each<[string, (db: any, ids: { id: string; job: string }) => unknown, string]>([
    ['get', (db, { job }) => db.get(job), 'System tables can only be accessed with db.system.'],
    [
      'get of a user table through db.system',
      (db, { id }) => db.system.get(id),
      'User tables cannot be accessed with db.system.',
    ],
    ['patch', (db, { job }) => db.patch(job, {}), 'System tables can only be accessed with db.system.'],
    ['replace', (db, { job }) => db.replace(job, {}), 'System tables can only be accessed with db.system.'],
    ['delete', (db, { job }) => db.delete(job), 'System tables can only be accessed with db.system.'],
    ['insert', (db) => db.insert('_storage', {}), 'System tables (prefixed with `_`) are read-only.'],
    ['query', (db) => db.query('_storage').collect(), 'System tables can only be accessed from db.system.query().'],
    [
      'query of a user table through db.system',
      (db) => db.system.query('anything').collect(),
      'User tables can only be accessed from db.query().',
    ],
    [
      'the table of crons',
      (db) => db.system.query('_crons').collect(),
      'not supported by the embedded backend: the system table _crons',
    ],
    ['a system table that is not there', (db) => db.system.query('_index').collect(), 'not supported by the embedded backend'],
  ])('%s is refused', async (_name, act, expected) => {
    await expect(run(async (db, ids) => act(db, ids))).rejects.toThrow(expected)
  })

  it('the crons of the engine cannot be reached by their ids', async () => {
    const cron = encodeId(2, new Uint8Array(16))
    expect(await run((db) => db.get(cron))).toBeNull()
    await expect(run((db) => db.delete(cron))).rejects.toThrow(`Table for ID "${cron}" not found`)
  })
})

describe('take, first, unique', () => {
  const filled = (act: (db: any) => unknown) =>
    run(async (db) => {
      for (const k of [1, 2, 3]) await db.insert('others', { name: `n${k}` })
      return act(db)
    })

  it.each<[string, (db: any) => Promise<unknown>, string | RegExp]>([
    ['take(-1)', (db) => db.query('others').take(-1), 'Arg 1 `n` to `take` must be a non-negative integer'],
    ['take(1.5)', (db) => db.query('others').take(1.5), 'Arg 1 `n` to `take` must be a non-negative integer'],
    ['take(NaN)', (db) => db.query('others').take(NaN), 'Arg 1 `n` to `take` must be a non-negative integer'],
    [
      'unique of several',
      (db) => db.query('others').unique(),
      /^unique\(\) query returned more than one result from table others:\s+\[\w{32}, \w{32}, \.\.\.\]$/,
    ],
    [
      'order twice',
      (db) => db.query('others').order('asc').order('desc').collect(),
      'Queries may only specify order at most once',
    ],
    [
      'a table that is not in the schema',
      (db) => db.query('nowhere').collect(),
      'not supported by the embedded backend: a table that is not in the schema ("nowhere")',
    ],
  ])('%s is refused', async (_name, act, expected) => {
    await expect(filled(act)).rejects.toThrow(expected)
  })

  it('take(0) is nothing, take of more is everything, first and unique of nothing are null', async () => {
    await filled(async (db) => {
      expect(await db.query('others').take(0)).toEqual([])
      expect(await db.query('others').take(100)).toHaveLength(4)
      const none = () => db.query('others').filter((q: any) => q.eq(q.field('name'), 'none'))
      expect([await none().first(), await none().unique(), await none().collect()]).toEqual([null, null, []])
    })
  })
})
