/** The health port meets people who mean no good: bounded, refused, said once, and the next honest probe is answered. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { connect } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { systemClock } from '@mission-control/host/clock'
import type { HealthPage } from '@mission-control/shared/health'
import type { Log } from '../log.ts'
import type { HealthServer, HealthSource } from './server.ts'
import { startHealthServer } from './server.ts'

const page = {
  versions: { runtime: '1', openclaw: '2' },
  infrastructure: { dropletId: 'd', ip: null, region: 'r' },
} as HealthPage

let lines: { level: string; fields: object; message: string }[] = []
const at = (level: string) => (fields: object, message: string) => void lines.push({ level, fields, message })
const log: Log = { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }

let source: HealthSource
let server: HealthServer
const sockets: Socket[] = []

beforeEach(async () => {
  lines = []
  source = { page: () => page, notReady: () => [], metrics: async () => ({ contentType: 'text/plain', text: 'a 1\n' }) }
  server = await startHealthServer(
    {
      page: () => source.page(),
      notReady: () => source.notReady(),
      metrics: () => source.metrics(),
    },
    { port: 0, host: '127.0.0.1', log, clock: systemClock },
  )
})
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy()
  await server.close()
})

async function open(): Promise<Socket> {
  const socket = connect(server.port, '127.0.0.1')
  socket.on('error', () => undefined)
  sockets.push(socket)
  await once(socket, 'connect')
  return socket
}

/** Everything the other side says until it hangs up. */
async function raw(text: string): Promise<string> {
  const socket = await open()
  let answer = ''
  socket.on('data', (chunk: Buffer) => (answer += chunk.toString()))
  socket.write(text)
  await once(socket, 'close')
  return answer
}

const get = (path: string, init?: RequestInit) => fetch(`http://127.0.0.1:${server.port}${path}`, init)
const alive = async () => expect((await get('/livez')).status).toBe(200)
const said = () => lines.map(({ level, fields }) => `${level} ${(fields as { kind: string }).kind}`)

