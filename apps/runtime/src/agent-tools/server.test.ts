/** The tools endpoint against strangers and mistakes, over real sockets. Each refusal is bounded, clear, logged once, and tells nothing. */
import { once } from 'node:events'
import net from 'node:net'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { systemClock, systemRandom } from '@mission-control/host/clock'
import { TOOL_NAMES } from '@mission-control/shared/tools'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { ToolAnswer, ToolCallRequest } from './call.ts'
import { createMcp } from './mcp.ts'
import { createRefusalLog } from '../http/refusal-log.ts'
import type { ToolsLimits, ToolsServer } from './server.ts'
import { startToolsServer } from './server.ts'
import type { McpSessions } from './sessions.ts'
import { createMcpSessions } from './sessions.ts'

const TOKEN = 'f'.repeat(64)
const QUICK: Partial<ToolsLimits> = {
  requestMs: 300,
  bodyBytes: 10_000,
  connections: 5,
  requests: 3,
  requestsPerAgent: 2,
  bufferedBytes: 15_000,
}
const HEADERS = {
  authorization: `Bearer ${TOKEN}`,
  'content-type': 'application/json',
  accept: 'application/json, text/event-stream',
}
const INITIALIZE = {
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'test', version: '0' } },
}

let server: ToolsServer
let sessions: McpSessions
let lines: { message: string; fields: Record<string, unknown> }[]
let calls: ToolCallRequest[]
let answer: (request: ToolCallRequest, signal: AbortSignal) => Promise<ToolAnswer>

const url = (path = '/mcp') => `http://127.0.0.1:${server.port}${path}`
const post = (body: unknown, headers: Record<string, string> = {}, path?: string) =>
  fetch(url(path), {
    method: 'POST',
    headers: { ...HEADERS, ...headers },
    body: typeof body === 'string' ? body : JSON.stringify({ jsonrpc: '2.0', id: 1, ...(body as object) }),
  })
const callTool = (name = 'agent_list', args: object = {}, headers: Record<string, string> = {}) =>
  post({ method: 'tools/call', params: { name, arguments: args } }, headers)

async function listen(limits: Partial<ToolsLimits> = {}): Promise<void> {
  lines = []
  calls = []
  answer = async () => ({ text: '{"ok":true}', isError: false })
  sessions = createMcpSessions(systemRandom)
  const collect = (fields: object, message: string) => void lines.push({ message, fields: { ...fields } })
  const log = { debug: collect, info: collect, warn: collect, error: collect }
  server = await startToolsServer(
    {
      clock: systemClock,
      log,
      refusals: createRefusalLog({ clock: systemClock, log }, 'refused'),
      sessions,
      agentOf: (token) => (token === TOKEN ? 'agent1' : null),
      mcp: async () => createMcp({ version: '1.2.3' }),
      call: (request, signal) => {
        calls.push(request)
        return answer(request, signal)
      },
    },
    { host: '127.0.0.1', port: 0, allowedHosts: new Set(['tools.example.org']), limits },
  )
}
/** What was logged of refusals, and that nothing of it is secret. */
const refusals = () => {
  expect(JSON.stringify(lines)).not.toContain(TOKEN)
  return lines.map(({ fields }) => fields['kind'])
}

/** A raw connection: sends, and resolves with all that comes back before the other side closes. */
async function raw(text: string): Promise<string> {
  const socket = net.connect(server.port, '127.0.0.1')
  let seen = ''
  socket.on('data', (chunk) => (seen += chunk.toString()))
  socket.on('error', () => undefined) // a reset after the answer is fine
  const closed = new Promise((resolve) => socket.once('close', resolve))
  socket.write(text)
  await closed
  return seen
}

beforeEach(() => listen())
afterEach(() => server.close(0))

