/** `check` and `sync-once` against a real backend and the fake gateway. */
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { stat } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { createServer as createWebServer } from 'node:http'
import { beforeAll, describe, expect, it } from 'vitest'
import { api } from '@mission-control/backend/convex/_generated/api'
import type { Functions } from '@mission-control/embedded'
import type { CheckResult } from '../src/check/result.ts'
import { check } from '../src/commands/check.ts'
import type { CommandIo } from '../src/commands/context.ts'
import type { SyncOnceOptions } from '../src/commands/sync-once.ts'
import { syncOnce } from '../src/commands/sync-once.ts'
import type { PassReport } from '../src/sync-once/report.ts'
import { buildFunctions, createWorld } from './stack/world.ts'

let functions: Functions
beforeAll(async () => {
  functions = await buildFunctions()
})

function terminal(env: Record<string, string>) {
  const lines: string[] = []
  const errors: string[] = []
  const io: CommandIo = {
    env: { NODE_ENV: 'production', ...env },
    stop: new AbortController().signal,
    out: (line) => lines.push(line),
    error: (line) => errors.push(line),
    isTerminal: false,
    version: '0.0.0',
    packageRoot: '/nonexistent',
  }
  return { io, text: () => lines.join('\n'), errors: () => errors.join('\n') }
}

async function checked(env: Record<string, string>, strict = false) {
  const { io, text } = terminal(env)
  const code = await check({ json: true, strict }, io)
  const { checks } = JSON.parse(text()) as { checks: CheckResult[] }
  return { code, text: text(), of: (name: string) => checks.find((result) => result.name === name) }
}

describe('check', () => {
  it('passes where everything is there, and changes nothing', async () => {
    await using world = await createWorld(functions, { agents: [] })
    const env: Record<string, string> = { ...(await world.environment()), MODEL_BASE_URL: `${world.url}`, OPENCLAW_MODEL: 'm' }
    const { code, of, text } = await checked(env)
    expect(
      ['backend', 'clock', 'token', 'gateway', 'agents', 'health port', 'data folder'].map((name) => [name, of(name)?.status]),
    ).toEqual(['backend', 'clock', 'token', 'gateway', 'agents', 'health port', 'data folder'].map((name) => [name, 'pass']))
    expect(code).toBe(0)
    expect(of('token')?.message).toMatch(/^"test" is accepted for account \w+; it never expires by itself$/)
    expect(text).not.toContain(world.token)
    await expect(stat(`${env['DATA_DIR']}/runtime.lock`)).rejects.toThrow('ENOENT')
  })

  it('names each trouble and exits with its class', async () => {
    await using world = await createWorld(functions)
    const env = await world.environment()
    expect(await checked({ ...env, ACCOUNT_ID: 'Not An Id' })).toMatchObject({ code: 3 })
    const refused = await checked({ ...env, SERVICE_TOKEN: `${world.token.slice(0, -4)}AAAA` })
    expect(refused).toMatchObject({ code: 4 })
    expect(refused.text).not.toContain('AAAA')
    expect(await checked({ ...env, CONVEX_URL: 'http://127.0.0.1:9' })).toMatchObject({ code: 5 })
    expect(await checked({ ...env, OPENCLAW_GATEWAY_TOKEN: 'wrong' })).toMatchObject({ code: 3 })
    const strict = await checked(env, true)
    expect(strict.of('agents')).toMatchObject({ status: 'warn', message: 'not in the gateway: writer' })
    expect(strict.code).toBe(6)
  })
})

