/** The network side of one engine: HTTP API and sync socket on one port. Loopback unless told otherwise. */
import { createServer, STATUS_CODES, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { WebSocketServer } from 'ws'
import { authorizeAdmin, authorizeHeader } from '../auth/authorize.ts'
import type { Engine } from '../engine.ts'
import { ClosedError, RequestError, StorageError } from '../errors.ts'
import { createSession, type Session } from '../sync/session.ts'
import { MAX_BODY_BYTES } from './body.ts'
import { bind, type Listening, type ListenOptions } from './bind.ts'
import { checkSource } from './guard.ts'
import { createHttpActions } from './http-actions.ts'
import { route, type Reply } from './routes.ts'
import { serveStorage } from './storage.ts'
import { urlOf } from './target.ts'

const CORS_MAX_AGE_S = 86_400
const CLOSE_GOING_AWAY = 1001
const STALLED_DOWNLOAD_MS = 60_000 // without a byte taken
const SYNC_PATH = /^\/api\/(?:[^/]+\/)?sync$/

export async function listen(engine: Engine, options: ListenOptions = {}): Promise<Listening> {
  const { instanceName = 'embedded' } = options
  const sessions = new Set<Session>()
  const actions = createHttpActions(engine)
  const sockets = new WebSocketServer({ noServer: true, maxPayload: MAX_BODY_BYTES })

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let reply: Reply
    let origin: string | null = null
    try {
      origin = checkSource(request, options)
      if (/^\/http(?:[/?]|$)/.test(request.url ?? '')) return await actions.answer(request, response, '/http')
      if (request.method === 'OPTIONS') return preflight(request, response, origin)
      const url = urlOf(request, 'http://backend')
      const principal = async () => {
        const parameter = url.searchParams.get('adminKey')
        return request.headers.authorization === undefined && parameter !== null
          ? authorizeAdmin(engine.adminKey, parameter)
          : authorizeHeader(engine, request.headers.authorization)
      }
      if (origin !== null) allowOrigin(response, origin)
      const stored = await serveStorage(engine, request, response, url)
      if (stored === 'sent') return
      reply = stored ?? (await route({ engine, instanceName, request, url, principal }))
    } catch (error) {
      if (request.destroyed && !request.complete) return // the client hung up while it was sending
      reply = errorReply(engine, error)
    }
    if (reply.download) await download(engine, response, reply.download)
    else send(request, response, reply)
  }

  const server = createServer((request, response) => {
    void answer(request, response)
  })
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on('error', () => socket.destroy()) // the peer may be gone before the handshake ends
    try {
      checkSource(request, options)
      const { pathname } = urlOf(request, 'http://backend')
      if (!SYNC_PATH.test(pathname)) throw new RequestError(404, 'NotFound', `There is no socket at ${pathname}.`)
    } catch (error) {
      return refuseUpgrade(socket, errorReply(engine, error))
    }
    sockets.handleUpgrade(request, socket, head, (ws) => {
      const session = createSession(engine, ws, () => sessions.delete(session))
      sessions.add(session)
    })
  })

  return bind(server, options, engine.clock, async () => {
    await Promise.all([...sessions].map((session) => session.close(CLOSE_GOING_AWAY, 'The backend is shutting down')))
    sockets.close()
    actions.close()
  })
}

function errorReply(engine: Engine, error: unknown): Reply {
  if (error instanceof RequestError) return { status: error.status, body: { code: error.code, message: error.message } }
  if (error instanceof ClosedError) return { status: 503, body: { code: 'ShuttingDown', message: error.message } }
  if (error instanceof StorageError) return { status: 503, body: { code: 'StorageFailed', message: error.message } }
  engine.log.error('a request failed inside the backend', {
    error: error instanceof Error ? (error.stack ?? error.message) : String(error),
  })
  return { status: 500, body: { code: 'InternalServerError', message: 'Your request could not be completed. Try again later.' } }
}

function send(request: IncomingMessage, response: ServerResponse, reply: Reply): void {
  if (response.destroyed) return
  const text = typeof reply.body === 'string' ? reply.body : JSON.stringify(reply.body)
  response.writeHead(reply.status, {
    'content-type': typeof reply.body === 'string' ? 'text/plain; charset=utf-8' : 'application/json',
    'content-length': Buffer.byteLength(text),
    ...reply.headers,
    // A body we did not read to its end would be taken for the next request.
    ...(!request.complete && { connection: 'close' }),
  })
  response.end(text)
}

/** A client that stops reading is cut off: what it is sent is read from one snapshot, which must not be held for ever. */
async function download(
  engine: Engine,
  response: ServerResponse,
  { name, write }: NonNullable<Reply['download']>,
): Promise<void> {
  response.setTimeout(STALLED_DOWNLOAD_MS, () => response.destroy())
  response.setHeader('content-type', 'application/zip')
  response.setHeader('content-disposition', `attachment; filename=${name}`)
  try {
    await write(response)
  } catch (error) {
    if (response.headersSent) return void response.destroy() // a cut connection, not an end that looks like success
    const { status, body } = errorReply(engine, error)
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  }
}

function allowOrigin(response: ServerResponse, origin: string): void {
  response.setHeader('access-control-allow-origin', origin)
  response.setHeader('access-control-allow-credentials', 'true')
  response.setHeader('vary', 'Origin')
}

function preflight(request: IncomingMessage, response: ServerResponse, origin: string | null): void {
  response.writeHead(204, {
    ...(origin !== null && { 'access-control-allow-origin': origin, 'access-control-allow-credentials': 'true', vary: 'Origin' }),
    'access-control-allow-methods': 'GET, POST, OPTIONS',
    'access-control-allow-headers': request.headers['access-control-request-headers'] ?? '',
    'access-control-max-age': String(CORS_MAX_AGE_S),
  })
  response.end()
}

function refuseUpgrade(socket: Duplex, reply: Reply): void {
  const text = JSON.stringify(reply.body)
  socket.end(
    `HTTP/1.1 ${reply.status} ${STATUS_CODES[reply.status] ?? 'Error'}\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: ${Buffer.byteLength(text)}\r\n\r\n${text}`,
  )
}
