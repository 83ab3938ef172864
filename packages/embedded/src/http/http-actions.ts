/**
 * HTTP actions, found through the app's router. Bodies are streamed both ways: the action sees the request as it arrives, and
 * its answer goes out as it is made, no faster than the client reads. The action goes on until its answer's end.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Engine } from '../engine.ts'
import { authorizeHeader, NOBODY, type Principal } from '../auth/authorize.ts'
import { ClosedError, FunctionError, RequestError } from '../errors.ts'
import type { HttpHandler } from '../functions/http-action.ts'
import { urlOf } from './target.ts'

interface RouterLike {
  lookup(path: string, method: string): readonly [HttpHandler, string, string] | null
}

const MAX_REQUEST_BYTES = 20 * 1024 * 1024 // as in production
const STALLED_MS = 60_000 // without a byte taken by the client while some wait for it
const WITHOUT_BODY: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS'])

/** Answers requests of one server. */
export function createHttpActions(engine: Engine, stalledMs = STALLED_MS) {
  const running = new Set<ServerResponse>()
  return {
    answer(request: IncomingMessage, response: ServerResponse, prefix: '' | '/http'): Promise<void> {
      running.add(response)
      response.once('close', () => running.delete(response))
      // Set off by silence of either side: an action may take its time between two pieces of its answer.
      response.setTimeout(stalledMs, () => {
        if (response.writableLength > 0) response.destroy()
      })
      return answerWhatever(engine, request, response, prefix)
    },
    /** Cuts off answers that stream, because they may never end. Those that have not begun are waited for. */
    close(): void {
      for (const response of running) if (response.headersSent) response.destroy()
    },
  }
}

/** Answers the request whatever happens. `prefix` is cut off the path before the route is looked up; `request.url` keeps it. */
async function answerWhatever(
  engine: Engine,
  request: IncomingMessage,
  response: ServerResponse,
  prefix: '' | '/http',
): Promise<void> {
  const requestId = engine.core.newRequestId()
  try {
    await answer(engine, request, response, prefix, requestId)
  } catch (error) {
    // The client is gone, or the answer has begun: a cut connection says that it is not whole.
    if (response.headersSent || request.destroyed) {
      if (!(error instanceof FunctionError) && !isHangUp(error)) logFailure(engine, error)
      return void response.destroy()
    }
    const [status, body] = refusal(engine, error, requestId)
    const json = typeof body !== 'string'
    response.writeHead(status, { 'content-type': json ? 'application/json' : 'text/plain; charset=utf-8', connection: 'close' })
    response.end(json ? JSON.stringify(body) : body)
  }
}

async function answer(
  engine: Engine,
  request: IncomingMessage,
  response: ServerResponse,
  prefix: string,
  requestId: string,
): Promise<void> {
  const router = engine.functions.http as RouterLike | undefined
  if (!router) throw new RequestError(404, 'NotFound', 'This Convex deployment does not have HTTP actions enabled.')
  const method = request.method ?? 'GET'
  const url = urlOf(request, `${schemeOf(request)}://${request.headers.host ?? 'backend'}`)
  const found = router.lookup(url.pathname.slice(prefix.length) || '/', method)
  if (!found) throw new RequestError(404, 'NotFound', 'No matching routes found')
  if (Number(request.headers['content-length'] ?? 0) > MAX_REQUEST_BYTES) throw tooLarge()
  const { identity } = await callerOf(engine, request.headers.authorization)
  const incoming = new Request(url, {
    method,
    headers: headersOf(request),
    ...(!WITHOUT_BODY.has(method) && {
      body: Readable.toWeb(Readable.from(bounded(request))) as ReadableStream,
      duplex: 'half' as const,
    }),
  })
  const call = { path: `${method} ${found[2]}`, requestId, identity }
  await engine.core.runHttpAction(found[0], call, incoming, (reply) => deliver(reply, response, method))
}

async function deliver(reply: Response, response: ServerResponse, method: string): Promise<void> {
  response.writeHead(reply.status, [...reply.headers].flat())
  if (!reply.body || method === 'HEAD') {
    await reply.body?.cancel()
    response.end()
    return
  }
  response.flushHeaders()
  await pipeline(Readable.fromWeb(reply.body), response).catch((error: unknown) => {
    if (!isHangUp(error)) throw error // a client that has had enough is no failure of the action
  })
}

function refusal(engine: Engine, error: unknown, requestId: string): [number, string | object] {
  if (error instanceof RequestError) return [error.status, error.message]
  if (error instanceof ClosedError) return [503, error.message]
  const code = `[Request ID: ${requestId}] Server Error`
  if (error instanceof FunctionError)
    return [500, { code, trace: error.message, ...(error.data !== undefined && { data: error.data }) }]
  logFailure(engine, error)
  return [500, { code }]
}

function logFailure(engine: Engine, error: unknown): void {
  engine.log.error('an HTTP action failed inside the backend', {
    error: error instanceof Error ? (error.stack ?? error.message) : String(error),
  })
}

function isHangUp(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code
  return code === 'ERR_STREAM_PREMATURE_CLOSE' || code === 'ECONNRESET' || code === 'EPIPE' || code === 'ERR_STREAM_DESTROYED'
}

/** What the client used: a proxy that ends TLS says so. */
function schemeOf({ headers }: IncomingMessage): string {
  const told = headers['x-forwarded-proto'] ?? /(?:^|[;\s])proto="?([a-z]+)/i.exec(headers.forwarded?.split(',')[0] ?? '')?.[1]
  return String(told).toLowerCase() === 'https' ? 'https' : 'http'
}

function headersOf(request: IncomingMessage): [string, string][] {
  return Object.entries(request.headers).flatMap(([name, value]) =>
    value === undefined ? [] : (Array.isArray(value) ? value : [value]).map((one): [string, string] => [name, one]),
  )
}

/**
 * HTTP actions have callers with schemes and tokens of their own, and check them themselves: what is no key or token of this
 * backend leaves the action without an identity instead of refusing the call.
 */
async function callerOf(engine: Engine, header: string | undefined): Promise<Principal> {
  if (!header || !/^(Convex|Bearer) /.test(header)) return NOBODY
  return authorizeHeader(engine, header).catch((error: unknown) => {
    if (error instanceof RequestError && error.status < 500) return NOBODY
    throw error
  })
}

const tooLarge = () => new RequestError(413, 'BodyTooLarge', `The request body is larger than ${MAX_REQUEST_BYTES} bytes.`)

async function* bounded(request: IncomingMessage): AsyncGenerator<Buffer> {
  let size = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > MAX_REQUEST_BYTES) throw tooLarge()
    yield chunk
  }
}
