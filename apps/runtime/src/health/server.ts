/**
 * `/livez` the event loop turns, nothing else · `/readyz` 503 with reasons while work is not being taken · `/health` always 200 while
 * alive · `/version`. No secrets, no authentication, loopback unless told otherwise.
 */
import { once } from 'node:events'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { portTaken } from '@mission-control/host/ports'
import type { HealthPage } from '@mission-control/shared/health'

export interface HealthSource {
  page(): HealthPage
  /** Empty when work is being taken. */
  notReady(): string[]
}

export interface HealthServer {
  readonly port: number
  readonly host: string
  close(): Promise<void>
}

export class PortTakenError extends Error {
  override readonly name = 'PortTakenError'
}

/** A health request has no body worth reading and takes no time. */
const REQUEST_TIMEOUT_MS = 5_000

/** @throws PortTakenError in one sentence that names the holder */
export async function startHealthServer(
  source: HealthSource,
  { port, host }: { port: number; host: string },
): Promise<HealthServer> {
  const server = createServer({ requestTimeout: REQUEST_TIMEOUT_MS, headersTimeout: REQUEST_TIMEOUT_MS }, (request, response) =>
    answer(source, request, response),
  )
  server.listen(port, host)
  try {
    await once(server, 'listening')
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code === 'EADDRINUSE')
      throw new PortTakenError(portTaken(port, 'the health pages', 'set HEALTH_PORT to another one (0 picks a free one)'), {
        cause: error,
      })
    throw new PortTakenError(
      `The health pages cannot listen on ${host}:${port} (${message}): correct HEALTH_HOST and HEALTH_PORT.`,
      { cause: error },
    )
  }
  return { port: (server.address() as AddressInfo).port, host, close: () => close(server) }
}

function answer(source: HealthSource, request: IncomingMessage, response: ServerResponse): void {
  if (request.method !== 'GET' && request.method !== 'HEAD') return send(response, 405, { error: 'only GET' })
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
    default:
      return send(response, 404, { error: 'not found', pages: ['/livez', '/readyz', '/health', '/version'] })
  }
}

function send(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store' })
  response.end(`${JSON.stringify(body)}\n`)
}

async function close(server: Server): Promise<void> {
  const closed = once(server, 'close')
  server.close()
  server.closeAllConnections()
  await closed
}
