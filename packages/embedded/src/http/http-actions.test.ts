import { httpActionGeneric as action, httpRouter, makeFunctionReference } from 'convex/server'
import { ConvexError } from 'convex/values'
import { once } from 'node:events'
import { createServer, get, type IncomingMessage } from 'node:http'
import { connect, type AddressInfo } from 'node:net'
import { describe, expect, it, vi } from 'vitest'
import { inMemory } from '../../test/fixtures/backend.ts'
import { functions } from '../../test/fixtures/functions.ts'
import { createHttpActions } from './http-actions.ts'

const send = makeFunctionReference<'mutation'>('messages:send')
const text = (make: (request: Request) => string) => action(async (_ctx, request) => new Response(make(request)))

async function serving() {
  const http = httpRouter()
  const route = (path: string, method: 'GET' | 'POST' | 'OPTIONS', handler: ReturnType<typeof action>) =>
    http.route({ path, method, handler })
  let cancelled = false
  const moreOf = Promise.withResolvers<void>()
  const echo = action(async (ctx, request) => {
    const body = await request.text()
    await ctx.runMutation(send, { channel: 'hook', body })
    return new Response(body.toUpperCase(), { status: 201, headers: { 'x-kind': 'echo' } })
  })
  route('/hook', 'POST', echo)
  route('/url', 'GET', text((request) => request.url)) // prettier-ignore
  route('/long/exact', 'GET', text(() => 'exact')) // prettier-ignore
  http.route({ pathPrefix: '/long/', method: 'GET', handler: text(() => 'prefix') })
  http.route({ pathPrefix: '/long/er/', method: 'GET', handler: text(() => 'longer prefix') })
  route(
    '/cors',
    'OPTIONS',
    action(async () => new Response(null, { status: 204, headers: { 'access-control-allow-origin': '*' } })),
  )
  route('/cookies', 'GET', action(async () => {
    const headers = new Headers()
    headers.append('set-cookie', 'a=1')
    headers.append('set-cookie', 'b=2')
    return new Response('', { headers })
  })) // prettier-ignore
  route(
    '/who',
    'GET',
    action(async (ctx) => Response.json(await ctx.auth.getUserIdentity())),
  )
  route(
    '/size',
    'POST',
    action(async (_ctx, request) => new Response(String((await request.arrayBuffer()).byteLength))),
  )
  route('/throws', 'GET', action(async () => { throw new Error('boom') })) // prettier-ignore
  route('/refuses', 'GET', action(async () => { throw new ConvexError({ code: 'NO' }) })) // prettier-ignore
  route(
    '/nothing',
    'GET',
    action(async () => undefined as unknown as Response),
  )
  route('/breaks', 'GET', action(async () => new Response(new ReadableStream({
    async pull(controller) {
      controller.enqueue(new TextEncoder().encode('begun'))
      await moreOf.promise
      controller.error(new Error('midway'))
    },
  })))) // prettier-ignore
  route('/parts', 'GET', action(async (ctx) => new Response(new ReadableStream({
    async start(controller) {
      controller.enqueue(new TextEncoder().encode('first '))
      await moreOf.promise
      await ctx.runMutation(send, { channel: 'stream', body: 'while streaming' })
      controller.enqueue(new TextEncoder().encode('second'))
      controller.close()
    },
  })))) // prettier-ignore
  route('/endless', 'GET', action(async () => new Response(new ReadableStream({
    pull: (controller) => controller.enqueue(new Uint8Array(65_536)),
    cancel: () => void (cancelled = true),
  })))) // prettier-ignore
  const warnings: unknown[] = []
  const warn = (message: string, fields?: object) => void warnings.push([message, fields])
  const backend = await inMemory({ functions: { ...functions, http }, log: { info() {}, warn, error: warn } })
  const site = await backend.listenSite()
  const main = await backend.listen()
  return { backend, site, main, warnings, more: () => moreOf.resolve(), cancelled: () => cancelled }
}

