/**
 * `/livez` the event loop turns, nothing else · `/readyz` 503 with reasons while work is not being taken · `/health` always 200 while
 * alive · `/version` · `/metrics`. No secrets, no authentication, loopback unless told otherwise.
 *
 * Whoever can reach the port can send anything: requests are small and short or they are refused, nothing of them is repeated, and a
 * flood of refusals is one line a minute.
 */
import { once } from 'node:events'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Clock } from '@mission-control/shared/clock'
import type { HealthPage } from '@mission-control/shared/health'
import { portError } from '../http/port-error.ts'
import { createRefusalLog } from '../http/refusal-log.ts'
import type { Log } from '../log.ts'

export interface HealthSource {
  page(): HealthPage
  /** Empty when work is being taken. */
  notReady(): string[]
  metrics(): Promise<{ contentType: string; text: string }>
}

export interface HealthServer {
  readonly port: number
  readonly host: string
  close(): Promise<void>
}

/** A health request has no body worth reading and takes no time: whoever needs longer to send one is cut off. */
const REQUEST_TIMEOUT_MS = 5_000
/** A connection on which nothing moves, also one that does not read its answer. */
const IDLE_MS = 10_000
/** Probes and scrapers send a few hundred bytes. */
const MAX_HEADER_BYTES = 8_192
/** Far more probes and scrapers than any installation has; each costs a few kB. */
const MAX_CONNECTIONS = 128

const PAGES = ['/livez', '/readyz', '/health', '/version', '/metrics'] as const

export interface HealthServerOptions {
  readonly port: number
  readonly host: string
  readonly log: Log
  readonly clock: Clock
  /** How long a request may take to arrive, ms. */
  readonly requestTimeoutMs?: number
}

/** @throws PortError in one sentence that names the holder */
export async function startHealthServer(
  source: HealthSource,
  { port, host, log, clock, requestTimeoutMs = REQUEST_TIMEOUT_MS }: HealthServerOptions,
): Promise<HealthServer> {
  const refusals = createRefusalLog({ clock, log }, 'a request to the health port was refused')
  const server = createServer({
    requestTimeout: requestTimeoutMs,
    headersTimeout: requestTimeoutMs,
    // How often connections are looked at for that: Node's default is half a minute.
    connectionsCheckingInterval: requestTimeoutMs,
    maxHeaderSize: MAX_HEADER_BYTES,
    keepAliveTimeout: requestTimeoutMs,
  })
  server.maxConnections = MAX_CONNECTIONS
  server.setTimeout(IDLE_MS)
  const handle = (request: IncomingMessage, response: ServerResponse) => {
    void answer(source, request, response, refusals.refused).catch((error: unknown) => {
      log.error({ error }, 'a health page could not be made')
      if (!response.headersSent) send(response, 500, { error: 'internal error; see the log' })
    })
  }
  server.on('request', handle)
  // Without this Node would invite the body that nobody reads.
  server.on('checkContinue', handle)
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => refuse(error, socket, refusals.refused))
  server.on('drop', () => refusals.refused('too many connections'))
  server.listen(port, host)
  try {
    await once(server, 'listening')
  } catch (error) {
    throw portError(error as NodeJS.ErrnoException, { port, host, name: 'the health pages', variables: 'HEALTH' })
  }
  return { port: (server.address() as AddressInfo).port, host, close: () => close(server) }
}

type Note = (reason: string) => void

async function answer(source: HealthSource, request: IncomingMessage, response: ServerResponse, note: Note): Promise<void> {
  // A body is neither read nor waited for: the connection ends with the answer.
  if ((request.headers['content-length'] ?? '0') !== '0' || request.headers['transfer-encoding'] !== undefined) {
    note('a request with a body')
    response.setHeader('connection', 'close')
  }
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    note('a method that is not GET')
    response.setHeader('allow', 'GET, HEAD')
    return send(response, 405, { error: 'only GET and HEAD' })
  }
  const [path] = (request.url ?? '/').split('?', 1)
  switch (path) {
    case '/livez':
      return send(response, 200, { live: true })
    case '/readyz': {
      const reasons = source.notReady()
      return send(response, reasons.length === 0 ? 200 : 503, { ready: reasons.length === 0, reasons })
    }
    case '/health':
      return send(response, 200, source.page())
    case '/version': {
      const { versions, infrastructure } = source.page()
      return send(response, 200, { ...versions, dropletId: infrastructure.dropletId, region: infrastructure.region })
    }
    case '/metrics': {
      const { contentType, text } = await source.metrics()
      return write(response, 200, contentType, text)
    }
    default:
      note('an unknown path')
      return send(response, 404, { error: 'not found', pages: PAGES })
  }
}

/** What is not HTTP, too large or too slow. Answered in the fewest words, if anybody still listens. */
function refuse(error: NodeJS.ErrnoException, socket: Duplex, note: Note): void {
  const status =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? '431 Request Header Fields Too Large'
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? '408 Request Timeout'
        : '400 Bad Request'
  // A connection that was simply dropped is nobody's fault.
  if (error.code === 'ECONNRESET' || error.code === 'EPIPE' || !socket.writable) {
    socket.destroy()
    return
  }
  note(status)
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`, () => socket.destroy())
}

const send = (response: ServerResponse, status: number, body: object): void =>
  write(response, status, 'application/json; charset=utf-8', `${JSON.stringify(body)}\n`)

function write(response: ServerResponse, status: number, contentType: string, text: string): void {
  response.writeHead(status, {
    'content-type': contentType,
    'content-length': Buffer.byteLength(text),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  })
  response.end(text)
}

async function close(server: Server): Promise<void> {
  const closed = once(server, 'close')
  server.close()
  server.closeAllConnections()
  await closed
}
