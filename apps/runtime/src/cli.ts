/**
 * `mission-control-runtime`: the program, and the only place that touches process signals. Commands are loaded when they run, so that
 * `--help` and `--version` cost nothing.
 */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { setFlagsFromString } from 'node:v8'
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import type { CheckOptions } from './commands/check.ts'
import type { ListOptions, RedriveOptions } from './commands/dead-letters.ts'
import type { SyncOnceOptions } from './commands/sync-once.ts'
import type { TraceOptions } from './commands/trace.ts'
import { PASS_PARTS as PARTS } from './sync-once/report.ts'
import type { PassPart } from './sync-once/report.ts'
import type { CommandIo, CommonOptions } from './commands/context.ts'
import { helpText } from './config/document.ts'
import { LOG_LEVELS } from './config/variables.ts'
import { EXIT } from '@mission-control/shared/exit-codes'
import { forTerminal } from '@mission-control/shared/unseen'

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }

/** The first signal stops in order; the second ends the process at once, with the code shells expect. */
function stopOnSignals(): AbortSignal {
  const stop = new AbortController()
  for (const [name, number] of [
    ['SIGINT', 2],
    ['SIGTERM', 15],
  ] as const) {
    process.on(name, () => {
      if (stop.signal.aborted) process.exit(128 + number)
      stop.abort()
    })
  }
  return stop.signal
}

function io(): CommandIo {
  return {
    env: process.env,
    stop: stopOnSignals(),
    // What commands print holds what people, agents and model providers wrote.
    out: (line) => void process.stdout.write(`${forTerminal(line)}\n`),
    error: (line) => void process.stderr.write(`${forTerminal(line)}\n`),
    isTerminal: process.stdout.isTTY,
    version,
    packageRoot: fileURLToPath(new URL('..', import.meta.url)),
  }
}

function program(finish: (code: number) => void): Command {
  const main = new Command('mission-control-runtime')
    .description('Delivers notifications to agents, brings replies back, wakes agents on schedule. One per account.')
    .version(version)
    .showHelpAfterError('(add --help for what is possible)')
    .exitOverride()
  const common = (command: Command, example: string) =>
    command
      .addOption(new Option('--env-file <file>', 'read variables from this file; the real environment wins'))
      .addOption(new Option('--log-level <level>', 'least severe line that is logged').choices([...LOG_LEVELS]))
      .addHelpText('after', `\nExample:\n  ${example}`)

  common(main.command('start'), 'mission-control-runtime start --env-file /etc/mission-control/runtime.env')
    .description('run until SIGTERM or SIGINT')
    .addHelpText('after', `\n${helpText()}`)
    .action(async (options: CommonOptions) => finish(await (await import('./commands/start.ts')).start(options, io())))

  common(main.command('check'), 'mission-control-runtime check --json')
    .description('look at everything a runtime needs; changes nothing')
    .option('--json', 'one JSON object')
    .option('--strict', `exit ${EXIT.degraded} when there are warnings`)
    .addHelpText('after', `\nExit: 0 ok, 3 configuration, 4 authentication, 5 unreachable, 1 other, 6 warnings under --strict`)
    .action(async (options: CheckOptions) => finish(await (await import('./commands/check.ts')).check(options, io())))

  common(main.command('sync-once'), 'mission-control-runtime sync-once --only agents --dry-run')
    .description('one pass of the loops, for debugging; beside a running runtime it only looks')
    .option('--only <parts>', 'agents, delivery, heartbeats, health; separated by commas', partsOf)
    .option('--dry-run', 'say what would be done')
    .option('--json', 'one JSON object')
    .option('--take-over', 'take the place of the runtime that runs on this data folder')
    .action(async (options: SyncOnceOptions) => finish(await (await import('./commands/sync-once.ts')).syncOnce(options, io())))

  const letters = main.command('dead-letters').description('deliveries that were given up: list, show, redrive')
  const deadLetters = () => import('./commands/dead-letters.ts')
  common(letters.command('list'), 'mission-control-runtime dead-letters list --limit 200 --json')
    .description('what was given up, and why')
    .option('--limit <n>', 'at most this many (default: 50)', countOf)
    .option('--cursor <cursor>', 'go on after an earlier list')
    .option('--json', 'one JSON object')
    .action(async (options: ListOptions) => finish(await (await deadLetters()).listDeadLetters(options, io())))
  common(letters.command('show'), 'mission-control-runtime dead-letters show <id>')
    .description('the whole story of one')
    .argument('<id>', 'as dead-letters list prints it')
    .option('--json', 'one JSON object')
    .action(async (id: string, options: TraceOptions) => finish(await (await deadLetters()).showDeadLetter(id, options, io())))
  common(letters.command('redrive'), 'mission-control-runtime dead-letters redrive <id>')
    .description('put them back to the end of their queue, with all attempts again')
    .argument('<id...>', 'as dead-letters list prints them')
    .option('--json', 'one JSON object')
    .action(async (ids: string[], options: RedriveOptions) =>
      finish(await (await deadLetters()).redriveDeadLetters(ids, options, io())),
    )

  common(main.command('trace'), 'mission-control-runtime trace <deliveryId>')
    .description('one delivery, attempt by attempt: committed, claimed, sent, accepted, replied, settled')
    .argument('<deliveryId>', 'from a log line, dead-letters list or sync-once --dry-run')
    .option('--json', 'one JSON object')
    .action(async (id: string, options: TraceOptions) =>
      finish(await (await import('./commands/trace.ts')).trace(id, options, io())),
    )
  return main
}

function countOf(text: string): number {
  const count = Number(text)
  if (!Number.isInteger(count) || count < 1 || count > 10_000) throw new InvalidArgumentError('A number from 1 to 10000.')
  return count
}

function partsOf(text: string): PassPart[] {
  return text.split(',').map((name) => {
    const part = PARTS.find((known) => known === name.trim())
    if (part === undefined) throw new InvalidArgumentError(`Choose from ${PARTS.join(', ')}.`)
    return part
  })
}

async function main(): Promise<number> {
  let code: number = EXIT.ok
  try {
    await program((result) => (code = result)).parseAsync()
  } catch (error) {
    if (!(error instanceof CommanderError)) {
      process.stderr.write(`${forTerminal(error instanceof Error ? (error.stack ?? error.message) : String(error))}\n`)
      return EXIT.failed
    }
    // Help and version end this way too, with 0.
    return error.exitCode === 0 ? EXIT.ok : EXIT.usage
  }
  return code
}

// A thousand agents pass through the first sync as short-lived objects: the young generation stays as large as loading made it, or
// their garbage would stay behind as resident memory. V8 looks up whether to grow it each time.
setFlagsFromString('--semi-space-growth-factor=1')
process.exitCode = await main()
// Whatever a library left open (a socket, a timer) must not keep a finished command alive.
process.exit()
