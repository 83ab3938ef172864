import fc from 'fast-check'
import { expect, it } from 'vitest'
import { fuzzRuns, hostileJson, hostileText } from '../test/fuzz.ts'
import { forTerminal, lineForTerminal, withoutUnseen } from './unseen.ts'

/** Spelled out by hand: what terminals obey, and what turns a line around. */
const OBEYED = /[\0-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\u2028\u2029\ufeff\u{e0000}-\u{e007f}]/u

it.each([
  ['\x1b[31mred\x1b[0m', '\\u001b[31mred\\u001b[0m'],
  ['\u009b2J', '\\u009b2J'],
  ['a\r\nb\n\tc', 'a\nb\n\tc'],
  ['over\rwritten\b\b', 'over\\u000dwritten\\u0008\\u0008'],
  ['\u202egnp.exe', '\\u202egnp.exe'],
  ['flag \u{e0067}', 'flag \\udb40\\udc67'],
  ['half \ud800', 'half \ufffd'],
  ['\u{1f468}\u200d\u{1f469} \u0646\u0645\u06cc\u200c\u062f', '\u{1f468}\u200d\u{1f469} \u0646\u0645\u06cc\u200c\u062f'],
])('%j is shown as %j', (text, shown) => {
  expect(forTerminal(text)).toBe(shown)
})

it('nothing that a terminal would obey is left of any text, and showing it again changes nothing', () => {
  fc.assert(
    fc.property(hostileText(['\x1b[', ']0;', '\\u001b', 'm']), (text) => {
      const shown = forTerminal(text)
      expect(OBEYED.exec(shown)).toBeNull()
      expect(forTerminal(shown)).toBe(shown)
      expect(lineForTerminal(text)).not.toContain('\n')
      expect(OBEYED.exec(withoutUnseen(text))).toBeNull()
    }),
    fuzzRuns(500),
  )
})

it('JSON says the same afterwards', () => {
  fc.assert(
    fc.property(hostileJson(['\x9b', '\u202e']), fc.constantFrom(undefined, 2), (value, indent) => {
      const text = JSON.stringify(value, null, indent)
      expect(JSON.parse(forTerminal(text))).toEqual(JSON.parse(text))
    }),
    fuzzRuns(300),
  )
})
