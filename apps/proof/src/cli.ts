/**
 * The evidence, rerunnable by anyone: `./mc simulate`, `./mc faults`, `./mc bench`, `./mc soak`. One JSON object on standard output with
 * `--json`, progress on standard error. Exits 1 when a promise or a bound does not hold. The only place here that touches signals.
 */
import { Command, CommanderError } from 'commander'
import { EXIT } from '@mission-control/shared/exit-codes'
import { benchCommand } from './bench/command.ts'
import { addFaults } from './faults/command.ts'
import { addSimulate } from './simulate/command.ts'
import { addSoak } from './soak/command.ts'

const program = new Command('mc')
  .description('Proof that Mission Control is fast and durable.')
  .showHelpAfterError('(add --help for what is possible)')
  .exitOverride()

/** Aborts on the first Ctrl-C or SIGTERM, and what was begun is put away; a second one ends the process at once. */
function stopSignal(): AbortSignal {
  const stop = new AbortController()
  for (const [name, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const) {
    process.on(name, () => {
      if (stop.signal.aborted) process.exit(code)
      process.exitCode = code
      process.stderr.write(`mc: stopped by ${name}\n`)
      stop.abort(new Error(`stopped by ${name}`))
    })
  }
  return stop.signal
}

const stop = stopSignal()
addSimulate(program, stop)
addFaults(program, stop)
addSoak(program, stop)
program.addCommand(benchCommand(() => stop))

try {
  await program.parseAsync(process.argv)
} catch (error) {
  // Help and a wrong command line end this way too; commander has said why.
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? EXIT.ok : EXIT.usage
  else if (!stop.aborted) {
    process.stderr.write(`mc: ${error instanceof Error ? error.message : String(error)}\n`)
    process.exitCode ??= EXIT.failed
  }
  // Whatever a part that was put away early has failed with, the reason is the signal, and that is told.
}
