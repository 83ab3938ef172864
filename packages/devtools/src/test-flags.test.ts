import { spawnSync } from 'node:child_process'
import path from 'node:path'
import { expect, it } from 'vitest'
import { readTestFlags } from './test-flags.ts'

it('reads what it knows', () => {
  expect(readTestFlags([])).toEqual({ fast: false, full: false, help: false })
  expect(readTestFlags(['--full'])).toMatchObject({ full: true })
})

it.each([
  [['--slow'], './mc test does not know "--slow": it takes --fast, --full or --help.'],
  [['--fast', 'apps'], './mc test does not know "apps": it takes --fast, --full or --help.'],
  [['--fast=yes'], './mc test does not know "--fast=yes": it takes --fast, --full or --help.'],
  [['--fast', '--full'], '--fast and --full exclude each other: give one of them.'],
])('refuses %j in one sentence', (args, sentence) => {
  expect(readTestFlags(args)).toBe(sentence)
})

it('says so before anything runs', () => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [path.join(import.meta.dirname, 'test-all.ts'), '--slow'], {
    encoding: 'utf8',
  })
  expect([status, stdout, stderr]).toEqual([2, '', `${readTestFlags(['--slow']) as string}\n`])
})
