/** What a person does to a running runtime from the backend, and what it says while it obeys. */
import { beforeAll, describe, expect, it } from 'vitest'
import { api } from '@mission-control/backend/convex/_generated/api'
import type { Functions } from '@mission-control/embedded'
import type { CommandIo } from '../src/commands/context.ts'
import { syncOnce } from '../src/commands/sync-once.ts'
import type { Runtime } from '../src/runtime.ts'
import type { World } from './stack/world.ts'
import { buildFunctions, createWorld } from './stack/world.ts'

let functions: Functions
beforeAll(async () => {
  functions = await buildFunctions()
}, 120_000)

const quick = { SHUTDOWN_GRACE: '0' }
const account = (world: World) => ({ accountId: world.accountId as never })
const command = (world: World, what: 'drain' | 'restart' | null) =>
  world.owner.mutation(api.accounts.setCommand, { ...account(world), command: what })

async function until(what: () => boolean): Promise<void> {
  while (!what()) await new Promise((resolve) => setTimeout(resolve, 20))
}
const readyz = async (runtime: Runtime) => {
  const response = await fetch(`http://127.0.0.1:${runtime.healthPort}/readyz`)
  return { status: response.status, ...((await response.json()) as { reasons: string[] }) }
}
const states = async (world: World, taskId = world.taskId) => {
  const items = await world.owner.query(api.deliveries.forTask, { ...account(world), taskId: taskId as never })
  return items.map(({ state }) => state)
}

describe('drain by request', () => {
  it('finishes the turns, takes none, says so everywhere, also after a restart; taking it back goes on', async () => {
    await using world = await createWorld(functions, { agents: ['writer', 'editor'] })
    const env = await world.environment(quick)
    const first = await world.startRuntime(env)
    await world.untilReady(first)
    await world.post('@writer [[gate:g]][[say:finished]]')
    await world.gate('g').entered
    await command(world, 'drain')
    await until(() => first.notReady().length > 0)
    const said = await readyz(first)
    expect(said).toMatchObject({ status: 503, reasons: [expect.stringMatching(/^draining: .*takes it back/)] })
    // What an operator asked for is no trouble.
    expect(first.health()).toMatchObject({ status: 'healthy', delivery: { held: 1, blocked: said.reasons[0] } })
    expect(world.lines.filter(({ fields }) => String(fields['why']).startsWith('draining'))).toHaveLength(1)
    const metrics = await (await fetch(`http://127.0.0.1:${first.healthPort}/metrics`)).text()
    expect(metrics).toContain('\nmission_control_ready 0\n')
    expect(metrics).toContain('\nmission_control_deliveries_in_flight 1\n')

    const other = await world.createTask('Other')
    await world.post('@editor [[say:later]]', other)
    world.gate('g').release()
    expect(await world.replies(1)).toEqual(['finished'])
    await until(() => first.health().delivery.held === 0)
    expect(await states(world, other)).toEqual(['ready'])
    await first.stop()

    // The request stands until it is taken back: whoever starts meanwhile takes nothing either, however late it hears of it.
    const second = await world.startRuntime(env)
    await until(() => second.notReady().some((reason) => reason.startsWith('draining')))
    expect(await states(world, other)).toEqual(['ready'])
    await command(world, null)
    expect(await world.replies(1, other)).toEqual(['later'])
    await world.untilReady(second)
    expect(world.lines.some(({ message }) => message === 'claims go on')).toBe(true)
  })

  it('is kept by the backend: a claim that comes all the same is refused', async () => {
    await using world = await createWorld(functions)
    const runtime = await world.startRuntime(quick)
    await world.untilReady(runtime)
    const epoch = runtime.loops.period()?.epoch ?? -1
    await command(world, 'drain')
    await world.post('@writer hello')
    const service = { accountId: world.accountId, serviceToken: world.token }
    const [head] = await world.backend.query(api.service.notifications.ready, service)
    const claim = world.backend.mutation(api.service.notifications.claim, { ...service, epoch, ids: [head?.id ?? ''] })
    await expect(claim).rejects.toMatchObject({ data: { code: 'PAUSED' } })
  })
})

