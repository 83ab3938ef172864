/** The one-machine stack's command line: `./mc <command>` is `mission-control <command>`. The only place here that touches signals. */
import path from 'node:path'
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import { EXIT } from '@mission-control/shared/exit-codes'
import { forTerminal } from '@mission-control/shared/unseen'
import { parseLifetime } from './sign-in/lifetime.ts'
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
    // The terminal was closed.
    ['SIGHUP', 129],
  ] as const) {
    process.on(name, () => {
      if (stop.signal.aborted) process.exit(code)
      stop.abort(new Stopped())
    })
  }
  // A reader that has gone (| head, a closed terminal) ends the stack like Ctrl-C, or it would run on unseen.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => stop.abort(new Stopped()))
  return stop.signal
}

class Stopped extends Error {}

/** An empty folder name is a forgotten variable, never the current directory. */
function folder(text: string): string {
  if (text.trim() === '') throw new InvalidArgumentError('A folder name must not be empty.')
  return path.resolve(CALLED_FROM, text)
}

async function findStack(dataDir: string | undefined) {
  const { runningStack } = await import('./stack/record.ts')
  for (const place of dataDir ? [dataDir] : [path.join(DATA, 'demo'), path.join(DATA, 'up')]) {
    const record = runningStack(place)
    if (record) return { dataDir: place, record }
  }
  throw new Error('No stack runs here. Start one in another terminal: ./mc demo, or ./mc up.')
}

/** For what needs no running stack: the folder of the one that runs, else the one that `up` or `demo` left. */
async function findData(dataDir: string | undefined): Promise<string> {
  if (dataDir !== undefined) return dataDir
  const { runningStack } = await import('./stack/record.ts')
  const { isDataFolder } = await import('./stack/data-folder.ts')
  const [up, demo] = [path.join(DATA, 'up'), path.join(DATA, 'demo')]
  return [demo, up].find((place) => runningStack(place) !== null) ?? [up, demo].find(isDataFolder) ?? up
}

/** Milliseconds. */
function lifetime(text: string): number {
  try {
    return parseLifetime(text)
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message)
  }
}

/** What `mc` hands to other programs of this repository; each has its own --help. */
const ELSEWHERE = `
Evidence:
  simulate                         the promises, on virtual clocks, with faults at
                                   every await
  faults                           the same on real processes, killed and cut off
                                   at each step
  bench                            how fast, beside the plain way to do it
  soak                             load and faults for as long as you like

The repository:
  test [--fast | --full]           every check of it
  audit [--must-answer]            known vulnerabilities of what runs in
                                   production
  sbom image|repository [file]     a bill of materials (CycloneDX)

Start with: ./mc demo`

const program = new Command('mc')
  .version('0.1.0')
  .description('Mission Control on one machine: embedded backend, OpenClaw gateway and runtime.')
  .showHelpAfterError('(add --help for what is possible)')
  .exitOverride()
  .addHelpText('after', ELSEWHERE)

program
  .command('demo')
  .description('a person mentions an agent, a real OpenClaw agent answers in the thread; runs until Ctrl-C')
  .option('--once', 'exit 0 after the first reply', false)
  .option('--json', 'with --once: print one JSON object on stdout, everything else on stderr', false)
  .option('--fake-gateway', 'without OpenClaw, in seconds', false)
  .option('--data-dir <folder>', 'emptied at each start (default: .data/demo)', folder)
  .addHelpText('after', '\nExample: ./mc demo --once --json --fake-gateway')
  .action(async ({ dataDir, ...options }: { once: boolean; json: boolean; fakeGateway: boolean; dataDir?: string }) => {
    if (options.json && !options.once) program.error('--json prints the first reply and needs --once: ./mc demo --once --json')
    const { demo } = await import('./commands/demo.ts')
    await demo({ ...options, dataDir: dataDir ?? path.join(DATA, 'demo') }, stopSignal())
  })

