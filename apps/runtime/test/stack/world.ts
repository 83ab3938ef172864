/** The real embedded backend, a strict fake gateway and the real runtime, all in this process. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { FunctionReturnType } from 'convex/server'
import { api } from '@mission-control/backend/convex/_generated/api'
import { bundleFunctions } from '@mission-control/backend/bundle'
import type { Callable, EmbeddedConvex, Functions } from '@mission-control/embedded'
import { createEmbeddedConvex, loadFunctions } from '@mission-control/embedded'
import { systemClock, systemRandom } from '@mission-control/host/clock'
import type { Gate } from '@mission-control/openclaw/testing/gates'
import { createGates } from '@mission-control/openclaw/testing/gates'
import { converse } from '@mission-control/openclaw/testing/converse'
import type { FakeGateway, FakeGatewayOptions } from '@mission-control/openclaw/testing/fake-gateway'
import { startFakeGateway } from '@mission-control/openclaw/testing/fake-gateway'
import type { Clock } from '@mission-control/shared/clock'
import type { RuntimeConfig } from '../../src/config/load.ts'
import { loadConfig } from '../../src/config/load.ts'
import { createConvexBrain } from '../../src/convex-client.ts'
import type { Log } from '../../src/log.ts'
import type { Runtime } from '../../src/runtime.ts'
import { createRuntime } from '../../src/runtime.ts'

export type Messages = FunctionReturnType<typeof api.messages.list>['page']

/** Built once per test file: the bundle has no state. */
export async function buildFunctions(): Promise<Functions> {
  const folder = await tempFolder()
  const outFile = path.join(folder, 'functions.mjs')
  await bundleFunctions({ outFile })
  const functions = await loadFunctions(outFile)
  await rm(folder, { recursive: true })
  return functions
}

export const tempFolder = () => mkdtemp(path.join(tmpdir(), 'mc-runtime-'))

export interface World extends AsyncDisposable {
  readonly backend: EmbeddedConvex
  readonly url: string
  readonly owner: Callable
  readonly accountId: string
  readonly token: string
  readonly taskId: string
  readonly gateway: FakeGateway
  /** The backend stops listening: calls are refused, sockets break. */
  disconnect(): Promise<void>
  reconnect(): Promise<void>
  /** Holds a turn whose message says `[[gate:name]]`. */
  gate(name: string): Gate
  readonly lines: { level: string; message: string; fields: Record<string, unknown> }[]
  createAgent(slug: string, extra?: object): Promise<string>
  createTask(title: string): Promise<string>
  post(content: string, taskId?: string): Promise<string>
  messages(taskId?: string): Promise<Messages>
  /** Resolves with the replies of agents once there are `count`. */
  replies(count: number, taskId?: string): Promise<string[]>
  /** Environment of a runtime for this world; a data folder of its own. */
  environment(overrides?: Record<string, string>): Promise<Record<string, string>>
  /** A running runtime, stopped with the world. */
  startRuntime(
    overrides?: Record<string, string>,
    network?: { fetch: typeof fetch; timeoutMs?: number },
  ): Promise<Runtime & { config: RuntimeConfig }>
  untilReady(runtime: Runtime): Promise<void>
}

export async function createWorld(
  functions: Functions,
  { clock = systemClock, ...options }: { agents?: string[]; gateway?: FakeGatewayOptions; clock?: Clock } = {},
): Promise<World> {
  const backend = await createEmbeddedConvex({ functions, memory: true, clock, random: systemRandom })
  let server = await backend.listen({ port: 0 })
  const { port } = server
  const owner = backend.withIdentity({
    subject: 'ada',
    issuer: 'test',
    tokenIdentifier: 'test|ada',
    name: 'Ada',
    email: 'ada@example.org',
  })
  const accountId = await owner.mutation(api.accounts.create, { name: 'Test' })
  const { token } = await owner.action(api.serviceTokens.create, { accountId, name: 'test' })
  const gates = createGates()
  const gateway = await startFakeGateway({
    agents: ['mission-control'],
    // Only what stands in the message itself counts; the thread before it repeats the directives of earlier turns.
    respond: (turn) => converse(turn, turn.prompt.split('## To you').at(-1) ?? '', gates),
    ...options.gateway,
  })
  const cleanups: (() => Promise<unknown>)[] = []
  const lines: World['lines'] = []
  const createTask = async (title: string) => owner.mutation(api.tasks.create, { accountId, title })
  const createAgent = async (slug: string, extra: object = {}) =>
    owner.mutation(api.agents.create, { accountId, slug, name: slug, heartbeatMinutes: 1_440, ...extra })
  for (const slug of options.agents ?? ['writer']) await createAgent(slug)
  const taskId = await createTask('The task')

  const world: World = {
    backend,
    url: server.url,
    owner,
    accountId,
    token,
    taskId,
    gateway,
    disconnect: () => server.close(),
    async reconnect() {
      server = await backend.listen({ port })
    },
    gate: (name) => gates.gate(name),
    lines,
    createAgent,
    createTask,
    post: (content, task = taskId) => owner.mutation(api.messages.post, { accountId, taskId: task as never, content }),
    async messages(task = taskId) {
      const { page } = await owner.query(api.messages.list, {
        accountId,
        taskId: task as never,
        paginationOpts: { numItems: 100, cursor: null },
      })
      return page.toReversed()
    },
    replies: (count, task = taskId) =>
      new Promise((resolve, reject) => {
        const stop = owner.onUpdate(
          api.messages.list,
          { accountId, taskId: task as never, paginationOpts: { numItems: 100, cursor: null } },
          ({ page }) => {
            const replies = page.toReversed().filter(({ author }) => author.type === 'agent')
            if (replies.length < count) return
            queueMicrotask(() => stop())
            resolve(replies.map(({ content }) => content))
          },
          reject,
        )
      }),
    async environment(overrides = {}) {
      const dataDir = await tempFolder()
      cleanups.push(() => rm(dataDir, { recursive: true, force: true }))
      return {
        ACCOUNT_ID: accountId,
        CONVEX_URL: server.url,
        SERVICE_TOKEN: token,
        HEALTH_PORT: '0',
        TOOLS_PORT: '0',
        DATA_DIR: dataDir,
        OPENCLAW_GATEWAY_URL: gateway.url,
        OPENCLAW_GATEWAY_TOKEN: gateway.token,
        ...overrides,
      }
    },
    async startRuntime(overrides = {}, network = undefined) {
      const env = await world.environment(overrides)
      const { config } = loadConfig(env, '0.0.0')
      const brain =
        network &&
        createConvexBrain({ url: config.convexUrl, caller: { accountId, serviceToken: config.serviceToken }, clock, ...network })
      const deps = { clock, random: systemRandom, log: collect(lines), env, ...(brain ? { brain } : {}) }
      const runtime = createRuntime(config, deps)
      cleanups.unshift(() => runtime.stop())
      await runtime.start()
      return Object.assign(runtime, { config })
    },
    async untilReady(runtime) {
      while (runtime.notReady().length > 0) await systemClock.sleep(10)
    },
    async [Symbol.asyncDispose]() {
      for (const cleanup of cleanups) await cleanup()
      await gateway.stop()
      await backend.close()
    },
  }
  return world
}

function collect(lines: World['lines']): Log {
  const at = (level: string) => (fields: object, message: string) => void lines.push({ level, message, fields: { ...fields } })
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}
