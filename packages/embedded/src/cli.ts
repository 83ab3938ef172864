/** `mission-control-backend`: serve a built backend, call a function of a running one, and look after its data. */
import { forTerminal } from '@mission-control/shared/unseen'
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import { addOperations } from './cli/operations.ts'
import { callRunning } from './cli/run.ts'
import { serve } from './cli/serve.ts'
import { EXIT_FAILED, EXIT_USAGE, UsageError } from './cli/usage.ts'

function port(text: string): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 0 || value > 65_535)
    throw new InvalidArgumentError('Expected a port number, 0 for any free one.')
  return value
}

function mebibytes(text: string): number {
  const value = Number(text)
  if (!(value > 0)) throw new InvalidArgumentError('Expected a number of MiB above 0.')
  return value
}

/** Runs one command; resolves with the exit code: 0, 1 when it failed, 2 when the command line is wrong. */
export async function main(argv: readonly string[]): Promise<number> {
  let code = 0
  const program = new Command('mission-control-backend')
    .description('An embedded, Convex-compatible backend: one process, one folder.')
    .showHelpAfterError('(add --help for what is possible)')
    .addHelpText('after', `\nExit: 0 ok, ${EXIT_FAILED} failed, ${EXIT_USAGE} wrong command line`)
    .exitOverride()
  const dataDir = new Option('--data-dir <folder>', 'where the data lives').env('CONVEX_DATA_DIR').default('.data/convex')
  const apiPort = new Option('--port <port>', 'API and sync port; 0 picks a free one')
    .env('CONVEX_BACKEND_PORT')
    .default(3210)
    .argParser(port)

  program
    .command('serve')
    .description('serve a built bundle of functions until it is told to stop')
    .requiredOption('--functions <bundle>', 'the built functions (an ES module)')
    .addOption(apiPort)
    .addOption(
      new Option('--site-port <port>', 'port of HTTP actions; 0 picks a free one')
        .env('CONVEX_SITE_PORT')
        .default(3211)
        .argParser(port),
    )
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .option('--allow-host <name...>', 'host names accepted besides loopback and plain addresses', [])
    .option('--allow-origin <origin...>', 'web origins accepted besides loopback', [])
    .addOption(
      new Option('--max-upload-mib <MiB>', 'largest stored file that one upload may bring')
        .env('CONVEX_MAX_UPLOAD_MIB')
        .default(1024)
        .argParser(mebibytes),
    )
    .addOption(dataDir)
    .addOption(
      new Option('--instance-name <name>', 'answer of GET /instance_name')
        .env('CONVEX_INSTANCE_NAME')
        .default('mission-control-embedded'),
    )
    .action(async (options: Parameters<typeof serve>[0]) => {
      code = await serve(options)
    })

  program
    .command('run')
    .description('call a function, internal ones included, on the backend that owns the data folder')
    .argument('<function>', 'for example tasks:list')
    .argument('[args]', 'arguments as JSON', '{}')
    .addOption(new Option('--url <url>', 'where the backend listens; default http://127.0.0.1:<port>'))
    .addOption(apiPort)
    .addOption(dataDir)
    .action(async (fn: string, args: string, options: { url?: string; port: number; dataDir: string }) => {
      code = await callRunning(fn, args, { url: options.url ?? `http://127.0.0.1:${options.port}`, dataDir: options.dataDir })
    })

  addOperations(program, dataDir, (exitCode) => (code = exitCode))

  try {
    await program.parseAsync(argv)
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_USAGE // it has said why
    process.stderr.write(`${forTerminal(error instanceof Error ? error.message : String(error))}\n`)
    return error instanceof UsageError ? EXIT_USAGE : EXIT_FAILED
  }
  return code
}
