/**
 * `node apps/runtime/test/proof/roster.ts [--agents 1000]`
 * The built runtime meets a roster of this size: how long the first sync takes, what an unchanged one and one changed agent cost, what
 * the agents cost in memory, and how soon a runtime is ready. Exits 1 when a bound is missed.
 */
import { readdirSync, statSync } from 'node:fs'
import path from 'node:path'
import { api } from '@mission-control/backend/convex/_generated/api'
import { createVerdict, loadOfMachine, option, processorMs, residentMiB } from '@mission-control/host/numbers'
import type { Functions } from '@mission-control/embedded'
import { startCountingProxy } from '../stack/counting-proxy.ts'
import { buildFunctions, createWorld } from '../stack/world.ts'
import { createAgents, startBuilt } from './scene.ts'

const AGENTS = option('agents', 1_000)
const SETTLE_MS = option('settle', 20_000) // memory is read after this, when what the first sync needed is given back
const FIRST_SYNC_MS = 5_000
const MEMORY_MIB = 150
const MORE_MIB = 25
const READY_MS = 1_000
const WRITES: ReadonlySet<string> = new Set(['config.patch', 'agents.create', 'agents.update', 'agents.delete'])
const MUTATIONS: ReadonlySet<string> = new Set(['service/agents:upsertHeartbeat'])

const verdict = createVerdict()
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
const isSync = (line: Record<string, unknown>) => line['msg'] === 'agent sync' && line['lastError'] === undefined

/** Resident MiB after the first sync. */
async function meet(functions: Functions, agents: number): Promise<number> {
  let asked: string[] = []
  await using world = await createWorld(functions, { agents: [], gateway: { onCall: (method) => void asked.push(method) } })
  await createAgents(world, agents, { heartbeatMinutes: 15 })
  await using proxy = await startCountingProxy(world.url)
  const env = { CONVEX_URL: proxy.url, WORKSPACE_ROOT: path.join((await world.environment())['DATA_DIR'] ?? '', 'workspaces') }
  await using runtime = await startBuilt(world, env)
  const active = await runtime.process.line((line) => line['msg'] === 'active')
  const first = await runtime.process.line(isSync)
  const ready = await runtime.ready
  const cpu = processorMs(runtime.pid)
  const syncMs = Date.parse(String(first['time'])) - Date.parse(String(active['time']))
  verdict.note(
    `${agents} agents: ready ${ready.fromStartMs.toFixed(0)} ms after the start of the process, ${cpu} ms of processor time; ${loadOfMachine()}`,
  )
  if (agents === 1) {
    verdict.atMost('ready after the first line of the log', ready.fromFirstLineMs, READY_MS, 'ms')
    verdict.atMost('ready, process start included', ready.fromStartMs, 2 * READY_MS, 'ms')
  } else {
    verdict.atMost(`first sync of ${agents} agents`, syncMs, FIRST_SYNC_MS, 'ms')
    verdict.atMost('patches of the first sync', asked.filter((method) => WRITES.has(method)).length, 1, 'patches')
    const before = newestFile(env.WORKSPACE_ROOT)

    asked = []
    proxy.reset()
    const from = runtime.process.lines.length
    const later = () => runtime.process.lines.slice(from).filter(isSync)
    await world.gateway.dropConnections() // makes it look again at all of them
    while (later().length < 1) await sleep(20)
    verdict.atMost('patches of an unchanged sync', asked.filter((method) => WRITES.has(method)).length, 0, 'patches')
    verdict.atMost('reports of an unchanged sync', proxy.calls.filter((call) => MUTATIONS.has(call)).length, 0, 'mutations')
    verdict.atMost('files written by an unchanged sync', newestFile(env.WORKSPACE_ROOT) - before, 0, 'ms newer')

    asked = []
    const [agent] = await world.owner.query(api.agents.list, { accountId: world.accountId as never })
    await world.owner.mutation(api.agents.update, {
      accountId: world.accountId as never,
      agentId: agent?.id as never,
      name: 'Another name',
    })
    while (later().length < 2) await sleep(20)
    verdict.atMost('patches for one changed agent', asked.filter((method) => WRITES.has(method)).length, 1, 'patches')
    verdict.note(`the log says: ${JSON.stringify(later()[1])}`)
  }
  await sleep(SETTLE_MS)
  return residentMiB(runtime.pid)
}

/** When the newest of our files was written, ms since the epoch. */
function newestFile(root: string): number {
  const files = readdirSync(root, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  return Math.max(...files.map(({ parentPath, name }) => statSync(path.join(parentPath, name)).mtimeMs))
}

const functions = await buildFunctions()
const one = await meet(functions, 1)
verdict.note(`resident memory with one agent: ${one.toFixed(1)} MiB`)
const many = await meet(functions, AGENTS)
verdict.atMost(`resident memory with ${AGENTS} agents`, many, MEMORY_MIB, 'MiB')
verdict.atMost('more than with one', many - one, MORE_MIB, 'MiB')
verdict.finish()
