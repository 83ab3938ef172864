import { readFileSync } from 'node:fs'
import { globSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { ALL_CODES, ERROR_DOCS_FILE, errorDocs } from './error-docs.ts'

const root = path.resolve(import.meta.dirname, '../../..')

/** Where a code is given to an error, a refusal or a verdict. Comparisons with other people's codes look different. */
const GIVEN = [
  /\brefuse\(\s*'([A-Za-z_]+)'/g,
  /\bnew \w*Error\(\s*(?:\d+,\s*|'[a-z]+',\s*)?'([A-Z][A-Za-z_]+)'/g,
  /\bcode(?:: \w+)? ?[:=] '([A-Z][A-Za-z_]+)'/g,
]

function codesGiven(): { code: string; file: string }[] {
  const files = globSync(['{apps,packages}/*/src/**/*.ts', 'packages/backend/convex/**/*.ts'], { cwd: root }).filter(
    (file) => !/\.test\.ts$|_generated|\/testing\/|node_modules/.test(file),
  )
  return files.flatMap((file) => {
    const text = readFileSync(path.join(root, file), 'utf8')
    return GIVEN.flatMap((pattern) => [...text.matchAll(pattern)].map((match) => ({ code: match[1] ?? '', file })))
  })
}

describe('docs/errors.md', () => {
  it('has not drifted', () => {
    // Run: yarn workspace @mission-control/devtools run generate
    expect(readFileSync(ERROR_DOCS_FILE, 'utf8')).toBe(errorDocs())
  })

  it('names every code that the source gives to an error', () => {
    const given = codesGiven()
    // It sees all three ways and every package that has some, or it would prove nothing.
    for (const code of ['LANE_FULL', 'GATEWAY_STATE_OWNED', 'FOLDER_IN_USE', 'PORT_UNUSABLE', 'BadFormat', 'CONFIG'])
      expect(given.map((found) => found.code)).toContain(code)
    expect(given.filter(({ code }) => !ALL_CODES.has(code))).toEqual([])
  })
})
