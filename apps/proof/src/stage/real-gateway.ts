/**
 * The real OpenClaw gateway, which the runtime starts, supervises and adopts. Its process is found by the record the supervisor keeps;
 * once it has ended, the runtime starts the next, and all we do is wait until that one is ready.
 */
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { descendantsOf, isSameProcess, nameProcess } from '@mission-control/host/processes'
import { startModelServer } from '@mission-control/openclaw/testing/model-server'
import type { Clock } from '@mission-control/shared/clock'
import type { Model } from './model.ts'
import type { Gateway } from './stage.ts'

export interface RealGatewayOptions {
  readonly bin: string
  readonly model: Model
  /** Of the runtime. */
  readonly dataDir: string
  readonly port: number
  readonly clock: Clock
  /** Nothing more is waited for. */
  readonly signal?: AbortSignal
}

export interface RealGateway {
  readonly gateway: Gateway
  /** For the runtime. */
  readonly env: Readonly<Record<string, string>>
  /** Ends what a killed runtime left behind, and the provider. */
  close(): Promise<void>
}

/** A start takes 10 s on a quiet machine and twelve times that on a busy one, where its supervisor may have to try more than once. */
const START_MS = 600_000
const LOOK_MS = 100

export async function startRealGateway({
  bin,
  model,
  dataDir,
  port,
  clock,
  signal: end,
}: RealGatewayOptions): Promise<RealGateway> {
  const provider = await startModelServer({
    respond: ({ prompt, toolResults, tools, signal }) => model.answer({ prompt, toolResults, tools }, signal),
  })
  const record = path.join(dataDir, 'openclaw', 'gateway.process.json')
  const current = (): { pid: number; startedAt: string | null } | null => {
    if (!existsSync(record)) return null
    const { pid, startTime } = JSON.parse(readFileSync(record, 'utf8')) as { pid: number; startTime: string }
    return { pid, startedAt: startTime }
  }
  const signalIt = (signal: NodeJS.Signals) => {
    const gateway = current()
    if (gateway && isSameProcess(gateway)) process.kill(gateway.pid, signal)
  }
  const isReady = async () => {
    const gateway = current()
    if (!gateway || !isSameProcess(gateway)) return false
    const answer = await fetch(`http://127.0.0.1:${port}/readyz`, { signal: clock.timeout(2_000) }).catch(() => null)
    return answer?.ok === true
  }
  return {
    gateway: {
      name: 'gateway',
      get pid() {
        return current()?.pid ?? 0
      },
      get running() {
        const gateway = current()
        return gateway !== null && isSameProcess(gateway)
      },
      async start() {
        const deadline = clock.monotonic() + START_MS
        while (!(await isReady())) {
          if (clock.monotonic() > deadline) throw new Error(`The gateway was not ready within ${START_MS} ms.`)
          await clock.sleep(LOOK_MS, end)
        }
        return {}
      },
      async kill(signal = 'SIGKILL') {
        const before = current()
        signalIt(signal)
        while (before && isSameProcess(before)) await clock.sleep(LOOK_MS)
      },
      pause: () => signalIt('SIGSTOP'),
      resume: () => signalIt('SIGCONT'),
      lastWords: () => '(in the runtime’s data folder)',
    },
    env: {
      OPENCLAW_BIN: bin,
      OPENCLAW_GATEWAY_PORT: String(port),
      MODEL_BASE_URL: provider.baseUrl,
      OPENCLAW_MODEL: 'scripted',
    },
    async close() {
      const gateway = current()
      const family = gateway && isSameProcess(gateway) ? [gateway, ...descendantsOf(gateway.pid).map(nameProcess)] : []
      for (const member of family) if (isSameProcess(member)) process.kill(member.pid, 'SIGKILL')
      while (family.some(isSameProcess)) await clock.sleep(LOOK_MS)
      await provider.stop()
    },
  }
}
