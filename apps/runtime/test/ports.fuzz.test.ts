/**
 * The two ports of the runtime against whatever arrives there: the agents' tools (MCP) and the health pages. Every answer is one of
 * ours, nothing ends in a defect, nothing of it is repeated in the log, and the next honest request is answered.
 */
import { once } from 'node:events'
import { connect } from 'node:net'
import { systemClock, systemRandom } from '@mission-control/host/clock'
import { fuzzRuns, hostileJson, hostileText, INSIDES, mostly, mostlyRecord } from '@mission-control/shared/fuzz'
import type { HealthPage } from '@mission-control/shared/health'
import { TOOL_NAMES } from '@mission-control/shared/tools'
import fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { attribute, codeOf } from '../src/agent-tools/attribution.ts'
import { createMcp } from '../src/agent-tools/mcp.ts'
import { createMcpSessions } from '../src/agent-tools/sessions.ts'
import type { ToolsServer } from '../src/agent-tools/server.ts'
import { startToolsServer } from '../src/agent-tools/server.ts'
import type { HealthServer } from '../src/health/server.ts'
import { startHealthServer } from '../src/health/server.ts'
import { createRefusalLog } from '../src/http/refusal-log.ts'

/** Far longer than any answer takes, on a busy machine too. */
const UNANSWERED_MS = 20_000

const TOKEN = `mca_${'0a'.repeat(32)}`
const lines: { level: string; line: string }[] = []
const at = (level: string) => (fields: object, message: string) =>
  void lines.push({ level, line: JSON.stringify({ ...fields, message }) })
const log = { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }

let tools: ToolsServer
let health: HealthServer
beforeAll(async () => {
  tools = await startToolsServer(
    {
      clock: systemClock,
      log,
      refusals: createRefusalLog({ clock: systemClock, log }, 'refused'),
      sessions: createMcpSessions(systemRandom),
      agentOf: (token) => (token === TOKEN ? 'agent1' : null),
      mcp: async () => createMcp({ version: '1.2.3' }),
      call: async ({ tool }) => ({ text: `called ${tool.length}`, isError: false }),
    },
    { host: '127.0.0.1', port: 0, allowedHosts: new Set() },
  )
  const page = {
    versions: { runtime: '1', openclaw: '2' },
    infrastructure: { dropletId: null, ip: null, region: null },
  } as HealthPage
  const source = { page: () => page, notReady: () => [], metrics: async () => ({ contentType: 'text/plain', text: 'a 1\n' }) }
  health = await startHealthServer(source, { port: 0, host: '127.0.0.1', log, clock: systemClock })
})
afterAll(async () => {
  await tools.close(0)
  await health.close()
})
beforeEach(() => void (lines.length = 0))

const defects = () => lines.filter(({ level }) => level === 'error').map(({ line }) => line)
const HEADERS = {
  authorization: `Bearer ${TOKEN}`,
  'content-type': 'application/json',
  accept: 'application/json, text/event-stream',
}
const post = (body: string, headers: Record<string, string> = {}) =>
  fetch(`http://127.0.0.1:${tools.port}/mcp`, {
    method: 'POST',
    headers: { ...HEADERS, ...headers },
    body,
    // Whoever is not answered at all would only be seen by the test's own end.
    signal: AbortSignal.timeout(UNANSWERED_MS),
  })
const stillServes = async () => {
  expect((await fetch(`http://127.0.0.1:${health.port}/livez`)).status).toBe(200)
  const call = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'task_get', arguments: {} } }
  expect(await (await post(JSON.stringify(call))).json()).toMatchObject({ result: { isError: false } })
}

