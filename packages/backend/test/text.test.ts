import { errorCode } from '@mission-control/shared/errors'
import { expect, it } from 'vitest'
import fc from 'fast-check'
import { checkInteger, checkText, cutToBytes, jsonBytes, splitText } from '../convex/lib/text.js'
import { equalInConstantTime, hashToken } from '../convex/lib/tokens.js'

const anyText = fc.string({ unit: 'binary', maxLength: 400 })

it('cuts to bytes of JSON, never inside a character, and leaves alone what fits', () => {
  fc.assert(
    fc.property(anyText, fc.integer({ min: 120, max: 600 }), (text, max) => {
      const cut = cutToBytes(text, max)
      // Two quotes stand around the text.
      expect(jsonBytes(cut) - 2).toBeLessThanOrEqual(max)
      expect(cut.isWellFormed()).toBe(text.isWellFormed())
      if (jsonBytes(text) - 2 <= max) expect(cut).toBe(text)
      else expect(cut).toMatch(/\n\[cut: \d+ of \d+ characters shown\]$/)
    }),
  )
})

it('splits without losing or breaking a character', () => {
  fc.assert(
    fc.property(anyText, fc.integer({ min: 2, max: 50 }), (text, max) => {
      const parts = splitText(text, max)
      expect(parts.join('')).toBe(text)
      for (const part of parts) {
        expect(part.length).toBeLessThanOrEqual(max)
        expect(part.isWellFormed()).toBe(true)
      }
    }),
  )
})

it('hashes like everybody else and compares the whole text', () => {
  expect(hashToken('abc').hash).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad')
  fc.assert(fc.property(anyText, anyText, (a, b) => equalInConstantTime(a, b) === (a === b)))
  expect([equalInConstantTime('', ''), equalInConstantTime('a', ''), equalInConstantTime('', 'a')]).toEqual([true, false, false])
})

it('names the limit it refuses by', () => {
  const refusal = (check: () => unknown) => {
    try {
      check()
      return 'accepted'
    } catch (error) {
      return [errorCode(error), (error as { data: { message: string } }).data.message]
    }
  }
  expect(refusal(() => checkText('title', 'abcd', 3))).toEqual(['LIMIT', 'title has 4 characters; the limit is 3.'])
  expect(refusal(() => checkText('title', ' ', 3, { required: true }))).toEqual(['INVALID', 'title must not be empty.'])
  expect(refusal(() => checkInteger('limit', 1.5, 1, 2))).toEqual(['INVALID', 'limit must be a whole number from 1 to 2.'])
})
