import { describe, expect, it } from 'vitest'
import { createScreen, wrap } from './screen.ts'

describe('wrap', () => {
  it('breaks between words and keeps paragraphs', () => {
    expect(wrap('one two three\n\nfour', 8)).toEqual(['one two', 'three', '', 'four'])
  })
  it('leaves a word longer than the line whole', () => {
    expect(wrap('a verylongword b', 6)).toEqual(['a', 'verylongword', 'b'])
  })
})

it('aligns names and indents what follows', () => {
  const lines: string[] = []
  const screen = createScreen({ write: (text) => lines.push(text), columns: 50 })
  screen.message('Wren', 'word '.repeat(20).trim())
  expect(lines.length).toBeGreaterThan(1)
  expect(lines.slice(1).every((line) => line.startsWith(' '.repeat(13)))).toBe(true)
})
