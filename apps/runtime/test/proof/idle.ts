/**
 * `node apps/runtime/test/proof/idle.ts [--minutes 10] [--agents 10]`
 * The built runtime with agents that have no work, in real time: what it asks of the backend and of the gateway, and the processor time
 * that costs. Exits 1 when a bound is missed.
 */
import { createVerdict, loadOfMachine, option, processorMs, residentMiB } from '@mission-control/host/numbers'
import { startCountingProxy } from '../stack/counting-proxy.ts'
import { buildFunctions, createWorld } from '../stack/world.ts'
import { createAgents, startBuilt } from './scene.ts'

const MINUTES = option('minutes', 10)
const AGENTS = option('agents', 10)
const MINUTE_MS = 60_000

const verdict = createVerdict()
let asked: string[] = []
await using world = await createWorld(await buildFunctions(), {
  agents: [],
  gateway: { onCall: (method) => void asked.push(method) },
})
await createAgents(world, AGENTS, { heartbeatMinutes: 15 })
await using proxy = await startCountingProxy(world.url)
await using runtime = await startBuilt(world, { CONVEX_URL: proxy.url })
await runtime.ready
asked = []
proxy.reset()
const before = processorMs(runtime.pid)
await new Promise((resolve) => setTimeout(resolve, MINUTES * MINUTE_MS))
const counts = Object.entries(Object.groupBy(proxy.calls, (call) => call)).map(([call, all]) => `${all?.length ?? 0} ${call}`)
verdict.note(
  `${MINUTES} minutes, ${AGENTS} agents: ${counts.join(', ')}; ${proxy.subscriptionBytes} bytes of subscriptions; gateway: ${asked.join(', ') || 'nothing'}; ${loadOfMachine()}`,
)
verdict.note(`processor time ${processorMs(runtime.pid) - before} ms, resident ${residentMiB(runtime.pid).toFixed(1)} MiB`)
verdict.atMost('calls of the backend a minute', proxy.calls.length / MINUTES, 1, 'calls')
verdict.atMost('model calls', world.gateway.turns.length, 0, 'turns')
verdict.finish()
