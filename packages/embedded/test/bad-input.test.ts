/** What clients should not send, sent to a real process: a clear answer, the process lives, others are served, memory returns. */
import { ConvexHttpClient } from 'convex/browser'
import { makeFunctionReference } from 'convex/server'
import { once } from 'node:events'
import { connect as connectTcp, type Socket } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { residentMiB } from '@mission-control/host/numbers'
import { startServer, type ServerProcess } from './fixtures/server.ts'
import { hello } from './fixtures/raw-socket.ts'

const bodies = makeFunctionReference<'query', { channel: string }, string[]>('messages:bodies')
const TOO_LARGE = 17 * 1024 * 1024 // the cap is 16 MiB and a little
// Bodies that stay, as text or as bytes, are 600 MiB of resident memory. The heap is kept small, so that what is only not collected
// yet cannot grow near the bound, however busy the machine is.
const BODIES = 40
const HEAP_MIB = 256
const RESIDENT_MIB = 350

let server: ServerProcess
let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'embedded-bad-'))
  server = await startServer(folder, [], { env: { NODE_OPTIONS: `--max-old-space-size=${HEAP_MIB}` } })
})
afterAll(async () => {
  await server.stop('SIGKILL')
  await rm(folder, { recursive: true })
})

/** The same process still answers. */
async function stillServes(): Promise<void> {
  expect(await new ConvexHttpClient(server.url, { logger: false }).query(bodies, { channel: 'nobody' })).toEqual([])
  expect(server.child.exitCode).toBeNull()
}
const post = (path: string, body: string | Uint8Array<ArrayBuffer>, headers: Record<string, string> = {}) =>
  fetch(`${server.url}${path}`, { method: 'POST', body, headers: { 'content-type': 'application/json', ...headers } })
const query = (more: object) => JSON.stringify({ path: 'messages:bodies', args: [{ channel: 'x' }], ...more })

describe('over HTTP', () => {
  it.each([
    ['no JSON', '{nope', 400, 'BadJsonBody'],
    ['nothing', '', 400, 'BadJsonBody'],
    ['bytes that are no text', new Uint8Array([0xff, 0xfe, 0x00]), 400, 'BadJsonBody'],
    ['an array', '[]', 400, 'BadJsonBody'],
    ['a null', 'null', 400, 'BadJsonBody'],
    ['JSON nested too deep to walk', '['.repeat(200_000), 400, 'BadJsonBody'],
    ['a path that is no text', query({ path: 7 }), 400, 'BadFunctionPath'],
    ['no path', query({ path: undefined }), 400, 'BadFunctionPath'],
    ['arguments that are no object', query({ args: 'x' }), 400, 'BadArguments'],
    ['two arguments', query({ args: [{}, {}] }), 400, 'BadArguments'],
    ['a value that is none', query({ args: [{ channel: { $integer: 'zz' } }] }), 400, 'BadArguments'],
    ['a format nobody knows', query({ format: 'xml' }), 400, 'BadFormat'],
    ['a component', query({ componentPath: 'child' }), 400, 'NotSupported'],
    [
      'arguments nested too deep to walk',
      `{"path":"messages:bodies","args":[${'{"a":'.repeat(50_000)}1${'}'.repeat(50_000)}]}`,
      400,
      'BadArguments',
    ],
  ])('%s', async (_name, body, status, code) => {
    const answer = await post('/api/query', body)
    expect(answer.status).toBe(status)
    expect(await answer.json()).toEqual({ code, message: expect.stringMatching(/\S/) as string })
    await stillServes()
  })

  it.each([
    ['a function nobody has', query({ path: 'messages:nothing' }), "Could not find public function for 'messages:nothing'"],
    ['a module nobody has', query({ path: 'no/such/module:fn' }), "Could not find public function for 'no/such/module:fn'"],
    ['a name from the prototype', query({ path: 'messages:constructor' }), 'Could not find public function'],
    ['a module from the prototype', query({ path: '__proto__:toString' }), 'Could not find public function'],
    ['a path that climbs', query({ path: '../../etc/passwd:default' }), 'Could not find public function'],
    ['an internal function', query({ path: 'messages:secret', args: [{}] }), 'Could not find public function'],
    ['a mutation called as a query', query({ path: 'messages:send' }), 'defined as Mutation'],
    ['an argument of the wrong type', query({ args: [{ channel: 1 }] }), 'ArgumentValidationError'],
    ['a missing argument', query({ args: [{}] }), 'missing the required field `channel`'],
  ])('%s is an answer of the function', async (_name, body, message) => {
    const answer = await post('/api/query', body)
    expect(answer.status).toBe(200)
    const { status, errorMessage } = (await answer.json()) as { status: string; errorMessage: string }
    expect([status, errorMessage]).toEqual(['error', expect.stringContaining(message)])
  })

  it('a body above the cap, announced or not, is refused, and its memory returns', { timeout: 60_000 }, async () => {
    const body = new Uint8Array(TOO_LARGE).fill(0x20)
    const send = async () => {
      // A refusal may cut the connection while the client still sends: then there is no answer to read.
      const answer = await post('/api/mutation', body).catch(() => null)
      expect(answer?.status ?? 413).toBe(413)
      await answer?.arrayBuffer().catch(() => null)
    }
    const almost = `{"path":"messages:nothing","args":[{"a":"${'x'.repeat(15 * 1024 * 1024)}"}]}`
    const accept = async (times: number) => {
      for (let round = 0; round < times; round++) expect((await post('/api/query', almost)).status).toBe(200)
    }
    await send()
    await accept(3) // the heap grows to what such bodies need, and keeps it
    const before = residentMiB(server.pid)
    for (let sent = 0; sent < BODIES; sent += 4) await Promise.all([send(), send(), send(), send()])
    await accept(BODIES)
    await stillServes()
    expect(residentMiB(server.pid) - before).toBeLessThan(RESIDENT_MIB)
  })
})

