/**
 * What a part of the bench stands on: a filled backend and a gateway, each a process of its own, in a folder that is removed afterwards.
 * The runtime and the plain client are started beside them by the part.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { EmbeddedConvex } from '@mission-control/embedded'
import type { BenchAccount } from './account.ts'
import type { BenchBackend } from './backend.ts'
import { fill, startBackend } from './backend.ts'
import type { BenchGateway } from './gateway.ts'
import { startGateway } from './gateway.ts'

export interface Stage<T> extends AsyncDisposable {
  /** What filling the backend came to. */
  readonly filled: T
  readonly backend: BenchBackend
  readonly gateway: BenchGateway
  /** The whole environment of a runtime for this account, with a data folder of its own. */
  runtimeEnv(account: BenchAccount, overrides?: Readonly<Record<string, string>>): Promise<Record<string, string>>
}

export interface StageOptions<T> {
  /** The built functions. */
  readonly functions: string
  /** Agents the gateway knows without a runtime. */
  readonly gatewayAgents?: readonly string[]
  fill(backend: EmbeddedConvex): Promise<T>
}

export async function openStage<T>(options: StageOptions<T>): Promise<Stage<T>> {
  const folder = await mkdtemp(path.join(tmpdir(), 'mc-bench-'))
  await using opened = new AsyncDisposableStack()
  opened.defer(() => rm(folder, { recursive: true, force: true }))
  const place = { functions: options.functions, dataDir: path.join(folder, 'backend') }
  const filled = await fill(place, (backend) => options.fill(backend))
  const backend = opened.use(await startBackend(place))
  const gateway = opened.use(await startGateway(options.gatewayAgents ?? []))
  const kept = opened.move()
  return {
    filled,
    backend,
    gateway,
    async runtimeEnv({ accountId, token }, overrides = {}) {
      const dataDir = await mkdtemp(path.join(folder, 'runtime-'))
      return {
        ACCOUNT_ID: accountId,
        CONVEX_URL: backend.url,
        SERVICE_TOKEN: token,
        HEALTH_PORT: '0',
        TOOLS_PORT: '0',
        DATA_DIR: dataDir,
        OPENCLAW_GATEWAY_URL: gateway.url,
        OPENCLAW_GATEWAY_TOKEN: gateway.token,
        SHUTDOWN_GRACE: '0',
        ...overrides,
      }
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  }
}