describe('HTTP actions', () => {
  it.each(['site', 'main'] as const)('answer on the %s port', async (which) => {
    const { backend, site, main } = await serving()
    const base = which === 'site' ? site.url : `${main.url}/http`
    const response = await fetch(`${base}/hook`, { method: 'POST', body: 'hello' })
    expect([response.status, response.headers.get('x-kind'), await response.text()]).toEqual([201, 'echo', 'HELLO'])
    expect(await backend.query('messages:bodies', { channel: 'hook' })).toEqual(['hello'])
    expect(await (await fetch(`${base}/url?a=%20b`)).text()).toBe(`${base}/url?a=%20b`)
  })

  it.each([
    ['GET', '/long/exact', 200, 'exact'],
    ['GET', '/long/exactly', 200, 'prefix'],
    ['GET', '/long/er/x', 200, 'longer prefix'],
    ['HEAD', '/long/exact', 200, ''],
    ['POST', '/long/exact', 404, 'No matching routes found'],
    ['GET', '/', 404, 'No matching routes found'],
    ['OPTIONS', '/cors', 204, ''],
    ['OPTIONS', '/hook', 404, 'No matching routes found'],
  ])('%s %s', async (method, path, status, body) => {
    const { site, main } = await serving()
    for (const base of [site.url, `${main.url}/http`]) {
      const answer = await fetch(base + path, { method })
      expect([answer.status, await answer.text()]).toEqual([status, body])
    }
  })

  it('a backend without a router says so', async () => {
    const site = await (await inMemory()).listenSite()
    const answer = await fetch(site.url)
    expect([answer.status, await answer.text()]).toEqual([404, 'This Convex deployment does not have HTTP actions enabled.'])
  })

  it.each(['//other.example/url', '///url', '//'])('a path that looks like another host (%s) is a path', async (path) => {
    const { site, main } = await serving()
    for (const { port } of [site, main]) {
      const sent = get({ port, host: '127.0.0.1', path })
      const [answer] = (await once(sent, 'response')) as [IncomingMessage]
      answer.resume()
      expect(answer.statusCode).toBe(404)
    }
  })

  it('tell the scheme a proxy saw, and keep every cookie apart', async () => {
    const { site } = await serving()
    const seen = async (headers: Record<string, string>) => (await fetch(`${site.url}/url`, { headers })).text()
    expect(await seen({ 'x-forwarded-proto': 'https' })).toBe(`${site.url.replace('http', 'https')}/url`)
    expect(await seen({ forwarded: 'for=1.2.3.4;proto=https' })).toMatch(/^https:/)
    expect(await seen({ 'x-forwarded-proto': 'javascript' })).toMatch(/^http:/)
    expect((await fetch(`${site.url}/cookies`)).headers.getSetCookie()).toEqual(['a=1', 'b=2'])
  })

  it.each(['Bearer not.a.token', 'Convex not-the-key', 'Basic abc', 'custom scheme'])(
    '%s: nobody, not a refusal',
    async (value) => {
      const { site } = await serving()
      expect(await (await fetch(`${site.url}/who`, { headers: { authorization: value } })).json()).toBeNull()
    },
  )

  it.each([
    ['/throws', { trace: 'Uncaught Error: boom' }],
    ['/refuses', { trace: 'Uncaught ConvexError: {"code":"NO"}', data: { code: 'NO' } }],
    ['/nothing', { trace: 'Uncaught Error: An HTTP action must return a Response.' }],
  ])('%s', async (path, body) => {
    const { site } = await serving()
    const answer = await fetch(site.url + path)
    expect(answer.status).toBe(500)
    expect(await answer.json()).toEqual({
      code: expect.stringMatching(/^\[Request ID: [0-9a-f]{16}\] Server Error$/) as string,
      ...body,
    })
  })

  it('bodies up to 20 MiB', async () => {
    const { site } = await serving()
    const post = (bytes: number) => fetch(`${site.url}/size`, { method: 'POST', body: new Uint8Array(bytes) })
    expect(await (await post(18 * 1024 * 1024)).text()).toBe(String(18 * 1024 * 1024))
    expect((await post(21 * 1024 * 1024).catch(() => null))?.status ?? 413).toBe(413)
  })
})

describe('streamed answers', () => {
  it('go out as they are made, and their action may still write', async () => {
    const { backend, site, more } = await serving()
    const reader = (await fetch(`${site.url}/parts`)).body!.pipeThrough(new TextDecoderStream()).getReader()
    expect((await reader.read()).value).toBe('first ')
    more()
    expect((await reader.read()).value).toBe('second')
    expect((await reader.read()).done).toBe(true)
    expect(await backend.query('messages:bodies', { channel: 'stream' })).toEqual(['while streaming'])
  })

  it('one that fails midway is cut off, not ended', async () => {
    const { site, more } = await serving()
    const answer = await fetch(`${site.url}/breaks`)
    const reading = answer.text()
    more()
    await expect(reading).rejects.toThrow()
  })

  it('end with their client, which is no failure', async () => {
    const { site, cancelled, warnings, backend } = await serving()
    const socket = connect(site.port, '127.0.0.1')
    socket.write('GET /endless HTTP/1.1\r\nhost: localhost\r\n\r\n')
    await once(socket, 'data')
    socket.destroy()
    await vi.waitFor(() => expect(cancelled()).toBe(true))
    await backend.close()
    expect(warnings).toEqual([])
  })

  it('may pause; only a client that does not take what is there is cut off', async () => {
    const STALLED_MS = 50
    const { backend, more } = await serving()
    const actions = createHttpActions(backend.engine, STALLED_MS)
    const silent = Promise.withResolvers<void>()
    const server = createServer((request, response) => {
      request.socket.on('timeout', () => silent.resolve())
      void actions.answer(request, response, '')
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const pausing = fetch(`http://127.0.0.1:${port}/parts`).then((answer) => answer.text())
    await silent.promise
    more()
    expect(await pausing).toBe('first second')
    const socket = connect(port, '127.0.0.1')
    socket.write('GET /endless HTTP/1.1\r\nhost: localhost\r\n\r\n')
    await once(socket, 'readable') // and nothing is read
    const closed = once(server, 'close')
    server.close()
    server.closeIdleConnections()
    await closed
    socket.destroy()
  })

  it('do not hold up the end of the backend', async () => {
    const { backend, site, main } = await serving()
    const answers = await Promise.all([fetch(`${site.url}/endless`), fetch(`${main.url}/http/endless`)])
    await backend.close()
    for (const answer of answers) await expect(answer.arrayBuffer()).rejects.toThrow()
  })
})