describe('a client of ours', () => {
  it('finds the tools, calls one, and says goodbye, by the official client', async () => {
    const client = new Client({ name: 'test', version: '0' })
    const transport = new StreamableHTTPClientTransport(new URL(url('/mcp/0123456789ab')), {
      requestInit: { headers: { authorization: `Bearer ${TOKEN}` } },
    })
    await client.connect(transport)
    expect(transport.sessionId).toMatch(/^[0-9a-f]{32}$/)
    expect(client.getServerVersion()).toMatchObject({ name: 'mission-control', version: '1.2.3' })
    const { tools } = await client.listTools()
    expect(tools.map(({ name }) => name)).toEqual(TOOL_NAMES)
    expect(tools[0]?.inputSchema).toMatchObject({ required: ['task'], additionalProperties: false })
    answer = async () => ({ text: 'You may not.', isError: true })
    expect(await client.callTool({ name: 'task_get', arguments: { task: 'x', turn: 'aaaaaa' } })).toMatchObject({
      isError: true,
      content: [{ type: 'text', text: 'You may not.' }],
    })
    expect(calls).toEqual([
      { agentId: 'agent1', sessionId: transport.sessionId, tool: 'task_get', args: { task: 'x', turn: 'aaaaaa' } },
    ])
    sessions.bind('agent1', transport.sessionId ?? '', 'lane')
    await transport.terminateSession()
    await client.close()
    expect(sessions.count()).toBe(0)
    expect(lines).toEqual([]) // the stream it tries to open is no refusal worth a line
  })

  it('may come with a session from before a restart, or with none', async () => {
    expect((await callTool('agent_list', {}, { 'mcp-session-id': 'from-an-earlier-life' })).status).toBe(200)
    expect((await callTool()).status).toBe(200)
    expect(calls.map(({ sessionId }) => sessionId)).toEqual(['from-an-earlier-life', null])
  })

  it('hears what is wrong with a message, and nothing of our insides', async () => {
    for (const [body, status] of [
      ['{"jsonrpc":"2.0","id":1,"method":"tools/ca', 400],
      ['[]', 400],
      ['"text"', 400],
      ['null', 400],
      ['', 400],
      [JSON.stringify([{ jsonrpc: '2.0', id: 1, method: 'ping' }]), 400],
      [{ jsonrpc: '1.0', method: 5 }, 400],
      [{ method: 'tools/call', params: {} }, 200],
      [{ method: 'no/such/method' }, 200],
      ['{"__proto__":{"x":1},"jsonrpc":"2.0","id":1,"method":"ping"}', 400],
    ] as const) {
      const response = await post(body)
      const text = await response.text()
      expect([body, response.status]).toEqual([body, status])
      expect(text).not.toMatch(/node_modules|\.ts|    at /)
    }
    expect(calls).toEqual([])
    expect(refusals()).toEqual(['json', 'protocol'])
  })
})

