/** The threat model names files and tests. A promise whose test is gone or has another name is not a promise any more. */
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { expect, it } from 'vitest'

const root = path.resolve(import.meta.dirname, '../../..')
const read = (file: string) => readFileSync(path.join(root, file), 'utf8')

/** A file in backticks, and the names of tests behind it: `a.test.ts` "one", "two". */
const NAMED = /`((?:\.?[\w-]+\/)+[\w.-]+|[\w.-]+\.(?:ts|yml|lock)|\.dockerignore)`((?:,? "[^"]+")*)/g
/** Files that are named as they stand elsewhere than in the repository. */
const ELSEWHERE = /^\/|^agent-tokens/

it('every file and every test that the threat model names is there', () => {
  const named = [...read('docs/security/threat-model.md').matchAll(NAMED)].map(([, file = '', tests = '']) => ({
    file,
    tests: [...tests.matchAll(/"([^"]+)"/g)].map(([, name = '']) => name),
  }))
  const files = named.filter(({ file }) => !ELSEWHERE.test(file))
  expect(files.length).toBeGreaterThan(60)
  expect(files.flatMap(({ tests }) => tests).length).toBeGreaterThan(35)
  for (const { file, tests } of files) {
    expect([file, existsSync(path.join(root, file))]).toEqual([file, true])
    for (const name of tests) expect([file, name, read(file).includes(name)]).toEqual([file, name, true])
  }
})

it('SECURITY.md leads to it, and names no address of a person', () => {
  const text = read('SECURITY.md')
  const link = /\]\((docs\/[^)]+)\)/.exec(text)?.[1] ?? ''
  expect(existsSync(path.join(root, link))).toBe(true)
  expect(text).not.toMatch(/[\w.]+@[\w.]+/)
})
