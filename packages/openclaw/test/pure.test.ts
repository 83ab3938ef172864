/** Small rules without effects. */
import { describe, expect, it } from 'vitest'
import { agentSections, isAgentSlug, serverName } from '../src/config/agents.ts'
import { initialConfig } from '../src/config/initial.ts'
import { chooseModel, modelEnv, modelsSection } from '../src/config/model.ts'
import { GATEWAY_ERRORS, GatewayError } from '../src/errors.ts'
import { readPage, snapshotOf } from '../src/history.ts'
import { restartDelay } from '../src/supervisor/backoff.ts'
import { gatewayEnv } from '../src/supervisor/env.ts'
import { meaningOf } from '../src/supervisor/exit.ts'
import { isRecentEnough } from '../src/supervisor/supervisor.ts'
import { defaultReply } from '../src/testing/default-reply.ts'
import { parseDirectives } from '../src/testing/directives.ts'
import { viewPrompt } from '../src/testing/model-prompt.ts'
import { isReceipt } from '../src/turn/run.ts'
import { parseVersion } from '../src/version.ts'

describe('model choice', () => {
  it.each([
    [{}, null],
    [
      { baseUrl: 'http://x/v1', model: 'm', openaiApiKey: 'o' },
      { kind: 'compatible', model: 'm', apiKey: 'none' },
    ],
    [
      { openaiApiKey: 'o', anthropicApiKey: 'a' },
      { kind: 'openai', apiKey: 'o', baseUrl: 'https://api.openai.com/v1' },
    ],
    [{ anthropicApiKey: 'a' }, { kind: 'anthropic', apiKey: 'a', baseUrl: 'https://api.anthropic.com' }],
    [
      { openaiApiKey: 'o', openaiBaseUrl: 'http://o/v1', anthropicBaseUrl: 'http://a' },
      { kind: 'openai', baseUrl: 'http://o/v1' },
    ],
    [
      { anthropicApiKey: 'a', openaiBaseUrl: 'http://o/v1', anthropicBaseUrl: 'http://a' },
      { kind: 'anthropic', baseUrl: 'http://a' },
    ],
    // An address alone is no account.
    [{ openaiBaseUrl: 'http://o/v1', anthropicBaseUrl: 'http://a' }, null],
    [
      { model: 'anthropic/claude-x', openaiApiKey: 'o', anthropicApiKey: 'a' },
      { kind: 'anthropic', model: 'claude-x', apiKey: 'a' },
    ],
    [
      { model: 'gpt-x', openaiApiKey: 'o' },
      { kind: 'openai', model: 'gpt-x' },
    ],
  ])('%j', (settings, expected) => {
    const choice = chooseModel(settings)
    if (expected === null) expect(choice).toBeNull()
    else expect(choice).toMatchObject(expected)
  })

  it.each([[{ baseUrl: 'http://x' }], [{ model: 'some/model' }], [{ model: 'openai/x', anthropicApiKey: 'a' }]])(
    '%j cannot work',
    (settings) => {
      expect(() => chooseModel(settings)).toThrow(GatewayError)
    },
  )

  it('keys travel in the environment and never stand in the file', () => {
    for (const settings of [
      { baseUrl: 'http://x/v1', model: 'm', apiKey: 'SECRET' },
      { openaiApiKey: 'SECRET' },
      { anthropicApiKey: 'SECRET' },
    ]) {
      const choice = chooseModel(settings)
      expect(JSON.stringify(modelsSection(choice))).not.toContain('SECRET')
      expect(Object.values(modelEnv(choice))).toEqual(['SECRET'])
    }
  })
})

