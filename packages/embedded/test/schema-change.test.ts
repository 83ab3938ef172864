/* eslint-disable @typescript-eslint/no-explicit-any -- the data model of these schemas is not typed */
/** A new schema on existing data: all of it or nothing of it. */
import { defineSchema, defineTable } from 'convex/server'
import { v } from 'convex/values'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { DatabaseSync } from 'node:sqlite'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { check } from '../src/operations/check.ts'
import { onDisk, temporaryFolder } from './fixtures/backend.ts'

const item = { name: v.string(), rank: v.number() }
const old = defineSchema({ items: defineTable(item).index('by_name', ['name']), notes: defineTable({ text: v.string() }) })
const open = (dataDir: string, schema: typeof old) => onDisk({ dataDir, functions: { schema, modules: {} }, autoSchedule: false })
const any = (schema: unknown) => schema as typeof old

async function fill(dataDir: string, count: number): Promise<void> {
  const backend = await open(dataDir, old)
  await backend.run(async (ctx) => {
    for (let rank = 0; rank < count; rank++) await ctx.db.insert('items', { name: `n${rank % 7}`, rank })
    await ctx.db.insert('notes', { text: 'kept' })
  })
  await backend.close()
}
/** Everything the database holds, and how it is described. */
function state(dataDir: string): unknown {
  const db = new DatabaseSync(join(dataDir, 'convex.sqlite'))
  const rows = ['tables', 'indexes', 'documents', 'entries', 'meta'].map((table) => db.prepare(`SELECT * FROM ${table}`).all())
  db.close()
  return rows
}
const failures = async (dataDir: string) => (await check(dataDir)).filter(({ status }) => status === 'fail')

it('documents that break it are all named by table, id and field; the backend does not start and nothing is applied', async () => {
  const dataDir = await temporaryFolder()
  await fill(dataDir, 30)
  const before = state(dataDir)
  const broken = any(
    defineSchema({
      items: defineTable({ name: v.string(), rank: v.string() }).index('by_rank', ['rank']), // a new index, by_name gone
      notes: defineTable({}),
      more: defineTable({}),
    }),
  )
  const refusal = await open(dataDir, broken).then(
    () => '',
    (error: Error) => error.message,
  )
  expect(refusal).toContain('31 stored documents do not match the schema')
  expect(refusal).toMatch(
    /table "items", id \w+, field "rank": Value does not match validator\. Value: 0\.0, expected: v\.string\(\)/,
  )
  expect(refusal.match(/table "items", id/g)).toHaveLength(20)
  expect(refusal).toContain('and 11 more')
  expect(state(dataDir)).toEqual(before)
  await open(dataDir, old)
})

it('a changed, a dropped and a returning index hold exactly the documents', async () => {
  const dataDir = await temporaryFolder()
  await fill(dataDir, 20)
  const changed = any(
    defineSchema({
      items: defineTable(item).index('by_name', ['name', 'rank']).index('by_rank', ['rank']),
      notes: old.tables.notes,
    }),
  )
  const second = await open(dataDir, changed)
  const found = await second.run<{ rank: number }[]>((ctx) =>
    ctx.db
      .query('items')
      .withIndex('by_name', (q: any) => q.eq('name', 'n1').gt('rank', 5))
      .collect(),
  )
  expect(found.map(({ rank }) => rank)).toEqual([8, 15])
  await second.run((ctx) => ctx.db.insert('items', { name: 'n1', rank: 99 }))
  await second.close()
  expect(await failures(dataDir)).toEqual([])
  const back = await open(dataDir, old)
  const named = await back.run((ctx) =>
    ctx.db
      .query('items')
      .withIndex('by_name', (q: any) => q.eq('name', 'n1'))
      .collect(),
  )
  expect(named).toHaveLength(4)
  await back.close()
  expect(await failures(dataDir)).toEqual([])
})

