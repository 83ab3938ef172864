/**
 * Definitions of tables that are refused at start. Production: crates/common/src/schemas/json.rs, mod.rs (check_index_references) and
 * bootstrap_model/index/index_validation_error.rs, which have the sentences.
 */
import { defineSchema, defineTable } from 'convex/server'
import { v } from 'convex/values'
import { expect, it } from 'vitest'
import { tableDefinitions } from '../functions/definition.ts'

const table = () => defineTable({ a: v.string(), nested: v.object({ x: v.optional(v.number()) }), free: v.any() })
const indexed = (fields: string[], name = 'by_x') => table().index(name, fields as never)
const start = (tables: Record<string, unknown>, options?: { schemaValidation: boolean }) =>
  tableDefinitions(defineSchema(tables as never, options as never))
const many = (count: number) => Array.from({ length: count }, (_, at) => `f${at}`)
const manyIndexes = (count: number) =>
  many(count).reduce((all, field) => all.index(`by_${field}`, ['a', field] as never), table())

it.each<[string, () => unknown, string]>([
  [
    'a table name with a space',
    () => start({ 'a b': table() }),
    'Invalid table name: "a b". Identifiers must start with a letter',
  ],
  ['a table name of 65 letters', () => start({ ['t'.repeat(65)]: table() }), `Invalid table name: "${'t'.repeat(65)}".`],
  ['a reserved table name', () => start({ _x: table() }), '_x is a reserved table name.'],
  [
    'by_id',
    () => start({ t: indexed(['a'], 'by_id') }),
    'In table "t" cannot name an index "by_id" because the name is reserved.',
  ],
  ['by_creation_time', () => start({ t: indexed(['a'], 'by_creation_time') }), 'cannot name an index "by_creation_time" because'],
  ['an index name with an underscore in front', () => start({ t: indexed(['a'], '_x') }), 'cannot name an index "_x" because'],
  [
    'an index name with a dot',
    () => start({ t: indexed(['a'], 'a.b') }),
    'In table "t": Invalid index name: "a.b". Identifiers must',
  ],
  [
    'an index name of 65 letters',
    () => start({ t: indexed(['a'], 'i'.repeat(65)) }),
    'Identifiers must be 64 characters or less',
  ],
  [
    'a name twice',
    () => start({ t: indexed(['a']).index('by_x', ['free']) }),
    'Table "t" has two or more definitions of index "by_x".',
  ],
  [
    'the same fields twice',
    () => start({ t: indexed(['a']).index('by_y', ['a']) }),
    'In table "t" index "by_y" and index "by_x" have the same fields. Indexes must be unique within a table.',
  ],
  [
    'a field twice',
    () => start({ t: indexed(['a', 'a']) }),
    'In table "t": In index "by_x": Duplicate field "a". Index fields must be unique within an index.',
  ],
  ['no field', () => start({ t: indexed([]) }), 'In table "t" index "by_x" must have at least one field.'],
  ['_id', () => start({ t: indexed(['_id']) }), 'In index "by_x": `_id` is not a valid index field. To load documents by ID'],
  [
    '_creationTime',
    () => start({ t: indexed(['_creationTime']) }),
    '`_creationTime` is automatically added to the end of each index.',
  ],
  [
    'another reserved field',
    () => start({ t: indexed(['_x']) }),
    'Reserved fields (starting with `_`) are not allowed in indexes.',
  ],
  ['a field that is no name', () => start({ t: indexed(['a b']) }), 'In index "by_x": Invalid index field: "a b"'],
  ['17 fields', () => start({ t: indexed(many(17)) }), 'In index "by_x": Indexes may have up to 16 fields.'],
  ['65 indexes', () => start({ t: manyIndexes(65) }), 'Table "t" cannot have more than 64 indexes.'],
  [
    'a field that cannot be there',
    () => start({ t: indexed(['nested.y']) }),
    'In table "t" the index "by_x" is invalid because it references the field "nested.y" that does not exist.',
  ],
  [
    'documents that are no objects',
    () => start({ t: defineTable(v.record(v.string(), v.string()) as never) }),
    'The document validator in a schema must be an object, a union of objects, or `v.any()`. Found v.record(v.string(), v.string()).',
  ],
  [
    'v.commitTs()',
    () => start({ t: defineTable({ at: v.commitTs() }) }),
    'not supported by the embedded backend: v.commitTs() (table t, field at)',
  ],
  [
    'a field name that is none',
    () => start({ t: defineTable({ 'a b': v.string() }) }),
    "Identifier a b has invalid character ' '",
  ],
  [
    'a literal that is no number',
    () => start({ t: defineTable({ n: v.literal(NaN) }) }),
    'Infinite or NaN values are not supported',
  ],
  [
    'a staged validator',
    () => start({ t: stagedValidator() }),
    'not supported by the embedded backend: staged validators (table t)',
  ],
  ['a vector index', () => start({ t: vectors() }), 'not supported by the embedded backend: vector indexes'],
])('%s is refused', (_name, act, expected) => {
  expect(act).toThrow(expected)
})

function stagedValidator(): unknown {
  return (table() as unknown as { staged(fields: object): unknown }).staged({ a: v.number() })
}
function vectors(): unknown {
  return defineTable({ e: v.array(v.number()) }).vectorIndex('by_e', { vectorField: 'e', dimensions: 3 })
}

it.each<[string, () => unknown]>([
  ['16 fields', () => start({ t: defineTable(v.any()).index('by_x', many(16) as never) })],
  ['64 indexes', () => start({ t: manyIndexes(64) }, { schemaValidation: false })],
  ['an optional nested field', () => start({ t: indexed(['nested.x']) })],
  ['anything below v.any()', () => start({ t: indexed(['free.to.be']) })],
  [
    'a field of one member of a union',
    () => start({ t: defineTable(v.union(v.object({ a: v.string() }), v.object({ b: v.string() }))).index('by_b', ['b']) }),
  ],
  ['a missing field where nothing is validated', () => start({ t: indexed(['nope']) }, { schemaValidation: false })],
  ['the same field names in another order', () => start({ t: indexed(['a', 'free']).index('by_y', ['free', 'a']) })],
])('%s is taken', (_name, act) => {
  expect(act).not.toThrow()
})
