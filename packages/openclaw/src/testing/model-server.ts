/**
 * A scripted model server, on loopback unless told otherwise. One script in three protocols, streaming and not: OpenAI chat
 * completions, OpenAI Responses (`POST /v1/responses`) and Anthropic Messages (`POST /v1/messages`); and `GET /v1/models`.
 * Deterministic, instant, records what it was asked. For tests, the demo and benchmarks; no part of a real deployment.
 */
import { createServer } from 'node:http'
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Gate } from './gates.ts'
import { createGates } from './gates.ts'
import { chatDialect } from './dialects/chat.ts'
import type { Asked, Dialect, DialectName } from './dialects/dialect.ts'
import { messagesDialect } from './dialects/messages.ts'
import { responsesDialect } from './dialects/responses.ts'
import type { PromptView } from './model-prompt.ts'
import { viewPrompt } from './model-prompt.ts'
import type { ScriptedReply } from './script.ts'
import { runScript, turnCodeIn } from './script.ts'

const MAX_BODY_BYTES = 8_000_000 // a prompt is some 40 kB; more than this is a mistake

const DIALECTS: readonly Dialect[] = [chatDialect, responsesDialect, messagesDialect]

export interface ModelRequest extends Asked, PromptView {
  readonly dialect: DialectName
  /** Lower-case names, as Node gives them: this is where the API key is. */
  readonly headers: Readonly<IncomingHttpHeaders>
  /** Aborts when the caller hangs up. */
  readonly signal: AbortSignal
}

export interface ModelServerOptions {
  /** 0 picks a free port. */
  readonly port?: number
  /** Address to listen on; 127.0.0.1 unless something outside this machine's loopback (a container) has to reach it. */
  readonly host?: string
  /** Answers in place of the script; null falls back to it. */
  readonly respond?: (request: ModelRequest) => ScriptedReply | null | Promise<ScriptedReply | null>
}

export interface ModelServer extends AsyncDisposable {
  /** What goes into an OpenAI provider's `baseUrl`, for example `http://127.0.0.1:43117/v1`. */
  readonly baseUrl: string
  /** The same without `/v1`: what goes into Anthropic's. */
  readonly origin: string
  readonly port: number
  /** Every request to a model so far, oldest first. */
  readonly requests: readonly ModelRequest[]
  gate(name: string): Gate
  /** Resolves with the first request, past or future, that matches. */
  waitForRequest(matches: (request: ModelRequest) => boolean, signal?: AbortSignal): Promise<ModelRequest>
  /** Closes at once; calls that hang are cut. */
  stop(): Promise<void>
}

export async function startModelServer(options: ModelServerOptions = {}): Promise<ModelServer> {
  const { host = '127.0.0.1' } = options
  const gates = createGates()
  const requests: ModelRequest[] = []
  const watchers = new Set<(request: ModelRequest) => void>()

  const complete = async (dialect: Dialect, request: IncomingMessage, response: ServerResponse) => {
    const body: unknown = JSON.parse(await readBody(request))
    const refusal = dialect.refusal(request.headers)
    if (refusal !== null) return sendJson(response, refusal.status, dialect.failure(refusal.status, refusal.message))
    const hangUp = new AbortController()
    response.on('close', () => hangUp.abort(new Error('the caller hung up')))
    const read = dialect.read(body)
    const asked: ModelRequest = {
      ...read,
      ...viewPrompt(read.messages),
      id: requests.length + 1,
      dialect: dialect.name,
      headers: request.headers,
      signal: hangUp.signal,
    }
    requests.push(asked)
    for (const watch of watchers) watch(asked)
    const reply =
      (await options.respond?.(asked)) ??
      (await runScript({ ...asked, turnCode: turnCodeIn(asked.prompt) }, gates, hangUp.signal))
    if (reply.kind === 'fail') return sendJson(response, reply.status, dialect.failure(reply.status, reply.message))
    if (!asked.stream) return sendJson(response, 200, dialect.whole(asked, reply))
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
    for (const event of dialect.events(asked, reply)) response.write(event)
    response.end()
  }

  const server = createServer((request, response) => {
    const path = new URL(request.url ?? '/', 'http://localhost').pathname
    const dialect = request.method === 'POST' ? DIALECTS.find((known) => known.path === path) : undefined
    if (dialect !== undefined) {
      complete(dialect, request, response).catch((error: unknown) => {
        if (response.destroyed || response.writableEnded) return
        if (response.headersSent) response.destroy()
        else sendJson(response, 400, dialect.failure(400, String(error)))
      })
    } else if (request.method === 'GET' && path === '/v1/models') {
      sendJson(response, 200, { object: 'list', data: [{ id: 'scripted', object: 'model', owned_by: 'scripted' }] })
    } else {
      sendJson(response, 404, { error: { message: `no ${request.method} ${path} here`, type: 'scripted' } })
    }
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(options.port ?? 0, host, resolve)
  })
  const { port } = server.address() as AddressInfo

  const stop = async () => {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()))
    server.closeAllConnections()
    await closed
  }
  return {
    baseUrl: `http://${host}:${port}/v1`,
    origin: `http://${host}:${port}`,
    port,
    requests,
    gate: (name) => gates.gate(name),
    async waitForRequest(matches, signal) {
      const seen = requests.find(matches)
      if (seen !== undefined) return seen
      const found = Promise.withResolvers<ModelRequest>()
      const watch = (request: ModelRequest) => {
        if (matches(request)) found.resolve(request)
      }
      const onAbort = () => found.reject(signal?.reason as Error)
      watchers.add(watch)
      signal?.addEventListener('abort', onAbort, { once: true })
      try {
        return await found.promise
      } finally {
        watchers.delete(watch)
        signal?.removeEventListener('abort', onAbort)
      }
    },
    stop,
    [Symbol.asyncDispose]: stop,
  }
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > MAX_BODY_BYTES) throw new Error('request body too large')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}
