/** Faults one after the other, at random moments, from a seed: the same ones that `./mc faults` aims at steps. */
import type { Clock, Random } from '@mission-control/shared/clock'
import type { Fault, FaultContext } from '../faults/faults.ts'
import { FAULTS } from '../faults/faults.ts'
import type { Stage } from '../stage/stage.ts'

export interface Chaos {
  /** How often each was brought about. */
  readonly counts: ReadonlyMap<string, number>
  /** Until `signal` aborts; the fault under way is ended first. Rejects when one could not be brought about or ended. */
  run(signal: AbortSignal): Promise<void>
}

/** Between two faults: at least, and by chance up to. */
const PAUSE_MS = { least: 1_000, most: 4_000 }

/**
 * End a process that is measured: what it takes after that says nothing about leaks. A disk of its own would be lost with the backend,
 * which other faults kill.
 */
const ENDS_PROCESS: ReadonlySet<string> = new Set([
  'runtime killed',
  'runtime restarted',
  'runtime gone and taken over',
  'backend killed',
])
export const SOAK_FAULTS: readonly Fault[] = FAULTS.filter(({ needs }) => needs !== 'small disk')
export const GENTLE_FAULTS: readonly Fault[] = SOAK_FAULTS.filter(({ name }) => !ENDS_PROCESS.has(name))

export function createChaos(stage: Stage, faults: () => readonly Fault[], clock: Clock, random: Pick<Random, 'next'>): Chaos {
  const counts = new Map<string, number>()

  async function one(fault: Fault): Promise<void> {
    const life = new AbortController()
    const context: FaultContext = {
      stage,
      side: stage.active(),
      signal: life.signal,
      fillUntilRefused: () => Promise.reject(new Error('the soak fills no disk')),
    }
    await fault.inject(context)
    // What lasts is ended in its time even when the run is over: a process that stays paused never comes to rest.
    await fault.last(context)
    await fault.heal(context)
    await fault.tidy?.(context)
    counts.set(fault.name, (counts.get(fault.name) ?? 0) + 1)
  }

  return {
    counts,
    async run(signal) {
      while (!signal.aborted) {
        const pause = PAUSE_MS.least + random.next() * (PAUSE_MS.most - PAUSE_MS.least)
        await clock.sleep(pause, signal).catch(() => undefined)
        const choice = faults()
        const fault = choice[Math.floor(random.next() * choice.length)]
        if (!signal.aborted && fault) await one(fault)
      }
    },
  }
}
