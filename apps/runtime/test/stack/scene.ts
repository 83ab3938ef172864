/** What measurements share: an account with many agents, and the built runtime beside it as a process of its own. */
import { spawnSync } from 'node:child_process'
import { copyFile, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import path from 'node:path'
import type { GenericMutationCtx } from 'convex/server'
import type { DataModel, Id } from '@mission-control/backend/convex/_generated/dataModel'
import { api } from '@mission-control/backend/convex/_generated/api'
import type { Callable } from '@mission-control/embedded'
import { systemClock } from '@mission-control/host/clock'
import { LIMITS } from '@mission-control/shared/limits'
import type { RuntimeProcess } from './process.ts'
import { spawnRuntime } from './process.ts'

const RUNTIME = path.resolve(import.meta.dirname, '../..')

export interface BuiltRuntime extends AsyncDisposable {
  /** The built program, as an installation runs it. */
  readonly program: string
}

/**
 * Figures of the sources would be figures of Node's type stripping, and those of an old build would be no figures: builds, 2 s, into a
 * folder of its own, because `dist` may be what somebody else is running. It lies where Node finds the dependencies.
 */
export async function buildRuntime(): Promise<BuiltRuntime> {
  const cache = path.join(RUNTIME, 'node_modules/.cache')
  await mkdir(cache, { recursive: true })
  const folder = await mkdtemp(path.join(cache, 'measured-'))
  const remove = () => rm(folder, { recursive: true, force: true })
  const tsup = path.join(
    path.dirname(createRequire(path.join(RUNTIME, 'package.json')).resolve('tsup/package.json')),
    'dist/cli-default.js',
  )
  const args = [tsup, '--out-dir', path.join(folder, 'dist')]
  await copyFile(path.join(RUNTIME, 'package.json'), path.join(folder, 'package.json')) // it knows its version from there
  const { status, stderr, stdout } = spawnSync(process.execPath, args, { cwd: RUNTIME, encoding: 'utf8' })
  if (status !== 0) {
    await remove()
    throw new Error(`The runtime could not be built:\n${stdout}${stderr}`)
  }
  return { program: path.join(folder, 'dist/cli.js'), [Symbol.asyncDispose]: remove }
}

/** What the runtime says of each attempt that has ended. */
const DELIVERY_LINES: ReadonlySet<unknown> = new Set(['delivery', 'delivery failed'])

export const slugOf = (n: number): string => `agent-${String(n).padStart(4, '0')}`

/** An account whose backend is in this process. */
export interface OpenAccount {
  readonly backend: Pick<Callable, 'run'>
  readonly owner: Callable
  readonly accountId: string
}

/**
 * Agents `agent-0000` and so on, until there are `count` of them. The first is made as people make one, the others are copies of its
 * rows: a creation reads all agents there are, and a thousand of them are not what is measured here.
 */
export async function createAgents(
  { backend, owner, accountId: id }: OpenAccount,
  count: number,
  extra: object = {},
): Promise<void> {
  const accountId = id as Id<'accounts'>
  await owner.mutation(api.accounts.update, { accountId, agentLimit: LIMITS.agentsPerAccountMax })
  const named = { slug: slugOf(0), name: slugOf(0), heartbeatMinutes: 1_440 }
  const first = await owner.mutation(api.agents.create, { accountId, ...named, ...extra })
  await backend.run(async (ctx) => {
    const db = ctx.db as unknown as GenericMutationCtx<DataModel>['db']
    const agent = withoutSystemFields(await db.get(first))
    const profile = withoutSystemFields(
      await db
        .query('agentProfiles')
        .withIndex('by_account_agent', (q) => q.eq('accountId', accountId).eq('agentId', first))
        .unique(),
    )
    const presence = withoutSystemFields(
      await db
        .query('agentPresence')
        .withIndex('by_account_agent', (q) => q.eq('accountId', accountId).eq('agentId', first))
        .unique(),
    )
    for (let n = 1; n < count; n += 1) {
      const slug = slugOf(n)
      const agentId = await db.insert('agents', { ...agent, slug, name: slug, nameKey: slug })
      await db.insert('agentProfiles', { ...profile, agentId })
      await db.insert('agentPresence', { ...presence, agentId })
    }
    const signals = await db
      .query('signals')
      .withIndex('by_account', (q) => q.eq('accountId', accountId))
      .unique()
    if (signals) await db.patch(signals._id, { rosterVersion: signals.rosterVersion + 1 })
  })
}

function withoutSystemFields<T extends { _id: unknown; _creationTime: number }>(row: T | null): Omit<T, '_id' | '_creationTime'> {
  if (row === null) throw new Error('an agent has no such row')
  const { _id, _creationTime, ...rest } = row
  return rest
}

export interface Started extends AsyncDisposable {
  readonly process: RuntimeProcess
  readonly pid: number
  /** How many deliveries the backend has taken the result of, one log line each. */
  ended(): number
  /** Calls back with the agent of each, with `reply`, `receipt`, `fail` or `release`, and with the delivery's id. */
  onEnded(listener: (slug: string, outcome: string, delivery: string) => void): void
  /** Resolves when `/readyz` says so, with the ms since the start of the process. */
  readonly ready: Promise<number>
}

/** The runtime as in production, with the whole of its environment. */
export async function startBuilt({ program }: BuiltRuntime, env: Record<string, string>): Promise<Started> {
  const begun = systemClock.monotonic()
  const runtime = spawnRuntime(env, ['start'], program)
  const first = await runtime.line((line) => line['msg'] === 'runtime started')
  let ended = 0
  const listeners: ((slug: string, outcome: string, delivery: string) => void)[] = []
  runtime.onLine((line) => {
    if (!DELIVERY_LINES.has(line['msg'])) return
    ended += 1
    for (const listener of listeners) listener(String(line['agent']), String(line['outcome']), String(line['delivery']))
  })
  const page = `http://127.0.0.1:${String(first['port'])}`
  const ready = (async () => {
    while (!(await fetch(`${page}/readyz`)).ok) await systemClock.sleep(5)
    return systemClock.monotonic() - begun
  })()
  ready.catch(() => undefined)
  return {
    process: runtime,
    pid: runtime.child.pid ?? 0,
    ended: () => ended,
    onEnded: (listener) => void listeners.push(listener),
    ready,
    // A gateway of its own would outlive a kill, to be adopted.
    async [Symbol.asyncDispose]() {
      runtime.kill('SIGTERM')
      await runtime.ended
    },
  }
}
