/** `mc` in bad surroundings: one clear sentence each. The tools it calls are stand-ins on a PATH of their own. */
import { spawnSync } from 'node:child_process'
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

const root = path.resolve(import.meta.dirname, '../../..')
const TOOLS = ['dirname', 'tr', 'cat', 'awk', 'df', 'uname', 'sed', 'tail', 'mkdir', 'sleep', 'cksum', 'head']

let folder = ''
const inFolder = (...parts: string[]) => path.join(folder, ...parts)
beforeEach(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'mission-control-mc-'))
  mkdirSync(inFolder('bin'))
  for (const file of ['mc', '.nvmrc', '.yarnrc.yml', 'package.json', 'yarn.lock'])
    copyFileSync(path.join(root, file), inFolder(file))
  for (const workspace of ['apps/one', 'packages/one']) {
    mkdirSync(inFolder(workspace), { recursive: true })
    writeFileSync(inFolder(workspace, 'package.json'), '{}')
  }
  for (const tool of TOOLS) {
    const found = ['/usr/bin', '/bin']
      .map((dir) => path.join(dir, tool))
      .find((file) => spawnSync('test', ['-x', file]).status === 0)
    if (!found) throw new Error(`this machine has no ${tool}`)
    symlinkSync(found, inFolder('bin', tool))
  }
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

function standIn(tool: string, script: string): void {
  rmSync(inFolder('bin', tool), { force: true })
  writeFileSync(inFolder('bin', tool), `#!/bin/sh\n${script}\n`)
  chmodSync(inFolder('bin', tool), 0o755)
}

function mc(...args: string[]) {
  const { status, stderr, stdout } = spawnSync('/bin/sh', [inFolder('mc'), ...args], {
    cwd: os.tmpdir(),
    env: { PATH: inFolder('bin'), HOME: folder },
    encoding: 'utf8',
  })
  return { status, stderr, stdout }
}

const TOO_OLD = 'exit 1' // what `mc` asks of a node that does not fit

describe('mc', () => {
  it('says what to install when there is no Node at all', () => {
    const { status, stderr } = mc('demo')
    expect(status).toBe(1)
    expect(stderr).toBe(
      'mc: Node.js is not installed. Install Node 20 or newer with npm (https://nodejs.org) and run the same command again.\n',
    )
  })

  it('says so when Node cannot be fetched, after three tries', () => {
    standIn('node', TOO_OLD)
    standIn('npm', `echo try >>"${inFolder('tries')}"; echo 'npm error network request failed' >&2; exit 1`)
    standIn('sleep', 'exit 0')
    const { status, stderr } = mc('demo')
    expect(status).toBe(1)
    expect(stderr).toContain('npm error network request failed')
    expect(stderr.trimEnd().split('\n').at(-1)).toMatch(
      /^mc: Could not fetch Node [0-9.]+ from the npm registry; check the network/,
    )
    expect(spawnSync('grep', ['-c', 'try', inFolder('tries')], { encoding: 'utf8' }).stdout.trim()).toBe('3')
  })

  it('names the space it needs before it fetches anything', () => {
    standIn('node', TOO_OLD)
    standIn('npm', `touch "${inFolder('called')}"`)
    standIn('df', 'echo header; echo "disk 1000 900 102400 90% /"')
    const { status, stderr } = mc('demo')
    expect(status).toBe(1)
    expect(stderr).toMatch(
      /^mc: This needs \d+ MB of free disk space in .* and there are 100 MB; free some and run it again\.\n$/,
    )
    expect(spawnSync('test', ['-e', inFolder('called')]).status).not.toBe(0)
  })

  it('says what is missing where there is no ready-made Node', () => {
    standIn('node', TOO_OLD)
    standIn('npm', 'exit 0')
    standIn('uname', 'echo Plan9')
    expect(mc('demo').stderr).toMatch(/^mc: There is no ready-made Node [0-9.]+ for Plan9; install it/)
  })

  it('installs once, then only runs the command, from anywhere', () => {
    standIn(
      'node',
      `case "$*" in -e*) exit 0;; -v) echo v24.21.0;; *install*) echo install >>"${inFolder('log')}"; mkdir -p "${inFolder('node_modules')}";; *) echo "ran $* from $MC_CWD";; esac`,
    )
    const first = mc('demo', '--once')
    expect(first.stderr).toMatch(/installing the locked dependencies/)
    expect(first.stdout).toBe(`ran apps/local/bin/mission-control.mjs demo --once from ${os.tmpdir()}\n`)
    const second = mc('demo', '--once')
    expect(second.stderr).toBe('')
    expect(spawnSync('grep', ['-c', 'install', inFolder('log')], { encoding: 'utf8' }).stdout.trim()).toBe('1')
  })
})
