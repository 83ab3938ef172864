/* eslint-disable @typescript-eslint/no-explicit-any -- filters over documents without a data model */
/** Filters on values of every type. Production: crates/common/src/query.rs (Expression::eval), types/maybe_value.rs, query/filter.rs. */
import { expect, it } from 'vitest'
import { inMemory } from '../../test/fixtures/backend.ts'
import { checkExpression } from './filter.ts'
import type { Json } from '../values/json.ts'

const document = { n: 5, big: 5n, s: 'text', t: true, nothing: null, nested: { x: 1 }, list: [1, 2] }

/** Whether a filter lets the one document through. */
async function passes(filter: (q: any) => unknown): Promise<boolean> {
  const backend = await inMemory()
  return backend.run(async (ctx) => {
    await ctx.db.insert('anything', document)
    return (await ctx.db.query('anything').filter(filter).collect()).length === 1
  })
}
type Filter = (q: any) => unknown

it.each<[string, Filter, boolean]>([
  ['absent is the absent value', (q) => q.eq(q.field('gone'), undefined), true],
  ['absent is not null', (q) => q.eq(q.field('gone'), null), false],
  ['null is not absent', (q) => q.eq(q.field('nothing'), undefined), false],
  ['absent is less than everything', (q) => q.lt(q.field('gone'), null), true],
  ['null is less than numbers', (q) => q.lt(q.field('nothing'), -1e300), true],
  ['integers are less than numbers', (q) => q.lt(q.field('big'), -1e300), true],
  ['numbers are less than booleans', (q) => q.lt(q.field('n'), false), true],
  ['booleans are less than text', (q) => q.lt(q.field('t'), ''), true],
  ['text is less than bytes', (q) => q.lt(q.field('s'), new ArrayBuffer(0)), true],
  ['lists are less than objects', (q) => q.lt(q.field('list'), {}), true],
  ['an integer is not the same number', (q) => q.eq(q.field('n'), 5n), false],
  ['neq across types', (q) => q.neq(q.field('n'), 'five'), true],
  ['NaN is itself', (q) => q.eq(NaN, NaN), true],
  ['NaN is greater than infinity', (q) => q.gt(NaN, Infinity), true],
  ['minus zero is less than zero', (q) => q.lt(-0, 0), true],
  ['nested field', (q) => q.eq(q.field('nested.x'), 1), true],
  ['a field of a field that is no object', (q) => q.eq(q.field('n.x'), undefined), true],
  ['lists are compared element by element', (q) => q.gt(q.field('list'), [1, 1, 9]), true],
  ['add', (q) => q.eq(q.add(q.field('n'), 1), 6), true],
  ['sub', (q) => q.eq(q.sub(q.field('n'), 1), 4), true],
  ['mul', (q) => q.eq(q.mul(q.field('n'), 2), 10), true],
  ['div of numbers', (q) => q.eq(q.div(q.field('n'), 2), 2.5), true],
  ['div by zero of numbers', (q) => q.eq(q.div(q.field('n'), 0), Infinity), true],
  ['div of integers', (q) => q.eq(q.div(q.field('big'), 2n), 2n), true],
  ['mod has the sign of the left side', (q) => q.eq(q.mod(q.neg(q.field('n')), 3), -2), true],
  ['neg of a number', (q) => q.eq(q.neg(q.field('n')), -5), true],
  ['neg of an integer', (q) => q.eq(q.neg(q.field('big')), -5n), true],
  ['and of nothing', (q) => q.and(), true],
  ['or of nothing', (q) => q.or(), false],
  ['and stops at the first false', (q) => q.and(false, q.add('x', 1) as never), false],
  ['or stops at the first true', (q) => q.or(true, q.add('x', 1) as never), true],
  ['not', (q) => q.not(q.eq(q.field('n'), 6)), true],
  ['gte and lte', (q) => q.and(q.gte(q.field('n'), 5), q.lte(q.field('n'), 5)), true],
])('%s', async (_name, filter, expected) => {
  expect(await passes(filter)).toBe(expected)
})

it.each<[string, Filter, string]>([
  ['a number and text', (q) => q.add(q.field('n'), q.field('s')), 'Cannot add 5.0 (type Float64) and "text" (type String)'],
  ['a number and an integer', (q) => q.sub(q.field('n'), 1n), 'Cannot subtract 5.0 (type Float64) and 1 (type Int64)'],
  ['an absent field', (q) => q.mul(q.field('gone'), 2), 'Cannot multiply undefined (type undefined) and 2.0 (type Float64)'],
  ['null', (q) => q.div(q.field('nothing'), 2), 'Cannot divide null (type Null) and 2.0 (type Float64)'],
  ['a list', (q) => q.mod(q.field('list'), 2), 'Cannot mod [1.0, 2.0] (type Array) and 2.0 (type Float64)'],
  ['neg of text', (q) => q.neg(q.field('s')), 'Cannot negate "text" (type String)'],
  ['and of a number', (q) => q.and(q.field('n')), 'Cannot use value 5.0 (type Float64) as a Boolean'],
  ['not of an absent field', (q) => q.not(q.field('gone')), 'Cannot use value undefined (type undefined) as a Boolean'],
  ['a filter that is no boolean', (q) => q.field('nested'), 'Cannot use value {x: 1.0} (type Object) as a Boolean'],
  // Production's integers have 64 bits; what it does on overflow is not documented.
  ['integers that do not fit', (q) => q.mul(q.field('big'), 2n ** 62n), 'does not fit into 64 bits'],
  ['an integer by zero', (q) => q.div(q.field('big'), 0n), 'by zero'],
  // crates/value/src/field_path.rs: every part is an identifier.
  [
    'a path that is none',
    (q) => q.field('a b'),
    "Invalid argument `query` for `queryStream`: Identifier a b has invalid character ' '",
  ],
  [
    'a path with a list index',
    (q) => q.eq(q.field('list.0'), 1),
    "Invalid first character '0' in 0: Identifiers must start with",
  ],
  ['an empty path', (q) => q.field(''), 'Empty path'],
])('%s is refused', async (_name, filter, expected) => {
  await expect(passes(filter)).rejects.toThrow(expected)
})

it.each<[string, Json, string]>([
  ['an unknown operator', { $pow: [1, 2] }, 'Malformed filter expression: {"$pow":[1,2]}'],
  ['two operators', { $not: true, $and: [] }, 'Malformed filter expression'],
  ['one operand of two', { $eq: [{ $literal: 1 }] }, 'Malformed filter expression'],
])('%s is refused before any document is read', (_name, expression, expected) => {
  expect(() => checkExpression(expression, 'queryStream')).toThrow(expected)
})
