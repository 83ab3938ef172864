/** Starts the gateway of the bench and hears from it. */
import { INTERNAL_AGENT } from '@mission-control/openclaw/config/initial'
import { fileURLToPath } from 'node:url'
import { startChild } from './child.ts'

/** Breaks every connection and keeps running: whoever was connected looks at everything again. */
export interface ToGateway {
  readonly type: 'drop'
}
export type FromGateway =
  | { readonly type: 'listening'; readonly url: string; readonly token: string }
  /** `at` on the machine's clock. */
  | { readonly type: 'accepted'; readonly key: string; readonly at: number }

export interface BenchGateway extends AsyncDisposable {
  readonly pid: number
  readonly url: string
  readonly token: string
  /** How many turns it has taken. */
  accepted(): number
  /** Resolves with the machine's time at which it took the message of this key, which must not be asked for twice. */
  acceptanceOf(key: string): Promise<number>
  dropConnections(): void
}

/** @param agents slugs it knows from the start beside its own; a runtime adds others */
export async function startGateway(agents: readonly string[]): Promise<BenchGateway> {
  const program = fileURLToPath(new URL('./gateway-main.ts', import.meta.url))
  const child = startChild<ToGateway, FromGateway>(program, { BENCH_GATEWAY_AGENTS: [INTERNAL_AGENT, ...agents].join(',') })
  const awaited = new Map<string, PromiseWithResolvers<number>>()
  let accepted = 0
  child.onMessage((message) => {
    if (message.type !== 'accepted') return
    accepted += 1
    awaited.get(message.key)?.resolve(message.at)
    awaited.delete(message.key)
  })
  const { url, token } = await child.next((message) => message.type === 'listening')
  return {
    pid: child.pid,
    url,
    token,
    accepted: () => accepted,
    acceptanceOf(key) {
      const arrival = Promise.withResolvers<number>()
      awaited.set(key, arrival)
      return child.orGone(arrival.promise)
    },
    dropConnections: () => child.say({ type: 'drop' }),
    [Symbol.asyncDispose]: () => child[Symbol.asyncDispose](),
  }
}