describe('the health port', () => {
  it('answers its pages', async () => {
    expect(await (await get('/version')).json()).toEqual({ runtime: '1', openclaw: '2', dropletId: 'd', region: 'r' })
    expect(await (await get('/readyz')).json()).toEqual({ ready: true, reasons: [] })
    source = { ...source, notReady: () => ['draining'] }
    const draining = await get('/readyz?verbose')
    expect([draining.status, await draining.json()]).toEqual([503, { ready: false, reasons: ['draining'] }])
    const metrics = await get('/metrics')
    expect([metrics.headers.get('content-type'), await metrics.text()]).toEqual(['text/plain', 'a 1\n'])
    const head = await get('/health', { method: 'HEAD' })
    expect([head.status, await head.text(), head.headers.get('x-content-type-options')]).toEqual([200, '', 'nosniff'])
    expect(said()).toEqual([])
  })

  it('refuses other methods and unknown paths, repeats nothing of them, and says so once', async () => {
    for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS']) {
      const response = await get('/health', { method })
      expect([response.status, response.headers.get('allow')]).toEqual([405, 'GET, HEAD'])
    }
    for (const path of ['/', '/etc/passwd', '//livez', '/%2e%2e/x', '/health/', '/canary-path', `/${'x'.repeat(4_000)}`]) {
      const response = await get(path)
      expect(response.status).toBe(404)
      expect(await response.text()).not.toContain('canary')
    }
    expect(said()).toEqual(['warn a method that is not GET', 'warn an unknown path'])
    expect(JSON.stringify(lines)).not.toContain('canary')
    await alive()
  })

  it('does not read bodies, however large, invited or endless', async () => {
    const huge = await get('/health', { method: 'POST', body: 'canary'.repeat(2_000_000) }).then(
      (response) => response.status,
      () => 'cut off', // the answer may come while the body is still being sent
    )
    expect([405, 'cut off']).toContain(huge)
    const invited = await raw('GET /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\nExpect: 100-continue\r\n\r\n')
    expect(invited).toMatch(/^HTTP\/1\.1 200 /)
    expect(invited).toMatch(/connection: close/i)
    const endless = await raw('GET /livez HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\ncanar')
    expect(endless).toMatch(/^HTTP\/1\.1 200 /)
    expect(said()).toContain('warn a request with a body')
    expect(JSON.stringify(lines)).not.toContain('canary')
    await alive()
  })

  it('refuses huge headers and what is not HTTP', async () => {
    expect(await raw(`GET /livez HTTP/1.1\r\nHost: x\r\nX-Canary: ${'c'.repeat(20_000)}\r\n\r\n`)).toMatch(/^HTTP\/1\.1 431 /)
    const bad = [
      'canary\r\n\r\n',
      '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', // TLS
      'GET /livez HTTP/9.9\r\n\r\n',
      'GET /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n',
      'GET /livez HTTP/1.1\r\n\r\n', // no host
    ]
    for (const text of bad) expect(await raw(text)).toMatch(/^HTTP\/1\.1 400 /)
    expect(said().filter((line) => line.includes('400'))).toHaveLength(1)
    expect(JSON.stringify(lines)).not.toMatch(/canary/i)
    await alive()
  })

  it('cuts off senders that take their time, and answers others meanwhile', async () => {
    await server.close()
    server = await startHealthServer(source, { port: 0, host: '127.0.0.1', log, clock: systemClock, requestTimeoutMs: 300 })
    const slow = await open()
    slow.write('GET /livez HTTP/1.1\r\nHost: x\r\nX-Slow: ')
    const closed = once(slow, 'close')
    let answer = ''
    slow.on('data', (chunk: Buffer) => (answer += chunk.toString()))
    await alive()
    await closed
    expect(answer).toMatch(/^HTTP\/1\.1 408 /)
    expect(said()).toEqual(['warn 408 Request Timeout'])
  })

  it('holds a bounded number of connections; what is beyond is dropped, and the rest goes on', async () => {
    const dropped = Promise.withResolvers<void>()
    const many = await Promise.all(
      Array.from({ length: 200 }, async () => {
        const socket = connect(server.port, '127.0.0.1')
        sockets.push(socket)
        socket.on('error', () => undefined)
        socket.on('close', () => dropped.resolve())
        await Promise.race([once(socket, 'connect'), once(socket, 'close')])
        return socket
      }),
    )
    await dropped.promise
    while (!said().includes('warn too many connections')) await new Promise((resolve) => setTimeout(resolve, 10))
    expect(said()).toEqual(['warn too many connections'])
    for (const socket of many) socket.destroy()
    for (;;) {
      const status = await get('/livez').then(
        (response) => response.status,
        () => null, // the server has not noticed yet that they are gone
      )
      if (status !== null) break
    }
    await alive()
  })

  it('answers 500 without a word about why when a page cannot be made', async () => {
    source = {
      ...source,
      page() {
        throw new Error('canary of the inside')
      },
    }
    const response = await get('/health')
    expect(response.status).toBe(500)
    expect(await response.text()).not.toMatch(/canary| at /)
    expect(lines.filter(({ level }) => level === 'error')).toHaveLength(1)
    await alive()
  })

  it('names who holds its port, and says when the address is wrong', async () => {
    const holder = createServer().listen(0, '127.0.0.1')
    await once(holder, 'listening')
    const { port } = holder.address() as AddressInfo
    const options = { log, clock: systemClock }
    await expect(startHealthServer(source, { ...options, port, host: '127.0.0.1' })).rejects.toMatchObject({
      isTaken: true,
      message: expect.stringContaining(`process ${process.pid} `),
    })
    await expect(startHealthServer(source, { ...options, port: 0, host: '203.0.113.1' })).rejects.toMatchObject({
      isTaken: false,
      message: expect.stringContaining('correct HEALTH_HOST'),
    })
    holder.close()
  })
})
