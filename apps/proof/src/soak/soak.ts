/**
 * Sustained load with chaos on real processes:
 *
 *   first third    every fault, also those that end a process
 *   then           only faults that the processes live through; after a warm-up their memory and descriptors may not climb
 *   at the end     no more faults, all comes to rest, and everything is judged: threads, database, journal
 */
import { median } from '@mission-control/host/numbers'
import { buildRuntime } from '@mission-control/runtime/stack/scene'
import type { Clock, Random } from '@mission-control/shared/clock'
import { startStage } from '../stage/stage.ts'
import { inspectDatabase } from '../stage/database.ts'
import { createChaos, GENTLE_FAULTS, SOAK_FAULTS } from './chaos.ts'
import { createLoad } from './load.ts'
import type { Measure, Samples } from './samples.ts'
import { createSamples } from './samples.ts'
import { riseOf } from './slope.ts'

export interface Taken {
  readonly median: number
  readonly max: number
  /** Of the line fitted through the samples after the warm-up, from its first to its last second. */
  readonly rise: number
}

export interface SoakResult {
  readonly minutes: number
  readonly seed: number
  readonly scaledBy: number
  readonly acknowledged: number
  /** Posts that got no answer: they may be there or not, and are judged if they are. */
  readonly unanswered: number
  readonly lost: number
  readonly duplicates: number
  readonly faults: Readonly<Record<string, number>>
  readonly processes: readonly {
    readonly name: string
    readonly seconds: number
    readonly memoryMiB: Taken
    readonly descriptors: Taken
  }[]
  /** Of the backend's write-ahead log, MiB. */
  readonly logMiB: { readonly max: number }
  readonly journal: { readonly deliveries: number; readonly runs: number }
  /** Sentences; empty when every promise and bound holds. */
  readonly violations: readonly string[]
}

export interface SoakOptions {
  readonly minutes: number
  readonly seed: number
  readonly perSecond: number
  readonly scale: number
  readonly clock: Clock
  readonly random: Pick<Random, 'next'>
  readonly signal: AbortSignal
  readonly note: (text: string) => void
}

const AGENTS = ['writer', 'editor', 'scout', 'judge']
const WARM_UP_SHARE = 0.25
/** A heap that is left alone grows and is collected: a line through its teeth may tilt by this much and no more, MiB. */
const RISE_MIB = 24
/** Sockets of a link that was cut off linger until both ends notice. */
const RISE_DESCRIPTORS = 16
/** Checkpointed at 8 MiB; a reader or a batch may delay that. */
const LOG_MIB = 32
/** Attempts a delivery, over all of them: a fault costs some of them one more. */
const RUNS_PER_DELIVERY = 3
/** For the rest after the last fault, at scale 1 and at any. */
const REST_MS = { scaled: 600_000, machine: 60_000 }

export async function runSoak(options: SoakOptions): Promise<SoakResult> {
  const { minutes, seed, scale, clock, random, signal, note } = options
  await using runtime = await buildRuntime()
  await using stage = await startStage({ clock, scale, agents: AGENTS, runtime: runtime.program, standby: true })
  const samples = createSamples(stage, clock)
  const seconds = minutes * 60
  let gentle = false
  const load = createLoad({ stage, agents: AGENTS, perSecond: options.perSecond, clock, random })
  const chaos = createChaos(stage, () => (gentle ? GENTLE_FAULTS : SOAK_FAULTS), clock, random)
  const over = new AbortController()
  const end = AbortSignal.any([signal, over.signal])
  const sampled = new AbortController()
  const work = Promise.all([load.run(end), chaos.run(end)])
  work.catch(() => over.abort()) // it is awaited below
  const sampling = samples.run(sampled.signal)

  await clock.sleep((seconds * 1_000) / 3, end).catch(() => undefined)
  gentle = true
  note(`${load.total.acknowledged} messages so far; from here on no process is ended`)
  const gentleFrom = samples.now()
  await clock.sleep((seconds * 2_000) / 3, end).catch(() => undefined)
  over.abort()
  await work
  sampled.abort()
  await sampling

  note(`${load.total.acknowledged} messages; waiting for rest`)
  await load.finish(AbortSignal.any([signal, clock.timeout(REST_MS.machine + REST_MS.scaled / scale)]))
  await stage.person.audit()
  const database = await inspectDatabase(stage.readableDataDir())
  const since = gentleFrom + (samples.now() - gentleFrom) * WARM_UP_SHARE
  const processes = [stage.backend, ...stage.runtimes.map(({ program }) => program), stage.gateway].map(({ name }) => ({
    name,
    seconds: Math.round((samples.of(name, 'memoryMiB', since).at(-1)?.at ?? since) - since),
    memoryMiB: taken(samples, name, 'memoryMiB', since),
    descriptors: taken(samples, name, 'descriptors', since),
  }))
  const logMiB = { max: rounded(Math.max(0, ...samples.of('backend', 'logMiB', 0).map(({ value }) => value))) }
  const { lost, duplicates, acknowledged, unanswered } = load.total
  const violations = [...lost, ...duplicates, ...database.violations]
  // The stand-in keeps all transcripts in memory: it grows by design.
  for (const { name, memoryMiB, descriptors } of processes.filter((one) => one.name !== 'gateway')) {
    if (memoryMiB.rise > RISE_MIB) violations.push(`the ${name}'s memory climbed by ${memoryMiB.rise} MiB, at most ${RISE_MIB}`)
    if (descriptors.rise > RISE_DESCRIPTORS)
      violations.push(`the ${name}'s open descriptors climbed by ${descriptors.rise}, at most ${RISE_DESCRIPTORS}`)
  }
  if (logMiB.max > LOG_MIB) violations.push(`the write-ahead log reached ${logMiB.max} MiB, at most ${LOG_MIB}`)
  if (database.runs > RUNS_PER_DELIVERY * database.deliveries)
    violations.push(
      `the journal holds ${database.runs} runs of ${database.deliveries} deliveries, at most ${RUNS_PER_DELIVERY} each`,
    )
  return {
    ...{ minutes, seed, scaledBy: scale, acknowledged, unanswered },
    lost: lost.length,
    duplicates: duplicates.length,
    faults: Object.fromEntries(chaos.counts),
    processes,
    logMiB,
    journal: { deliveries: database.deliveries, runs: database.runs },
    violations,
  }
}

function taken(samples: Samples, program: string, measure: Measure, since: number): Taken {
  const line = samples.of(program, measure, since)
  const values = line.map(({ value }) => value)
  if (values.length === 0) throw new Error(`There is no sample of the ${program}: the run is too short.`)
  return { median: rounded(median(values)), max: rounded(Math.max(...values)), rise: rounded(riseOf(line)) }
}

const rounded = (value: number): number => Math.round(value * 10) / 10
