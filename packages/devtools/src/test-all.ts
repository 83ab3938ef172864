/**
 * `./mc test`: every check of this repository, one after the other, and one line with the sum at the end.
 *
 *   format · lint · types · build · shell scripts · unit and integration tests · end-to-end tests with the real OpenClaw gateway
 *
 * `--fast` leaves out the end-to-end tests and says so; `--full` adds what takes minutes. A check that needs a tool this machine lacks
 * is skipped with one line. Tests that passed only when they were tried again are named before the sum.
 */
import { spawnSync } from 'node:child_process'
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { systemClock } from '@mission-control/host/clock'
import { installOpenclaw } from '@mission-control/openclaw/install'
import { EXIT } from '@mission-control/shared/exit-codes'
import { FLAKY_FILE_VARIABLE } from './flaky-reporter.ts'
import type { Tally } from './tally.ts'
import { add, EMPTY, formatTally, readVitestReport } from './tally.ts'
import { readTestFlags, TEST_USAGE } from './test-flags.ts'

const root = path.resolve(import.meta.dirname, '../../..')
const flags = readTestFlags(process.argv.slice(2))
if (typeof flags === 'string') {
  console.error(flags)
  process.exit(EXIT.usage)
}
if (flags.help) {
  console.log(TEST_USAGE)
  process.exit(0)
}

const bin = (name: string) => path.join(root, 'node_modules/.bin', name)
const yarn = path.join(root, '.yarn/releases', 'yarn-4.18.1.cjs')

function run(command: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): boolean {
  const done = spawnSync(command, args, { cwd: root, stdio: 'inherit', env: { ...process.env, ...env } })
  return done.status === 0
}

function installed(tool: string): boolean {
  return spawnSync(tool, ['--version'], { stdio: 'ignore' }).error === undefined
}

function check(name: string, body: () => boolean): Tally {
  const started = systemClock.monotonic()
  const ok = body()
  console.log(`${ok ? 'ok' : 'FAILED'}: ${name} (${((systemClock.monotonic() - started) / 1000).toFixed(1)} s)`)
  return ok ? { ...EMPTY, passed: 1 } : { ...EMPTY, failed: 1 }
}

function skip(name: string, why: string): Tally {
  console.log(`skipped: ${name}: ${why}`)
  return { ...EMPTY, skipped: 1 }
}

const flaky: string[] = []

function vitest(projects: readonly string[], env: NodeJS.ProcessEnv = {}): Tally {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'mission-control-test-'))
  const report = path.join(folder, 'report.json')
  const flakyFile = path.join(folder, 'flaky')
  writeFileSync(flakyFile, '')
  const reporters = ['default', 'json', path.join(import.meta.dirname, 'flaky-reporter.ts')]
  try {
    const ok = run(
      bin('vitest'),
      [
        'run',
        ...projects.flatMap((name) => ['--project', name]),
        ...reporters.map((name) => `--reporter=${name}`),
        `--outputFile.json=${report}`,
      ],
      { ...env, [FLAKY_FILE_VARIABLE]: flakyFile },
    )
    flaky.push(...readFileSync(flakyFile, 'utf8').split('\n').filter(Boolean))
    return readVitestReport(readFileSync(report, 'utf8'), ok)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const tallies = [
  check('format', () => run(bin('prettier'), ['--check', '--log-level', 'warn', '.'])),
  check('lint', () => run(bin('eslint'), ['--cache', '--cache-location', 'node_modules/.cache/eslint', '.'])),
  check('types', () => run(process.execPath, [yarn, 'turbo', 'run', 'typecheck', '--output-logs=errors-only'])),
  check('build', () => run(process.execPath, [yarn, 'turbo', 'run', 'build', '--output-logs=errors-only'])),
  installed('shellcheck')
    ? check('shell scripts', () => run('shellcheck', ['mc', '.ci/run', ...globSync('deploy/*/*.sh', { cwd: root })]))
    : skip('shell scripts', 'shellcheck is not installed'),
  vitest(['unit', 'backend']),
]
if (flags.fast) {
  tallies.push(skip('end-to-end tests', '--fast'))
} else {
  const openclaw = await installOpenclaw({ root, onProgress: (line) => console.log(line) })
  const env = { OPENCLAW_BIN: openclaw, TEST_BUILT_RUNTIME: '1' }
  tallies.push(vitest(['e2e'], env))
  if (flags.full) tallies.push(vitest(['full'], env))
}
for (const name of flaky) console.log(`flaky: ${name}`)
const sum = tallies.reduce(add, EMPTY)
console.log(formatTally(sum))
process.exitCode = sum.failed > 0 ? 1 : 0
