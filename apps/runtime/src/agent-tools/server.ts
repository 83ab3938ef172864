/**
 * The tools endpoint's HTTP side: everything is bounded, whoever is not an agent of ours is turned away before a byte of the body is
 * read, and no answer says more than a sentence. What MCP is, mcp.ts knows.
 *
 * In this order: source (Host, Origin), path, token, method, room, body. The gateway tries GET once per session and takes 405 for "no
 * stream here".
 */
import { once } from 'node:events'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { createServer, STATUS_CODES } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Clock } from '@mission-control/shared/clock'
import { LIMITS } from '@mission-control/shared/limits'
import { portError } from '../http/port-error.ts'
import type { RefusalLog } from '../http/refusal-log.ts'
import type { Log } from '../log.ts'
import { isToolsPath } from './address.ts'
import { checkSource } from './guard.ts'
import type { Mcp } from './mcp.ts'
import { Refusal } from './refusal.ts'
import type { McpSessions } from './sessions.ts'
import { isSessionId } from './sessions.ts'
import type { ToolAnswer, ToolCallRequest } from './call.ts'

export interface ToolsLimits {
  /** A request must have arrived whole within this time, ms. */
  readonly requestMs: number
  readonly bodyBytes: number
  readonly connections: number
  /** Requests being answered, of all agents and of one. */
  readonly requests: number
  readonly requestsPerAgent: number
  /** Of the bodies of all requests that are being answered. */
  readonly bufferedBytes: number
}

export const TOOLS_LIMITS: ToolsLimits = {
  // On loopback a request takes a millisecond; over a slow link a document of the largest size some seconds.
  requestMs: 15_000,
  // The largest document as JSON, even if every character is a line break.
  bodyBytes: 2 * LIMITS.documentBytes,
  // Each new session of a gateway connects to the server of every agent: with 64 turns at once these are cheap, and many.
  connections: 1_024,
  requests: 1_024,
  requestsPerAgent: 128,
  bufferedBytes: 32_000_000,
}

export interface ToolsServerDeps {
  readonly clock: Clock
  readonly log: Log
  readonly refusals: RefusalLog
  readonly sessions: McpSessions
  /** Whose token this is. */
  agentOf(token: string): string | null
  /** Loaded by the first call: the program's slowest import would delay each start, and an account without agents never needs it. */
  mcp(): Promise<Mcp>
  call(request: ToolCallRequest, signal: AbortSignal): Promise<ToolAnswer>
}

export interface ToolsServerOptions {
  readonly host: string
  /** 0 picks a free one. */
  readonly port: number
  /** Host names besides loopback and plain addresses. */
  readonly allowedHosts: ReadonlySet<string>
  readonly limits?: Partial<ToolsLimits>
}

export interface ToolsServer {
  readonly host: string
  readonly port: number
  /** Takes nothing new, lets calls under way end for `graceMs`, then cuts the rest. */
  close(graceMs: number): Promise<void>
}

/** How often Node looks for requests that take too long, ms. */
const LOOK_MS = 1_000
/** For the peer to read why it was turned away, ms. */
const LINGER_MS = 500
const SESSION_HEADER = 'mcp-session-id'

