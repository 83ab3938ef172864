/** `./mc bench`. */
import { Command, Option } from 'commander'
import { EXIT } from '@mission-control/shared/exit-codes'

const PARTS = ['deliver', 'throughput', 'idle', 'memory', 'startup', 'history', 'agentSync', 'realGateway'] as const

interface Flags {
  readonly json: boolean
  readonly quick: boolean
  readonly only?: (typeof PARTS)[number]
  readonly realGateway: boolean
}

/** @param stopSignal aborts when the person wants no more of it */
export const benchCommand = (stopSignal: () => AbortSignal): Command =>
  new Command('bench')
    .description('how fast it is, beside the plain design on the same backend and gateway; exits 1 when a promise is missed')
    .option('--json', 'one JSON object on standard output', false)
    .option(
      '--quick',
      'half a minute instead of a quarter of an hour: shows that all of it works, says little about speed',
      false,
    )
    .addOption(new Option('--only <part>', 'one part of it').choices(PARTS))
    .option('--no-real-gateway', 'leave the real OpenClaw out (it is left out too where it is not installed)')
    .addHelpText('after', '\nExample: ./mc bench --only deliver')
    .action(async ({ json, quick, only, realGateway }: Flags) => {
      const { runBench } = await import('./bench.ts')
      const { judge, sentence } = await import('./bars.ts')
      const { systemClock, systemRandom } = await import('@mission-control/host/clock')
      const note = (text: string) => void process.stderr.write(`bench: ${text}\n`)
      const deps = { clock: systemClock, random: systemRandom, signal: stopSignal(), note }
      const { report } = await runBench({ quick, only: only ?? null, realGateway }, deps)
      const judged = judge(report)
      for (const one of judged) note(sentence(one))
      if (json) process.stdout.write(`${JSON.stringify(report)}\n`)
      if (judged.some(({ holds }) => !holds)) process.exitCode = EXIT.failed
    })
