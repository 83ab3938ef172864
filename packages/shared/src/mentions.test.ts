import { describe, expect, it } from 'vitest'
import { parseMentions } from './mentions.ts'

const names = (text: string) => parseMentions(text).names.map((mention) => (mention.quoted ? `"${mention.name}"` : mention.name))

describe('parseMentions', () => {
  it.each([
    ['@writer please', ['writer']],
    ['Hello @Writer, and @seo-expert.', ['writer', 'seo-expert']],
    ['(@writer)', ['writer']],
    ['@writer-', ['writer']],
    ['@"Ada  Lovelace" look', ['"ada lovelace"']],
    ['@writer @WRITER', ['writer']],
    ['mail me at ada@writer.example', []],
    ['a path like x/@writer/y', []],
    ['@@writer', []],
    ['`@writer` in code', []],
    ['``a ` @writer`` in code', []],
    ['one ` tick and @writer', ['writer']],
    ['```\n@writer\n```\n@lead', ['lead']],
    ['```\n@writer (never closed)', []],
    ['~~~~\n@writer\n~~~\n@lead\n~~~~', []],
    ['> @writer said\n@lead', ['lead']],
    ['- list\n    - @writer', ['writer']],
    ['@ü-agent', ['ü-agent']],
    ['@', []],
    ['@""', []],
  ])('%j gives %j', (text, expected) => {
    expect(names(text)).toEqual(expected)
  })
  it('tells @all from a person of that name', () => {
    expect(parseMentions('@All hands')).toEqual({ all: true, names: [] })
    expect(parseMentions('@"all"')).toMatchObject({ all: false, names: [{ name: 'all', quoted: true }] })
  })
  it('takes time linear in the text, whatever it holds', () => {
    const started = performance.now()
    parseMentions('`'.repeat(50_000) + '@a'.repeat(25_000))
    expect(performance.now() - started).toBeLessThan(1_000)
  })
})
