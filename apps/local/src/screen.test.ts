import { hostileText } from '@mission-control/shared/fuzz'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createNarrator } from './narrate.ts'
import type { ConversationEvent } from './conversation.ts'
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

/** What a terminal would obey. Colours are ours: the tests have none, because their output is no terminal. */
const OBEYED = /(?![\n\t])[\p{Cc}\p{Cf}\u2028\u2029]/u

it('shows what people, agents and programs wrote, and obeys none of it', () => {
  const said: string[] = []
  const screen = createScreen({ write: (text) => said.push(text), columns: 80 })
  const anyText = hostileText(['\x1b[31m', '\x1b]8;;http://x\x07', '\n', 'word', '@writer'])
  fc.assert(
    fc.property(anyText, (text) => {
      said.length = 0
      for (const say of [screen.heading, screen.note]) say(text)
      screen.step('name', text)
      screen.message(text, text)
      const narrate = createNarrator({ screen, nameOf: () => text })
      const delivery = { type: 'mention', reason: text, attempts: 1, committedAt: 0, claimedAt: null, endedAt: null }
      for (const state of ['queued', 'ready', 'claimed', 'waiting', 'skipped', 'dead']) {
        const before = said.length
        narrate({ type: 'delivery', delivery: { ...delivery, state }, was: null } as unknown as ConversationEvent)
        // A line break in a reason must not begin a line that looks like another agent's.
        expect(said.slice(before).join('').split('\n')).toHaveLength(2)
      }
      expect(
        OBEYED.exec(said.join('').replace(/[\u200c\u200d\u0600-\u0605\u06dd\u070f\u0890\u0891\u08e2]|\u{110bd}|\u{110cd}/gu, '')),
      ).toBeNull()
    }),
  )
  screen.message('Wren', 'look: \x1b[2J')
  expect(said.join('')).toContain('look: \\u001b[2J')
})
