import { ConvexHttpClient } from 'convex/browser'
import { makeFunctionReference } from 'convex/server'
import { request } from 'node:http'
import { connect } from 'node:net'
import { describe, expect, it } from 'vitest'
import { inMemory } from '../../test/fixtures/backend.ts'

async function serving(options: Parameters<typeof inMemory>[0] = {}) {
  const backend = await inMemory(options)
  const server = await backend.listen()
  const post = (path: string, body: unknown, headers: Record<string, string> = {}) =>
    fetch(server.url + path, { method: 'POST', body: typeof body === 'string' ? body : JSON.stringify(body), headers })
  return { backend, ...server, post }
}
/** fetch refuses to send a Host header of our choice. */
function rawGet(port: number, headers: Record<string, string>): Promise<number> {
  return new Promise((resolve, reject) => {
    request({ port, host: '127.0.0.1', path: '/version', headers }, (response) => {
      response.resume()
      resolve(response.statusCode!)
    })
      .on('error', reject)
      .end()
  })
}

describe('function calls', () => {
  it('the official HTTP client works, consistent queries included', async () => {
    const { url } = await serving()
    const client = new ConvexHttpClient(url)
    const send = makeFunctionReference<'mutation'>('messages:send')
    await Promise.all([1, 2, 3].map((n) => client.mutation(send, { channel: 'a', body: `${n}` }, { skipQueue: true })))
    expect(await client.consistentQuery(makeFunctionReference<'query'>('messages:bodies'), { channel: 'a' })).toHaveLength(3)
    expect(await client.action(makeFunctionReference<'action'>('messages:sendTwice'), { channel: 'b' })).toEqual(['one', 'two'])
    await expect(client.mutation(makeFunctionReference<'mutation'>('messages:fail'), { channel: 'a' })).rejects.toMatchObject({
      data: { code: 'REFUSED' },
    })
    await expect(client.mutation(makeFunctionReference<'mutation'>('messages:crash'), {})).rejects.toThrow(
      /^\[Request ID: [0-9a-f]{16}\] Server Error\nUncaught Error: boom$/,
    )
  })

  it('clean JSON by default, /api/run, batches, GET', async () => {
    const { post, url, backend } = await serving()
    await backend.mutation('messages:send', { channel: 'a', body: 'x' })
    const body = { path: 'messages:bodies', args: { channel: 'a' } }
    expect(await (await post('/api/query', body)).json()).toEqual({ status: 'success', value: ['x'], logLines: [] })
    expect(await (await post('/api/run/messages/bodies', { args: { channel: 'a' } })).json()).toMatchObject({ value: ['x'] })
    expect(await (await post('/api/query_batch', { queries: [body, body] })).json()).toMatchObject({
      results: [{ value: ['x'] }, { value: ['x'] }],
    })
    const search = `path=messages:bodies&args=${encodeURIComponent('{"channel":"a"}')}`
    expect(await (await fetch(`${url}/api/query?${search}`)).json()).toMatchObject({ value: ['x'] })
    expect(await (await fetch(`${url}/version`)).text()).toContain('embedded')
  })

  it('internal functions need the admin key', async () => {
    const { post, backend } = await serving()
    const body = { path: 'messages:secret', args: {} }
    const key = { authorization: `Convex ${backend.adminKey}` }
    expect(await (await post('/api/function', body, key)).json()).toMatchObject({ value: 'internal only' })
    expect((await post('/api/function', body)).status).toBe(403)
    expect((await post('/api/function', body, { authorization: `Convex ${backend.adminKey.slice(0, -1)}x` })).status).toBe(401)
    expect(await (await post('/api/query', body, key)).json()).toMatchObject({ value: 'internal only' })
    const asUser = `${key.authorization}:${Buffer.from('{"subject":"s","issuer":"i"}').toString('base64')}`
    for (const headers of [{}, { authorization: asUser }]) {
      expect(await (await post('/api/query', body, headers)).json()).toMatchObject({
        status: 'error',
        errorMessage: expect.stringContaining("Could not find public function for 'messages:secret'"),
      })
    }
  })

  it('the admin key acts as a user', async () => {
    const { post, backend } = await serving()
    const identity = Buffer.from(JSON.stringify({ subject: 's', issuer: 'i', email: 'a@b.c' })).toString('base64')
    const as = (credentials: string) => post('/api/query', { path: 'messages:whoami', args: {} }, { authorization: credentials })
    expect(await (await as(`Convex ${backend.adminKey}:${identity}`)).json()).toMatchObject({
      value: { tokenIdentifier: 'i|s', email: 'a@b.c' },
    })
    expect((await as(`Convex ${backend.adminKey}:%%%`)).status).toBe(400)
    expect((await as('Bearer some.jwt.token')).status).toBe(401)
    expect((await as('Basic x')).status).toBe(401)
  })
})

