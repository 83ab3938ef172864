/**
 * MCP over HTTP requests, by the official SDK. One server object per request and no session state in it: the gateway may come with any
 * session id, also one from before our restart, and is never told that it has expired.
 */
import { Server } from '@modelcontextprotocol/sdk/server/index.js'
import { WebStandardStreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js'
import { CallToolRequestSchema, ListToolsRequestSchema } from '@modelcontextprotocol/sdk/types.js'
import { untilAborted } from '@mission-control/host/until-aborted'
import { TOOL_NAMES, TOOLS } from '@mission-control/shared/tools'
import type { ToolAnswer } from './call.ts'

export interface McpRequest {
  readonly headers: Headers
  /** One JSON-RPC message, parsed. */
  readonly message: unknown
  /** Aborts when nobody waits for the answer any more. */
  readonly signal: AbortSignal
  call(tool: string, args: Readonly<Record<string, unknown>>, signal: AbortSignal): Promise<ToolAnswer>
}

export interface Mcp {
  /** Rejects only with the signal's reason. */
  answer(request: McpRequest): Promise<Response>
}

const INSTRUCTIONS =
  'Tools of Mission Control: tasks, threads, documents, colleagues. Pass the code at the top of the message as `turn` in every call.'

/** The transport wants a whole URL and looks at no part of it. */
const NOWHERE = 'http://tools.invalid/'

export function createMcp({ version }: { readonly version: string }): Mcp {
  const tools = TOOL_NAMES.map((name) => {
    const { description, parameters, kind } = TOOLS[name]
    const inputSchema = { ...parameters, required: [...parameters.required] }
    return { name, description, inputSchema, annotations: { readOnlyHint: kind === 'read' } }
  })

  function serverFor(asked: McpRequest): Server {
    const server = new Server(
      { name: 'mission-control', version },
      { capabilities: { tools: {} }, instructions: INSTRUCTIONS, jsonSchemaValidator: noElicitation },
    )
    server.setRequestHandler(ListToolsRequestSchema, () => ({ tools }))
    server.setRequestHandler(CallToolRequestSchema, async ({ params }, { signal }) => {
      const { text, isError } = await asked.call(params.name, params.arguments ?? {}, signal)
      return { content: [{ type: 'text', text }], isError }
    })
    return server
  }

  return {
    async answer(request) {
      const { headers, message, signal } = request
      const transport = new WebStandardStreamableHTTPServerTransport({ enableJsonResponse: true })
      const server = serverFor(request)
      await server.connect(transport)
      try {
        const asked = new Request(NOWHERE, { method: 'POST', headers })
        return await untilAborted(transport.handleRequest(asked, { parsedBody: message }), signal)
      } finally {
        // Ends the calls that still run when nobody waits for them.
        await server.close()
      }
    },
  }
}

/** The SDK builds a JSON Schema compiler per server for forms that a server asks people to fill in. We ask for none. */
const noElicitation = {
  getValidator(): never {
    throw new Error('the tools endpoint asks nobody to fill in a form')
  },
}
