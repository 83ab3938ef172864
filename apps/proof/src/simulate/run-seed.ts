/**
 * One seed from an empty account to the end of all its work.
 *
 *   storm   `steps` choices of the scheduler: which message arrives, whether time goes on, what people do, what goes wrong
 *   calm    everything is repaired and resumed, and all work must come to its end
 *
 * After every step that may have committed something the queue is checked; at the end everything is counted again.
 */
import assert from 'node:assert/strict'
import type { Functions } from '@mission-control/embedded'
import type { Doc } from '@mission-control/backend/convex/_generated/dataModel'
import { api } from '@mission-control/backend/convex/_generated/api'
import { START } from '@mission-control/backend/harness/backend'
import type { QueueRows } from '@mission-control/backend/proof/rows'
import { queueRows } from '@mission-control/backend/proof/rows'
import type { Simulation } from '@mission-control/backend/proof/simulation'
import { newSimulation, perform } from '@mission-control/backend/proof/simulation'
import { isOpen } from '@mission-control/backend/proof/invariants'
import type { CheckParams } from '@mission-control/openclaw/testing/fake/params'
import { createBackendPart } from './backend.ts'
import { checkAll, checkQueue, isAtRest } from './checks.ts'
import { createFaults } from './faults.ts'
import { createGatewayPart } from './gateway.ts'
import type { Installation } from './installation.ts'
import { createInstallation } from './installation.ts'
import { createModel } from './model.ts'
import { createNetwork } from './network.ts'
import { describeDeed, drawDeed } from './people.ts'
import { createServe } from './promises.ts'
import { createSeeded } from './seeded.ts'
import { settle } from './settle.ts'
import type { Part } from './time.ts'
import { createTime } from './time.ts'
import { createTrace } from './trace.ts'
import { calmAfter, drawSetting } from './weather.ts'
import type { Violation, World } from './world.ts'

export interface SeedResult {
  readonly seed: number
  /** Choices made, the calm at the end included. */
  readonly steps: number
  /** Of everything that happened. */
  readonly hash: string
  readonly violation: (Violation & { readonly step: number }) | null
  /** What it met, so that a storm which is none does not pass for one. */
  readonly met: Readonly<Record<string, number>>
  /** The last things that happened. */
  readonly trace: readonly string[]
}

export interface SeedOptions {
  readonly seed: number
  /** Of the storm. */
  readonly steps: number
  readonly functions: Functions
  readonly check: CheckParams
}

/** Steps and true time after which a system that has not come to rest never will. */
const CALM_STEPS = 40_000
const CALM_MS = 6 * 3_600_000
/** Rosters, gateways and heartbeats get at least this long to come to rest, too. */
const LEAST_CALM_MS = 300_000
/** What the checks after each step look at, and what the runtimes subscribe to. */
const QUEUE_TABLES = ['lanes', 'deliveries', 'agents']
const LAPSE_EVERY_MS = 60_000
/** Timers and messages without any effect that are passed over in one step. */
const IDLE_TIMERS = 200
const IDLE_MESSAGES = 20

