/** The site port: HTTP actions, found through the app's router. Anyone may call them; the guard against web pages does not apply. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import type { Engine } from '../engine.ts'
import { authorizeHeader, NOBODY, type Principal } from '../auth/authorize.ts'
import { RequestError } from '../errors.ts'
import type { HttpHandler } from '../functions/http-action.ts'
import { MAX_BODY_BYTES } from './body.ts'
import { bind, type Listening, type ListenOptions } from './bind.ts'

interface RouterLike {
  lookup(path: string, method: string): readonly [HttpHandler, string, string] | null
}

export async function listenSite(engine: Engine, options: ListenOptions = {}): Promise<Listening> {
  const router = engine.functions.http as RouterLike | undefined
  const server = createServer((request, response) => {
    void answer(engine, router, request, response).catch((error: unknown) => {
      const [status, message] = error instanceof RequestError ? [error.status, error.message] : [500, 'The HTTP action failed.']
      if (status === 500)
        engine.log.error('an HTTP action failed', { error: error instanceof Error ? error.message : String(error) })
      if (!response.headersSent) response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8', connection: 'close' })
      response.end(message)
    })
  })
  return bind(server, options, async () => {})
}

async function answer(
  engine: Engine,
  router: RouterLike | undefined,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const method = request.method ?? 'GET'
  const url = new URL(request.url ?? '/', `http://${request.headers.host ?? 'backend'}`)
  const found = router?.lookup(url.pathname, method)
  if (!found) throw new RequestError(404, 'NotFound', 'No matching routes found')
  if (Number(request.headers['content-length'] ?? 0) > MAX_BODY_BYTES)
    throw new RequestError(413, 'BodyTooLarge', 'The request body is too large.')
  const { identity } = await callerOf(engine, request.headers.authorization)
  const hasBody = method !== 'GET' && method !== 'HEAD'
  const incoming = new Request(url, {
    method,
    headers: Object.entries(request.headers).flatMap(([name, value]) =>
      value === undefined
        ? []
        : Array.isArray(value)
          ? value.map((one): [string, string] => [name, one])
          : [[name, value] as [string, string]],
    ),
    ...(hasBody && { body: Readable.toWeb(Readable.from(bounded(request))) as ReadableStream, duplex: 'half' as const }),
  })
  const reply = await engine.core.runHttpAction(found[0], `${method} ${found[2]}`, incoming, identity)
  response.writeHead(reply.status, [...reply.headers].flat())
  if (reply.body) for await (const chunk of reply.body) response.write(chunk)
  response.end()
}

/**
 * HTTP actions have callers with schemes and tokens of their own, and check them themselves: what is no token of a provider
 * leaves the action without an identity instead of refusing the call.
 */
async function callerOf(engine: Engine, header: string | undefined): Promise<Principal> {
  if (header?.startsWith('Convex ')) return authorizeHeader(engine, header)
  if (!header?.startsWith('Bearer ')) return NOBODY
  return authorizeHeader(engine, header).catch((error: unknown) => {
    if (error instanceof RequestError && error.status === 401) return NOBODY
    throw error
  })
}

async function* bounded(request: IncomingMessage): AsyncGenerator<Buffer> {
  let size = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > MAX_BODY_BYTES) throw new RequestError(413, 'BodyTooLarge', 'The request body is too large.')
    yield chunk
  }
}
