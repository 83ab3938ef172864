/**
 * What validators take, and what they say. The sentences are production's: crates/common/src/schemas/validator.rs (ValidationError and
 * its context), crates/value/src/lib.rs (how values are printed).
 */
import { v, type GenericValidator } from 'convex/values'
import { expect, it } from 'vitest'
import type { Catalog, TableInfo } from '../storage/catalog.ts'
import { encodeId } from '../values/ids.ts'
import type { Json } from '../values/json.ts'
import { describeDocumentProblem } from './document.ts'
import { findMismatch, type ValidatorJson } from './validate.ts'

const table = (number: number, name: string) => ({ number, name }) as TableInfo
const tables = [table(1, '_scheduled_functions'), table(10_001, 'users'), table(10_002, 'messages')]
const catalog = {
  table: (name: string) => tables.find((info) => info.name === name),
  tableByNumber: (number: number) => tables.find((info) => info.number === number),
  formerTable: (number: number) => (number === 10_003 ? 'gone' : undefined),
} as Catalog
const userId = encodeId(10_001, new Uint8Array(16))
const jobId = encodeId(1, new Uint8Array(16))
const formerId = encodeId(10_003, new Uint8Array(16))
const unknownId = encodeId(10_099, new Uint8Array(16))
const int = (value: bigint): Json => {
  const bytes = Buffer.alloc(8)
  bytes.writeBigInt64LE(value)
  return { $integer: bytes.toString('base64') }
}
const float = (value: number): Json => {
  const bytes = Buffer.alloc(8)
  bytes.writeDoubleLE(value)
  return { $float: bytes.toString('base64') }
}

function check(validator: GenericValidator, value: Json): string | null {
  return findMismatch(catalog, (validator as unknown as { json: ValidatorJson }).json, value)
}

it.each<[string, GenericValidator, Json]>([
  ['null', v.null(), null],
  ['number', v.number(), 1.5],
  ['NaN is a number', v.number(), float(NaN)],
  ['bigint', v.int64(), int(1n)],
  ['bytes', v.bytes(), { $bytes: 'AQ==' }],
  ['id', v.id('users'), userId],
  ['id of a system table', v.id('_scheduled_functions'), jobId],
  ['id of a table that left the schema', v.id('gone'), formerId],
  ['literal', v.literal('a'), 'a'],
  ['bigint literal', v.literal(1n), int(1n)],
  ['union', v.union(v.literal('a'), v.number()), 3],
  ['record', v.record(v.string(), v.number()), { a: 1 }],
  ['record with ids as keys', v.record(v.id('users'), v.number()), { [userId]: 1 }],
  ['optional', v.object({ a: v.optional(v.string()) }), {}],
  ['nullable', v.nullable(v.number()), null],
  ['any', v.any(), { deep: [1] }],
  ['null is any', v.any(), null],
])('%s matches', (_name, validator, value) => {
  expect(check(validator, value)).toBeNull()
})

