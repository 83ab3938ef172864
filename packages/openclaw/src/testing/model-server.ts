/**
 * A scripted OpenAI-compatible model server on loopback: `POST /v1/chat/completions` (streaming and not) and `GET /v1/models`.
 * Deterministic, instant, records what it was asked. For tests, the demo and benchmarks; no part of a real deployment.
 */
import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Gate } from './gates.ts'
import { createGates } from './gates.ts'
import type { ModelMessage, PromptView } from './model-prompt.ts'
import { viewPrompt } from './model-prompt.ts'
import type { ScriptedReply } from './script.ts'
import { runScript } from './script.ts'
import { streamReply, wholeReply } from './completion.ts'

const MAX_BODY_BYTES = 8_000_000 // a prompt is some 40 kB; more than this is a mistake

export interface ModelRequest extends PromptView {
  /** 1 for the first request. */
  readonly id: number
  readonly model: string
  readonly stream: boolean
  readonly messages: readonly ModelMessage[]
  /** Names of the tools offered to the model. */
  readonly tools: readonly string[]
  /** Aborts when the caller hangs up. */
  readonly signal: AbortSignal
}

export interface ModelServerOptions {
  /** 0 picks a free port. */
  readonly port?: number
  /** Answers in place of the script; null falls back to it. */
  readonly respond?: (request: ModelRequest) => ScriptedReply | null | Promise<ScriptedReply | null>
}

export interface ModelServer extends AsyncDisposable {
  /** What goes into a provider's `baseUrl`, for example `http://127.0.0.1:43117/v1`. */
  readonly baseUrl: string
  readonly port: number
  /** Every completion request so far, oldest first. */
  readonly requests: readonly ModelRequest[]
  gate(name: string): Gate
  /** Resolves with the first request, past or future, that matches. */
  waitForRequest(matches: (request: ModelRequest) => boolean, signal?: AbortSignal): Promise<ModelRequest>
  /** Closes at once; calls that hang are cut. */
  stop(): Promise<void>
}

export async function startModelServer(options: ModelServerOptions = {}): Promise<ModelServer> {
  const gates = createGates()
  const requests: ModelRequest[] = []
  const watchers = new Set<(request: ModelRequest) => void>()

  const complete = async (request: IncomingMessage, response: ServerResponse) => {
    const body = JSON.parse(await readBody(request)) as {
      model?: string
      stream?: boolean
      messages?: ModelMessage[]
      tools?: Tool[]
    }
    const hangUp = new AbortController()
    response.on('close', () => hangUp.abort(new Error('the caller hung up')))
    const messages = body.messages ?? []
    const asked: ModelRequest = {
      ...viewPrompt(messages),
      id: requests.length + 1,
      model: body.model ?? '',
      stream: body.stream === true,
      messages,
      tools: (body.tools ?? []).map((tool) => tool.function?.name ?? ''),
      signal: hangUp.signal,
    }
    requests.push(asked)
    for (const watch of watchers) watch(asked)
    const reply = (await options.respond?.(asked)) ?? (await runScript(asked, gates, hangUp.signal))
    if (reply.kind === 'fail') return sendJson(response, reply.status, { error: { message: reply.message, type: 'scripted' } })
    if (asked.stream) return streamReply(response, asked, reply)
    sendJson(response, 200, wholeReply(asked, reply))
  }

  const server = createServer((request, response) => {
    const path = new URL(request.url ?? '/', 'http://localhost').pathname
    if (request.method === 'POST' && path === '/v1/chat/completions') {
      complete(request, response).catch((error: unknown) => {
        if (response.destroyed || response.writableEnded) return
        if (response.headersSent) response.destroy()
        else sendJson(response, 400, { error: { message: String(error), type: 'scripted' } })
      })
    } else if (request.method === 'GET' && path === '/v1/models') {
      sendJson(response, 200, { object: 'list', data: [{ id: 'scripted', object: 'model', owned_by: 'scripted' }] })
    } else {
      sendJson(response, 404, { error: { message: `no ${request.method} ${path} here`, type: 'scripted' } })
    }
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(options.port ?? 0, '127.0.0.1', resolve)
  })
  const { port } = server.address() as AddressInfo

  const stop = async () => {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()))
    server.closeAllConnections()
    await closed
  }
  return {
    baseUrl: `http://127.0.0.1:${port}/v1`,
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

interface Tool {
  readonly function?: { readonly name?: string }
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