describe('bad input', () => {
  it.each<[string, string, unknown, number]>([
    ['no JSON', '/api/query', 'nonsense', 400],
    ['no object', '/api/query', [], 400],
    ['no path', '/api/query', { args: {} }, 400],
    ['a path that is none', '/api/query', { path: '::', args: {} }, 400],
    ['two arguments', '/api/query', { path: 'messages:bodies', args: [{}, {}] }, 400],
    ['arguments that are no values', '/api/query', { path: 'messages:bodies', args: [{ $x: 1 }] }, 400],
    ['a commit timestamp', '/api/mutation', { path: 'messages:crash', args: [{ $commitTs: null }] }, 400],
    ['an unknown format', '/api/query', { path: 'messages:bodies', args: {}, format: 'xml' }, 400],
    ['a component', '/api/query', { path: 'messages:bodies', args: {}, componentPath: 'child' }, 400],
    ['a batch that is none', '/api/query_batch', { queries: 3 }, 400],
    ['a batch of nothing', '/api/query_batch', { queries: [null] }, 400],
    ['a time that is none', '/api/query_at_ts', { path: 'messages:bodies', args: {}, ts: 5 }, 400],
    ['a time of the wrong length', '/api/query_at_ts', { path: 'messages:bodies', args: {}, ts: 'AAAA' }, 400],
    ['a time to come', '/api/query_at_ts', { path: 'messages:bodies', args: {}, ts: '/////////38=' }, 400],
    ['nothing there', '/api/nope', {}, 404],
  ])('%s', async (_name, path, body, status) => {
    const { post } = await serving()
    const response = await post(path, body)
    expect(response.status).toBe(status)
    expect(await response.json()).toEqual({ code: expect.any(String), message: expect.any(String) })
  })

  it.each(['messages:constructor', 'constructor:constructor', '__proto__:toString', 'messages:nope', 'nope'])(
    'no function %s',
    async (path) => {
      const { post } = await serving()
      expect(await (await post('/api/query', { path, args: {} })).json()).toMatchObject({
        status: 'error',
        errorMessage: expect.stringContaining('Could not find public function'),
      })
    },
  )

  it('a body over the cap is refused, announced or not, and the server lives', async () => {
    const { port, post } = await serving()
    expect((await post('/api/query', 'x'.repeat(17 * 1024 * 1024))).status).toBe(413)
    const socket = connect(port, '127.0.0.1')
    socket.write('POST /api/query HTTP/1.1\r\nhost: localhost\r\ncontent-length: 99999999\r\n\r\nx')
    const answer = await new Promise<string>((resolve) => socket.once('data', (data) => resolve(data.toString())))
    expect(answer).toContain('413')
    socket.destroy()
    const garbage = connect(port, '127.0.0.1')
    garbage.write('\x00\x01 not http\r\n\r\n')
    await new Promise((resolve) => garbage.on('data', () => {}).once('close', resolve))
    expect((await post('/api/query', { path: 'messages:bodies', args: { channel: 'a' } })).status).toBe(200)
  })
})

describe('pages of other sites', () => {
  it.each<[string, Record<string, string>, number]>([
    ['loopback', { host: 'localhost:1' }, 200],
    ['an address', { host: '192.168.1.4' }, 200],
    ['a rebound name', { host: 'evil.example' }, 403],
    ['a page of a local app', { host: 'localhost', origin: 'http://localhost:5173' }, 200],
    ['a page of another site', { host: 'localhost', origin: 'https://evil.example' }, 403],
    ['a sandboxed page', { host: 'localhost', origin: 'null' }, 403],
    ['a name that only starts like ours', { host: 'localhost.evil.example' }, 403],
  ])('%s', async (_name, headers, status) => {
    expect(await rawGet((await serving()).port, headers)).toBe(status)
  })

  it('allowed names and origins are let in, and CORS mirrors them', async () => {
    const backend = await inMemory()
    const { port, url } = await backend.listen({ allowedHosts: ['backend'], allowedOrigins: ['https://app.example'] })
    expect(await rawGet(port, { host: 'backend:3210' })).toBe(200)
    const preflight = await fetch(url, {
      method: 'OPTIONS',
      headers: { origin: 'https://app.example', 'access-control-request-headers': 'convex-client' },
    })
    expect([
      preflight.status,
      preflight.headers.get('access-control-allow-origin'),
      preflight.headers.get('access-control-allow-headers'),
    ]).toEqual([204, 'https://app.example', 'convex-client'])
  })
})

it('a taken port is one clear sentence', async () => {
  const { port, backend } = await serving()
  await expect(backend.listen({ port })).rejects.toThrow(`Port ${port} on 127.0.0.1 is already in use`)
})
