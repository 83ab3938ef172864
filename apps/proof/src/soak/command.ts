/** `./mc soak`: sustained load with chaos on real processes. */
import { systemClock } from '@mission-control/host/clock'
import { loadOfMachine } from '@mission-control/host/numbers'
import { createPrng, PRNG_SEED_BYTES } from '@mission-control/embedded/functions/prng'
import { EXIT } from '@mission-control/shared/exit-codes'
import type { Command } from 'commander'
import { InvalidArgumentError } from 'commander'
import { count } from '../faults/command.ts'
import type { SoakResult } from './soak.ts'
import { runSoak } from './soak.ts'

/** Of time, so that a short run meets leases, check-ins and backoff often. */
const SCALE = 10

interface Options {
  readonly minutes: number
  readonly seed: number
  readonly rate: number
  readonly json?: boolean
}

export function addSoak(program: Command, signal: AbortSignal): void {
  program
    .command('soak')
    .description('load and chaos for a while: nothing is lost or stands twice, and nothing grows without bound')
    .option('--minutes <n>', 'how long, parts of a minute allowed', positive, 1)
    .option('--seed <n>', 'of the faults and their moments', count, 1)
    .option('--rate <n>', 'messages a second', positive, 4)
    .option('--json', 'one JSON object on standard output')
    .addHelpText('after', '\nExample: ./mc soak --minutes 15')
    .action((options: Options) => soak(options, signal))
}

async function soak({ minutes, seed, rate, json }: Options, signal: AbortSignal): Promise<void> {
  const note = (text: string) => void process.stderr.write(`${text}; ${loadOfMachine()}\n`)
  const random = { next: createPrng(bytesOf(seed)) }
  const result = await runSoak({ minutes, seed, perSecond: rate, scale: SCALE, clock: systemClock, random, signal, note })
  process.stdout.write(`${json === true ? JSON.stringify(result) : textOf(result)}\n`)
  // A signal has said its own code already.
  process.exitCode ??= result.violations.length === 0 ? EXIT.ok : EXIT.failed
}

function textOf(result: SoakResult): string {
  const { minutes, seed, scaledBy, acknowledged, unanswered, lost, duplicates, faults, processes, logMiB, journal, violations } =
    result
  return [
    `${minutes} minutes, seed ${seed}, time ${scaledBy} times as fast: ${acknowledged} messages acknowledged, ${unanswered} posts without an answer, ${lost} lost, ${duplicates} twice.`,
    `Faults: ${Object.entries(faults)
      .map(([name, times]) => `${name} ${times}`)
      .join(', ')}.`,
    ...processes.map(
      ({ name, seconds, memoryMiB, descriptors }) =>
        `${name}: memory ${memoryMiB.median} MiB (most ${memoryMiB.max}, rise ${memoryMiB.rise}), descriptors ${descriptors.median} (most ${descriptors.max}, rise ${descriptors.rise}), over the last ${seconds} s`,
    ),
    `Write-ahead log: at most ${logMiB.max} MiB. Journal: ${journal.runs} runs of ${journal.deliveries} deliveries. ${loadOfMachine()}.`,
    ...(violations.length === 0 ? ['All of it holds.'] : violations.map((what) => `MISSED ${what}`)),
  ].join('\n')
}

function bytesOf(seed: number): Uint8Array {
  const bytes = new Uint8Array(PRNG_SEED_BYTES)
  new DataView(bytes.buffer).setUint32(0, seed)
  return bytes
}

function positive(text: string): number {
  const value = Number(text)
  if (!(value > 0)) throw new InvalidArgumentError('A number above 0.')
  return value
}
