/** A world whose runtime is a process of its own with the real OpenClaw as its gateway, and a scripted model that can have an outage. */
import { existsSync } from 'node:fs'
import path from 'node:path'
import { api } from '@mission-control/backend/convex/_generated/api'
import type { Functions } from '@mission-control/embedded'
import { freePort } from '@mission-control/host/ports'
import type { Gate } from '@mission-control/openclaw/testing/gates'
import { createGates } from '@mission-control/openclaw/testing/gates'
import type { ModelServer } from '@mission-control/openclaw/testing/model-server'
import { startModelServer } from '@mission-control/openclaw/testing/model-server'
import { runScript } from '@mission-control/openclaw/testing/script'
import { OPENCLAW_VERSION } from '@mission-control/openclaw/version'
import type { RuntimeProcess } from './process.ts'
import { spawnRuntime } from './process.ts'
import type { World } from './world.ts'
import { createWorld } from './world.ts'

/** The installed OpenClaw, or null, said once, when there is none: the tests that need it are then skipped. */
export function installedOpenClaw(): string | null {
  const folder = `../../../../.tools/openclaw-${OPENCLAW_VERSION}/node_modules/openclaw/openclaw.mjs`
  const local = path.resolve(import.meta.dirname, folder)
  const bin = process.env['OPENCLAW_BIN'] ?? (existsSync(local) ? local : null)
  if (bin === null) process.stderr.write(`skipped: no OpenClaw ${OPENCLAW_VERSION} (set OPENCLAW_BIN to its openclaw.mjs)\n`)
  return bin
}

/** What model calls meet instead of an answer. */
export interface Outage {
  readonly status: number
  readonly message: string
}

export interface RealOpenClaw extends AsyncDisposable {
  readonly world: World
  readonly model: ModelServer
  /** Environment of the runtime. */
  readonly env: Readonly<Record<string, string>>
  /** The one that runs now. */
  readonly runtime: RuntimeProcess
  /** Another process over the same folder; the one before must have ended. */
  startRuntime(overrides?: Record<string, string>): RuntimeProcess
  gate(name: string): Gate
  /** `null` ends it. */
  setOutage(outage: Outage | null, calls?: number): void
  /** Resolves with the log line of a failed attempt. */
  failed(code: string): Promise<Record<string, unknown>>
  /** Resolves with the log line of the delivery's success. */
  delivered(id: unknown): Promise<Record<string, unknown>>
}

export async function startRealOpenClaw(functions: Functions, bin: string): Promise<RealOpenClaw> {
  const world = await createWorld(functions)
  const gates = createGates()
  let outage: Outage | null = null
  let outageCalls = 0
  const model = await startModelServer({
    respond({ prompt, toolResults, signal }) {
      if (outage !== null && outageCalls > 0) {
        outageCalls -= 1
        return { kind: 'fail', ...outage }
      }
      return runScript({ prompt: prompt.split('## To you').at(-1) ?? '', toolResults: [...toolResults] }, gates, signal)
    },
  })
  const env = {
    ...(await world.environment()),
    OPENCLAW_GATEWAY_URL: '',
    OPENCLAW_GATEWAY_TOKEN: '',
    OPENCLAW_GATEWAY_PORT: String(await freePort()),
    OPENCLAW_BIN: bin,
    MODEL_BASE_URL: model.baseUrl,
    OPENCLAW_MODEL: 'scripted',
    SHUTDOWN_GRACE: '1000',
  }
  let runtime = spawnRuntime(env)
  return {
    world,
    model,
    env,
    get runtime() {
      return runtime
    },
    startRuntime: (overrides = {}) => (runtime = spawnRuntime({ ...env, ...overrides })),
    gate: (name) => gates.gate(name),
    setOutage(next, calls = Infinity) {
      outage = next
      outageCalls = calls
    },
    failed: (code) => runtime.line((line) => line['msg'] === 'delivery failed' && line['code'] === code),
    delivered: (id) => runtime.line((line) => line['msg'] === 'delivery' && line['delivery'] === id),
    async [Symbol.asyncDispose]() {
      runtime.kill('SIGTERM')
      await runtime.ended // takes its gateway with it
      await model.stop()
      await world[Symbol.asyncDispose]()
    },
  }
}

/** What `trace` shows of a delivery. */
export const traceOf = async ({ backend, accountId, token }: World, id: unknown) =>
  backend.query(api.service.notifications.getForDelivery, { accountId, serviceToken: token, id: String(id) })