it.each<[string, GenericValidator, Json, string]>([
  ['type', v.string(), 5, 'Value does not match validator.\n\nValue: 5.0\nValidator: v.string()'],
  ['null is not absent', v.number(), null, 'Value does not match validator.\n\nValue: null\nValidator: v.float64()'],
  ['bigint is no number', v.number(), int(5n), 'Value does not match validator.\n\nValue: 5\nValidator: v.float64()'],
  ['number is no bigint', v.int64(), 5, 'Value does not match validator.\n\nValue: 5.0\nValidator: v.int64()'],
  ['NaN', v.int64(), float(NaN), 'Value does not match validator.\n\nValue: NaN\nValidator: v.int64()'],
  ['minus zero', v.int64(), float(-0), 'Value does not match validator.\n\nValue: -0.0\nValidator: v.int64()'],
  ['infinity', v.int64(), float(-Infinity), 'Value does not match validator.\n\nValue: -inf\nValidator: v.int64()'],
  ['large numbers', v.int64(), 1.5e300, 'Value does not match validator.\n\nValue: 1.5e300\nValidator: v.int64()'],
  ['small numbers', v.int64(), 1e-7, 'Value does not match validator.\n\nValue: 1e-7\nValidator: v.int64()'],
  ['bytes', v.int64(), { $bytes: 'AQ==' }, 'Value does not match validator.\n\nValue: b"AQ=="\nValidator: v.int64()'],
  ['escapes', v.int64(), 'a"\n\u0001', 'Value does not match validator.\n\nValue: "a\\"\\n\\u{1}"\nValidator: v.int64()'],
  [
    'path',
    v.object({ a: v.array(v.number()) }),
    { a: [1, 'x'] },
    'Value does not match validator.\nPath: .a[1]\nValue: "x"\nValidator: v.float64()',
  ],
  [
    'missing field',
    v.object({ b: v.optional(v.int64()), a: v.string() }),
    {},
    'Object is missing the required field `a`. Consider wrapping the field validator in `v.optional(...)` if this is expected.\n\nObject: {}\nValidator: v.object({a: v.string(), b: v.optional(v.int64())})',
  ],
  [
    'missing field deeper',
    v.object({ a: v.object({ b: v.string() }) }),
    { a: {} },
    'Object is missing the required field `b`. Consider wrapping the field validator in `v.optional(...)` if this is expected.\nPath: .a\nObject: {}\nValidator: v.object({b: v.string()})',
  ],
  [
    'extra field, after the types of the others',
    v.object({ a: v.string() }),
    { z: true, a: 'x', b: null },
    'Object contains extra field `b` that is not in the validator.\n\nObject: {a: "x", b: null, z: true}\nValidator: v.object({a: v.string()})',
  ],
  [
    // Names in order, whatever order they were written in.
    'the first field by name',
    v.object({ b: v.string(), a: v.string() }),
    { b: 1, a: 2 },
    'Value does not match validator.\nPath: .a\nValue: 2.0\nValidator: v.string()',
  ],
  [
    'wrong table',
    v.id('messages'),
    userId,
    `Found ID "${userId}" from table \`users\`, which does not match the table name in validator \`v.id("messages")\`.`,
  ],
  [
    // The path follows the full stop: so it is seen in production's logs.
    'wrong table deeper',
    v.object({ userId: v.id('messages') }),
    { userId },
    `Found ID "${userId}" from table \`users\`, which does not match the table name in validator \`v.id("messages")\`.Path: .userId`,
  ],
  [
    'system table',
    v.id('messages'),
    jobId,
    `Found ID "${jobId}" from a system table, which does not match the table name in validator \`v.id("messages")\`.`,
  ],
  ['no id', v.id('users'), 'abc', 'Value does not match validator.\n\nValue: "abc"\nValidator: v.id("users")'],
  [
    'an id of no table',
    v.id('users'),
    unknownId,
    `Value does not match validator.\n\nValue: "${unknownId}"\nValidator: v.id("users")`,
  ],
  ['literal', v.literal('a'), 'b', '`"b"` does not match literal validator `v.literal("a")`.'],
  ['literal of another type', v.literal(1), int(1n), '`1` does not match literal validator `v.literal(1.0)`.'],
  [
    'literal deeper',
    v.object({ kind: v.literal(1n) }),
    { kind: 2 },
    '`2.0` does not match literal validator `v.literal(<bigint>)`.Path: .kind',
  ],
  [
    'union',
    v.union(v.literal('a'), v.null()),
    'b',
    'Value does not match validator.\n\nValue: "b"\nValidator: v.union(v.literal("a"), v.null())',
  ],
  ['union of one', v.union(v.literal('a')), 'b', '`"b"` does not match literal validator `v.literal("a")`.'],
  [
    'record key',
    v.object({ r: v.record(v.id('users'), v.number()) }),
    { r: { x: 1 } },
    'Value does not match validator.\nPath: .r.keys()\nValue: "x"\nValidator: v.id("users")',
  ],
  [
    'record value',
    v.record(v.string(), v.number()),
    { x: 'one' },
    'Value does not match validator.\nPath: .values()\nValue: "one"\nValidator: v.float64()',
  ],
  ['wrapper is no object', v.object({}), int(1n), 'Value does not match validator.\n\nValue: 1\nValidator: v.object({})'],
])('%s is described', (_name, validator, value, expected) => {
  expect(check(validator, value)).toBe(expected)
})

it('v.commitTs() is refused by name', () => {
  expect(() => check(v.commitTs(), int(1n))).toThrow('not supported by the embedded backend: v.commitTs()')
})

it.each<[GenericValidator, Json, string]>([
  [v.object({ a: v.literal('x') }), { a: 'y' }, 'field "a": `"y"` does not match literal validator `v.literal("x")`.'],
  [v.object({ a: v.object({ b: v.string() }) }), { a: {} }, 'field "a.b": Object is missing the required field `b`.'],
  [
    v.object({ a: v.array(v.string()) }),
    { a: [1] },
    'field "a[0]": Value does not match validator. Value: 1.0, expected: v.string().',
  ],
])('the field of a broken document is named: %#', (validator, value, expected) => {
  expect(describeDocumentProblem('items', 'x1', check(validator, value)!)).toContain(`table "items", id x1, ${expected}`)
})
