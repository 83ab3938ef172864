import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { api } from '@mission-control/backend/convex/_generated/api'
import { ConvexHttpClient } from 'convex/browser'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { readRecord } from '../src/stack/record.ts'
import { mc } from './command.ts'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'mission-control-token-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const data = () => path.join(folder, 'data')
const FREE_PORTS = ['backend', 'site', 'health', 'tools', 'gateway'].flatMap((name) => [`--${name}-port`, '0'])

async function token(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await mc('token', '--data-dir', data(), ...args).finished
  expect(code, stderr).toBe(0)
  expect(stdout).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+\n$/)
  expect(stderr).toMatch(/^For .* until \d{4}-\d\d-\d\d \d\d:\d\d UTC\. Whoever has it/)
  return stdout.trim()
}

async function accountsOf(jwt: string): Promise<string[]> {
  const client = new ConvexHttpClient(readRecord(data())?.backendUrl ?? '', { logger: false })
  client.setAuth(jwt)
  return (await client.query(api.accounts.listMine, {})).map(({ name, role }) => `${name}: ${role}`)
}

describe('./mc token', () => {
  it('signs in to the account of ./mc up, before and after a restart, until the key is another', async () => {
    const up = async () => {
      const command = mc('up', '--fake-gateway', '--data-dir', data(), ...FREE_PORTS)
      await command.printed('Ctrl-C stops everything')
      return async () => {
        command.child.kill('SIGTERM')
        expect((await command.finished).code).toBe(0)
      }
    }
    let down = await up()
    const first = await token()
    expect(await accountsOf(first)).toEqual(['My team: owner'])
    expect(await accountsOf(await token('--name', 'Ada'))).toEqual([])
    await down()

    const whileStopped = await token('--expires', '30d')
    down = await up()
    expect([await accountsOf(first), await accountsOf(whileStopped)]).toEqual([['My team: owner'], ['My team: owner']])
    const rotated = await token('--rotate-key')
    expect(await accountsOf(rotated)).toEqual(['My team: owner'])
    await expect(accountsOf(first)).rejects.toThrow('refused')
    await down()
    const { d } = JSON.parse(readFileSync(path.join(data(), 'auth', 'key.json'), 'utf8')) as { d: string }
    expect(readFileSync(path.join(data(), 'logs', 'backend.log'), 'utf8')).not.toContain(d)
  })

  it('refuses in one sentence what it cannot mean', async () => {
    const refused = async (exit: number, ...args: string[]) => {
      const { code, stdout, stderr } = await mc('token', '--data-dir', folder, ...args).finished
      expect([code, stdout]).toEqual([exit, ''])
      return stderr
    }
    expect(await refused(1)).toBe(
      `mc: There is no Mission Control data in ${folder}: start the stack once with ./mc up, or name its folder with --data-dir.\n`,
    )
    expect(await refused(2, '--expires', '10y')).toContain('Give the time as minutes, hours or days: 45m, 12h, 30d.')
    mkdirSync(path.join(folder, 'auth'))
    expect(await refused(1)).toContain('There is no Mission Control data')
  })
})

it('./mc up takes other issuers from the environment, and stops with the sentence of a wrong one', async () => {
  const before = { ...process.env }
  process.env['AUTH_AUDIENCE'] = 'team'
  try {
    const { code, stderr } = await mc('up', '--fake-gateway', '--data-dir', data(), ...FREE_PORTS).finished
    expect(code).toBe(1)
    expect(stderr).toContain('AUTH_AUDIENCE is set and AUTH_ISSUER is not: set it to')
  } finally {
    process.env = before
  }
})
