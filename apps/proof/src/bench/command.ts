/** `./mc bench`: the command line only, so that --help loads nothing else. */
import { Command, Option } from 'commander'
import { EXIT } from '@mission-control/shared/exit-codes'
import type { Asked, BenchResult } from './bench.ts'

const ASKED = [
  ...['deliver', 'reference', 'throughput', 'startup', 'memory', 'agentSync', 'history', 'realGateway', 'idle'],
] as readonly Asked[]

interface Flags {
  readonly json: boolean
  readonly quick: boolean
  readonly only?: Asked
  readonly realGateway: boolean
  readonly write: boolean
}

const MORE = `
Parts: ${ASKED.join(', ')}. memory and agentSync are one measurement; reference is graphile-worker on PostgreSQL, left out with one line
where PostgreSQL is not installed and from a quick run, and not part of the JSON.

Exit: 0 every promise that was measured holds, 1 one is missed or a part failed. The promises are for two cores that nothing else uses.

Examples:
  ./mc bench --json --write              all of it, ten minutes to half an hour; renews docs/benchmarks.md
  ./mc bench --only deliver              one part
  ./mc bench --quick --no-real-gateway   half a minute`

/** @param stopSignal aborts when the person wants no more of it */
export const benchCommand = (stopSignal: () => AbortSignal): Command => {
  const command = new Command('bench')
  return command
    .exitOverride()
    .showHelpAfterError('(add --help for what is possible)')
    .description('how fast it is, beside the plain design on the same backend and gateway; exits 1 when a promise is missed')
    .option('--json', 'one JSON object on standard output; parts that were not measured are null', false)
    .option(
      '--quick',
      'fewer of everything (a history of 4,000, shorter intervals): shows that all of it works, little about speed',
      false,
    )
    .addOption(new Option('--only <part>', 'one part of it').choices(ASKED))
    .option('--real-gateway', 'measure with the real OpenClaw where it is installed', true)
    .option('--no-real-gateway', 'leave the real OpenClaw out')
    .option('--write', 'write docs/benchmarks.md and docs/benchmarks-latency.svg; needs a full run', false)
    .addHelpText('after', MORE)
    .action(async (flags: Flags) => {
      if (flags.write && (flags.quick || flags.only !== undefined))
        command.error('--write puts the whole of a full run into docs: leave --quick and --only out', { exitCode: EXIT.usage })
      await bench(flags, stopSignal())
    })
}

async function bench({ json, quick, only, realGateway, write }: Flags, signal: AbortSignal): Promise<void> {
  const { loadOfMachine } = await import('@mission-control/host/numbers')
  const { systemClock, systemRandom } = await import('@mission-control/host/clock')
  const { runBench } = await import('./bench.ts')
  const { judge, sentence } = await import('./bars.ts')
  const note = (text: string) => void process.stderr.write(`bench: ${text}\n`)
  const before = loadOfMachine()
  const deps = { clock: systemClock, random: systemRandom, signal, note }
  const result: BenchResult = await runBench({ quick, only: only ?? null, realGateway }, deps)
  const judged = judge(result.report)
  for (const one of judged) note(sentence(one))
  if (json) process.stdout.write(`${JSON.stringify(result.report, rounded)}\n`)
  if (write) {
    const { writeDocuments } = await import('./show/write.ts')
    const load = `${before} at the beginning, ${loadOfMachine().replace('load of the machine ', '')} at the end`
    const command = `./mc bench --write${realGateway ? '' : ' --no-real-gateway'}`
    for (const file of writeDocuments(result, systemClock.now(), load, command)) note(`wrote ${file}`)
  }
  if (judged.some(({ holds }) => !holds)) process.exitCode = EXIT.failed
}

/** Microseconds are the last digit that means anything. */
const rounded = (_: string, value: unknown): unknown => (typeof value === 'number' ? Math.round(value * 1_000) / 1_000 : value)
