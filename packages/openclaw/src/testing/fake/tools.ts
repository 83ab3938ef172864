/**
 * The fake gateway as an MCP client: the agents' tools, reached as the real one reaches them. One connection per session and server,
 * kept over turns, new in each life of the gateway. A session connects to every server there is, and is offered only what its agent may
 * use. Arguments are coerced and checked before they are sent. It connects when the model first asks for its tools, not before: a thousand sessions that use none cost nothing.
 */
import type { Client } from '@modelcontextprotocol/sdk/client/index.js'
import type { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { Ajv } from 'ajv'

type Json = Readonly<Record<string, unknown>>

/** The tools of one turn. */
export interface TurnTools {
  /** Names as the model sees them, `<server>__<tool>`; empty when the server does not answer. */
  list(): Promise<readonly string[]>
  /** What the model gets to read. A tool that refuses, or is not there, is a text too. */
  call(name: string, args: unknown): Promise<string>
}

export interface Tools {
  of(sessionKey: string, agentId: string, signal: AbortSignal): TurnTools
  /** @param politely says goodbye to the servers, which a killed gateway does not */
  close(politely: boolean): Promise<void>
}

interface Connection {
  readonly client: Client
  readonly transport: StreamableHTTPClientTransport
  readonly tools: ReadonlyMap<string, { readonly name: string; readonly schema: object }>
}

/** As the real gateway calls itself. */
const CLIENT = { name: 'openclaw-bundle-mcp', version: '0.0.0' }
const SERVER_NAME_CHARS = 30

export function createTools(config: () => Json): Tools {
  const connections = new Map<string, Promise<Connection>>()
  const ajv = new Ajv({ strict: false, coerceTypes: true })

  function serversFor(agentId: string): { name: string; url: string; headers: Record<string, string>; mayUse: boolean }[] {
    const { mcp, agents, tools } = config() as {
      mcp?: { servers?: Record<string, { url: string; headers?: Record<string, string> }> }
      agents?: { entries?: Record<string, { tools?: Policy }> }
      tools?: Policy
    }
    const own = agents?.entries?.[agentId]?.tools
    const allowed = [...(tools?.alsoAllow ?? []), ...(own?.alsoAllow ?? [])]
    const denied = [...(tools?.deny ?? []), ...(own?.deny ?? [])]
    return Object.entries(mcp?.servers ?? {}).map(([key, { url, headers = {} }]) => {
      const name = key.slice(0, SERVER_NAME_CHARS)
      const covers = (pattern: string) => pattern === 'bundle-mcp' || pattern === `${name}__*`
      return { name, url, headers, mayUse: allowed.some(covers) && !denied.some(covers) }
    })
  }

  async function connect(name: string, url: string, headers: Record<string, string>): Promise<Connection> {
    // Loaded by the first that uses tools: most tests use none.
    const [{ Client }, { StreamableHTTPClientTransport }] = await Promise.all([
      import('@modelcontextprotocol/sdk/client/index.js'),
      import('@modelcontextprotocol/sdk/client/streamableHttp.js'),
    ])
    const client = new Client(CLIENT)
    const transport = new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } })
    await client.connect(transport)
    const { tools } = await client.listTools()
    return {
      client,
      transport,
      tools: new Map(tools.map((tool) => [`${name}__${tool.name}`, { name: tool.name, schema: tool.inputSchema }])),
    }
  }

  /** A changed entry is another server. One that does not answer is tried again by the next turn. */
  async function connected(sessionKey: string, agentId: string): Promise<Connection[]> {
    const found = serversFor(agentId).map(async ({ name, url, headers, mayUse }) => {
      const key = JSON.stringify([sessionKey, name, url, headers])
      const connection = connections.get(key) ?? connect(name, url, headers)
      connections.set(key, connection)
      try {
        const made = await connection
        return mayUse ? made : null
      } catch {
        connections.delete(key)
        return null
      }
    })
    return (await Promise.all(found)).filter((connection) => connection !== null)
  }

  async function call(found: readonly Connection[], name: string, args: unknown, signal: AbortSignal): Promise<string> {
    const connection = found.find(({ tools }) => tools.has(name))
    const tool = connection?.tools.get(name)
    if (connection === undefined || tool === undefined) return `Tool ${name} not found`
    const checked = structuredClone(args)
    const validate = ajv.compile(tool.schema)
    if (!validate(checked)) return `Validation failed for tool "${name}": ${ajv.errorsText(validate.errors)}`
    try {
      const { content } = await connection.client.callTool({ name: tool.name, arguments: checked as Json }, undefined, { signal })
      return (content as { type: string; text?: string }[]).map(({ text }) => text ?? '').join('\n')
    } catch (error) {
      signal.throwIfAborted()
      return `Tool ${name} failed: ${error instanceof Error ? error.message : String(error)}`
    }
  }

  return {
    of: (sessionKey, agentId, signal) => ({
      async list() {
        const found = await connected(sessionKey, agentId)
        return found.flatMap(({ tools }) => [...tools.keys()])
      },
      call: async (name, args) => call(await connected(sessionKey, agentId), name, args, signal),
    }),
    async close(politely) {
      const open = [...connections.values()]
      connections.clear()
      for (const connection of open) {
        const { client, transport } = (await connection.catch(() => null)) ?? {}
        if (politely) await transport?.terminateSession().catch(() => undefined)
        await client?.close()
      }
    },
  }
}

interface Policy {
  readonly alsoAllow?: readonly string[]
  readonly deny?: readonly string[]
}
