/**
 * `node apps/runtime/test/proof/throughput.ts [--deliveries 3000] [--agents 1000] [--single 500]`
 * How fast a backlog is worked off with DELIVERY_CONCURRENCY=51 and a gateway that answers at once, and how long one message takes
 * from its commit to the gateway's acceptance. The backend runs in this process; the gateway and the built runtime have their own.
 * Processor time says what the machine allows when others use it too. Exits 1 when a bound is missed.
 */
import { api } from '@mission-control/backend/convex/_generated/api'
import { systemClock } from '@mission-control/host/clock'
import { createVerdict, loadOfMachine, option, percentile, processorMs } from '@mission-control/host/numbers'
import { buildFunctions, createWorld } from '../stack/world.ts'
import { startInstantGateway } from './instant-gateway.ts'
import { createAgents, slugOf, startBuilt } from './scene.ts'

const DELIVERIES = option('deliveries', 3_000)
const AGENTS = option('agents', 1_000)
const SINGLE = option('single', 500)
const CONCURRENCY = 51
const PER_MESSAGE = 20 // mentions: as many as one transaction tells
const SETTLED_PER_SECOND = 300
const ACCEPTED_P50_MS = 10
const ACCEPTED_P99_MS = 50
const WARM_UP = 50

const verdict = createVerdict()
const functions = await buildFunctions()
await using world = await createWorld(functions, { agents: [] })
await using gateway = await startInstantGateway()
await createAgents(world, AGENTS)
await using runtime = await startBuilt(world, { DELIVERY_CONCURRENCY: String(CONCURRENCY), ...gateway.environment })
const { fromStartMs } = await runtime.ready
verdict.note(`${AGENTS} agents, ready ${fromStartMs.toFixed(0)} ms after the start of the process; ${loadOfMachine()}`)

const setPaused = (paused: boolean) =>
  world.owner.mutation(api.accounts.setPaused, { accountId: world.accountId as never, paused })

async function backlog(): Promise<void> {
  const { backend } = world
  // Nothing is claimed until all of it is there.
  await setPaused(true)
  const perTask = Math.ceil(AGENTS / PER_MESSAGE)
  const before = runtime.ended()
  let posted = 0
  let task = ''
  for (let n = 0; posted < DELIVERIES; n += 1) {
    if (n % perTask === 0) task = await world.createTask(`Backlog ${n / perTask}`)
    const names = Array.from({ length: PER_MESSAGE }, (_, i) => `@${slugOf((n * PER_MESSAGE + i) % AGENTS)}`)
    await world.post(`${names.join(' ')} please`, task)
    posted += PER_MESSAGE
  }
  const { mutations } = backend.stats
  const parts = [process.pid, runtime.pid, gateway.pid]
  const used = parts.map(processorMs)
  const from = performance.now()
  await setPaused(false)
  while (runtime.ended() - before < posted) await systemClock.sleep(10)
  const seconds = (performance.now() - from) / 1_000
  const [here = 0, there = 0, model = 0] = parts.map((pid, n) => (processorMs(pid) - (used[n] ?? 0)) / posted)
  verdict.note(
    `${posted} deliveries in ${seconds.toFixed(2)} s, ${((backend.stats.mutations - mutations) / posted).toFixed(2)} mutations each; processor time each: ` +
      `backend ${here.toFixed(2)} ms, runtime ${there.toFixed(2)} ms, gateway ${model.toFixed(2)} ms; ${loadOfMachine()}`,
  )
  // Two cores: no process gets more than one, and all of them share both.
  verdict.note(
    `so two cores of this kind settle ${(1_000 / Math.max(here, there, model, (here + there + model) / 2)).toFixed(0)} a second`,
  )
  verdict.atLeast(`settled a second, ${CONCURRENCY} at once`, posted / seconds, SETTLED_PER_SECOND, 'deliveries')
}

async function oneByOne(): Promise<void> {
  const tasks = await Promise.all(Array.from({ length: 10 }, (_, i) => world.createTask(`Single ${i}`)))
  const found: number[] = []
  for (let n = -WARM_UP; n < SINGLE; n += 1) {
    const arrived = Promise.withResolvers<number>()
    gateway.onAccepted(() => arrived.resolve(performance.now()))
    await world.post(`@${slugOf((n + WARM_UP) % AGENTS)} please`, tasks[(n + WARM_UP) % tasks.length])
    const committed = performance.now()
    const at = await arrived.promise
    if (n >= 0) found.push(at - committed)
    while (runtime.ended() < n + WARM_UP + 1) await systemClock.sleep(1)
  }
  gateway.onAccepted(null)
  verdict.note(`one message after the other, ${SINGLE} of them; ${loadOfMachine()}`)
  verdict.atMost('commit to accepted, median', percentile(found, 0.5), ACCEPTED_P50_MS, 'ms')
  verdict.atMost('commit to accepted, p99', percentile(found, 0.99), ACCEPTED_P99_MS, 'ms')
}

if (SINGLE > 0) await oneByOne()
await backlog()
await backlog()
verdict.finish()