describe('strangers', () => {
  it('need a token, whatever they ask for, and their body is not read', async () => {
    for (const authorization of [
      '',
      'Bearer ',
      'Bearer wrong',
      `Basic ${TOKEN}`,
      TOKEN,
      `Bearer ${TOKEN}x`,
      `Bearer ${'a'.repeat(600)}`,
    ]) {
      const response = await post(INITIALIZE, { authorization })
      expect([authorization, response.status]).toEqual([authorization, 401])
      expect(response.headers.get('www-authenticate')).toBe('Bearer')
      expect(await response.text()).not.toContain('agent1')
    }
    const big = `POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 999999999\r\n\r\n`
    expect(await raw(big)).toMatch(/^HTTP\/1\.1 401 /)
    expect(refusals()).toEqual(['token'])
  })

  it('web pages are kept out: any Origin, and any name that is not ours', async () => {
    for (const origin of ['https://evil.example', 'http://localhost:3000', 'null']) {
      expect((await post(INITIALIZE, { origin })).status).toBe(403)
    }
    const withHost = (host: string) =>
      raw(
        `POST /mcp HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer ${TOKEN}\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}`,
      )
    for (const host of ['evil.example', 'localhost.evil.example', '127.0.0.1.evil.example:80']) {
      expect(await withHost(host)).toMatch(/^HTTP\/1\.1 403 /)
    }
    expect(await withHost('')).toMatch(/^HTTP\/1\.1 400 /)
    for (const host of [`localhost:${server.port}`, '[::1]:3002', '10.1.2.3', 'tools.example.org']) {
      expect(await withHost(host)).toMatch(/^HTTP\/1\.1 4(06|00) /) // in, but this is no MCP message
    }
    expect(refusals()).toEqual(['origin', 'host', 'protocol'])
  })

  it('unknown paths and methods have a clear answer', async () => {
    for (const path of ['/', '/health', '/mcp/', '/mcp/../x', '/mcp/0123456789ab/x', '//mcp', '/MCP']) {
      expect([path, (await raw(`POST ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n`)).slice(9, 12)]).toEqual([
        path,
        '404',
      ])
    }
    for (const method of ['PUT', 'PATCH', 'OPTIONS', 'HEAD', 'GET']) {
      const response = await fetch(url(), { method, headers: HEADERS })
      expect([method, response.status, response.headers.get('allow')]).toEqual([method, 405, 'POST, DELETE'])
    }
    expect((await callTool('agent_list', {}, { 'mcp-session-id': 'x'.repeat(200) })).status).toBe(400)
    expect(refusals()).toEqual(['path', 'method', 'session'])
  })

  it('what is no HTTP is closed', async () => {
    expect(await raw('\x16\x03\x01 hello TLS\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 /)
    expect(await raw(`GET /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ${'y'.repeat(20_000)}\r\n\r\n`)).toMatch(/^HTTP\/1\.1 431 /)
    expect(refusals()).toEqual(['malformed', 'headers'])
  })
})

describe('bounds', () => {
  beforeEach(async () => {
    await server.close(0)
    await listen(QUICK)
  })

  it('a body that is too large is refused, announced or not', async () => {
    expect((await post({ method: 'ping', params: { x: 'y'.repeat(20_000) } })).status).toBe(413)
    const chunked = `POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${TOKEN}\r\nTransfer-Encoding: chunked\r\n\r\n`
    const chunk = `1000\r\n${'z'.repeat(0x1000)}\r\n`
    expect(await raw(chunked + chunk.repeat(8))).toMatch(/^HTTP\/1\.1 413 /)
    expect(refusals()).toEqual(['body'])
  })

  it('slow senders are cut off: of headers, of a body, and of nothing at all', async () => {
    const [headers, body, nothing] = await Promise.all([
      raw('POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\n'),
      raw(`POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${TOKEN}\r\nContent-Length: 100\r\n\r\n{`),
      raw(''),
    ])
    expect([headers, body].map((text) => text.slice(0, 12))).toEqual(['HTTP/1.1 408', 'HTTP/1.1 408'])
    expect(nothing).toMatch(/^(HTTP\/1\.1 408 |$)/)
    expect(refusals()).toEqual(['slow'])
  })

  it('too much text at once', async () => {
    const open = Promise.withResolvers<ToolAnswer>()
    const started = Promise.withResolvers<void>()
    answer = () => {
      started.resolve()
      return open.promise
    }
    const large = { content: 'y'.repeat(8_000) }
    const held = callTool('document_write', large)
    await started.promise
    const second = await callTool('document_write', large)
    expect([second.status, second.headers.get('retry-after')]).toEqual([503, '1'])
    open.resolve({ text: 'late', isError: false })
    expect((await held).status).toBe(200)
    expect(refusals()).toEqual(['buffers'])
  })

  it('an agent with too many calls at once, and too many of all together', async () => {
    const open = Promise.withResolvers<ToolAnswer>()
    const started = Promise.withResolvers<void>()
    answer = () => {
      if (calls.length === 2) started.resolve()
      return open.promise
    }
    const held = [callTool(), callTool()]
    await started.promise
    const third = await callTool()
    expect([third.status, third.headers.get('retry-after')]).toEqual([429, '1'])
    open.resolve({ text: 'late', isError: false })
    expect(await Promise.all(held.map(async (call) => (await call).status))).toEqual([200, 200])
    expect((await callTool()).status).toBe(200)
    expect(refusals()).toEqual(['requests'])
  })

  it('too many connections: the ones over it are answered 503 and closed, the others go on', async () => {
    const idle = Array.from({ length: 5 }, () => net.connect(server.port, '127.0.0.1'))
    for (const socket of idle) socket.on('error', () => undefined) // they are cut off as slow, some time
    await Promise.all(idle.map((socket) => once(socket, 'connect')))
    expect(await raw('POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n')).toMatch(/^HTTP\/1\.1 503 /)
    for (const socket of idle) socket.destroy()
    while ((await callTool().catch(() => null))?.status !== 200) await systemClock.sleep(10)
    expect(refusals()[0]).toBe('connections')
  })

  it('sessions are bounded for each agent, and its own are pushed out first', () => {
    sessions.bind('agent2', 'theirs', 'lane')
    for (let n = 0; n < 1_000; n += 1) {
      sessions.bind('agent1', `s${n}`, `lane${n}`)
      expect(sessions.boundTo('agent1', 's0')).toBe('lane0') // in use
    }
    expect(sessions.count()).toBe(257)
    expect(sessions.boundTo('agent2', 'theirs')).toBe('lane')
  })

  it('a flood is one line a minute, with the number of those not said', () => {
    let now = 0
    const said: object[] = []
    const log = { warn: (fields: object) => void said.push(fields) } as never
    const quiet = createRefusalLog({ clock: { ...systemClock, monotonic: () => now }, log }, 'refused')
    for (let n = 0; n < 1_000; n += 1) quiet.refused('token', {})
    quiet.refused('path', {})
    now = 60_000
    quiet.refused('token', {})
    expect(said).toEqual([{ kind: 'token' }, { kind: 'path' }, { kind: 'token', unsaid: 999 }])
    expect(quiet.count()).toBe(1_002)
  })
})

describe('the end', () => {
  it('a caller that hangs up ends its call', async () => {
    const gone = Promise.withResolvers<void>()
    const begun = Promise.withResolvers<void>()
    answer = (_request, signal) => {
      begun.resolve()
      signal.addEventListener('abort', () => gone.resolve(), { once: true })
      return new Promise(() => undefined)
    }
    const hangUp = new AbortController()
    const call = fetch(url(), {
      method: 'POST',
      headers: HEADERS,
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'agent_list' } }),
      signal: hangUp.signal,
    }).catch(() => null)
    await begun.promise
    hangUp.abort()
    await gone.promise
    await call
    expect(lines).toEqual([])
  })

  it('closing lets calls end in their time, then cuts them', async () => {
    const begun = Promise.withResolvers<void>()
    const open = Promise.withResolvers<ToolAnswer>()
    answer = () => {
      begun.resolve()
      return open.promise
    }
    const call = callTool()
    await begun.promise
    const closed = server.close(5_000)
    open.resolve({ text: 'in time', isError: false })
    expect(await (await call).text()).toContain('in time')
    await closed
    await expect(callTool()).rejects.toThrow()

    await listen()
    answer = () => new Promise(() => undefined)
    const hanging = callTool().then(
      (response) => response.status,
      () => 'cut',
    )
    while (calls.length === 0) await systemClock.sleep(5)
    await server.close(10)
    expect(['cut', 503]).toContain(await hanging)
  })

  it('a port that is taken is named with who holds it', async () => {
    await expect(
      startToolsServer({} as never, { host: '127.0.0.1', port: server.port, allowedHosts: new Set() }),
    ).rejects.toThrow(
      new RegExp(`Port ${server.port}, needed for the agents' tools, is held by process ${process.pid} .*TOOLS_PORT`),
    )
  })
})
