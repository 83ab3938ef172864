import { readFileSync } from 'node:fs'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { TURN_CAP_MS } from '@mission-control/shared/lanes/policy'
import { docsPage, envExample, helpText } from './document.ts'
import { GENERATED } from './generate.ts'
import { ConfigError, loadConfig, withEnvFile } from './load.ts'
import { VARIABLES } from './variables.ts'

const token = `mcs_abc1_${'x'.repeat(43)}`
const minimal = { ACCOUNT_ID: 'abc1', CONVEX_URL: 'http://127.0.0.1:3210/', SERVICE_TOKEN: token }
const load = (env: Record<string, string>) => loadConfig({ ...minimal, ...env }, '1.2.3')
const problems = (env: Record<string, string | undefined>): readonly string[] => {
  try {
    loadConfig({ ...minimal, ...env }, '1.2.3')
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
  return []
}

describe('the environment', () => {
  it('needs three values and has a default for everything else', () => {
    const { config, warnings } = load({})
    expect(warnings).toEqual([])
    expect(config).toMatchObject({
      convexUrl: 'http://127.0.0.1:3210',
      health: { port: 3001, host: '127.0.0.1' },
      tools: { port: 3002, host: '127.0.0.1', url: null },
      deliveryConcurrency: 3,
      checkInIntervalMs: 60_000,
      turnTimeoutMs: 600_000,
      externalGateway: null,
      versions: { runtime: '1.2.3', openclaw: null },
    })
  })

  it.each(['ACCOUNT_ID', 'CONVEX_URL', 'SERVICE_TOKEN'])('refuses to start without %s and names it', (name) => {
    for (const value of [undefined, '', '  ']) {
      const found = problems({ [name]: value })
      expect(found).toHaveLength(1)
      expect(found[0]).toMatch(new RegExp(`^${name} is not set: `))
    }
  })

  it('says that a gateway elsewhere needs to know where the tools are', () => {
    const at = (url: string, tools = '') =>
      load({ OPENCLAW_GATEWAY_URL: url, OPENCLAW_GATEWAY_TOKEN: 'x', TOOLS_URL: tools }).warnings.join()
    expect(at('ws://10.0.0.7:18789')).toMatch(/TOOLS_URL is not set.*Set TOOLS_HOST/)
    expect(at('wss://gateway.example.org')).toContain('TOOLS_URL')
    for (const url of ['ws://127.0.0.1:1', 'ws://localhost:1', 'ws://[::1]:1']) expect(at(url)).toBe('')
    expect(at('ws://10.0.0.7:18789', 'http://10.0.0.5:3002')).toBe('')
  })

  it('reports all problems at once', () => {
    expect(() => loadConfig({}, '1')).toThrow(ConfigError)
    expect(problems({ ACCOUNT_ID: undefined, CONVEX_URL: undefined, HEALTH_PORT: 'x' })).toHaveLength(3)
  })

  const integers = VARIABLES.filter(({ kind }) => kind === 'integer').map(({ name }) => name)
  it.each(integers)('refuses a %s that is no number', (name) => {
    for (const value of ['abc', '1.5', '1e3', '0x10', '60s', 'NaN', '']) {
      if (value === '') continue
      expect(problems({ [name]: value })[0]).toContain(`${name} is not a whole number`)
    }
  })

  it.each(integers)('clamps a %s out of range with a warning', (name) => {
    const { warnings } = load({ [name]: '99999999' })
    expect(warnings[0]).toMatch(new RegExp(`^${name}=99999999 is outside `))
    expect(load({ [name]: '-1' }).warnings[0]).toContain(`${name}=-1 is outside`)
  })

  it('refuses malformed urls, levels, ids and tokens, and never prints a token', () => {
    expect(problems({ CONVEX_URL: 'convex.example' })[0]).toContain('CONVEX_URL is not an http(s) URL')
    expect(problems({ OPENCLAW_GATEWAY_URL: 'http://x', OPENCLAW_GATEWAY_TOKEN: 't' })[0]).toContain(
      'OPENCLAW_GATEWAY_URL is not a ws(s) URL',
    )
    expect(problems({ LOG_LEVEL: 'loud' })[0]).toContain('LOG_LEVEL is not one of')
    expect(problems({ ACCOUNT_ID: 'A B' })[0]).toContain('ACCOUNT_ID is not an account id')
    expect(problems({ SERVICE_TOKEN: 'mcs_abc1_secret' }).join()).not.toContain('secret')
  })

  it('notices a token of another account, a gateway without token, a model server without model', () => {
    expect(problems({ ACCOUNT_ID: 'other' })[0]).toContain('SERVICE_TOKEN belongs to account abc1')
    expect(problems({ OPENCLAW_GATEWAY_URL: 'ws://127.0.0.1:1' })[0]).toContain('OPENCLAW_GATEWAY_TOKEN is not set')
    expect(problems({ MODEL_BASE_URL: 'http://127.0.0.1:1' })[0]).toContain('OPENCLAW_MODEL is not set')
  })

  it('keeps the times of a stop in order, and every turn below the hard deadline of its claim', () => {
    const { config, warnings } = load({ SHUTDOWN_GRACE: '60000', STOP_TIMEOUT: '45000' })
    expect(config.stopTimeoutMs).toBe(70_000)
    expect(warnings[0]).toContain('STOP_TIMEOUT=45000 leaves less than')
    expect(load({ TURN_TIMEOUT: '99999999' }).config.turnTimeoutMs).toBeLessThan(TURN_CAP_MS)
  })

  it('lets the real environment win over a file', () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'mc-env-'))
    const file = path.join(folder, '.env')
    writeFileSync(file, 'HEALTH_PORT=4000\nLOG_LEVEL=debug\n')
    expect(withEnvFile({ HEALTH_PORT: '5000' }, file, false)).toEqual({ HEALTH_PORT: '5000', LOG_LEVEL: 'debug' })
    expect(withEnvFile({}, path.join(folder, 'absent'), true)).toEqual({})
    expect(() => withEnvFile({}, path.join(folder, 'absent'), false)).toThrow('cannot be read')
    rmSync(folder, { recursive: true })
  })
})

describe('what is generated from the table', () => {
  it.each(GENERATED.map(({ file, content }) => [file.pathname.split('/').at(-1), file, content] as const))(
    '%s has not drifted',
    (_name, file, content) => {
      // Run: yarn workspace @mission-control/runtime run generate
      expect(readFileSync(file, 'utf8')).toBe(content())
    },
  )

  it('names every variable everywhere', () => {
    for (const { name } of VARIABLES) {
      for (const text of [docsPage(), envExample(), helpText()]) expect(text).toContain(name)
    }
  })
})
