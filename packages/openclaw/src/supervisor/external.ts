/** A gateway somebody else runs: connect to it, never start or stop it. */
import { createClient } from '../client.ts'
import type { GatewayHost, HostDeps } from './types.ts'

export interface ExternalOptions {
  /** OPENCLAW_GATEWAY_URL */
  readonly url: string
  /** OPENCLAW_GATEWAY_TOKEN */
  readonly token: string
}

export function createExternalGateway({ clock }: HostDeps, { url, token }: ExternalOptions): GatewayHost {
  const client = createClient({ clock }, { url, token })
  let state: 'stopped' | 'starting' | 'running' = 'stopped'
  const stop = async () => {
    state = 'stopped'
    await client.close()
  }
  return {
    client,
    async start(signal) {
      state = 'starting'
      const connected = await client.connected(signal)
      state = 'running'
      return connected
    },
    stop,
    status: () => ({
      state: client.lastError?.class === 'configuration' ? 'failed' : state,
      kind: 'external',
      pid: null,
      url,
      bootId: client.current?.bootId ?? null,
      version: client.current?.version ?? null,
      deaths: 0,
      startMs: null,
      lastError: client.lastError,
    }),
    onBoot: (listener) => client.onBoot(listener),
    [Symbol.asyncDispose]: stop,
  }
}
