/** A small tools server over the official SDK, for contract tests: says what it was asked, by whom, in which session. */
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Server } from '@modelcontextprotocol/sdk/server/index.js'
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js'
import { CallToolRequestSchema, ListToolsRequestSchema } from '@modelcontextprotocol/sdk/types.js'

export interface SeenCall {
  readonly bearer: string
  readonly session: string | undefined
  readonly args: unknown
  /** Everything that came beside the name and the arguments. */
  readonly extra: readonly string[]
}

export interface TestTools extends AsyncDisposable {
  readonly url: string
  readonly calls: readonly SeenCall[]
  /** JSON-RPC and HTTP methods in the order they came, per session. */
  readonly methods: readonly string[]
}

const SCHEMA = {
  type: 'object',
  properties: { text: { type: 'string' }, times: { type: 'integer' }, fail: { type: 'string', enum: ['no'] } },
  required: ['text'],
  additionalProperties: false,
} as const

export async function startTestTools(): Promise<TestTools> {
  const calls: SeenCall[] = []
  const methods: string[] = []
  const http = createServer((request, response) => {
    void (async () => {
      const session = request.headers['mcp-session-id'] as string | undefined
      const chunks: Buffer[] = []
      for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk)
      const text = Buffer.concat(chunks).toString()
      const message = (text === '' ? undefined : JSON.parse(text)) as { method?: string; params?: object } | undefined
      methods.push(message?.method ?? request.method ?? '')
      if (request.method !== 'POST') return response.writeHead(request.method === 'GET' ? 405 : 200).end()
      const server = new Server({ name: 'test', version: '1' }, { capabilities: { tools: {} } })
      server.setRequestHandler(ListToolsRequestSchema, () => ({
        tools: [{ name: 'echo', description: 'Says it back.', inputSchema: { ...SCHEMA, required: ['text'] } }],
      }))
      server.setRequestHandler(CallToolRequestSchema, ({ params }) => {
        const { text: said, fail } = params.arguments as { text: string; fail?: string }
        const extra = Object.keys(message?.params ?? {}).filter((key) => key !== 'name' && key !== 'arguments')
        calls.push({ bearer: request.headers.authorization ?? '', session, args: params.arguments, extra })
        return fail === undefined
          ? { content: [{ type: 'text', text: JSON.stringify({ said }) }] }
          : { content: [{ type: 'text', text: `You may not say ${said}.` }], isError: true }
      })
      const transport = new StreamableHTTPServerTransport({ enableJsonResponse: true })
      if (message?.method === 'initialize') response.setHeader('mcp-session-id', randomUUID())
      await server.connect(transport)
      await transport.handleRequest(request, response, message)
    })()
  })
  http.listen(0, '127.0.0.1')
  await once(http, 'listening')
  return {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}/mcp`,
    calls,
    methods,
    async [Symbol.asyncDispose]() {
      http.closeAllConnections()
      http.close()
      await once(http, 'close')
    },
  }
}
