/** `./mc faults`: the promises on real processes, a fault at every step of a delivery. */
import { existsSync } from 'node:fs'
import path from 'node:path'
import { loadOfMachine } from '@mission-control/host/numbers'
import { systemClock } from '@mission-control/host/clock'
import { EXIT } from '@mission-control/shared/exit-codes'
import { openclawEntry } from '@mission-control/openclaw/install'
import { OPENCLAW_VERSION } from '@mission-control/openclaw/version'
import type { Command } from 'commander'
import { InvalidArgumentError } from 'commander'
import { CELLS, chosen, REAL_GATEWAY_CELLS } from './cells.ts'
import { runMatrix } from './matrix.ts'
import { matrixText } from './report.ts'

/** Time constants of minutes would make a matrix of hours. */
const SCALE = 10

interface Options {
  readonly rounds: number
  readonly atOnce: number
  readonly json?: boolean
  readonly only?: string
  readonly realTimes?: boolean
  readonly realGateway?: boolean
}

/** @param signal the person wants it to end */
export function addFaults(program: Command, signal: AbortSignal): void {
  program
    .command('faults')
    .description('kill, pause and cut off real processes at each step of a delivery, and count what is lost or stands twice')
    .option('--rounds <n>', 'rounds per cell', count, 1)
    .option('--at-once <n>', 'stages side by side: most of what a cell takes is waiting, but they share the processors', count, 1)
    .option('--only <name>', 'a fault, a step, or "fault / step"; several with commas')
    .option('--real-times', `the time constants as they are, and not scaled down by ${SCALE}`)
    .option('--real-gateway', 'a smaller set with the real OpenClaw gateway (OPENCLAW_BIN or .tools), with the real times')
    .option('--json', 'one JSON object on standard output')
    .addHelpText('after', '\nExample: ./mc faults --rounds 5 --only "runtime killed,before settle"')
    .action((options: Options) => faults(options, signal))
}

async function faults({ rounds, atOnce, json, only, realTimes, realGateway }: Options, signal: AbortSignal): Promise<void> {
  const say = (text: string) => void process.stderr.write(`${text}\n`)
  const cells = chosen(only ?? null, realGateway === true ? REAL_GATEWAY_CELLS : CELLS)
  const openclawBin = realGateway === true ? installedOpenClaw() : null
  if (realGateway === true && openclawBin === null) {
    say(`mc: no OpenClaw ${OPENCLAW_VERSION} is installed: set OPENCLAW_BIN to its openclaw.mjs, or run ./mc demo once.`)
    process.exitCode = EXIT.configuration
    return
  }
  let done = 0
  const result = await runMatrix({
    ...{ cells, rounds, atOnce, signal, clock: systemClock, note: say },
    scale: realTimes === true || realGateway === true ? 1 : SCALE,
    ...(openclawBin === null ? {} : { openclawBin }),
    onCell(cell) {
      done += 1
      const recovery = `recovery ${cell.recoveryMs.median} ms, at most ${cell.recoveryMs.max} ms`
      say(
        `${done}/${cells.length} ${cell.fault} / ${cell.step}: ${cell.lost} lost, ${cell.duplicates} twice, ${cell.unreached} not reached; ${recovery}; ${loadOfMachine()}`,
      )
    },
  })
  process.stdout.write(`${json === true ? JSON.stringify(result) : matrixText(result)}\n`)
  const whole = result.cells.length + result.skipped.length === cells.length
  const sound = result.lost + result.duplicates + result.unreached + result.broken.length === 0
  const holds = whole && sound && result.slow.length === 0
  // A signal has said its own code already.
  process.exitCode ??= holds ? EXIT.ok : EXIT.failed
}

function installedOpenClaw(): string | null {
  const root = path.resolve(import.meta.dirname, '../../../..')
  const bin = process.env['OPENCLAW_BIN'] ?? openclawEntry(root)
  return existsSync(bin) ? bin : null
}

export function count(text: string): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1 || value > 10_000) throw new InvalidArgumentError('A whole number from 1 to 10000.')
  return value
}
