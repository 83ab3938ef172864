/**
 * `./mc test`: every check of this repository, and one line with the sum at the end.
 *
 *   lint · types · format · build · shell scripts · unit and integration tests · end-to-end tests with the real OpenClaw gateway
 *
 * `--fast` leaves out the end-to-end tests and says so; `--full` adds what takes minutes. A check that needs a tool this machine lacks
 * is skipped with one line. Tests that passed only when they were tried again are named before the sum.
 */
import { spawn, spawnSync } from 'node:child_process'
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

interface Ran {
  readonly ok: boolean
  /** What it printed, unless that went to the terminal. */
  readonly output: string
}

function run(command: string, args: readonly string[], { env = {}, quiet = false }: RunOptions = {}): Promise<Ran> {
  return new Promise((resolve) => {
    const stdio = quiet ? 'pipe' : 'inherit'
    const child = spawn(command, args, { cwd: root, stdio: ['ignore', stdio, stdio], env: { ...process.env, ...env } })
    const said: Buffer[] = []
    child.stdout?.on('data', (chunk: Buffer) => said.push(chunk))
    child.stderr?.on('data', (chunk: Buffer) => said.push(chunk))
    child.on('error', (error) => resolve({ ok: false, output: error.message }))
    child.on('close', (code) => resolve({ ok: code === 0, output: Buffer.concat(said).toString() }))
  })
}
interface RunOptions {
  readonly env?: NodeJS.ProcessEnv
  readonly quiet?: boolean
}

function installed(tool: string): boolean {
  return spawnSync(tool, ['--version'], { stdio: 'ignore' }).error === undefined
}

/** Runs the commands one after the other until one fails; says what they printed when they are done, for others run beside them. */
async function check(name: string, ...commands: readonly (readonly [string, ...string[]])[]): Promise<Tally> {
  const started = systemClock.monotonic()
  let ok = true
  for (const [command, ...args] of commands) {
    if (!ok) break
    const ran = await run(command, args, { quiet: true })
    process.stdout.write(ran.output)
    ok = ran.ok
  }
  console.log(`${ok ? 'ok' : 'FAILED'}: ${name} (${((systemClock.monotonic() - started) / 1000).toFixed(1)} s)`)
  return ok ? { ...EMPTY, passed: 1 } : { ...EMPTY, failed: 1 }
}

function skip(name: string, why: string): Tally {
  console.log(`skipped: ${name}: ${why}`)
  return { ...EMPTY, skipped: 1 }
}

const flaky: string[] = []

/** @param workers files at once; vitest.config.ts says how many if this does not */
async function vitest(projects: readonly string[], env: NodeJS.ProcessEnv = {}, workers?: number): Promise<Tally> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'mission-control-test-'))
  const report = path.join(folder, 'report.json')
  const flakyFile = path.join(folder, 'flaky')
  writeFileSync(flakyFile, '')
  const reporters = ['default', 'json', path.join(import.meta.dirname, 'flaky-reporter.ts')]
  try {
    const { ok } = await run(
      bin('vitest'),
      [
        'run',
        ...projects.flatMap((name) => ['--project', name]),
        ...reporters.map((name) => `--reporter=${name}`),
        ...(workers === undefined ? [] : [`--maxWorkers=${workers}`]),
        `--outputFile.json=${report}`,
      ],
      { env: { ...env, [FLAKY_FILE_VARIABLE]: flakyFile } },
    )
    flaky.push(...readFileSync(flakyFile, 'utf8').split('\n').filter(Boolean))
    return readVitestReport(readFileSync(report, 'utf8'), ok)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const turboBuild = [process.execPath, yarn, 'turbo', 'run', 'build', '--output-logs=errors-only'] as const
// Each of them keeps one core busy, so they run side by side; the slowest is begun first.
const tallies: Tally[] = await Promise.all([
  check('lint', [bin('eslint'), '--cache', '--cache-location', 'node_modules/.cache/eslint', '.']),
  check('types', [bin('tsc'), '-p', '.'], [bin('tsc'), '-p', 'packages/backend/convex']),
  check('format', [bin('prettier'), '--check', '--log-level', 'warn', '.']),
  check('build', turboBuild),
  installed('shellcheck')
    ? check('shell scripts', ['shellcheck', 'mc', '.ci/run', ...globSync('deploy/*/*.sh', { cwd: root })])
    : skip('shell scripts', 'shellcheck is not installed'),
])
// Fetched meanwhile, because the network and npm keep it waiting most of the time.
const fetched = flags.fast ? null : Promise.allSettled([installOpenclaw({ root, onProgress: (line) => console.log(line) })])
// A quarter of their time is waiting (for leases, backoff, time limits): one file more than there are cores fills it, a fifth less in all.
tallies.push(await vitest(['unit', 'backend'], {}, os.availableParallelism() + 1))
if (fetched === null) {
  tallies.push(skip('end-to-end tests', '--fast'))
} else {
  const [openclaw] = await fetched
  if (openclaw.status === 'rejected') {
    console.log(`FAILED: end-to-end tests: ${(openclaw.reason as Error).message}`)
    tallies.push({ ...EMPTY, failed: 1 })
  } else {
    const env = { OPENCLAW_BIN: openclaw.value, TEST_BUILT_RUNTIME: '1' }
    tallies.push(await vitest(['e2e'], env))
    if (flags.full) tallies.push(await vitest(['full'], env))
  }
}
for (const name of flaky) console.log(`flaky: ${name}`)
const sum = tallies.reduce(add, EMPTY)
console.log(formatTally(sum))
process.exitCode = sum.failed > 0 ? 1 : 0