describe('half-open connections', () => {
  async function raw(start: string): Promise<Socket> {
    const socket = connectTcp(server.port, '127.0.0.1')
    socket.on('error', () => {})
    await once(socket, 'connect')
    socket.write(start)
    return socket
  }
  const header = `POST /api/mutation HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n`

  it('hundreds of requests that never end, and clients that vanish, hold nobody up', async () => {
    const stalled = await Promise.all(
      Array.from({ length: 300 }, (_, n) =>
        raw(
          [header, `${header}Content-Length: 100\r\n\r\n{"path":`, `${header}Transfer-Encoding: chunked\r\n\r\n5\r\n{"a"`][
            n % 3
          ]!,
        ),
      ),
    )
    await stillServes()
    for (const [n, socket] of stalled.entries()) {
      if (n % 2) socket.resetAndDestroy()
      else socket.destroy()
    }
    await stillServes()
    expect(server.stderr()).not.toContain('"level":"error"')
  })

  it('bytes that are no HTTP are refused', async () => {
    const socket = await raw('\x16\x03\x01 this is no HTTP\r\n\r\n')
    const [answer] = (await once(socket, 'data')) as [Buffer]
    expect(answer.toString()).toMatch(/^HTTP\/1\.1 400/)
    await stillServes()
  })

  it('sockets that vanish while their queries run leave nothing behind', async () => {
    const sockets = await Promise.all(
      Array.from({ length: 100 }, async () => {
        const socket = new WebSocket(`${server.url.replace('http', 'ws')}/api/1.48.0/sync`)
        await once(socket, 'open')
        return socket
      }),
    )
    for (const [n, socket] of sockets.entries()) {
      socket.send(JSON.stringify({ ...hello, sessionId: `gone-${n}` }))
      const add = { type: 'Add', queryId: 0, udfPath: 'messages:bodies', args: [{ channel: 'x' }] }
      socket.send(JSON.stringify({ type: 'ModifyQuerySet', baseVersion: 0, newVersion: 1, modifications: [add] }))
      socket.send(
        JSON.stringify({ type: 'Mutation', requestId: 0, udfPath: 'messages:send', args: [{ channel: 'x', body: 'x' }] }),
      )
      socket.terminate()
    }
    await stillServes()
    expect(server.stderr()).not.toContain('"level":"error"')
  })

  it('a frame above the cap closes its socket only', async () => {
    const socket = new WebSocket(`${server.url.replace('http', 'ws')}/api/1.48.0/sync`)
    socket.on('error', () => {})
    await once(socket, 'open')
    const closed = once(socket, 'close') as Promise<[number]>
    socket.send(' '.repeat(TOO_LARGE))
    expect((await closed)[0]).toSatisfy((code: number) => code === 1009 || code === 1006)
    await stillServes()
  })
})