/** @throws PortError in one sentence */
export async function startToolsServer(deps: ToolsServerDeps, options: ToolsServerOptions): Promise<ToolsServer> {
  const { clock, log, refusals, sessions } = deps
  const limits = { ...TOOLS_LIMITS, ...options.limits }
  const closing = new AbortController()
  const busy = new Map<string, number>()
  const turnedAway = new WeakSet<Duplex>()
  let requests = 0
  let buffered = 0

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const hungUp = new AbortController()
    response.on('close', () => {
      hungUp.abort(new Error('the caller hung up'))
      // Kept alive, it would hold up the end until it times out.
      if (!server.listening) server.closeIdleConnections()
    })
    const signal = AbortSignal.any([hungUp.signal, closing.signal])
    const from = request.socket.remoteAddress
    let agentId: string | null = null
    try {
      if (!server.listening) throw new Refusal(503, 'closing', 'The tools are being shut down.', 5)
      checkSource(request, options.allowedHosts)
      const path = (request.url ?? '/').split('?', 1)[0] ?? '/'
      if (!isToolsPath(path)) throw new Refusal(404, 'path', 'There is nothing at this path.')
      agentId = deps.agentOf(bearerOf(request))
      if (agentId === null) throw new Refusal(401, 'token', 'This needs the bearer token of an agent.')
      await withRoom(agentId, (agent) => answer(agent, request, response, signal))
    } catch (error) {
      if (hungUp.signal.aborted || (request.destroyed && !request.complete)) return // nobody is there to be told
      refuse(error, request, response, { from, ...(agentId === null ? {} : { agentId }) })
    }
  }

  async function withRoom(agentId: string, work: (agentId: string) => Promise<void>): Promise<void> {
    const own = busy.get(agentId) ?? 0
    if (requests >= limits.requests) throw new Refusal(503, 'requests', 'Too many calls at once. Try again.', 1)
    if (own >= limits.requestsPerAgent) throw new Refusal(429, 'requests', 'Too many calls of one agent at once. Try again.', 1)
    requests += 1
    busy.set(agentId, own + 1)
    try {
      await work(agentId)
    } finally {
      requests -= 1
      const left = (busy.get(agentId) ?? 1) - 1
      if (left === 0) busy.delete(agentId)
      else busy.set(agentId, left)
    }
  }

  async function answer(agentId: string, request: IncomingMessage, response: ServerResponse, signal: AbortSignal): Promise<void> {
    const sessionId = sessionOf(request)
    if (request.method === 'DELETE') {
      if (sessionId !== null) sessions.close(agentId, sessionId)
      return send(request, response, 200, {})
    }
    if (request.method === 'GET')
      return sendError(request, response, 405, 'There is no stream here: use POST.', { allow: ALLOWED })
    if (request.method !== 'POST') throw new Refusal(405, 'method', 'Use POST.')
    let own = 0
    const take = (bytes: number): boolean => {
      if (buffered + bytes > limits.bufferedBytes) return false
      buffered += bytes
      own += bytes
      return true
    }
    try {
      const message = parsed(await readBody(request, limits.bodyBytes, take))
      await converse(agentId, sessionId, request, response, message, signal)
    } finally {
      buffered -= own
    }
  }

  async function converse(
    agentId: string,
    sessionId: string | null,
    request: IncomingMessage,
    response: ServerResponse,
    message: unknown,
    signal: AbortSignal,
  ): Promise<void> {
    const mcp = await deps.mcp()
    const reply = await mcp.answer({
      headers: new Headers(
        Object.entries(request.headers).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
      ),
      message,
      signal,
      call: (tool, args, gone) => deps.call({ agentId, sessionId, tool, args }, AbortSignal.any([signal, gone])),
    })
    const text = await reply.text()
    const opened = isInitialize(message) && reply.ok ? { [SESSION_HEADER]: sessions.open() } : {}
    if (!reply.ok) refusals.refused('protocol', { agentId, status: reply.status })
    send(request, response, reply.status, text, opened)
  }

  function refuse(error: unknown, request: IncomingMessage, response: ServerResponse, from: object): void {
    if (error instanceof Refusal) {
      refusals.refused(error.kind, { ...from, status: error.status })
      const retry = error.retryAfterS === null ? {} : { 'retry-after': String(error.retryAfterS) }
      const extra = error.status === 401 ? { 'www-authenticate': 'Bearer' } : error.status === 405 ? { allow: ALLOWED } : {}
      return sendError(request, response, error.status, error.message, { ...retry, ...extra })
    }
    if (closing.signal.aborted) return sendError(request, response, 503, 'The tools are being shut down.', {})
    log.error({ ...from, error }, 'a request to the tools endpoint ended in a defect')
    sendError(request, response, 500, 'This failed on our side.', {})
  }

  /** Answers a connection that has no request to answer, and ends it. What it still sends is thrown away, or a reset would eat the answer. */
  function turnAway(socket: Duplex, status: number): void {
    turnedAway.add(socket)
    if (socket.writable) {
      socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Error'}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`)
    }
    socket.on('error', () => undefined) // the peer may be gone already
    socket.resume()
    void clock.sleep(LINGER_MS, closing.signal).then(
      () => socket.destroy(),
      () => socket.destroy(),
    )
  }

  const server: Server = createServer(
    {
      requestTimeout: limits.requestMs,
      connectionsCheckingInterval: Math.min(LOOK_MS, limits.requestMs),
    },
    (request, response) => {
      if (turnedAway.has(request.socket)) request.resume()
      else void handle(request, response)
    },
  )
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Duplex) => {
    if (turnedAway.has(socket)) return // it has its answer; that it left its request unfinished is no second refusal
    const [status, kind] = CLIENT_ERRORS[error.code ?? ''] ?? [400, 'malformed']
    if (error.code !== 'ECONNRESET') refusals.refused(kind, { status })
    turnAway(socket, status)
  })
  // Whoever is over our limit gets an answer before the connection closes; only far over it there is none.
  server.maxConnections = 2 * limits.connections
  let connections = 0
  server.on('connection', (socket: Socket) => {
    connections += 1
    socket.once('close', () => (connections -= 1))
    if (connections <= limits.connections) return
    refusals.refused('connections', { status: 503 })
    turnAway(socket, 503)
  })

  server.listen(options.port, options.host)
  try {
    await once(server, 'listening')
  } catch (error) {
    const listener = { port: options.port, host: options.host, name: "the agents' tools", variables: 'TOOLS' }
    throw portError(error as NodeJS.ErrnoException, listener)
  }
  return {
    host: options.host,
    port: (server.address() as AddressInfo).port,
    async close(graceMs) {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      server.closeIdleConnections()
      const patience = new AbortController()
      const cut = clock.sleep(graceMs, patience.signal).then(
        () => {
          closing.abort(new Error('the tools endpoint closes'))
          server.closeAllConnections()
        },
        () => undefined, // all were answered in time
      )
      await closed
      patience.abort()
      await cut
    },
  }
}