it('a table that leaves the schema keeps its documents and is whole when it returns', async () => {
  const dataDir = await temporaryFolder()
  await fill(dataDir, 3)
  await (await open(dataDir, any(defineSchema({ notes: defineTable({ text: v.string() }) })))).close()
  const returned = await open(dataDir, old)
  expect(
    await returned.run((ctx) =>
      ctx.db
        .query('items')
        .withIndex('by_name', (q: any) => q.eq('name', 'n2'))
        .collect(),
    ),
  ).toHaveLength(1)
  await returned.close()
  expect(await failures(dataDir)).toEqual([])
})

it('a kill in the middle of a backfill leaves the old state', { timeout: 30_000 }, async () => {
  const dataDir = await temporaryFolder()
  await fill(dataDir, 400)
  const before = state(dataDir)
  const url = (path: string) => JSON.stringify(new URL(path, import.meta.url).href)
  const source = `
    import { createEmbeddedConvex } from ${url('../src/index.ts')}
    import { defineSchema, defineTable } from 'convex/server'
    import { v } from 'convex/values'
    let filled = 0
    const schema = defineSchema({
      items: defineTable({ name: v.string(), rank: v.number() }).index('by_rank', ['rank']),
      notes: defineTable({ text: v.string() }),
    })
    await createEmbeddedConvex({
      functions: { schema, modules: {} },
      dataDir: ${JSON.stringify(dataDir)},
      wrapConnection: (connection) => ({
        ...connection,
        addEntry(...args) {
          connection.addEntry(...args)
          if (++filled === 200) {
            process.stdout.write('in the middle')
            process.kill(process.pid, 'SIGKILL')
          }
        },
      }),
    })`
  const child = spawn(process.execPath, ['--input-type=module', '-e', source], {
    stdio: ['ignore', 'pipe', 'inherit'],
    cwd: import.meta.dirname,
  })
  let printed = ''
  child.stdout.on('data', (chunk: Buffer) => (printed += chunk.toString()))
  const [, signal] = (await once(child, 'close')) as [number | null, string]
  expect([printed, signal]).toEqual(['in the middle', 'SIGKILL'])
  expect(state(dataDir)).toEqual(before)
  expect(await failures(dataDir)).toEqual([])
  await open(dataDir, old)
})

it('documents of several tables that break it are named together; a new index beside a refused type is not applied', async () => {
  const dataDir = await temporaryFolder()
  await fill(dataDir, 2)
  const before = state(dataDir)
  const broken = any(
    defineSchema({
      items: defineTable({ name: v.string(), rank: v.number(), colour: v.string() }).index('by_name', ['name']),
      notes: defineTable({ text: v.union(v.literal('lost'), v.null()) }).index('by_text', ['text']),
    }),
  )
  const refusal = await open(dataDir, broken).then(
    () => '',
    (error: Error) => error.message,
  )
  expect(refusal).toContain('3 stored documents do not match the schema')
  expect(refusal.match(/table "items", id \w{32}, field "colour": Object is missing the required field `colour`/g)).toHaveLength(
    2,
  )
  expect(refusal).toMatch(
    /table "notes", id \w{32}, field "text": Value does not match validator\. Value: "kept", expected: v\.union/,
  )
  expect(state(dataDir)).toEqual(before)
  const again = await open(dataDir, old)
  await expect(again.run((ctx) => ctx.db.query('notes').withIndex('by_text').collect())).rejects.toThrow(
    'Index notes.by_text not found.',
  )
  expect(await again.run((ctx) => ctx.db.query('items').withIndex('by_name').collect())).toHaveLength(2)
})