describe('configuration', () => {
  it.each([
    [{ openaiApiKey: 'o' }, { transport: 'sse' }],
    [{ anthropicApiKey: 'a' }, {}],
    [{ baseUrl: 'http://x/v1', model: 'm' }, {}],
  ])('%j is reached by plain streaming, past no proxy', (settings, params) => {
    const config = initialConfig({ port: 1, token: 't', model: chooseModel(settings), agents: [], workspaceRoot: '/r' })
    expect((config.agents as { defaults: { params: unknown } }).defaults.params).toEqual(params)
  })

  const agent = { slug: 'writer', name: 'Writer', workspace: '/w', tools: { url: 'http://t/mcp', bearer: 'b' } }

  it('each agent may use its own tools and nobody else’s, and never the gateway tool', () => {
    const { agents } = agentSections([agent, { ...agent, slug: 'editor' }]) as {
      agents: { entries: Record<string, { tools: object }> }
    }
    expect(agents.entries.writer?.tools).toEqual({ alsoAllow: ['mc-writer__*'], deny: ['gateway'] })
    expect(agents.entries.editor?.tools).toEqual({ alsoAllow: ['mc-editor__*'], deny: ['gateway'] })
  })

  it('names of tools servers stay within what OpenClaw keeps, and stay apart', () => {
    const long = ['a'.repeat(60) + 'x', 'a'.repeat(60) + 'y', 'writer'].map(serverName)
    expect(Math.max(...long.map((name) => name.length))).toBe(30)
    expect(new Set(long).size).toBe(3)
    expect(serverName('writer')).toBe('mc-writer')
  })

  it('ids the gateway would change are refused', () => {
    expect(['writer', 'seo-expert', 'a1'].every(isAgentSlug)).toBe(true)
    expect(['Writer', 'a:b', '', '-a', 'ü', 'a'.repeat(64)].some(isAgentSlug)).toBe(false)
    expect(() => agentSections([{ ...agent, slug: 'Writer' }])).toThrow(TypeError)
  })

  it('nothing in it reaches outside: loopback, no channels, no schedules, no plugins', () => {
    const config = initialConfig({ port: 1, token: 't', model: null, agents: [agent], workspaceRoot: '/r' })
    expect(config).toMatchObject({
      gateway: { bind: 'loopback', auth: { mode: 'token', token: 't' } },
      plugins: { enabled: false },
      cron: { enabled: false },
      telemetry: { enabled: false },
      agents: { defaults: { heartbeat: { every: '0m' } } },
    })
    expect(config).not.toHaveProperty('channels')
  })
})

describe('process rules', () => {
  it.each([
    [{ code: 78, logTail: 'another OpenClaw process owns gateway-lifecycle' }, 'GATEWAY_STATE_OWNED', false],
    [{ code: 78, logTail: 'Invalid config' }, 'GATEWAY_CONFIG_INVALID', false],
    [
      { code: 78, logTail: 'Migration step "b" was not run because prior step "a" refused execution.' },
      'GATEWAY_START_FAILED',
      true,
    ],
    [{ code: 1, logTail: 'Port 18789 is already in use (pid 12)' }, 'GATEWAY_PORT_TAKEN', false],
    [{ code: 1, logTail: 'boom' }, 'GATEWAY_START_FAILED', true],
    [{ code: null, signal: 'SIGKILL', logTail: '' }, 'GATEWAY_START_FAILED', true],
    [{ code: 0, logTail: '' }, 'GATEWAY_START_FAILED', true],
  ])('exit %j', (exit, code, restart) => {
    expect(meaningOf({ signal: null, ...exit })).toMatchObject({ code, restart })
  })

  it('backoff doubles from one second to a minute', () => {
    expect([1, 2, 3, 6, 7, 50].map(restartDelay)).toEqual([1000, 2000, 4000, 32_000, 60_000, 60_000])
  })

  it('the environment is an allow-list', () => {
    const env = gatewayEnv(
      { PATH: '/bin', SERVICE_TOKEN: 's', AWS_SECRET_ACCESS_KEY: 'x', OPENAI_API_KEY: 'mine' },
      { stateDir: '/s', configFile: '/c', home: '/h', model: {} },
    )
    expect(Object.keys(env).filter((name) => !name.startsWith('OPENCLAW_'))).toEqual(['PATH', 'HOME'])
  })

  it('versions compare by number', () => {
    expect(isRecentEnough('24.16.0', '24.16.0')).toBe(true)
    expect(isRecentEnough('24.9.9', '24.16.0')).toBe(false)
    expect(isRecentEnough('26.1.0', '24.16.0')).toBe(true)
    expect(parseVersion('OpenClaw 2026.9.6 (eb377ac)\n')).toBe('2026.9.6')
    expect(parseVersion('something else')).toBeNull()
  })

  it('every error code has a class and a next step', () => {
    for (const { class: kind, whatToDo } of Object.values(GATEWAY_ERRORS)) {
      expect(['retryable', 'terminal', 'configuration']).toContain(kind)
      expect(whatToDo).toMatch(/\.$/)
    }
  })
})