program
  .command('up')
  .description('the same stack with a data folder that stays and no demo content')
  .option('--seed', 'fill its account with the demo of ./mc seed before anything runs', false)
  .option('--data-dir <folder>', 'where everything is kept (default: .data/up)', folder)
  .option('--fake-gateway', 'without OpenClaw', false)
  .option('--backend-port <port>', 'Convex API and sync', port, 3210)
  .option('--site-port <port>', 'HTTP actions', port, 3211)
  .option('--health-port <port>', 'health page of the runtime', port, 3001)
  .option('--tools-port <port>', 'tools of the agents', port, 3002)
  .option('--gateway-port <port>', 'OpenClaw gateway', port, 18_789)
  .addHelpText('after', '\nExample: ./mc up --data-dir ~/mission-control')
  .action(
    async (options: {
      dataDir?: string
      seed: boolean
      fakeGateway: boolean
      backendPort: number
      sitePort: number
      healthPort: number
      toolsPort: number
      gatewayPort: number
    }) => {
      const { up } = await import('./commands/up.ts')
      const ports = {
        backend: options.backendPort,
        site: options.sitePort,
        health: options.healthPort,
        tools: options.toolsPort,
        gateway: options.gatewayPort,
      }
      const { fakeGateway, seed, dataDir = path.join(DATA, 'up') } = options
      await up({ dataDir, fakeGateway, seed, ports }, stopSignal())
    },
  )

program
  .command('say')
  .description('post to the running stack as a member and show what comes back')
  .argument('<text...>', 'the message; mention an agent with @slug')
  .option('--task <id>', 'the task; default: the demo task')
  .option('--no-wait', 'do not wait for the answer')
  .option('--data-dir <folder>', 'data folder of the stack', folder)
  .addHelpText('after', '\nExample: ./mc say "@lead what should we do next?"')
  .action(async (text: string[], options: { task?: string; wait: boolean; dataDir?: string }) => {
    const stack = await findStack(options.dataDir)
    const { say } = await import('./commands/say.ts')
    await say(text.join(' '), { ...stack, taskId: options.task, wait: options.wait }, stopSignal())
  })

program
  .command('seed')
  .description('fill the running stack with six agents, their tasks, threads and documents; once, and without waking an agent')
  .option('--data-dir <folder>', 'data folder of the stack', folder)
  .addHelpText('after', '\nExample: ./mc up --fake-gateway, then ./mc seed')
  .action(async (options: { dataDir?: string }) => {
    const stack = await findStack(options.dataDir)
    const { seed } = await import('./commands/seed.ts')
    await seed(stack)
  })

program
  .command('run')
  .description('call a public function of the running stack as its owner')
  .argument('<function>', 'e.g. tasks:create')
  .argument('[args]', 'one JSON object; accountId is filled in', '{}')
  .option('--data-dir <folder>', 'data folder of the stack', folder)
  .addHelpText(
    'after',
    `\nExample: ./mc run tasks:list '{"status": "inbox", "paginationOpts": {"numItems": 10, "cursor": null}}'`,
  )
  .action(async (name: string, args: string, options: { dataDir?: string }) => {
    const stack = await findStack(options.dataDir)
    const { runFunction } = await import('./commands/run.ts')
    await runFunction(name, args, stack)
  })

program
  .command('token')
  .description('a token (JWT) for clients that sign in; default: as the owner of the stack')
  .option('--subject <id>', 'another person: who it is; default: made from --name, else --email')
  .option('--name <name>', 'what others read')
  .option('--email <address>', 'invitations to it are theirs')
  .addOption(new Option('--expires <time>', 'e.g. 45m, 1h, 30d; at most 90d').argParser(lifetime).default(43_200_000, '12h'))
  .option('--rotate-key', 'make another key first: tokens given out before are refused', false)
  .option('--data-dir <folder>', 'data folder of the stack', folder)
  .addHelpText('after', '\nExample: TOKEN=$(./mc token --name Ada --email ada@example.org --expires 30d)')
  .action(
    async ({
      dataDir,
      expires,
      ...options
    }: {
      subject?: string
      name?: string
      email?: string
      expires: number
      rotateKey: boolean
      dataDir?: string
    }) => {
      const { token } = await import('./commands/token.ts')
      await token({ ...options, lifetimeMs: expires, dataDir: await findData(dataDir) })
    },
  )

try {
  await program.parseAsync(process.argv)
} catch (error) {
  // Help, version and a wrong command line end this way too; commander has said why.
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? EXIT.ok : EXIT.usage
  else if (!(error instanceof Stopped)) {
    const { readable } = await import('./errors.ts')
    process.stderr.write(`mc: ${forTerminal(readable(error).message)}\n`)
    process.exitCode = EXIT.failed
  }
}
