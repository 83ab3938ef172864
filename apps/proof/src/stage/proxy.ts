/**
 * A network between two programs of the stage. It sees what passes (HTTP calls and their answers, WebSocket frames), so that a fault can
 * meet a named step of a delivery: the message of that step is held here while the fault is brought about. And it can fail as networks
 * do: swallow everything without a word, or be slow.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer, request as httpRequest } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { connect } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Clock } from '@mission-control/shared/clock'
import { bodyOf, functionIn } from '../function-calls.ts'
import { createFrameReader } from './web-socket-frames.ts'

/** One message that passes: a call, its answer, or a frame of a socket. */
export interface Seen {
  readonly kind: 'request' | 'answer' | 'frame'
  /** `up`: towards the program that listens. */
  readonly direction: 'up' | 'down'
  /** Of a call and its answer: the function, or the path of the address. `null` for frames. */
  readonly path: string | null
  readonly text: string
  /** HTTP status of an answer; 0 for everything else. */
  readonly status: number
  /** One per socket connection; 0 for calls. */
  readonly connection: number
}

/** Messages that match wait here: the first, and its repetitions by a sender that got no answer. */
export interface Hold {
  readonly reached: Promise<Seen>
  /** They go on, where both ends are still there; one that has not come yet will pass. */
  release(): void
}

export interface Slowness {
  /** Added to every message, in each direction. */
  readonly delayMs: number
  readonly bytesPerSecond: number
}

export interface Proxy extends AsyncDisposable {
  readonly port: number
  hold(matches: (seen: Seen) => boolean): Hold
  /** Calls back with everything that passes, before it is held or lost. @returns ends it */
  watch(listener: (seen: Seen) => void): () => void
  /** From now on nothing arrives and nobody is told. Connections that lose something stay half open for good. */
  swallow(): void
  slow(slowness: Slowness): void
  /** New connections work, messages are as fast as ever. */
  heal(): void
  /** New connections go to this port. */
  target(port: number): void
}

interface HeldUp {
  readonly matches: (seen: Seen) => boolean
  readonly reached: PromiseWithResolvers<Seen>
  readonly released: PromiseWithResolvers<void>
}

export async function startProxy(targetPort: number, clock: Clock): Promise<Proxy> {
  const holds = new Set<HeldUp>()
  const watchers = new Set<(seen: Seen) => void>()
  const sockets = new Set<Duplex>()
  let port = targetPort
  let state: 'fine' | 'swallowing' = 'fine'
  let slowness: Slowness | null = null
  let connections = 0

  /** @returns false when the message is lost on the way */
  async function pass(seen: Seen): Promise<boolean> {
    for (const watcher of watchers) watcher(seen)
    const held = [...holds].find(({ matches }) => matches(seen))
    if (held) {
      held.reached.resolve(seen)
      await held.released.promise
    }
    if (slowness) await clock.sleep(slowness.delayMs + (Buffer.byteLength(seen.text) * 1_000) / slowness.bytesPerSecond)
    return state === 'fine'
  }

  async function forward(incoming: IncomingMessage, answer: ServerResponse): Promise<void> {
    const body = await bodyOf(incoming)
    const path = functionIn(body) ?? incoming.url ?? ''
    const call = { path, connection: 0 } as const
    if (!(await pass({ ...call, kind: 'request', direction: 'up', text: body.toString('utf8'), status: 0 })) || answer.destroyed)
      return
    const { method, url, headers } = incoming
    const outgoing = httpRequest({ hostname: '127.0.0.1', port, method, path: url, headers }, (response) => {
      const status = response.statusCode ?? 502
      const deliver = async () => {
        const content = await bodyOf(response)
        if (!(await pass({ ...call, kind: 'answer', direction: 'down', text: content.toString('utf8'), status }))) return
        answer.writeHead(status, response.headers).end(content)
      }
      deliver().catch(() => answer.destroy()) // the other end broke off
    })
    outgoing.on('error', () => answer.destroy())
    answer.on('close', () => outgoing.destroy())
    outgoing.end(body)
  }

  function tunnel(incoming: IncomingMessage, client: Duplex, head: Buffer): void {
    const connection = (connections += 1)
    const upstream = connect(port, '127.0.0.1')
    let lost = false
    /** Frames of one direction, one after the other. */
    const lane = (direction: Seen['direction'], to: Duplex) => {
      const read = createFrameReader()
      let last = Promise.resolve()
      return (chunk: Buffer) => {
        for (const { bytes, text } of read(chunk)) {
          last = last.then(async () => {
            const arrives = await pass({ kind: 'frame', direction, path: null, text: text ?? '', status: 0, connection })
            lost ||= !arrives
            if (!lost && !to.destroyed) to.write(bytes)
          })
        }
      }
    }
    const up = lane('up', upstream)
    const down = lane('down', client)
    client.on('data', up)
    afterHandshake(upstream, client, down)
    upstream.write(requestHead(incoming))
    if (head.length > 0) up(head)
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(one)
      one.on('error', () => one.destroy())
      one.on('close', () => {
        sockets.delete(one)
        // A swallowed goodbye is not heard; both ends are cleared away with the network.
        if (state === 'fine') other.destroy()
      })
    }
  }

  const server = createServer((incoming, answer) => void forward(incoming, answer).catch(() => answer.destroy()))
  server.on('upgrade', tunnel)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    hold(matches) {
      const held: HeldUp = { matches, reached: Promise.withResolvers(), released: Promise.withResolvers() }
      holds.add(held)
      return {
        reached: held.reached.promise,
        release() {
          holds.delete(held)
          held.released.resolve()
        },
      }
    },
    watch(listener) {
      watchers.add(listener)
      return () => void watchers.delete(listener)
    },
    swallow: () => void (state = 'swallowing'),
    slow: (next) => void (slowness = next),
    heal() {
      state = 'fine'
      slowness = null
    },
    target: (next) => void (port = next),
    async [Symbol.asyncDispose]() {
      for (const held of holds) held.released.resolve()
      for (const socket of sockets) socket.destroy()
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** Without extensions: compressed frames could not be read. */
function requestHead({ method, url, headers }: IncomingMessage): string {
  const lines = Object.entries(headers)
    .filter(([name]) => name !== 'sec-websocket-extensions')
    .map(([name, value]) => `${name}: ${String(value)}\r\n`)
  return `${method} ${url} HTTP/1.1\r\n${lines.join('')}\r\n`
}

const HEAD_END = '\r\n\r\n'

/** Passes the answer to the upgrade on as it is, then everything else to `frames`. */
function afterHandshake(upstream: Socket, client: Duplex, frames: (chunk: Buffer) => void): void {
  let head: Buffer | null = Buffer.alloc(0)
  upstream.on('data', (chunk: Buffer) => {
    if (head === null) return frames(chunk)
    head = Buffer.concat([head, chunk])
    const end = head.indexOf(HEAD_END)
    if (end < 0) return
    const rest = head.subarray(end + HEAD_END.length)
    client.write(head.subarray(0, end + HEAD_END.length))
    head = null
    if (rest.length > 0) frames(rest)
  })
}
