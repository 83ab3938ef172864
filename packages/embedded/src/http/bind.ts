/** Binding a server to a port, and giving it up without cutting running requests off. */
import type { Clock } from '@mission-control/shared/clock'
import type { Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { GuardOptions } from './guard.ts'

export interface ListenOptions extends GuardOptions {
  /** 0 picks a free one. Default 0. */
  port?: number
  /** Default 127.0.0.1. */
  host?: string
  /** Answer of `GET /instance_name`. */
  instanceName?: string
}
export interface Listening {
  port: number
  url: string
  /** Refuses new connections, lets running requests finish for 5 s, closes sockets with 1001. */
  close(): Promise<void>
}

/** For the last answers. Actions may take minutes: whoever stops a process does not wait that long, and then kills it. */
const LAST_ANSWERS_MS = 5_000

/** `beforeClose` ends what would keep connections open for ever. */
export async function bind(
  server: Server,
  options: ListenOptions,
  clock: Clock,
  beforeClose: () => Promise<void>,
): Promise<Listening> {
  const { port = 0, host = '127.0.0.1' } = options
  // A kept-alive connection whose last answer goes out after `close` began would hold it up until its idle timeout.
  server.on('request', (_request, response: ServerResponse) => {
    response.once('close', () => {
      if (!server.listening) server.closeIdleConnections()
    })
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(bindError(error, host, port)))
    server.listen(port, host, resolve)
  })
  const bound = (server.address() as AddressInfo).port
  const reachable = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host
  return {
    port: bound,
    url: `http://${reachable.includes(':') ? `[${reachable}]` : reachable}:${bound}`,
    async close() {
      const stopped = new Promise<void>((resolve) => server.close(() => resolve()))
      await beforeClose()
      server.closeIdleConnections()
      const patience = new AbortController()
      void clock.sleep(LAST_ANSWERS_MS, patience.signal).then(
        () => server.closeAllConnections(),
        () => {}, // all were answered
      )
      await stopped
      patience.abort()
    },
  }
}

function bindError(error: NodeJS.ErrnoException, host: string, port: number): Error {
  if (error.code === 'EADDRINUSE') {
    return new Error(`Port ${port} on ${host} is already in use: stop what holds it, or choose another port.`, { cause: error })
  }
  if (error.code === 'EACCES') return new Error(`Not allowed to listen on port ${port}: choose one above 1023.`, { cause: error })
  return error
}
