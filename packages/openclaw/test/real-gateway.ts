/** The real gateway for end-to-end tests: found, configured with the scripted model, supervised, in a folder of its own. */
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { systemClock, systemRandom } from '@mission-control/host/clock'
import type { AgentEntry } from '../src/config/agents.ts'
import { initialConfig } from '../src/config/initial.ts'
import type { ModelSettings } from '../src/config/model.ts'
import { chooseModel, modelEnv } from '../src/config/model.ts'
import { openSupervisor } from '../src/supervisor/open.ts'
import type { SupervisorOptions } from '../src/supervisor/supervisor.ts'
import type { GatewayHost, HostEvent } from '../src/supervisor/types.ts'
import type { ModelServer } from '../src/testing/model-server.ts'
import { startModelServer } from '../src/testing/model-server.ts'
import { OPENCLAW_VERSION } from '../src/version.ts'

const ROOT = resolve(import.meta.dirname, '../../..')

/** The installed OpenClaw, or null, said once, when there is none: the tests that need it are then skipped. */
export function installedOpenClaw(): string | null {
  const local = join(ROOT, `.tools/openclaw-${OPENCLAW_VERSION}/node_modules/openclaw/openclaw.mjs`)
  const found = process.env.OPENCLAW_BIN ?? (existsSync(local) ? local : null)
  if (found === null) process.stderr.write(`skipped: no OpenClaw ${OPENCLAW_VERSION} (set OPENCLAW_BIN to its openclaw.mjs)\n`)
  return found
}

export interface RealGateway extends AsyncDisposable {
  readonly dir: string
  readonly port: number
  readonly model: ModelServer
  readonly options: SupervisorOptions
  readonly host: GatewayHost
  readonly events: HostEvent[]
  /** Another life of the same installation: its own supervisor over the same folder. */
  again(): Promise<GatewayHost>
}

/** An OpenAI-compatible server, as the demo configures it. */
const compatible = (model: ModelServer): ModelSettings => ({ baseUrl: model.baseUrl, model: 'scripted' })

/** Not started yet: `host.start()` does that. Everything is gone after disposal. */
export async function prepareRealGateway(
  entry: string,
  slugs: readonly string[] = ['writer', 'editor'],
  settingsFor: (model: ModelServer) => ModelSettings = compatible,
): Promise<RealGateway> {
  const dir = await mkdtemp(join(tmpdir(), 'mc-openclaw-'))
  const model = await startModelServer()
  const choice = chooseModel(settingsFor(model))
  const port = await freePort()
  const events: HostEvent[] = []
  const agents: AgentEntry[] = slugs.map((slug) => ({ slug, name: slug, workspace: join(dir, 'workspaces', slug) }))
  const options: SupervisorOptions = {
    entry,
    stateDir: join(dir, 'state'),
    port,
    env: process.env,
    modelEnv: modelEnv(choice),
    config: (gateway) => initialConfig({ ...gateway, model: choice, agents, workspaceRoot: join(dir, 'workspaces') }),
  }
  const hosts: GatewayHost[] = []
  const again = async () => {
    const host = await openSupervisor({ clock: systemClock, random: systemRandom, log: (event) => events.push(event) }, options)
    hosts.push(host)
    return host
  }
  return {
    dir,
    port,
    model,
    options,
    events,
    host: await again(),
    again,
    async [Symbol.asyncDispose]() {
      for (const host of hosts) await host.stop({ graceMs: 3000 })
      await model.stop()
      await rm(dir, { recursive: true, force: true })
    },
  }
}

/** Below the range the system draws outgoing ports from: a port drawn there can be gone again before the gateway listens. */
const FIRST_PORT = 20_000
const PORTS = 12_000

export async function freePort(): Promise<number> {
  for (;;) {
    const port = FIRST_PORT + Math.floor(Math.random() * PORTS)
    const server = createServer()
    const free = await new Promise<boolean>((done) => {
      server.once('error', () => done(false))
      server.listen(port, '127.0.0.1', () => done(true))
    })
    if (!free) continue
    await new Promise((done) => server.close(done))
    return port
  }
}
