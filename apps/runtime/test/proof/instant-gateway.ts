/**
 * A gateway whose model answers at once, as a process of its own beside a proof: started by `startInstantGateway`, ended with it. What
 * it costs is then its own figure, as in a real deployment, and not part of the backend's.
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { startFakeGateway } from '@mission-control/openclaw/testing/fake-gateway'

type FromParent = { readonly tell: boolean }
type FromChild = { readonly url: string; readonly token: string } | 'accepted'

export interface InstantGateway extends AsyncDisposable {
  readonly pid: number
  /** What a runtime needs to use it. */
  readonly environment: Record<string, string>
  /** Calls back for each turn that begins; `null`: for none, which is cheaper. */
  onAccepted(listener: (() => void) | null): void
}

export async function startInstantGateway(): Promise<InstantGateway> {
  const child = fork(fileURLToPath(import.meta.url), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  const [first] = (await once(child, 'message')) as [Exclude<FromChild, 'accepted'>]
  let listener: (() => void) | null = null
  child.on('message', () => listener?.())
  return {
    pid: child.pid ?? 0,
    environment: { OPENCLAW_GATEWAY_URL: first.url, OPENCLAW_GATEWAY_TOKEN: first.token },
    onAccepted(next) {
      listener = next
      child.send({ tell: next !== null } satisfies FromParent)
    },
    async [Symbol.asyncDispose]() {
      const ended = once(child, 'exit')
      child.disconnect()
      await ended
    },
  }
}

async function serve(send: (message: FromChild) => void): Promise<void> {
  let tell = false
  const gateway = await startFakeGateway({
    agents: ['mission-control'],
    respond() {
      if (tell) send('accepted')
      return 'done'
    },
  })
  process.on('message', (message: FromParent) => (tell = message.tell))
  process.once('disconnect', () => void gateway.stop())
  send({ url: gateway.url, token: gateway.token })
}

if (process.argv[1] === fileURLToPath(import.meta.url) && process.send) await serve(process.send.bind(process))