it.each<[string, object, RegExp | null]>([
  ['an optional field is added', { ...item, colour: v.optional(v.string()) }, null],
  ['a type is widened', { name: v.string(), rank: v.union(v.number(), v.null()) }, null],
  ['a type becomes any', { name: v.any(), rank: v.any() }, null],
  ['a field is removed', { name: v.string() }, /field "rank": Object contains extra field `rank`/],
  ['null is wanted for what is absent', { ...item, colour: v.null() }, /field "colour": Object is missing the required field/],
  [
    'an integer is wanted for a number',
    { name: v.string(), rank: v.int64() },
    /field "rank": .*Value: 0\.0, expected: v\.int64\(\)/,
  ],
  [
    'a literal is wanted',
    { name: v.literal('n1'), rank: v.number() },
    /field "name": `"n0"` does not match literal validator `v\.literal\("n1"\)`/,
  ],
  ['an id is wanted', { name: v.id('notes'), rank: v.number() }, /field "name": .*Value: "n0", expected: v\.id\("notes"\)/],
])('a document type changes: %s', async (_name, type, refusal) => {
  const dataDir = await temporaryFolder()
  await fill(dataDir, 2)
  const next = any(defineSchema({ items: defineTable(type as typeof item), notes: old.tables.notes }))
  if (refusal) await expect(open(dataDir, next)).rejects.toThrow(refusal)
  else expect(await (await open(dataDir, next)).run((ctx) => ctx.db.query('items').collect())).toHaveLength(2)
})

it('one schema with documents of several kinds, and one that validates nothing', async () => {
  const dataDir = await temporaryFolder()
  await fill(dataDir, 1)
  const kinds = defineTable(v.union(v.object(item), v.object({ kind: v.literal('other'), size: v.int64() })))
  const second = await open(dataDir, any(defineSchema({ items: kinds, notes: old.tables.notes })))
  await second.run((ctx) => ctx.db.insert('items', { kind: 'other', size: 5n }))
  await expect(second.run((ctx) => ctx.db.insert('items', { kind: 'other', size: 5 }))).rejects.toThrow(
    'Failed to insert or update a document in table "items" because it does not match the schema: Value does not match validator.\n\nValue: {kind: "other", size: 5.0}\nValidator: v.union(v.object({name: v.string(), rank: v.float64()}), v.object({kind: v.literal("other"), size: v.int64()}))',
  )
  await second.close()
  await expect(open(dataDir, old)).rejects.toThrow(/field "\w+": Object is missing the required field `name`/)
  const free = defineSchema({ items: defineTable(item), notes: old.tables.notes }, { schemaValidation: false })
  const third = await open(dataDir, any(free))
  await third.run((ctx) => ctx.db.insert('items', { anything: [1] }))
  await third.close()
  await expect(open(dataDir, any(defineSchema({ items: kinds, notes: old.tables.notes })))).rejects.toThrow(
    '1 stored document does not match the schema',
  )
})

it('ids of a table that left the schema stay valid in the documents of others', async () => {
  const dataDir = await temporaryFolder()
  const both = defineSchema({ owners: defineTable({}), things: defineTable({ owner: v.id('owners'), n: v.number() }) })
  const first = await open(dataDir, any(both))
  const { owner, thing } = await first.run(async (ctx) => {
    const owner = (await ctx.db.insert('owners', {})) as string
    return { owner, thing: (await ctx.db.insert('things', { owner, n: 1 })) as string }
  })
  await first.close()
  const second = await open(dataDir, any(defineSchema({ things: both.tables.things })))
  await second.run((ctx) => ctx.db.patch(thing, { n: 2 }))
  await second.run((ctx) => ctx.db.insert('things', { owner, n: 3 }))
  await expect(second.run((ctx) => ctx.db.insert('things', { owner: thing, n: 3 }))).rejects.toThrow(
    `Found ID "${thing}" from table \`things\`, which does not match the table name in validator \`v.id("owners")\`.Path: .owner`,
  )
  // The document is still there: null would be a lie.
  await expect(second.run((ctx) => ctx.db.get(owner))).rejects.toThrow('a table that is not in the schema ("owners")')
  await second.close()
  const third = await open(dataDir, any(both))
  expect(await third.run((ctx) => ctx.db.get(owner))).toMatchObject({ _id: owner })
})