export async function runSeed({ seed, steps, functions, check }: SeedOptions): Promise<SeedResult> {
  const random = createSeeded(`seed ${seed}`)
  let step = 0
  const trace = createTrace(
    () => time.now(),
    () => step,
  )
  const time = createTime(trace)
  const setting = drawSetting(random.fork('setting'))
  let weather = setting.weather
  let violation: SeedResult['violation'] = null
  const violate = (invariant: string, detail: string) => {
    if (violation === null) trace.note('VIOLATION', `${invariant}: ${detail}`)
    violation ??= { step, invariant, detail }
  }
  const met: Record<string, number> = {}
  const backend = await createBackendPart(functions, time, random.fork('engine'))
  const history = await newSimulation(backend.backend)
  let rows = await queueRows(backend.backend)
  let dirty = false
  let jobsPending = false
  /** Runtimes that the cron has seen with a lease that had run out, and which. */
  let expiredBefore: ReadonlySet<string> = new Set()
  backend.onCommit((tables) => {
    if (tables.size === 0) return
    world.network.look()
    dirty ||= QUEUE_TABLES.some((table) => tables.has(table))
    for (const one of installations) one.process()?.brain.stale(tables)
    scheduledWork()
  })

  function scheduledWork(): void {
    if (jobsPending) return
    jobsPending = true
    time.send({
      ...{ to: backend.part, label: 'scheduled work' },
      async deliver() {
        jobsPending = false
        if (backend.isUp()) await backend.backend.finishScheduled()
      },
    })
  }

  const outside: Part = { name: 'outside', paused: false, dead: false }
  const world: World = {
    ...{ time, trace, random, backend, outside, violate },
    network: createNetwork({ time, trace, random: random.fork('network'), weather: () => weather, outside }),
    caller: history.world.service,
    start: START,
    weather: () => weather,
    serve: createServe({
      backend,
      history: () => history,
      violate,
      met: (what) => void (met[what] = (met[what] ?? 0) + 1),
      moment: (...at) => world.moment(...at),
    }),
    startGatewaySoon: (gateway) => faults.startGatewaySoon(gateway),
    moment: (moment, part) => faults.at(moment, part),
    agentId: (slug) => rows.agents.find((agent) => agent.slug === slug)?._id ?? null,
    otherAgent: (slug) => rows.agents.find((agent) => agent.slug !== slug)?.slug ?? null,
    delivery: (id) => rows.deliveries.find(({ _id }) => _id === id) ?? null,
  }
  const model = createModel(world, random.fork('model'), () => installations)
  const names = Array.from({ length: setting.sharedGateway ? 1 : setting.runtimes }, (_, at) => `gateway${at + 1}`)
  const gateways = names.map((name) =>
    createGatewayPart({
      ...{ name, time, trace, check, random: random.fork(name), respond: model },
      onTaken: (part) => world.moment('taken', part),
      onSpoiled: (runId) => onSpoiled(runId, rows, installations, violate),
    }),
  )
  const installations = Array.from({ length: setting.runtimes }, (_, at): Installation => {
    const gateway = gateways[at] ?? gateways[0]
    if (gateway === undefined) throw new Error('no gateway')
    return createInstallation(world, `box-${at + 1}`, gateway, !setting.sharedGateway)
  })
  const faults = createFaults({
    ...{ world, installations, gateways, history, random: random.fork('faults') },
    onBackendStart() {
      // What it was about to do went with it, and what is scheduled is found again.
      jobsPending = false
      scheduledWork()
    },
  })
  const scheduler = random.fork('scheduler')
  const people = random.fork('people')

  trace.note(
    'weather',
    JSON.stringify(setting, (_, value: unknown) => (typeof value === 'number' ? Number(value.toFixed(3)) : value)),
  )
  for (const one of installations) one.start()
  if (setting.sharedGateway) for (const gateway of gateways) gateway.start()
  every(LAPSE_EVERY_MS)

  /** The backend's cron, as long as its process runs. */
  function every(ms: number): void {
    time.timer(outside, ms, () => {
      every(ms)
      time.send({
        ...{ to: backend.part, label: 'cron lapse' },
        async deliver() {
          if (!backend.isUp()) return
          foundOut()
          await backend.engine.mutation('maintenance:lapse', {})
          backend.committed()
        },
      })
    })
  }

  /** What the last run of the cron saw is done by now, unless it waits: a runtime that is gone is known to be gone. */
  function foundOut(): void {
    const rows = backend.rows('runtimes') as Doc<'runtimes'>[]
    const expired = rows.filter(({ role, leaseUntil }) => role === 'active' && leaseUntil < backend.clock.now())
    for (const runtime of expired)
      if (!jobsPending && expiredBefore.has(`${runtime._id} ${runtime.leaseUntil}`))
        violate('a lease that has run out is found out', JSON.stringify(runtime))
    if (expired.length > 0) met['leases that ran out'] = (met['leases that ran out'] ?? 0) + 1
    expiredBefore = new Set(expired.map(({ _id, leaseUntil }) => `${_id} ${leaseUntil}`))
  }

  async function passTime(): Promise<void> {
    const before = time.activity()
    for (let idle = 0; idle < IDLE_TIMERS && time.activity() === before; idle++) {
      if (time.nextTimerAt() === null) return
      time.fireNext()
      await settle()
    }
  }

  async function act(): Promise<void> {
    const due = time.nextTimerAt()
    if (due !== null && due <= time.now()) return await passTime()
    const chosen = scheduler.weighted({ deed: weather.deeds, fault: weather.faults, go: 1 })
    if (chosen === 'fault') return await faults.strike()
    if (chosen === 'deed') {
      if (!backend.isUp()) return
      const deed = drawDeed(people, backend.rows, weather)
      trace.note('people', describeDeed(deed))
      return await perform(history, deed)
    }
    const messages = time.deliverable()
    if (messages.length === 0 || scheduler.chance(weather.delay)) return await passTime()
    const message = scheduler.pick(messages)
    time.take(message)
    time.advanceTo(time.now() + (scheduler.chance(0.03) ? scheduler.spread(30, 3_000) : scheduler.spread(0.1, 30)))
    await message.deliver()
  }

  async function once(): Promise<void> {
    step += 1
    history.step = step
    try {
      const before = time.activity()
      for (let idle = 0; idle < IDLE_MESSAGES && time.activity() === before; idle++) {
        await act()
        await settle()
      }
      if (dirty) {
        dirty = false
        rows = await checkQueue(history, rows)
      }
    } catch (error) {
      violate(...whatFailed(error))
    }
  }

  await settle()
  while (step < steps && violation === null) await once()
  if (violation === null) await comeToRest()

  async function comeToRest(): Promise<void> {
    weather = calmAfter(weather)
    trace.note('calm', 'everything is repaired')
    faults.repair()
    const since = time.now()
    await resumeAll(history)
    for (let calm = 0; violation === null; calm++) {
      await once()
      const passed = time.now() - since
      if (passed > LEAST_CALM_MS && isAtRest(rows)) break
      if (calm > CALM_STEPS || passed > CALM_MS) {
        const open = rows.deliveries
          .filter(isOpen)
          .map(({ _id, state, attempts, reason }) => `${trace.name('d', _id)} ${state} ${attempts} ${reason}`)
        violate('all work comes to an end', open.join('; '))
      }
    }
    try {
      if (violation === null) await checkAll(history)
    } catch (error) {
      violate(...whatFailed(error))
    }
  }

  await backend.engine.close()
  return { seed, steps: step, hash: trace.hash(), violation, met, trace: trace.last() }
}

