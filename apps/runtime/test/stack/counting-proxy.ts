/** Stands between a runtime and its backend and counts what is asked over HTTP; sockets (the subscriptions) pass through. */
import type { IncomingMessage } from 'node:http'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { connect } from 'node:net'

export interface CountingProxy extends AsyncDisposable {
  readonly url: string
  /** Functions called since the last `reset`, in order: `service/runtime:checkIn` and so on. */
  readonly calls: readonly string[]
  /** Bytes that subscriptions brought since the last `reset`. */
  readonly subscriptionBytes: number
  reset(): void
}

/** @param onCall hears of each call as it comes in */
export async function startCountingProxy(target: string, onCall: (name: string) => void = () => {}): Promise<CountingProxy> {
  const { hostname, port } = new URL(target)
  let calls: string[] = []
  let subscriptionBytes = 0
  const server = createServer((incoming, answer) => {
    void (async () => {
      const body = await bodyOf(incoming)
      const name = pathIn(body) ?? incoming.url ?? ''
      calls.push(name)
      onCall(name)
      const { method, url, headers } = incoming
      const outgoing = request({ hostname, port, method, path: url, headers }, (response) => {
        answer.writeHead(response.statusCode ?? 502, response.headers)
        response.pipe(answer)
      })
      outgoing.on('error', () => answer.destroy())
      outgoing.end(body)
    })().catch(() => answer.destroy())
  })
  server.on('upgrade', ({ method, url, headers }, socket, head: Buffer) => {
    const upstream = connect(Number(port), hostname, () => {
      const lines = Object.entries(headers).map(([name, value]) => `${name}: ${String(value)}\r\n`)
      upstream.write(`${method} ${url} HTTP/1.1\r\n${lines.join('')}\r\n`)
      upstream.write(head)
      socket.pipe(upstream).pipe(socket)
    })
    upstream.on('data', (chunk: Buffer) => (subscriptionBytes += chunk.length))
    for (const [one, other] of [
      [socket, upstream],
      [upstream, socket],
    ] as const) {
      one.on('error', () => other.destroy())
      one.on('close', () => other.destroy())
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get calls() {
      return calls
    },
    get subscriptionBytes() {
      return subscriptionBytes
    },
    reset() {
      calls = []
      subscriptionBytes = 0
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

async function bodyOf(incoming: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of incoming) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

function pathIn(body: Buffer): string | null {
  try {
    const { path } = JSON.parse(body.toString()) as { path?: unknown }
    return typeof path === 'string' ? path : null
  } catch {
    return null
  }
}
