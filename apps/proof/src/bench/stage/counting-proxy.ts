/** Stands between a client and its backend and tells what is asked over HTTP; sockets (the subscriptions) pass through. */
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { connect } from 'node:net'
import { bodyOf, functionIn } from '../../function-calls.ts'

export interface CountingProxy extends AsyncDisposable {
  readonly url: string
}

/** @param onCall hears of each call as it comes in: `service/runtime:checkIn` and so on */
export async function startCountingProxy(target: string, onCall: (name: string) => void): Promise<CountingProxy> {
  const { hostname, port } = new URL(target)
  const server = createServer((incoming, answer) => {
    void (async () => {
      const body = await bodyOf(incoming)
      onCall(functionIn(body) ?? incoming.url ?? '')
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
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