describe('MCP', () => {
  const words = ['tools/call', 'tools/list', 'initialize', 'ping', 'jsonrpc', '2.0', 'method', 'params', ...TOOL_NAMES]
  const method = fc.constantFrom(
    'tools/call',
    'tools/list',
    'initialize',
    'ping',
    'resources/list',
    'notifications/cancelled',
    'completion/complete',
  )
  const message = mostlyRecord({
    jsonrpc: fc.constant('2.0'),
    id: fc.oneof(fc.nat(9), hostileText(), fc.constantFrom(null, 2 ** 60, 1.5)),
    method: fc.oneof(method, hostileText(words)),
    params: fc.oneof(
      mostlyRecord({
        name: fc.oneof(fc.constantFrom(...TOOL_NAMES), hostileText()),
        arguments: hostileJson(['task', 'turn']),
        _meta: hostileJson(),
      }),
      mostlyRecord({
        protocolVersion: fc.constant('2025-11-25'),
        capabilities: hostileJson(),
        clientInfo: hostileJson(['name', 'version']),
      }),
      mostlyRecord({ requestId: fc.nat(9), reason: hostileText() }),
    ),
    result: hostileJson(),
  })
  const body = fc.oneof(
    { weight: 8, arbitrary: mostly(message).map((value) => JSON.stringify(value)) },
    { weight: 1, arbitrary: fc.array(message, { maxLength: 3 }).map((value) => JSON.stringify(value)) },
    { weight: 1, arbitrary: hostileText(['{', '"', ':', '}', '[']) },
  )
  const printable = hostileText().map((text) => text.replace(/[^\x20-\x7e]/g, ''))
  const headers = fc.dictionary(
    fc.constantFrom(
      'mcp-session-id',
      'mcp-protocol-version',
      'accept',
      'content-type',
      'authorization',
      'origin',
      'last-event-id',
    ),
    printable,
    { maxKeys: 2 },
  )

  it('any message is answered as JSON, by nobody’s defect', async () => {
    await fc.assert(
      fc.asyncProperty(body, fc.oneof(fc.constant({}), headers), async (sent, extra) => {
        lines.length = 0
        const response = await post(sent.toWellFormed(), extra)
        const text = await response.text()
        expect([sent, extra, defects()]).toEqual([sent, extra, []])
        expect([200, 202, 400, 401, 403, 404, 405, 406, 415]).toContain(response.status)
        if (text !== '') expect(JSON.parse(text)).toMatchObject({ jsonrpc: '2.0' })
        expect(text).not.toMatch(INSIDES)
        expect(text + JSON.stringify(lines)).not.toContain(TOKEN)
      }),
      fuzzRuns(200),
    )
    await stillServes()
  })

  it('a turn’s code is read out of anything, and an agent’s calls go to its own turns only', () => {
    fc.assert(
      fc.property(fc.oneof(hostileJson(), hostileText(['k7q2zx', '"', ' '])), fc.boolean(), (given, bound) => {
        const code = codeOf(given)
        if (code !== null) expect(code).toMatch(/^[0-9a-z]{6}$/)
        const found = attribute({ turns: [], code, boundTo: bound ? 'lane' : null, hasEnded: () => false })
        expect(found.turn).toBeNull()
      }),
      fuzzRuns(300),
    )
  })
})

describe('any bytes', () => {
  const target = hostileText(['/', 'mcp', 'livez', 'health', 'metrics', '..', '%2e', '?', '#', '//']).map(
    (text) => `/${text.replace(/[^\x21-\x7e]/g, '')}`,
  )
  const line = fc.oneof(
    {
      weight: 4,
      arbitrary: fc
        .tuple(
          fc.constantFrom('GET', 'HEAD', 'POST', 'DELETE', 'OPTIONS', 'TRACE', 'CONNECT'),
          fc.oneof(target, fc.constantFrom('/mcp', '/health', '/livez')),
        )
        .map((parts) => `${parts.join(' ')} HTTP/1.1`),
    },
    { weight: 1, arbitrary: hostileText(['GET ', '/livez', ' HTTP/1.1']) },
  )
  const header = fc.tuple(
    fc.constantFrom(
      'authorization',
      'content-length',
      'transfer-encoding',
      'expect',
      'upgrade',
      'connection',
      'mcp-session-id',
      'origin',
      'x-canary',
    ),
    fc.oneof(
      hostileText(['Bearer ', 'chunked', '100-continue', '5', 'canary']),
      fc.constantFrom(`Bearer ${TOKEN}`, '0', '3', '-1', '9999999999', 'websocket'),
    ),
  )
  const host = fc.constantFrom('localhost', '127.0.0.1', '[::1]', 'evil.example', '', 'a:b@localhost', 'localhost/x')

  it.each(['tools', 'health'] as const)('on the %s port are answered or hung up on', async (name) => {
    await fc.assert(
      fc.asyncProperty(
        line,
        host,
        fc.array(header, { maxLength: 3 }),
        hostileText(['canary', '{}']),
        async (first, given, headers, rest) => {
          lines.length = 0
          const socket = connect((name === 'tools' ? tools : health).port, '127.0.0.1')
          let seen = ''
          socket.on('data', (chunk: Buffer) => (seen += chunk.toString('latin1')))
          socket.on('error', () => undefined) // a reset is an answer too
          const closed = once(socket, 'close')
          socket.end(
            `${first}\r\nHost: ${given}\r\nConnection: close\r\n${headers.map(([key, value]) => `${key}: ${value}\r\n`).join('')}\r\n${rest}`,
          )
          await closed
          expect([first, given, headers, defects()]).toEqual([first, given, headers, []])
          expect(seen).not.toMatch(/^HTTP\/1\.1 500/)
          expect(seen).not.toMatch(INSIDES)
          expect(seen + JSON.stringify(lines)).not.toMatch(/canary|mca_/)
        },
      ),
      fuzzRuns(150),
    )
    await stillServes()
  })
})