describe('history', () => {
  it('reads keys, runs, visible text and usage', () => {
    const usage = { input: 5, output: 2, cacheRead: 1, cacheWrite: 0, cost: { total: 0.25 } }
    const content = [
      { type: 'thinking', text: 'hm' },
      { type: 'text', text: 'yes' },
    ]
    const page = readPage({
      messages: [
        { role: 'user', content: 'do', idempotencyKey: 'k1:user' },
        { role: 'assistant', content, stopReason: 'stop', provider: 'p', model: 'm', usage, __openclaw: { runId: 'k1' } },
        {
          role: 'assistant',
          content: [],
          idempotencyKey: 'k1:terminal-error',
          stopReason: 'error',
          __openclaw: { runId: 'k1' },
        },
      ],
      sessionInfo: { hasActiveRun: true, activeRunIds: ['r9'] },
    })
    const { rows, liveRunId } = snapshotOf(page, 'b', true)
    expect(rows[0]).toMatchObject({ inputKey: 'k1', text: 'do' })
    expect(rows[1]).toMatchObject({ runId: 'k1', text: 'yes', usage: { inputTokens: 5, costUsd: 0.25, model: 'p/m' } })
    expect(rows[2]).toMatchObject({ inputKey: null, runId: 'k1', usage: null })
    expect(liveRunId).toBe('r9')
  })

  it('a shape it does not know is an error, not an empty history', () => {
    expect(() => readPage({ rows: [] })).toThrow(/unreadable history/)
  })
})

describe('scripted model', () => {
  it('reads directives and refuses malformed ones', () => {
    expect(parseDirectives('a [[sleep:20]] [[tool:mc__x {"a":[1]}]] [[say:b]] [[hang]]')).toEqual([
      { kind: 'sleep', ms: 20 },
      { kind: 'tool', name: 'mc__x', args: { a: [1] } },
      { kind: 'say', text: 'b' },
      { kind: 'hang' },
    ])
    expect(() => parseDirectives('[[sleep:soon]]')).toThrow('not a whole number')
    expect(() => parseDirectives('[[tool:x {broken]]')).toThrow()
  })

  it('obeys the newest words of the user and nothing OpenClaw put around them', () => {
    const user = (content: string) => ({ role: 'user', content })
    const stamp = '[Sat 2026-11-21 01:39 UTC] '
    expect(viewPrompt([user(`${stamp}[[say:a]]\n\nRuntime: agent=writer | session=x`)]).prompt).toBe('[[say:a]]')
    expect(viewPrompt([user('[[say:a]]'), user('<<<BEGIN_OPENCLAW_INTERNAL_CONTEXT>>> x')]).prompt).toBe('[[say:a]]')
    expect(viewPrompt([user('[[say:a]]'), user(`${stamp}<turn_aborted>\nx`)]).prompt).toBe('[[say:a]]')
    const merged =
      '[Queued user message from a previous active turn; preserved as context only. Continue with the active prompt below.]\n[[hang]]\n\n[[say:b]]'
    expect(viewPrompt([user(`${stamp}${merged}`)]).prompt).toBe('[[say:b]]')
  })

  it('answers sensibly and always the same', () => {
    const prompt = '# mention: x\n- task: t1, status assigned, priority 2, title "Write the launch post"\n\nplease have a look'
    expect(defaultReply(prompt)).toContain('"Write the launch post"')
    expect(defaultReply(prompt)).toBe(defaultReply(prompt))
    expect(isReceipt(defaultReply('# heartbeat: regular check\n- task: t1, title "Write the launch post"'))).toBe(true)
  })

  it('a receipt is nothing, or exactly the silent word', () => {
    expect(['', '  \n', 'HEARTBEAT_OK', ' HEARTBEAT_OK\n'].every(isReceipt)).toBe(true)
    expect(['HEARTBEAT_OK, all fine', 'heartbeat_ok', 'ok'].some(isReceipt)).toBe(false)
  })
})
