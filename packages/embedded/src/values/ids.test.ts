import fc from 'fast-check'
import { expect, it } from 'vitest'
import { encodeId, tableNumberOf } from './ids.ts'

const bytes = fc.uint8Array({ minLength: 16, maxLength: 16 })

it('ids carry their table number and have 32 characters for user tables', () => {
  fc.assert(
    fc.property(fc.integer({ min: 10_001, max: 16_000 }), bytes, (number, random) => {
      const id = encodeId(number, random)
      expect(id).toHaveLength(32)
      expect(tableNumberOf(id)).toBe(number)
    }),
  )
})

it('any changed character is noticed', () => {
  fc.assert(
    fc.property(bytes, fc.nat(31), fc.constantFrom(...'0123456789abcdefghjkmnpqrstvwxyz'), (random, at, char) => {
      const id = encodeId(10_001, random)
      const changed = id.slice(0, at) + char + id.slice(at + 1)
      // Fletcher-16 modulo 256 misses nothing that touches a single five-bit group.
      expect(tableNumberOf(changed)).toBe(changed === id ? 10_001 : null)
    }),
  )
})

it.each(['', 'x', 'not an id at all, really not one', 'J'.repeat(32), 'u'.repeat(32), 'z'.repeat(37)])('refuses %j', (text) => {
  expect(tableNumberOf(text)).toBeNull()
})
