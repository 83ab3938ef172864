import fc from 'fast-check'
import { compareValues, convexToJson, getConvexSize, jsonToConvex, type Value } from 'convex/values'
import { describe, expect, it } from 'vitest'
import { decodeKey } from './decode-key.ts'
import { afterPrefix, encodeKey, justAfter } from './keys.ts'
import { sizeOf } from './size.ts'

const field = fc.string({ unit: fc.constantFrom('a', 'b', 'Z', '_', ' '), maxLength: 3 })
const scalar = fc.oneof(
  fc.constant(null),
  fc.boolean(),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.bigInt({ min: -300n, max: 300n }),
  fc.double(),
  fc.constantFrom(0, -0, NaN, Infinity, -Infinity, 1, -1),
  fc.string({ unit: 'binary', maxLength: 6 }),
  fc.string({ unit: fc.constantFrom('\0', 'a', '\u00ff', '\u{1f600}', '\uffff'), maxLength: 4 }),
  fc.uint8Array({ maxLength: 4 }).map((bytes) => bytes.slice().buffer),
)
const { value } = fc.letrec<{ value: Value }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    scalar as fc.Arbitrary<Value>,
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(field, tie('value'), { maxKeys: 3, noNullPrototype: true }),
  ),
}))
const json = (decoded: Value) => convexToJson(decoded)

describe('index keys', () => {
  it('order like the values they encode', () => {
    fc.assert(
      fc.property(value, value, (a, b) => {
        expect(Math.sign(encodeKey([json(a)]).compare(encodeKey([json(b)])))).toBe(Math.sign(compareValues(a, b)))
      }),
      { numRuns: 3_000 },
    )
  })

  it('order tuples by their first difference, undefined first', () => {
    fc.assert(
      fc.property(
        fc.tuple(fc.option(value, { nil: undefined }), value),
        fc.tuple(fc.option(value, { nil: undefined }), value),
        (a, b) => {
          const encode = ([first, second]: [Value | undefined, Value]) =>
            encodeKey([first === undefined ? undefined : json(first), json(second)])
          const expected = compareValues(a[0], b[0]) || compareValues(a[1], b[1])
          expect(Math.sign(encode(a).compare(encode(b)))).toBe(Math.sign(expected))
        },
      ),
      { numRuns: 1_000 },
    )
  })

  it('keep every extension of a prefix below afterPrefix, and the key itself below justAfter', () => {
    fc.assert(
      fc.property(value, value, (a, b) => {
        const prefix = encodeKey([json(a)])
        const extended = encodeKey([json(a), json(b)])
        expect(extended.compare(afterPrefix(prefix))).toBe(-1)
        expect(prefix.compare(justAfter(prefix))).toBe(-1)
        expect(justAfter(prefix).compare(extended)).not.toBe(1)
      }),
    )
  })

  it('have afterPrefix between a value and every greater one, "a" and "a\\0" included', () => {
    fc.assert(
      fc.property(value, value, value, (a, b, next) => {
        const limit = afterPrefix(encodeKey([json(a)]))
        expect(encodeKey([json(b), json(next)]).compare(limit)).toBe(compareValues(b, a) > 0 ? 1 : -1)
      }),
      {
        numRuns: 3_000,
        examples: [
          ['a', 'a\0', null],
          [new ArrayBuffer(1), new ArrayBuffer(2), null],
        ],
      },
    )
  })

  it('tell lone surrogates apart', () => {
    expect(encodeKey(['\ud800']).equals(encodeKey(['\udbff']))).toBe(false)
  })

  it('print readably', () => {
    expect(decodeKey(encodeKey(['a', -1.5, json(-7n), null, true, undefined]))).toBe('("a", -1.5, -7n, null, true, undefined)')
  })
})

it('sizeOf agrees with the client library', () => {
  fc.assert(
    fc.property(value, (a) => {
      expect(sizeOf(json(a))).toBe(getConvexSize(jsonToConvex(convexToJson(a))))
    }),
  )
})