describe('pause and resume', () => {
  it('of the account: nothing is claimed, turns in flight go on', async () => {
    await using world = await createWorld(functions)
    const runtime = await world.startRuntime(quick)
    await world.untilReady(runtime)
    await world.owner.mutation(api.accounts.setPaused, { ...account(world), paused: true })
    await until(() => runtime.notReady().length > 0)
    expect((await readyz(runtime)).reasons).toEqual([expect.stringContaining('the account is paused')])
    await world.post('@writer [[say:after the pause]]')
    expect(await states(world)).toEqual(['ready'])
    await world.owner.mutation(api.accounts.setPaused, { ...account(world), paused: false })
    expect(await world.replies(1)).toEqual(['after the pause'])
    expect(world.gateway.turns).toHaveLength(1)
  })

  it('of an agent: its work waits, others go on', async () => {
    await using world = await createWorld(functions, { agents: ['editor'] })
    const writer = await world.createAgent('writer')
    const runtime = await world.startRuntime(quick)
    await world.untilReady(runtime)
    const agent = { ...account(world), agentId: writer as never }
    await world.owner.mutation(api.agents.pause, agent)
    const waiting = await world.createTask('Waiting')
    await world.post('@writer [[say:resumed]]', waiting)
    await world.post('@editor [[say:not paused]]')
    expect(await world.replies(1)).toEqual(['not paused'])
    expect(await states(world, waiting)).toEqual(['waiting'])
    expect(runtime.notReady()).toEqual([])
    await world.owner.mutation(api.agents.resume, agent)
    expect(await world.replies(1, waiting)).toEqual(['resumed'])
  })
})

describe('restart by request', () => {
  it('ends this runtime in order and says that another is wanted; the request is not obeyed twice', async () => {
    await using world = await createWorld(functions)
    const env = await world.environment({ SHUTDOWN_GRACE: '20000' })
    const first = await world.startRuntime(env)
    await world.untilReady(first)
    await world.post('@writer [[gate:g]][[say:before the restart]]')
    await world.gate('g').entered
    await command(world, 'restart')
    await until(() => first.notReady().includes('stopping'))
    world.gate('g').release()
    expect(await first.done).toBe('restart')
    expect(await world.replies(1)).toEqual(['before the restart'])
    const second = await world.startRuntime(env)
    await world.untilReady(second)
    await world.post('@writer [[say:after it]]')
    expect(await world.replies(2)).toEqual(['before the restart', 'after it'])
    expect(second.notReady()).toEqual([])
  })
})

describe('sync-once --take-over', () => {
  it('takes the place of an idle runtime, which notices at its next call and takes it back', async () => {
    await using world = await createWorld(functions)
    const env = await world.environment(quick)
    const runtime = await world.startRuntime(env)
    await world.untilReady(runtime)
    const before = runtime.loops.period()?.epoch ?? 0
    const lines: string[] = []
    const io: CommandIo = {
      env: { NODE_ENV: 'production', ...env },
      stop: new AbortController().signal,
      out: (line) => lines.push(line),
      error: (line) => lines.push(line),
      isTerminal: false,
      version: '0.0.0',
      packageRoot: '/nonexistent',
    }
    expect(await syncOnce({ json: true, takeOver: true, only: ['agents'] }, io)).toBe(0)
    expect(JSON.parse(lines.join('\n'))).toMatchObject({ mode: 'done', failed: [] })
    // Every claim of the old epoch is refused from now on; the runtime notices by itself and is the active one again.
    await world.post('@writer [[say:by the runtime]]')
    expect(await world.replies(1)).toEqual(['by the runtime'])
    await world.untilReady(runtime)
    expect(runtime.loops.period()?.epoch).toBe(before + 2)
    expect(world.gateway.turns).toHaveLength(1)
  })
})
