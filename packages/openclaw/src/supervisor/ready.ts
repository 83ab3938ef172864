/** Waits for a starting gateway: first the process says it is ready, then it must accept our handshake. */
import { request } from 'node:http'
import type { Clock } from '@mission-control/shared/clock'
import type { Client, Connected } from '../client.ts'
import { untilAborted } from '@mission-control/host/until-aborted'
import type { ProcessEnd, RunningProcess } from './process.ts'

/** A start takes many seconds of processor time; asking more often only takes some of it away. */
const POLL_MS = 100

const PROBE_TIMEOUT_MS = 2000

export interface Starting {
  readonly port: number
  readonly client: Client
  readonly child: RunningProcess
  readonly explain: (end: ProcessEnd, child: RunningProcess) => Promise<Error>
}

/** Rejects with the explanation as soon as the process ends, and with the signal's reason. */
export async function waitUntilReady(
  { clock }: { readonly clock: Clock },
  starting: Starting,
  signal: AbortSignal,
): Promise<Connected> {
  const { child, client, port, explain } = starting
  const dead = new AbortController()
  void child.ended.then(async (end) => dead.abort(await explain(end, child)))
  const both = AbortSignal.any([signal, dead.signal])
  while (!(await isReady(port, both))) {
    both.throwIfAborted()
    await clock.sleep(POLL_MS, both)
  }
  client.reconnect()
  return untilAborted(client.connected(), both)
}

/** `GET /readyz` answers 200. Anything else, silence included, means not yet. */
export function isReady(port: number, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = request(
      { host: '127.0.0.1', port, path: '/readyz', timeout: PROBE_TIMEOUT_MS, agent: false, signal },
      (response) => {
        response.resume()
        resolve(response.statusCode === 200)
      },
    )
    probe.on('timeout', () => probe.destroy())
    probe.on('error', () => resolve(false))
    probe.end()
  })
}
