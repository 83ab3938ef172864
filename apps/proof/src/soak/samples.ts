/** What each process of the stage takes, looked at once a second from the outside. Linux: it is read from /proc. */
import { readdirSync } from 'node:fs'
import { residentMiB } from '@mission-control/host/numbers'
import type { Clock } from '@mission-control/shared/clock'
import { databaseBytes } from '../stage/database.ts'
import type { Gateway, Stage } from '../stage/stage.ts'
import type { Sample } from './slope.ts'

export type Measure = 'memoryMiB' | 'descriptors' | 'logMiB'

export interface Samples {
  /** Samples until `signal` aborts; never rejects. */
  run(signal: AbortSignal): Promise<void>
  /** Of one program and measure, from `since` on, of the process that lives now. */
  of(program: string, measure: Measure, since: number): readonly Sample[]
  /** Seconds since the start. */
  now(): number
}

const EVERY_MS = 1_000
const MIB = 1_048_576

export function createSamples(stage: Stage, clock: Clock): Samples {
  const start = clock.monotonic()
  const now = () => (clock.monotonic() - start) / 1_000
  const programs = [stage.backend, stage.gateway, ...stage.runtimes.map(({ program }) => program)]
  const series = new Map<string, { pid: number; samples: Sample[] }>()

  function add(program: Pick<Gateway, 'name' | 'pid'>, measure: Measure, value: number): void {
    const name = `${program.name} ${measure}`
    const known = series.get(name)
    // A new process starts a new line: what its predecessor took is gone.
    const line = known?.pid === program.pid ? known : { pid: program.pid, samples: [] }
    series.set(name, line)
    line.samples.push({ at: now(), value })
  }

  function look(): void {
    for (const program of programs) {
      if (!program.running) continue
      try {
        const { pid } = program
        add(program, 'memoryMiB', residentMiB(pid))
        add(program, 'descriptors', readdirSync(`/proc/${pid}/fd`).length)
      } catch {
        continue // it has ended while we looked
      }
    }
    add(stage.backend, 'logMiB', databaseBytes(stage.dataDir).log / MIB)
  }

  return {
    now,
    async run(signal) {
      while (!signal.aborted) {
        look()
        await clock.sleep(EVERY_MS, signal).catch(() => undefined)
      }
    },
    of: (program, measure, since) => (series.get(`${program} ${measure}`)?.samples ?? []).filter(({ at }) => at >= since),
  }
}
