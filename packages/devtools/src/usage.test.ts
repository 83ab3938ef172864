/** A wrong command line ends with 2 and says what is wrong, in every program; nothing is tried and nobody reads a stack trace. */
import { spawnSync } from 'node:child_process'
import path from 'node:path'
import { expect, it } from 'vitest'

const root = path.resolve(import.meta.dirname, '../../..')

it.each([
  [
    'packages/devtools/src/test-all.ts',
    ['--bogus'],
    /^\.\/mc test does not know "--bogus": it takes --fast, --full or --help\.\n$/,
  ],
  ['apps/local/bin/mission-control.mjs', ['--bogus'], /^error: unknown option '--bogus'\n/],
  ['apps/local/bin/mission-control.mjs', ['up', '--backend-port', 'x'], /^error: .* A port is a number/],
  ['apps/local/bin/mission-control.mjs', ['demo', '--json'], /^--json prints the first reply and needs --once/],
  ['packages/embedded/bin/mission-control-backend.mjs', ['nope'], /^error: unknown command 'nope'\n/],
  [
    'apps/runtime/bin/mission-control-runtime.mjs',
    ['dead-letters', 'list', '--limit', '0'],
    /^error: .* A number from 1 to 10000/,
  ],
])('%s %j', (program, args, said) => {
  const { status, stderr, stdout } = spawnSync(process.execPath, ['--', path.join(root, program), ...args], { encoding: 'utf8' })
  expect({ status, stdout }).toEqual({ status: 2, stdout: '' })
  expect(stderr).toMatch(said)
  expect(stderr).not.toMatch(/\n {4}at /)
})
