import { describe, expect, it } from 'vitest'
import { tokenize } from './tokenize.ts'

describe('tokenize', () => {
  it.each([
    ['spaces, punctuation and case', 'Fix THE-bug: foo_bar (v2.10)!', ['fix', 'the', 'bug', 'foo', 'bar', 'v2', '10']],
    ['accents stay', 'Café ÉLAN naïve', ['café', 'élan', 'naïve']],
    ['a combining accent is no letter and parts the word', 'cafe\u0301s', ['cafe', 's']],
    ['scripts without spaces are one term', '東京都 を見る。終', ['東京都', 'を見る', '終']],
    ['emoji and symbols are no terms', '🎉🚀 → ✅ $%&', []],
    ['emoji part words', 'ship🚀it', ['ship', 'it']],
    ['NUL and other controls part words', 'a\0b\u0007c', ['a', 'b', 'c']],
    ['lone surrogates part words', 'a\ud800b', ['a', 'b']],
    ['a sigma at the end of a word is like any other', 'ΟΔΟΣ', ['οδοσ']],
    ['lower case may be longer', 'İx', ['i̇x']],
    ['nothing', '', []],
  ])('%s', (_name, text, terms) => {
    expect(tokenize(text)).toEqual(terms)
  })

  it('leaves out terms of 32 bytes and more, and stops at the limit', () => {
    expect(tokenize(`${'a'.repeat(31)} ${'b'.repeat(32)} ${'東'.repeat(10)} ${'京'.repeat(11)} c`)).toEqual([
      'a'.repeat(31),
      '東'.repeat(10),
      'c',
    ])
    expect(tokenize('a b c d', 2)).toEqual(['a', 'b'])
  })
})