/** The first line of an assertion, without the row it is about. */
const nameOf = (message: string): string => message.replace(/[\s:]*(\{|\n)[^]*$/, '').slice(0, 120)

function whatFailed(error: unknown): [string, string] {
  if (error instanceof assert.AssertionError) return [nameOf(error.message), error.message]
  return ['an error nobody expects', error instanceof Error ? (error.stack ?? error.message) : String(error)]
}

/** Whoever owns the claim has looked, and the answer was there: it must not be asked for again. */
function onSpoiled(runId: string, rows: QueueRows, installations: readonly Installation[], violate: World['violate']): void {
  const id = runId.slice(0, Math.max(0, runId.lastIndexOf('.')))
  const item = rows.deliveries.find(({ _id }) => _id === id)
  if (item?.state !== 'claimed') return
  for (const one of installations) {
    const period = one.process()?.loops.period()
    const owns =
      period?.epoch === item.claimedBy && period.delivery.held().some((held) => held.id === id && held.fence === item.fence)
    if (owns) violate('a key that has an answer is never sent again', runId)
  }
}

async function resumeAll({ world, backend }: Simulation): Promise<void> {
  const { accountId, ada } = world
  await ada.mutation(api.accounts.setPaused, { accountId, paused: false })
  await ada.mutation(api.accounts.setCommand, { accountId, command: null })
  const budgets = { turnsPerHour: null, tokensPerDay: null, microUsdPerDay: null }
  await ada.mutation(api.accounts.setBudgets, { accountId, budgets })
  for (const { _id: agentId } of (await queueRows(backend)).agents) {
    await ada.mutation(api.agents.setBudgets, { accountId, agentId, budgets })
    await ada.mutation(api.agents.resume, { accountId, agentId })
  }
}
