/**
 * `node apps/runtime/test/proof/neighbours.ts [--deliveries 10000] [--agents 1000] [--rounds 10] [--turn 1000]`
 * Fifty lanes busy at once with DELIVERY_CONCURRENCY=51, and how much longer their messages take when one more lane always fails and
 * another never answers. Rounds with and without that trouble take turns in one process, so that a busy moment of the machine hits
 * both. Measured is commit to acceptance, without the turn itself (`--turn` ms), which would only hide a wait. Exits 1 when a bound is missed.
 */
import { createVerdict, loadOfMachine, median, option, percentile } from '@mission-control/host/numbers'
import { buildRuntime, createAgents, slugOf, startBuilt } from '../stack/scene.ts'
import { buildFunctions, createWorld } from '../stack/world.ts'

const DELIVERIES = option('deliveries', 10_000)
const AGENTS = option('agents', 1_000)
const ROUNDS = option('rounds', 10)
const TURN_MS = option('turn', 1_000)
const LANES = 50
const CONCURRENCY = 51
const POISONED = 5 // messages for the failing lane a round: each is tried five times
const MORE = 0.2
const POISON = slugOf(AGENTS)
const HANG = slugOf(AGENTS + 1)

const verdict = createVerdict()
const functions = await buildFunctions()
const accepted = new Map<string, number>()
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
let trouble = false
let hanging = Promise.withResolvers<void>()
const failed = { poison: 0, hung: 0 }
await using world = await createWorld(functions, {
  agents: [],
  gateway: {
    async respond({ agentId }) {
      if (agentId === POISON && trouble) {
        failed.poison += 1
        throw new Error('500 the model fails on this one')
      }
      if (agentId === HANG && trouble) {
        failed.hung += 1
        await hanging.promise
      }
      accepted.set(agentId, performance.now())
      await sleep(TURN_MS)
      return 'done'
    },
  },
})
await createAgents(world, AGENTS + 2)
const tasks = new Map<string, string>()
for (let n = 0; n < AGENTS + 2; n += 1) tasks.set(slugOf(n), await world.createTask(`Task ${n}`))
await using built = await buildRuntime()
await using runtime = await startBuilt(
  built,
  await world.environment({ SHUTDOWN_GRACE: '0', DELIVERY_CONCURRENCY: String(CONCURRENCY) }),
)
await runtime.ready
verdict.note(`${AGENTS} agents in the gateway; ${loadOfMachine()}`)

const ended = new Map<string, () => void>()
runtime.onEnded((slug) => {
  ended.get(slug)?.()
  ended.delete(slug)
})
const post = (slug: string) => world.post(`@${slug} please`, tasks.get(slug))

/** Commit to acceptance of each message of a round, ms. */
async function round(count: number): Promise<number[]> {
  const found: number[] = []
  let next = 0
  await Promise.all(
    Array.from({ length: LANES }, async (_, lane) => {
      // Each walks through agents of its own, so that a lane never has two messages.
      for (let step = 0; next < count; step += 1) {
        next += 1
        const slug = slugOf((lane + LANES * step) % (AGENTS - (AGENTS % LANES)))
        const settled = new Promise<void>((resolve) => ended.set(slug, resolve))
        await post(slug)
        const committed = performance.now()
        await settled
        found.push((accepted.get(slug) ?? Number.NaN) - committed)
      }
    }),
  )
  return found
}

const clean: number[] = []
const troubled: number[] = []
const perRound = Math.ceil(DELIVERIES / ROUNDS)
await round(Math.min(200, perRound)) // warm-up
for (let n = 0; n < ROUNDS; n += 1) {
  trouble = n % 2 === 1
  if (trouble) {
    hanging = Promise.withResolvers()
    await post(HANG)
    for (let i = 0; i < POISONED; i += 1) await post(POISON)
  }
  const found = await round(perRound)
  ;(trouble ? troubled : clean).push(...found)
  verdict.note(
    `round ${n + 1}, ${trouble ? 'with' : 'without'} trouble: median ${median(found).toFixed(1)} ms, p95 ${percentile(found, 0.95).toFixed(1)} ms; ${loadOfMachine()}`,
  )
  trouble = false
  hanging.resolve()
}
verdict.note(`${clean.length + troubled.length} deliveries; ${failed.poison} failing turns, ${failed.hung} that hung`)
verdict.atLeast('failing turns', failed.poison, Math.floor(ROUNDS / 2), 'turns')
verdict.atLeast('hanging turns', failed.hung, Math.floor(ROUNDS / 2), 'turns')
verdict.atMost("what the two lanes add to the others' median", median(troubled) / median(clean) - 1, MORE, 'of it')
verdict.finish()
