/** Ctrl-C and SIGTERM while the evidence is being gathered: it ends at once, says so, reports what is there and leaves nothing behind. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, expect, it } from 'vitest'

const CLI = path.resolve(import.meta.dirname, '../src/cli.ts')
const folder = mkdtempSync(path.join(tmpdir(), 'mc-interrupt-test-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Nobody is left behind who does not listen. */
const DEAF_MS = 200_000

/** Sends `signal` as soon as the command has said `when`. */
async function interrupted(args: readonly string[], when: RegExp, signal: 'SIGINT' | 'SIGTERM') {
  const child = spawn(process.execPath, [CLI, ...args], {
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'], TMPDIR: folder },
    stdio: ['ignore', 'pipe', 'pipe'],
    ...{ timeout: DEAF_MS, killSignal: 'SIGKILL' },
  })
  const said = { stderr: '', sent: false }
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    said.stderr += chunk
    if (said.sent || !when.test(said.stderr)) return
    said.sent = true
    child.kill(signal)
  })
  const [stdout, [code]] = await Promise.all([text(child.stdout), once(child, 'close')])
  return { code: code as number | null, stderr: said.stderr, report: JSON.parse(stdout) as Record<string, unknown> }
}

const SLOW = { timeout: 300_000 }

it('simulate reports the seeds that ran', SLOW, async () => {
  const args = ['simulate', '--seeds', '9000', '--steps', '20', '--threads', '1', '--json']
  const { code, stderr, report } = await interrupted(args, /^25 seeds$/m, 'SIGINT')
  expect(code, stderr).toBe(130)
  expect(stderr).toContain('mc: stopped by SIGINT')
  expect(report['violations']).toEqual([])
  expect(report['seeds']).toBeGreaterThanOrEqual(25)
  expect(report['seeds']).toBeLessThan(9_000)
  expect(readdirSync(folder)).toEqual([])
})

it('simulate --guards reports the guards that were looked for', SLOW, async () => {
  const { code, report } = await interrupted(['simulate', '--guards', '--json'], /^fence-check: /m, 'SIGTERM')
  expect(code).toBe(143)
  expect(report['guards']).toMatchObject([{ guard: 'fence-check', seed: expect.any(Number) }])
})

it('faults reports the cells that were played', SLOW, async () => {
  const args = ['faults', '--only', 'runtime killed', '--json']
  const { code, stderr, report } = await interrupted(args, /^1\/10 /m, 'SIGINT')
  expect(code, stderr).toBe(130)
  expect(report).toMatchObject({ lost: 0, duplicates: 0, broken: [], cells: [{ fault: 'runtime killed', rounds: 1 }] })
  expect(readdirSync(folder)).toEqual([])
})