describe('check of what is about to go wrong', () => {
  it('tells when the token ends, and warns in time', async () => {
    await using world = await createWorld(functions, { agents: [] })
    const env = await world.environment()
    const tokenOf = async (expiresInDays: number) => {
      const accountId = world.accountId as never
      const { token } = await world.owner.action(api.serviceTokens.create, {
        accountId,
        name: `for ${expiresInDays}`,
        expiresInDays,
      })
      return (await checked({ ...env, SERVICE_TOKEN: token })).of('token')
    }
    expect(await tokenOf(90)).toMatchObject({ status: 'pass', message: expect.stringMatching(/expires 20\S+Z, in 89 days$/) })
    expect(await tokenOf(3)).toMatchObject({ status: 'warn', next: expect.stringContaining('serviceTokens:rotate') })
  })

  it('says that nothing is claimed, and what answers in place of a backend or a model', async () => {
    await using world = await createWorld(functions, { agents: [] })
    const env = await world.environment()
    await world.owner.mutation(api.accounts.setCommand, { accountId: world.accountId as never, command: 'drain' })
    expect((await checked(env)).of('claims')).toMatchObject({ status: 'warn', message: expect.stringContaining('drain') })
    const web = createWebServer((_request, response) => void response.end('<html>hello</html>')).listen(0, '127.0.0.1')
    await once(web, 'listening')
    const { port } = web.address() as AddressInfo
    const page = await checked({ ...env, CONVEX_URL: `http://127.0.0.1:${port}` })
    expect([page.code, page.of('backend')?.message]).toEqual([5, expect.stringContaining('no Convex backend')])
    web.close()
    await once(web, 'close')
    const model = { MODEL_BASE_URL: `http://127.0.0.1:${port}/v1`, OPENCLAW_MODEL: 'm' }
    expect((await checked({ ...env, ...model })).of('model')?.message).toContain('ECONNREFUSED')
    const wrong = await checked({ ...env, OPENCLAW_GATEWAY_TOKEN: 'wrong' })
    expect(wrong.of('gateway')?.message).toContain('The gateway refused the token.')
  })

  it('names who holds a port, and agrees with start about what that is worth', async () => {
    await using world = await createWorld(functions, { agents: [] })
    const holder = createServer().listen(0, '127.0.0.1')
    await once(holder, 'listening')
    const { port } = holder.address() as AddressInfo
    const { OPENCLAW_GATEWAY_URL: _url, OPENCLAW_GATEWAY_TOKEN: _token, ...env } = await world.environment()
    const taken = await checked({
      ...env,
      HEALTH_PORT: String(port),
      OPENCLAW_GATEWAY_PORT: String(port),
      OPENCLAW_BIN: '/nope.mjs',
    })
    for (const name of ['health port', 'gateway']) {
      expect(taken.of(name)).toMatchObject({ status: 'fail', class: 'failed' })
      expect(taken.of(name)?.message).toContain(`is held by process ${process.pid} `)
    }
    holder.close()
    await once(holder, 'close')
    expect((await checked({ ...env, HEALTH_HOST: '203.0.113.1', HEALTH_PORT: '3999' })).of('health port')).toMatchObject({
      class: 'configuration',
    })
  })
})

async function synced(env: Record<string, string>, options: SyncOnceOptions = {}) {
  const { io, text, errors } = terminal(env)
  const code = await syncOnce({ json: true, ...options }, io)
  return { code, report: (text() === '' ? null : JSON.parse(text())) as PassReport | null, errors: errors() }
}

describe('sync-once', () => {
  it('says what it would do, then does it, and a second pass changes nothing', async () => {
    await using world = await createWorld(functions)
    const env = await world.environment()
    await world.post('@writer [[say:by hand]]')
    const dry = await synced(env, { dryRun: true })
    expect(dry.report).toMatchObject({
      mode: 'observed',
      agents: { added: ['writer'] },
      delivery: { waiting: [{ state: 'ready', agentSlug: 'writer' }] },
    })
    expect(world.gateway.turns).toHaveLength(0)

    const real = await synced(env)
    expect(real).toMatchObject({
      code: 0,
      report: { mode: 'done', agents: { counts: { added: 1 } }, delivery: { delivered: 1, failed: 0 } },
    })
    expect((await world.messages()).map(({ content }) => content)).toContain('by hand')

    const again = await synced(env)
    expect(again.report).toMatchObject({ agents: { counts: { added: 0, updated: 0, unchanged: 1 } }, delivery: { delivered: 0 } })
  })

  it('does only the parts it is told to', async () => {
    await using world = await createWorld(functions)
    const env = await world.environment()
    await world.post('@writer [[say:not now]]')
    const { report } = await synced(env, { only: ['agents'] })
    expect(report?.agents?.counts).toMatchObject({ added: 1 })
    expect(report?.delivery).toBeUndefined()
    expect(world.gateway.turns).toHaveLength(0)
  })

  it('only looks while a runtime of the folder runs', async () => {
    await using world = await createWorld(functions)
    const env = await world.environment()
    const runtime = await world.startRuntime(env)
    await world.untilReady(runtime)
    const { report } = await synced(env)
    expect(report).toMatchObject({ mode: 'observed', why: expect.stringContaining(`pid ${process.pid}`) })
    expect(runtime.loops.role()).toBe('active')
  })

  it('exits with the class of the trouble', async () => {
    await using world = await createWorld(functions)
    const env = await world.environment()
    expect((await synced({ ...env, CONVEX_URL: '' })).code).toBe(3)
    expect((await synced({ ...env, CONVEX_URL: 'http://127.0.0.1:9' })).code).toBe(5)
    expect((await synced({ ...env, SERVICE_TOKEN: `${world.token.slice(0, -4)}AAAA` })).code).toBe(4)
  })
})

it('the program obeys no terminal sequence in what it prints, and neither does whoever reads it', () => {
  const cli = new URL('../src/cli.ts', import.meta.url).pathname
  const { stdout } = spawnSync(process.execPath, ['--', cli, 'check', '--env-file', '/nowhere/\x1b[2J\u009b31m\u202ecod'], {
    encoding: 'utf8',
  })
  expect(stdout).toContain('/nowhere/\\u001b[2J\\u009b31m\\u202ecod')
  expect(/(?!\n)[\p{Cc}\p{Cf}]/u.exec(stdout)).toBeNull()
})
