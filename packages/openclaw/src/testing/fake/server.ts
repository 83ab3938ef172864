/** The fake gateway's socket: protocol 4 over WebSocket, and the health pages over HTTP on the same port. */
import { randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Clock } from '@mission-control/shared/clock'
import { WebSocket, WebSocketServer } from 'ws'
import { GATEWAY_PROTOCOL, OPENCLAW_VERSION } from '../../version.ts'
import type { Call } from './methods.ts'
import type { CheckParams } from './params.ts'
import { isMethod, METHODS } from './params.ts'
import type { Rejection } from './rejection.ts'
import { rejection, RejectionError } from './rejection.ts'

/** The official client closes a connection that stays silent for two of these. The real gateway's. */
export const TICK_MS = 30_000
const MAX_PAYLOAD_BYTES = 26_214_400
const POLICY_VIOLATION = 1008
const SERVICE_RESTART = 1012

export interface ServerOptions {
  readonly port: number
  readonly token: string
  readonly bootId: string
  readonly check: CheckParams
  readonly call: Call
  readonly ready: () => boolean
  readonly clock: Clock
  readonly tickMs: number
  readonly noTicks: boolean
}

export interface Server {
  readonly port: number
  broadcast(event: string, payload: unknown): void
  /** `killed`: sockets break without a word, as when the process is killed. */
  close(how: 'killed' | 'restart'): Promise<void>
}

interface Request {
  readonly type?: unknown
  readonly id?: unknown
  readonly method?: unknown
  readonly params?: unknown
}

export async function listen(options: ServerOptions): Promise<Server> {
  const members = new Set<WebSocket>()
  const http = createServer((request, response) => {
    const path = new URL(request.url ?? '/', 'http://localhost').pathname
    const json = (status: number, body: unknown) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
    if (path === '/healthz') json(200, { ok: true, status: 'live' })
    else if (path === '/startupz') json(200, { ok: true, status: 'started', version: OPENCLAW_VERSION })
    else if (path === '/readyz') {
      if (options.ready()) json(200, { ready: true, failing: [] })
      else json(503, { ready: false, failing: ['gateway-draining'] })
    } else json(404, { error: 'not found' })
  })
  const sockets = new WebSocketServer({ server: http, maxPayload: MAX_PAYLOAD_BYTES })
  sockets.on('connection', (socket) => serve(socket, options, members))
  const closing = new AbortController()
  if (!options.noTicks) void tick(closing.signal)

  function broadcast(event: string, payload: unknown): void {
    if (members.size === 0) return
    const frame = JSON.stringify({ type: 'event', event, payload })
    for (const socket of members) socket.send(frame)
  }

  async function tick(signal: AbortSignal): Promise<void> {
    const { clock, tickMs } = options
    while (
      await clock.sleep(tickMs, signal).then(
        () => true,
        () => false,
      )
    )
      broadcast('tick', { ts: clock.now() })
  }

  await new Promise<void>((resolve, reject) => {
    http.once('error', reject)
    http.listen(options.port, '127.0.0.1', resolve)
  })
  return {
    port: (http.address() as AddressInfo).port,
    broadcast,
    async close(how) {
      closing.abort()
      for (const socket of sockets.clients) {
        if (how === 'killed') socket.terminate()
        else socket.close(SERVICE_RESTART, 'service restart')
      }
      sockets.close()
      const closed = new Promise<void>((resolve) => http.close(() => resolve()))
      http.closeAllConnections()
      if (how === 'restart') setImmediate(() => sockets.clients.forEach((socket) => socket.terminate()))
      await closed
    },
  }
}

function serve(socket: WebSocket, options: ServerOptions, members: Set<WebSocket>): void {
  const gone = new AbortController()
  const respond = (id: string, body: { ok: true; payload: unknown } | { ok: false; error: Rejection }) => {
    if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ type: 'res', id, ...body }))
  }
  const refuse = (id: string, error: unknown) => respond(id, { ok: false, error: asRejection(error) })
  socket.on('close', () => {
    members.delete(socket)
    gone.abort(new Error('the client is gone'))
  })
  socket.on('error', () => undefined) // followed by close
  socket.send(JSON.stringify({ type: 'event', event: 'connect.challenge', payload: { nonce: randomUUID(), ts: Date.now() } }))

  socket.on('message', (data: Buffer) => {
    const frame = parseFrame(data)
    if (frame === null) return socket.close(POLICY_VIOLATION, 'invalid frame')
    const { id, method, params } = frame
    if (!members.has(socket)) {
      try {
        if (method !== 'connect') throw rejection('INVALID_REQUEST', 'the first request must be connect')
        authenticate(params, options)
        members.add(socket)
        respond(id, { ok: true, payload: hello(options) })
      } catch (error) {
        refuse(id, error)
        socket.close(POLICY_VIOLATION, 'connect failed')
      }
      return
    }
    try {
      if (!isMethod(method)) throw rejection('INVALID_REQUEST', `unknown method: ${method}`)
      options.check(method, params ?? {})
      const answer = options.call(method, (params ?? {}) as Record<string, unknown>, gone.signal)
      if (!(answer instanceof Promise)) return respond(id, { ok: true, payload: answer })
      answer.then(
        (payload: unknown) => respond(id, { ok: true, payload }),
        (error: unknown) => refuse(id, error),
      )
    } catch (error) {
      refuse(id, error)
    }
  })
}

function parseFrame(data: Buffer): { id: string; method: string; params: unknown } | null {
  try {
    const frame = JSON.parse(data.toString('utf8')) as Request
    const { type, id, method, params } = frame
    return type === 'req' && typeof id === 'string' && typeof method === 'string' ? { id, method, params } : null
  } catch {
    return null
  }
}

function authenticate(params: unknown, { check, token }: ServerOptions): void {
  check('connect', params)
  const { minProtocol, maxProtocol, auth } = params as { minProtocol: number; maxProtocol: number; auth?: { token?: string } }
  if (minProtocol > GATEWAY_PROTOCOL || maxProtocol < GATEWAY_PROTOCOL) {
    throw rejection('INVALID_REQUEST', 'protocol mismatch', {
      details: { code: 'PROTOCOL_MISMATCH', expectedProtocol: GATEWAY_PROTOCOL },
    })
  }
  if (auth?.token !== token) {
    const code = auth?.token === undefined ? 'AUTH_TOKEN_MISSING' : 'AUTH_TOKEN_MISMATCH'
    throw rejection('INVALID_REQUEST', 'unauthorized: gateway token mismatch', { details: { code } })
  }
}

function hello({ bootId, tickMs }: ServerOptions): object {
  const scopes = ['operator.read', 'operator.write', 'operator.admin']
  return {
    type: 'hello-ok',
    protocol: GATEWAY_PROTOCOL,
    server: { version: OPENCLAW_VERSION, bootId, connId: randomUUID() },
    features: { methods: Object.keys(METHODS), events: ['tick', 'agent', 'config.changed', 'shutdown'] },
    snapshot: { presence: [], health: {}, stateVersion: { presence: 0, health: 0 }, uptimeMs: 0 },
    auth: { role: 'operator', scopes },
    policy: { maxPayload: MAX_PAYLOAD_BYTES, maxBufferedBytes: 2 * MAX_PAYLOAD_BYTES, tickIntervalMs: tickMs },
  }
}

function asRejection(error: unknown): Rejection {
  if (error instanceof RejectionError) return error.rejection
  return { code: 'INTERNAL', message: error instanceof Error ? error.message : String(error), retryable: false }
}
