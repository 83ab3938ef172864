/** The one-machine stack's command line: `./mc <command>` is `mission-control <command>`. The only place here that touches signals. */
import path from 'node:path'
import { Command, InvalidArgumentError } from 'commander'
import { ROOT } from './stack/entries.ts'

const DATA = path.join(ROOT, '.data')
/** `./mc` changes into the checkout; relative folders are meant from where it was called. */
const CALLED_FROM = process.env['MC_CWD'] ?? process.cwd()

function port(text: string): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 0 || value > 65_535)
    throw new InvalidArgumentError('A port is a number from 0 (any free one) to 65535.')
  return value
}

/** Aborts on the first Ctrl-C or SIGTERM; a second one ends the process at once. */
function stopSignal(): AbortSignal {
  const stop = new AbortController()
  for (const [name, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const) {
    process.on(name, () => {
      if (stop.signal.aborted) process.exit(code)
      stop.abort(new Stopped())
    })
  }
  return stop.signal
}

class Stopped extends Error {}

async function findStack(dataDir: string | undefined) {
  const { runningStack } = await import('./stack/record.ts')
  for (const folder of dataDir ? [path.resolve(CALLED_FROM, dataDir)] : [path.join(DATA, 'demo'), path.join(DATA, 'up')]) {
    const record = runningStack(folder)
    if (record) return { dataDir: folder, record }
  }
  throw new Error('No stack runs here. Start one in another terminal: ./mc demo, or ./mc up.')
}

const program = new Command('mc')
  .description('Mission Control on one machine: embedded backend, OpenClaw gateway and runtime.')
  .showHelpAfterError()
  .addHelpText('after', '\n  test [--fast]                 every check of this repository\n\nStart with: ./mc demo')

program
  .command('demo')
  .description('a person mentions an agent, a real OpenClaw agent answers in the thread; runs until Ctrl-C')
  .option('--once', 'exit 0 after the first reply', false)
  .option('--json', 'with --once: print one JSON object on stdout, everything else on stderr', false)
  .option('--fake-gateway', 'without OpenClaw, in seconds', false)
  .option('--data-dir <folder>', 'emptied at each start', path.join(DATA, 'demo'))
  .addHelpText('after', '\nExample: ./mc demo --once --json --fake-gateway')
  .action(async ({ dataDir, ...options }: { once: boolean; json: boolean; fakeGateway: boolean; dataDir: string }) => {
    const { demo } = await import('./commands/demo.ts')
    await demo({ ...options, dataDir: path.resolve(CALLED_FROM, dataDir) }, stopSignal())
  })

program
  .command('up')
  .description('the same stack with a data folder that stays and no demo content')
  .option('--data-dir <folder>', 'where everything is kept', path.join(DATA, 'up'))
  .option('--fake-gateway', 'without OpenClaw', false)
  .option('--backend-port <port>', 'Convex API and sync', port, 3210)
  .option('--site-port <port>', 'HTTP actions', port, 3211)
  .option('--health-port <port>', 'health page of the runtime', port, 3001)
  .option('--gateway-port <port>', 'OpenClaw gateway', port, 18_789)
  .addHelpText('after', '\nExample: ./mc up --data-dir ~/mission-control')
  .action(
    async (options: {
      dataDir: string
      fakeGateway: boolean
      backendPort: number
      sitePort: number
      healthPort: number
      gatewayPort: number
    }) => {
      const { up } = await import('./commands/up.ts')
      const ports = {
        backend: options.backendPort,
        site: options.sitePort,
        health: options.healthPort,
        gateway: options.gatewayPort,
      }
      await up({ dataDir: path.resolve(CALLED_FROM, options.dataDir), fakeGateway: options.fakeGateway, ports }, stopSignal())
    },
  )

program
  .command('say')
  .description('post to the running stack as a member and show what comes back')
  .argument('<text...>', 'the message; mention an agent with @slug')
  .option('--task <id>', 'the task; default: the demo task')
  .option('--no-wait', 'do not wait for the answer')
  .option('--data-dir <folder>', 'data folder of the stack')
  .addHelpText('after', '\nExample: ./mc say "@lead what should we do next?"')
  .action(async (text: string[], options: { task?: string; wait: boolean; dataDir?: string }) => {
    const stack = await findStack(options.dataDir)
    const { say } = await import('./commands/say.ts')
    await say(text.join(' '), { ...stack, taskId: options.task, wait: options.wait }, stopSignal())
  })

program
  .command('run')
  .description('call a public function of the running stack as its owner')
  .argument('<function>', 'e.g. tasks:create')
  .argument('[args]', 'one JSON object; accountId is filled in', '{}')
  .option('--data-dir <folder>', 'data folder of the stack')
  .addHelpText(
    'after',
    `\nExample: ./mc run tasks:list '{"status": "inbox", "paginationOpts": {"numItems": 10, "cursor": null}}'`,
  )
  .action(async (name: string, args: string, options: { dataDir?: string }) => {
    const stack = await findStack(options.dataDir)
    const { runFunction } = await import('./commands/run.ts')
    await runFunction(name, args, stack)
  })

try {
  await program.parseAsync(process.argv)
} catch (error) {
  if (!(error instanceof Stopped)) {
    process.stderr.write(`mc: ${error instanceof Error ? error.message : String(error)}\n`)
    process.exitCode = 1
  }
}
