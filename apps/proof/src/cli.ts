/**
 * The evidence, rerunnable by anyone: `./mc simulate`, `./mc faults`, `./mc bench`, `./mc soak`. One JSON object on standard output with
 * `--json`, progress on standard error. Exits 1 when a promise or a bound does not hold. The only place here that touches signals.
 */
import { Command, CommanderError } from 'commander'
import { EXIT } from '@mission-control/shared/exit-codes'
import { addSimulate } from './simulate/command.ts'

const program = new Command('mc')
  .description('Proof that Mission Control is fast and durable.')
  .showHelpAfterError('(add --help for what is possible)')
  .exitOverride()
addSimulate(program)

try {
  await program.parseAsync(process.argv)
} catch (error) {
  // Help and a wrong command line end this way too; commander has said why.
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? EXIT.ok : EXIT.usage
  else {
    process.stderr.write(`mc: ${error instanceof Error ? error.message : String(error)}\n`)
    process.exitCode = EXIT.failed
  }
}
