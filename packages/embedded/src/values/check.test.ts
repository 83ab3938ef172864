/** Encoded values as they may come over a socket, where no client library has looked at them. Production: value/src/json/mod.rs. */
import { convexToJson } from 'convex/values'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { nestingOf, valueProblem } from './check.ts'
import type { Json } from './json.ts'

const MANY_RUNS = 300

it.each<[string, Json, string]>([
  ['an integer of seven bytes', { $integer: 'AAAAAAAAAA==' }, 'Received 7 bytes, expected 8 for $integer'],
  ['an integer that is no text', { $integer: 5 }, '$integer must hold a string'],
  [
    'an integer with a second field',
    { $integer: 'AQAAAAAAAAA=', x: 1 },
    "Field name $integer starts with '$', which is reserved.",
  ],
  ['an ordinary number in disguise', { $float: 'AAAAAAAA8D8=' }, 'Float64 1 should be encoded as a number'],
  ['bytes that are no base64', { $bytes: '!' }, '$bytes must hold base64'],
  ['the absent value', { a: { $undefined: null } }, "Field name $undefined starts with '$', which is reserved."],
  ['a set', { $set: [] }, "Field name $set starts with '$', which is reserved."],
  ['an empty name', { a: [{ '': 1 }] }, 'Field name cannot be empty'],
  [
    'a name with a tab',
    { 'a\tb': 1 },
    "Field name a\tb has invalid character '\t': Field names can only contain non-control ASCII",
  ],
  ['an unpaired surrogate', ['\udc00'], 'Strings must be valid Unicode'],
])('%s is refused', (_name, value, expected) => {
  expect(valueProblem(value)).toContain(expected)
})

it.each<[string, Json]>([
  ['plus zero in disguise', { $float: 'AAAAAAAAAAA=' }],
  ['minus zero', { $float: 'AAAAAAAAAIA=' }],
  ['infinity', { $float: 'AAAAAAAA8H8=' }],
  ['a name with every kind of sign', { ' ~!"#%&/()': 1 }],
])('%s is taken', (_name, value) => {
  expect(valueProblem(value)).toBeNull()
})

it('whatever the client library encodes is taken', () => {
  const value = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 5 },
      fc.oneof(fc.constant(null), fc.boolean(), fc.double(), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })),
      fc.string({ unit: 'binary' }).filter((text) => text.isWellFormed()),
      fc.uint8Array().map((bytes) => new Uint8Array(bytes).buffer),
      fc.array(tie('value'), { maxLength: 4 }),
      fc.dictionary(fc.stringMatching(/^[a-zA-Z_ .-][ -~]{0,20}$/), tie('value'), { maxKeys: 4 }),
    ),
  })).value
  fc.assert(
    fc.property(value, (given) => {
      expect(valueProblem(convexToJson(given as never))).toBeNull()
    }),
    { numRuns: MANY_RUNS },
  )
})

it('nesting counts lists and objects, not what encodes a number', () => {
  expect([1, { $integer: 'AQAAAAAAAAA=' }, [], {}, [[]], { a: [{ b: 1 }] }].map((value) => nestingOf(value as Json))).toEqual([
    0, 0, 1, 1, 2, 3,
  ])
})
