import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { FLAKY_FILE_VARIABLE } from './flaky-reporter.ts'

const root = path.resolve(import.meta.dirname, '../../..')

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'mission-control-flaky-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

it('names what passed only at a second try, and nothing else', () => {
  const file = path.join(folder, 'flaky')
  writeFileSync(
    path.join(folder, 'some.test.ts'),
    `let tries = 0
     describe('group', () => {
       it('steady', () => {})
       it('shaky', { retry: 2 }, () => { if (++tries < 2) throw new Error('not yet') })
       it('broken', { retry: 1 }, () => { throw new Error('never') })
     })`,
  )
  const { status } = spawnSync(
    process.execPath,
    [
      path.join(root, 'node_modules/vitest/vitest.mjs'),
      ...['run', '--root', folder, '--globals'],
      `--reporter=${path.join(root, 'packages/devtools/src/flaky-reporter.ts')}`,
    ],
    { cwd: root, env: { ...process.env, [FLAKY_FILE_VARIABLE]: file }, stdio: 'ignore' },
  )
  expect(status).toBe(1)
  expect(existsSync(file) ? readFileSync(file, 'utf8') : '').toBe('some.test.ts > group > shaky\n')
})