const ALLOWED = 'POST, DELETE'

/** What Node found wrong with a request before it was one. */
const CLIENT_ERRORS: Readonly<Record<string, readonly [status: number, kind: string]>> = {
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'slow'],
  HPE_HEADER_OVERFLOW: [431, 'headers'],
}

function bearerOf({ headers }: IncomingMessage): string {
  return /^Bearer ([\x21-\x7e]{1,512})$/i.exec(headers.authorization ?? '')?.[1] ?? ''
}

/** @throws Refusal 400 */
function sessionOf({ headers }: IncomingMessage): string | null {
  const given = headers[SESSION_HEADER]
  if (given === undefined) return null
  if (typeof given !== 'string' || !isSessionId(given)) throw new Refusal(400, 'session', 'This is no session id.')
  return given
}

/**
 * The request's own time limit ends a sender that dawdles. Not read as a stream of chunks: leaving such a loop early destroys the
 * connection, and the refusal with it.
 * @param take whether there is room for so many bytes more
 * @throws Refusal 413 or 503
 */
async function readBody(request: IncomingMessage, bodyBytes: number, take: (bytes: number) => boolean): Promise<string> {
  const tooLarge = () => new Refusal(413, 'body', `A request may have ${bodyBytes} bytes at most.`)
  if (Number(request.headers['content-length'] ?? 0) > bodyBytes) throw tooLarge()
  const read = Promise.withResolvers<string>()
  const chunks: Buffer[] = []
  let size = 0
  request.on('data', (chunk: Buffer) => {
    size += chunk.length
    const fits = size <= bodyBytes
    if (fits && take(chunk.length)) return void chunks.push(chunk)
    request.pause()
    read.reject(fits ? new Refusal(503, 'buffers', 'Too much at once. Try again.', 1) : tooLarge())
  })
  request.once('end', () => read.resolve(Buffer.concat(chunks).toString('utf8')))
  request.once('error', (error) => read.reject(error))
  request.once('close', () => read.reject(new Error('the sender is gone')))
  return read.promise
}

/** @throws Refusal 400 */
function parsed(text: string): unknown {
  let message: unknown
  try {
    message = JSON.parse(text)
  } catch {
    throw new Refusal(400, 'json', 'The request is not JSON.')
  }
  if (typeof message !== 'object' || message === null || Array.isArray(message)) {
    throw new Refusal(400, 'json', 'A request is one JSON-RPC message.')
  }
  return message
}

const isInitialize = (message: unknown): boolean => (message as { method?: unknown }).method === 'initialize'

function sendError(request: IncomingMessage, response: ServerResponse, status: number, message: string, headers: object): void {
  send(request, response, status, { jsonrpc: '2.0', error: { code: -32_000, message }, id: null }, headers)
}

function send(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  body: object | string,
  headers: object = {},
): void {
  if (response.destroyed || response.headersSent) return
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  response.writeHead(status, {
    ...(text === '' ? {} : { 'content-type': 'application/json' }),
    'content-length': Buffer.byteLength(text),
    'cache-control': 'no-store',
    ...headers,
    // A body we did not read to its end would be taken for the next request.
    ...(request.complete ? {} : { connection: 'close' }),
  })
  response.end(text)
}
