/** A gateway somebody else runs: connect to it, never start or stop it. */
import { createClient } from '../client.ts'
import type { GatewayHost, HostDeps, HostStatus } from './types.ts'

export interface ExternalOptions {
  /** OPENCLAW_GATEWAY_URL */
  readonly url: string
  /** OPENCLAW_GATEWAY_TOKEN */
  readonly token: string
}

export function createExternalGateway({ clock }: HostDeps, { url, token }: ExternalOptions): GatewayHost {
  const client = createClient({ clock }, { url, token })
  let state: 'stopped' | 'starting' | 'running' = 'stopped'
  const changeListeners = new Set<(status: HostStatus) => void>()
  const changed = () => {
    for (const listener of changeListeners) listener(status())
  }
  const enter = (next: typeof state) => {
    state = next
    changed()
  }
  client.onChange(changed)
  const stop = async () => {
    enter('stopped')
    await client.close()
  }
  const status = (): HostStatus => ({
    state: client.lastError?.class === 'configuration' ? 'failed' : state,
    kind: 'external',
    pid: null,
    url,
    bootId: client.current?.bootId ?? null,
    version: client.current?.version ?? null,
    deaths: 0,
    startMs: null,
    lastError: client.lastError,
  })
  return {
    client,
    async start(signal) {
      enter('starting')
      const connected = await client.connected(signal)
      enter('running')
      return connected
    },
    stop,
    status,
    onBoot: (listener) => client.onBoot(listener),
    onDisconnect: (listener) => client.onDisconnect(listener),
    onChange(listener) {
      changeListeners.add(listener)
      return () => changeListeners.delete(listener)
    },
    [Symbol.asyncDispose]: stop,
  }
}
