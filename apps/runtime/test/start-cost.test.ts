/**
 * `--version` and `--help` are asked by scripts and by people who wait: they load commander and plain data, no client and no schema
 * library. Looks at what is loaded, because time says little on a busy machine.
 */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'

const built = new URL('../dist/cli.js', import.meta.url)
const program = fileURLToPath(
  process.env['TEST_BUILT_RUNTIME'] && existsSync(built) ? built : new URL('../src/cli.ts', import.meta.url),
)

/** Node says which modules it loads, whoever asks for them. */
function run(...args: string[]): { status: number | null; modules: string[] } {
  const hook = `
    import { registerHooks } from 'node:module'
    import { writeSync } from 'node:fs'
    registerHooks({ load(url, context, next) { writeSync(3, url + '\\n'); return next(url, context) } })`
  const { status, output } = spawnSync(
    process.execPath,
    ['--import', `data:text/javascript,${encodeURIComponent(hook)}`, '--', program, ...args],
    { stdio: ['ignore', 'pipe', 'pipe', 'pipe'], encoding: 'utf8', env: { PATH: process.env['PATH'], NODE_ENV: 'production' } },
  )
  return { status, modules: (output[3] ?? '').split('\n').filter((url) => url.startsWith('file:')) }
}

const HEAVY = /node_modules\/(convex|zod|pino|prom-client|@openclaw|ws)\//

it.each([['--version'], ['--help'], ['start --help'], ['dead-letters list --help']])(
  '%s loads no library but commander',
  (line) => {
    const { status, modules } = run(...line.split(' '))
    expect(status).toBe(0)
    expect(modules.some((url) => url.includes('/commander/'))).toBe(true)
    expect(modules.filter((url) => HEAVY.test(url))).toEqual([])
    expect(modules.length).toBeLessThan(40)
  },
)

it('sees what a command loads that does something', () => {
  const { status, modules } = run('check')
  expect(status).toBe(3)
  expect(modules.some((url) => /node_modules\/zod\//.test(url))).toBe(true)
})
