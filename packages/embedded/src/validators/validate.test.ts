import { v, type GenericValidator } from 'convex/values'
import { expect, it } from 'vitest'
import type { Catalog, TableInfo } from '../storage/catalog.ts'
import { encodeId } from '../values/ids.ts'
import type { Json } from '../values/json.ts'
import { findMismatch, type ValidatorJson } from './validate.ts'

const table = (number: number, name: string) => ({ number, name }) as TableInfo
const tables = [table(10_001, 'users'), table(10_002, 'messages')]
const catalog = {
  table: (name: string) => tables.find((info) => info.name === name),
  tableByNumber: (number: number) => tables.find((info) => info.number === number),
} as Catalog
const userId = encodeId(10_001, new Uint8Array(16))

function check(validator: GenericValidator, value: Json): string | null {
  return findMismatch(catalog, (validator as unknown as { json: ValidatorJson }).json, value)
}

it.each<[string, GenericValidator, Json]>([
  ['null', v.null(), null],
  ['number', v.number(), 1.5],
  ['special number', v.number(), { $float: 'AAAAAAAA+H8=' }],
  ['bigint', v.int64(), { $integer: 'AQAAAAAAAAA=' }],
  ['bytes', v.bytes(), { $bytes: 'AQ==' }],
  ['id', v.id('users'), userId],
  ['literal', v.literal('a'), 'a'],
  ['union', v.union(v.literal('a'), v.number()), 3],
  ['record', v.record(v.string(), v.number()), { a: 1 }],
  ['optional', v.object({ a: v.optional(v.string()) }), {}],
  ['any', v.any(), { deep: [1] }],
])('%s matches', (_name, validator, value) => {
  expect(check(validator, value)).toBeNull()
})

it.each<[string, GenericValidator, Json, string]>([
  ['type', v.string(), 5, 'Value does not match validator.\nValue: 5.0\nValidator: v.string()'],
  [
    'path',
    v.object({ a: v.array(v.number()) }),
    { a: [1, 'x'] },
    'Value does not match validator.\nPath: .a[1]\nValue: "x"\nValidator: v.float64()',
  ],
  [
    'missing field',
    v.object({ a: v.string(), b: v.optional(v.int64()) }),
    {},
    'Object is missing the required field `a`. Consider wrapping the field validator in `v.optional(...)` if this is expected.\n\nObject: {}\nValidator: v.object({a: v.string(), b: v.optional(v.int64())})',
  ],
  [
    'extra field',
    v.object({ a: v.string() }),
    { a: 'x', z: true },
    'Object contains extra field `z` that is not in the validator.\n\nObject: {a: "x", z: true}\nValidator: v.object({a: v.string()})',
  ],
  [
    'wrong table',
    v.id('messages'),
    userId,
    `Found ID "${userId}" from table \`users\`, which does not match the table name in validator \`v.id("messages")\`.`,
  ],
  ['no id', v.id('users'), 'abc', 'Value does not match validator.\nValue: "abc"\nValidator: v.id("users")'],
  [
    'union',
    v.union(v.literal('a'), v.null()),
    'b',
    'Value does not match validator.\nValue: "b"\nValidator: v.union(v.literal("a"), v.null())',
  ],
  [
    'wrapper is no object',
    v.object({}),
    { $integer: 'AQAAAAAAAAA=' },
    'Value does not match validator.\nValue: 1n\nValidator: v.object({})',
  ],
])('%s is described', (_name, validator, value, expected) => {
  expect(check(validator, value)).toBe(expected)
})
