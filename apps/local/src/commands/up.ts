/** `./mc up`: the same stack with a data folder that stays, and no demo content. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { api } from '@mission-control/backend/convex/_generated/api'
import type { Id } from '@mission-control/backend/convex/_generated/dataModel'
import { systemClock } from '@mission-control/host/clock'
import { untilAborted } from '@mission-control/host/until-aborted'
import { portHolder, portTaken } from '@mission-control/host/ports'
import { installOpenclaw } from '@mission-control/openclaw/install'
import { z } from 'zod'
import { createAccount, createToken, seedAccount } from '../account.ts'
import { realModel } from '../model.ts'
import { createScreen } from '../screen.ts'
import { LOCAL_IDENTITY } from '../sign-in/person.ts'
import { openDataFolder } from '../stack/data-folder.ts'
import { ROOT } from '../stack/entries.ts'
import type { Member } from '../stack/member.ts'
import { createMember } from '../stack/member.ts'
import { issuersIn } from '../stack/part-env.ts'
import { endLeftovers, runningStack } from '../stack/record.ts'
import { showStackEvent } from '../stack/show.ts'
import type { Prepared, StackPorts } from '../stack/stack.ts'
import { startStack } from '../stack/stack.ts'

export interface UpOptions {
  readonly dataDir: string
  readonly fakeGateway: boolean
  /** Fill the account with the demo, unless that was done before. */
  readonly seed: boolean
  readonly ports: StackPorts
}

/** Runs until the signal aborts. */
export async function up({ dataDir, fakeGateway, seed, ports }: UpOptions, signal: AbortSignal): Promise<void> {
  const running = runningStack(dataDir)
  if (running) throw new Error(`This stack already runs (process ${running.owner.pid}); stop it with Ctrl-C in its terminal.`)
  const screen = createScreen(process.stdout)
  screen.heading('Mission Control')
  for (const name of await endLeftovers(dataDir, systemClock)) screen.step(name, 'left over from a killed terminal; ended')
  openDataFolder(dataDir, { fresh: false })
  refuseTakenPorts(ports)
  const openclawBin = fakeGateway
    ? null
    : await installOpenclaw({ root: ROOT, signal, onProgress: (line) => screen.step('openclaw', line) })
  const model = realModel(process.env)
  screen.step(
    'model',
    model?.label ?? 'scripted: set MODEL_BASE_URL and OPENCLAW_MODEL, OPENAI_API_KEY or ANTHROPIC_API_KEY for a real one',
  )
  await using stack = await startStack(
    {
      ...{ kind: 'up', dataDir, ports, fakeGateway, openclawBin, model, clock: systemClock },
      backendEnv: issuersIn(process.env),
      onProgress: (event) => showStackEvent(screen, event),
      prepare: async ({ url, adminKeyFile }) => {
        await using member = createMember({ url, adminKeyFile, identity: LOCAL_IDENTITY })
        const account = await ownAccount(member, dataDir)
        if (seed) screen.step('demo', await seedAccount(member, account.accountId as Id<'accounts'>))
        return account
      },
    },
    signal,
  )
  screen.heading('Running. From a second terminal:')
  screen.note(`./mc run agents:create '{"slug": "writer", "name": "Wren"}'`)
  screen.note(`./mc run tasks:create '{"title": "Write the launch note"}'`)
  screen.note('./mc say --task <id> "@writer please start"')
  screen.note(`curl -s ${stack.healthUrl}/health`)
  screen.note('./mc token                                   for a client that signs in')
  screen.note(`Data stays in ${dataDir}. Ctrl-C stops everything.\n`)
  try {
    await untilAborted(stack.failed, signal)
  } finally {
    screen.step('stopping', 'runtime, gateway, backend')
  }
}

const accountFile = z.object({ accountId: z.string(), serviceToken: z.string() })

/** The account made at the first start; its token is in a file that only this user can read, as the runtime's environment would be. */
async function ownAccount(member: Member, dataDir: string): Promise<Prepared> {
  const file = path.join(dataDir, 'account.json')
  if (existsSync(file)) {
    const kept = accountFile.safeParse(JSON.parse(readFileSync(file, 'utf8')))
    if (!kept.success) throw new Error(`${file} is damaged: delete it to have a new token made for a new account.`)
    return { ...kept.data, taskId: null }
  }
  const mine = await member.http.query(api.accounts.listMine, {})
  const known = mine[0]?.id as Id<'accounts'> | undefined
  const account = known
    ? { accountId: known, serviceToken: await createToken(member, known, 'runtime on this machine') }
    : await createAccount(member, 'My team')
  writeFileSync(file, `${JSON.stringify(account, null, 2)}\n`, { mode: 0o600 })
  return { ...account, taskId: null }
}

function refuseTakenPorts(ports: StackPorts): void {
  const named = [
    [ports.backend, 'the backend', '--backend-port'],
    [ports.site, 'HTTP actions', '--site-port'],
    [ports.health, 'the health page', '--health-port'],
    [ports.tools, "the agents' tools", '--tools-port'],
    [ports.gateway, 'the OpenClaw gateway', '--gateway-port'],
  ] as const
  const taken = named.filter(([port]) => port !== 0 && portHolder(port) !== null)
  if (taken.length > 0)
    throw new Error(taken.map(([port, what, flag]) => portTaken(port, what, `choose another with ${flag}`)).join('\n'))
}
