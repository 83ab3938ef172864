import { mkdir, readdir, readFile, realpath, rm, symlink, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import type { Functions } from '@mission-control/embedded'
import { api } from '@mission-control/backend/convex/_generated/api'
import { HealthPage } from '@mission-control/shared/health'
import { loadConfig } from '../src/config/load.ts'
import { createFastClock } from './stack/fast-clock.ts'
import type { World } from './stack/world.ts'
import { buildFunctions, createWorld } from './stack/world.ts'

let functions: Functions
beforeAll(async () => {
  functions = await buildFunctions()
})

const quick = { SHUTDOWN_GRACE: '0' }

describe('the runtime with the embedded backend and a gateway', () => {
  it('brings a mention to its agent and the reply back, once', async () => {
    await using world = await createWorld(functions)
    const runtime = await world.startRuntime(quick)
    await world.untilReady(runtime)
    await world.post('@writer [[say:hello back]]')
    expect(await world.replies(1)).toEqual(['hello back'])
    expect(world.gateway.turns).toHaveLength(1)
    expect(world.gateway.turns[0]?.prompt).toContain('hello back')
    await runtime.stop()
    expect(await runtime.done).toBe('stopped')
    expect(world.lines.filter(({ level }) => level === 'error')).toEqual([])
    const everything = JSON.stringify(world.lines)
    expect(everything).not.toContain(world.token)
    expect(everything).not.toContain('hello back')
  })

  it('serves health pages that keep to their schema', async () => {
    await using world = await createWorld(functions)
    const runtime = await world.startRuntime(quick)
    const get = (page: string) => fetch(`http://127.0.0.1:${runtime.healthPort}${page}`)
    expect((await get('/livez')).status).toBe(200)
    await world.untilReady(runtime)
    expect((await get('/readyz')).status).toBe(200)
    const page = HealthPage.parse(await (await get('/health')).json())
    expect(page).toMatchObject({ status: 'healthy', role: 'active', gateway: { running: true }, convex: { connected: true } })
    await world.gateway.crash()
    while (runtime.notReady().length === 0) await new Promise((resolve) => setTimeout(resolve, 20))
    expect((await get('/readyz')).status).toBe(503)
    expect(HealthPage.parse(await (await get('/health')).json())).toMatchObject({
      status: 'degraded',
      gateway: { running: false },
    })
    const shown = async () => world.owner.query(api.runtimes.status, { accountId: world.accountId as never })
    while (!JSON.stringify(await shown()).includes('degraded')) await new Promise((resolve) => setTimeout(resolve, 50))
  })

  it('follows new, changed and removed agents without a restart', async () => {
    await using world = await createWorld(functions)
    const runtime = await world.startRuntime(quick)
    await world.untilReady(runtime)
    const editor = await world.createAgent('editor', { profile: { soul: 'You edit.' } })
    await world.post('@editor [[say:edited]]') // in the second it was created
    expect(await world.replies(1)).toEqual(['edited'])
    const soul = path.join(runtime.config.workspaceRoot, 'editor', 'SOUL.md')
    expect(await readFile(soul, 'utf8')).toContain('You edit.')
    await world.owner.mutation(api.agents.update, {
      accountId: world.accountId as never,
      agentId: editor as never,
      slug: 'chief-editor',
      profile: { soul: 'You edit well.' },
    })
    await world.post('@chief-editor [[say:edited well]]')
    expect(await world.replies(2)).toEqual(['edited', 'edited well'])
    expect(await readFile(soul.replace('editor', 'chief-editor'), 'utf8')).toContain('You edit well.')
    await world.owner.mutation(api.agents.remove, { accountId: world.accountId as never, agentId: editor as never })
    await until(() => !JSON.stringify(world.gateway.transcript.config).includes('chief-editor'))
    expect(JSON.stringify(world.gateway.transcript.config)).toContain('"writer"')
  })

  it('keeps the memory of an agent whose slug and permissions change, and closes its old sessions', async () => {
    await using world = await createWorld(functions, { agents: [] })
    const accountId = world.accountId as never
    const agentId = (await world.createAgent('editor')) as never
    const runtime = await world.startRuntime(quick)
    await world.untilReady(runtime)
    await world.post('@editor [[say:edited]]')
    expect(await world.replies(1)).toEqual(['edited'])
    const file = (...names: string[]) => path.join(runtime.config.workspaceRoot, ...names)
    await writeFile(file('editor', 'memory', 'style.md'), 'no adverbs')
    expect(await readFile(file('editor', 'TOOLS.md'), 'utf8')).toContain('- close tasks (move them to done)')
    const permissions = { canMarkDone: true, canReview: true }
    await world.owner.mutation(api.agents.update, { accountId, agentId, slug: 'chief', permissions })
    await world.post('@chief [[say:edited well]]')
    expect(await world.replies(2)).toEqual(['edited', 'edited well'])
    expect(await readFile(file('chief', 'memory', 'style.md'), 'utf8')).toBe('no adverbs')
    expect(await readFile(file('chief', 'TOOLS.md'), 'utf8')).toContain('- close a task that is in review')
    await until(() => !JSON.stringify(world.gateway.transcript.config).includes('"editor":'))
    expect(await readdir(runtime.config.workspaceRoot)).toEqual(['chief'])
    const keys = world.gateway.turns.map(({ sessionKey }) => sessionKey)
    expect(keys.map((key) => key.split(':')[1])).toEqual(['editor', 'chief'])
  })

  it('is not stopped by one agent whose workspace cannot be written, and says so of that agent', async () => {
    await using world = await createWorld(functions)
    const accountId = world.accountId as never
    const env = await world.environment(quick)
    const { workspaceRoot } = loadConfig(env, '0.0.0').config
    await mkdir(workspaceRoot, { recursive: true })
    await symlink(await realpath(env['DATA_DIR'] ?? ''), path.join(workspaceRoot, 'bad'))
    const runtime = await world.startRuntime(env)
    await world.untilReady(runtime)
    const bad = (await world.createAgent('bad')) as never
    await world.createAgent('good')
    await world.post('@good [[say:I am here]]')
    expect(await world.replies(1)).toEqual(['I am here'])
    await until(() => runtime.health().agentSync.counts?.failed === 1)
    expect(runtime.health()).toMatchObject({
      status: 'degraded',
      agentSync: { lastError: expect.stringMatching(/^bad: .* is a symbolic link/) as string },
    })
    const shown = async () => world.owner.query(api.agents.get, { accountId, agentId: bad })
    while ((await shown()).status !== 'error') await new Promise((resolve) => setTimeout(resolve, 10))
    expect((await shown()).statusReason).toContain('symbolic link')
    await rm(path.join(workspaceRoot, 'bad'))
    await until(() => runtime.health().agentSync.lastError === null)
    expect(runtime.health()).toMatchObject({ status: 'healthy' })
    expect(await readdir(workspaceRoot)).toEqual(['bad', 'good', 'writer'])
  }, 60_000)

  it('lets one of two be active; the standby takes over when the first says goodbye', async () => {
    await using world = await createWorld(functions)
    const first = await world.startRuntime(quick)
    await world.untilReady(first)
    const second = await world.startRuntime(quick)
    await until(() => second.loops.role() === 'standby')
    expect(second.notReady()).toEqual(['standby: another runtime is active for this account'])
    await world.post('@writer [[say:from the first]]')
    await world.replies(1)
    await first.stop()
    await world.post('@writer [[say:from the second]]')
    expect(await world.replies(2)).toEqual(['from the first', 'from the second'])
    expect(world.gateway.turns).toHaveLength(2)
  })

  it('stops in order: a turn in flight ends within the grace, another is given back and answered by the next process', async () => {
    await using world = await createWorld(functions, { agents: ['writer', 'editor'] })
    const env = await world.environment({ SHUTDOWN_GRACE: '3000' })
    const first = await world.startRuntime(env)
    await world.untilReady(first)
    await world.post('@writer [[gate:quick]][[say:in time]]')
    await world.gate('quick').entered
    const other = await world.createTask('Other')
    await world.post('@editor [[gate:slow]][[say:second try]]', other)
    await world.gate('slow').entered
    const stopped = first.stop()
    world.gate('quick').release()
    expect(await world.replies(1)).toEqual(['in time'])
    await stopped
    world.gate('slow').release()
    const second = await world.startRuntime(env)
    expect(await world.replies(1, other)).toEqual(['second try'])
    const [delivery] = await deliveries(world, other)
    expect(delivery).toMatchObject({ state: 'delivered', attempts: 1 })
    await second.stop()
  })

  it('keeps a turn over a crash of the gateway: one reply, one attempt', async () => {
    await using world = await createWorld(functions)
    const runtime = await world.startRuntime(quick)
    await world.untilReady(runtime)
    await world.post('@writer [[gate:g]][[say:after the crash]]')
    await world.gate('g').entered
    await world.gateway.crash()
    await world.gateway.restart()
    world.gate('g').release()
    expect(await world.replies(1)).toHaveLength(1)
    await until(() => runtime.loops.period()?.delivery.held().length === 0)
    expect(await deliveries(world)).toMatchObject([{ state: 'delivered', attempts: 1 }])
    expect((await world.messages()).filter(({ author }) => author.type === 'agent')).toHaveLength(1)
  })

  it('goes on after a restart of the backend: nothing lost, nothing twice, and it says degraded meanwhile', async () => {
    await using world = await createWorld(functions)
    const runtime = await world.startRuntime(quick)
    await world.untilReady(runtime)
    await world.post('@writer [[gate:g]][[say:kept over the outage]]')
    await world.gate('g').entered
    await world.disconnect()
    world.gate('g').release() // the reply has nowhere to go
    await until(() => runtime.notReady().some((reason) => reason.startsWith('convex')))
    await world.post('@writer [[say:written meanwhile]]')
    await world.reconnect()
    expect(await world.replies(2)).toEqual(['kept over the outage', 'written meanwhile'])
    await until(() => runtime.notReady().length === 0)
    expect(world.gateway.turns).toHaveLength(2)
  })

  it('stops a turn that a person stops, and the lane goes on', async () => {
    await using world = await createWorld(functions)
    const runtime = await world.startRuntime(quick)
    await world.untilReady(runtime)
    await world.post('@writer [[gate:g]][[say:never]]')
    await world.gate('g').entered
    await world.owner.mutation(api.deliveries.stop, { accountId: world.accountId as never, taskId: world.taskId as never })
    await until(() => runtime.loops.period()?.delivery.held().length === 0)
    world.gate('g').release()
    await world.post('@writer [[say:next]]')
    expect(await world.replies(1)).toEqual(['next'])
    expect(world.gateway.turns.at(-1)?.prompt).toContain('Earlier requests are void')
  })

  it('says nothing but check-ins while idle', async () => {
    await using world = await createWorld(functions, { clock: createFastClock(20) })
    const calls: string[] = []
    const runtime = await world.startRuntime(quick, {
      fetch(input, init) {
        calls.push((JSON.parse(init?.body as string) as { path: string }).path)
        return fetch(input, init)
      },
    })
    await world.untilReady(runtime)
    const count = () => calls.filter((name) => name === 'service/runtime:checkIn').length
    const before = count()
    await until(() => count() >= before + 1) // whatever the start still had to say
    calls.length = 0
    await until(() => count() >= 2) // two more minutes of the runtime's clock
    expect(new Set(calls)).toEqual(new Set(['service/runtime:checkIn']))
  })

  it('loses answers of claim and settle and still replies once', async () => {
    await using world = await createWorld(functions, { clock: createFastClock(20) })
    const lost: string[] = []
    const runtime = await world.startRuntime(quick, {
      async fetch(input, init) {
        const response = await fetch(input, init)
        const { path: name } = JSON.parse(init?.body as string) as { path: string }
        if (!/claim|settle/.test(name) || lost.includes(name)) return response
        lost.push(name)
        await response.arrayBuffer() // it took effect
        throw new TypeError('fetch failed', { cause: new Error('other side closed') })
      },
    })
    await world.untilReady(runtime)
    await world.post('@writer [[say:once]]')
    expect(await world.replies(1)).toEqual(['once'])
    await until(() => runtime.loops.period()?.delivery.held().length === 0)
    expect(lost).toEqual(['service/notifications:claim', 'service/notifications:settle'])
    expect((await world.messages()).filter(({ author }) => author.type === 'agent')).toHaveLength(1)
    expect(world.gateway.turns).toHaveLength(1)
  })

  /** A backend that takes every request and never answers: only the caller's own limit ends a call. */
  function blackHole() {
    const hole = { on: false, open: new Set<string>(), swallowed: [] as string[] }
    const through: typeof fetch = (input, init) => {
      if (!hole.on) return fetch(input, init)
      const { path: name } = JSON.parse(init?.body as string) as { path: string }
      hole.swallowed.push(name)
      hole.open.add(name)
      return new Promise((_resolve, reject) => {
        init?.signal?.addEventListener('abort', () => (hole.open.delete(name), reject(init.signal?.reason as Error)), {
          once: true,
        })
      })
    }
    return { hole, fetch: through }
  }

  it('keeps a reply while the backend is a black hole, one call at a time, and settles it once when it answers again', async () => {
    await using world = await createWorld(functions)
    const { hole, fetch } = blackHole()
    const runtime = await world.startRuntime(quick, { fetch, timeoutMs: 200 })
    await world.untilReady(runtime)
    await world.post('@writer [[gate:g]][[say:out of the hole]]')
    await world.gate('g').entered
    hole.on = true
    world.gate('g').release()
    await until(() => hole.swallowed.filter((name) => name.endsWith(':settle')).length >= 2)
    await world.post('@writer [[say:the next one]]') // announced by the socket, which still lives; nothing of it is lost
    expect(runtime.loops.period()?.delivery.held()).toHaveLength(1)
    hole.on = false
    expect(await world.replies(2)).toEqual(['out of the hole', 'the next one'])
    expect(world.gateway.turns).toHaveLength(2)
    expect((await deliveries(world)).map(({ attempts }: { attempts: number }) => attempts)).toEqual([1, 1])
  })

  it('stops beside a black hole within its limit, and leaves no call and no turn behind', async () => {
    await using world = await createWorld(functions)
    const { hole, fetch } = blackHole()
    const runtime = await world.startRuntime({ ...quick, STOP_TIMEOUT: '4000' }, { fetch, timeoutMs: 200 })
    await world.untilReady(runtime)
    await world.post('@writer [[gate:g]][[say:never told]]')
    await world.gate('g').entered
    hole.on = true
    await runtime.stop()
    expect(world.gateway.turns[0]?.signal.aborted).toBe(true)
    expect([...hole.open]).toEqual([])
    const calls = hole.swallowed.length
    await world.gateway.restart() // whatever still listens would hear of it
    expect(hole.swallowed).toHaveLength(calls)
  })

  it('leaves the turns of a lost lease to its successor on the same gateway: one run, one reply', async () => {
    await using world = await createWorld(functions, { clock: createFastClock(30) })
    let cut = false
    const first = await world.startRuntime(quick, {
      fetch: (input, init) => (cut ? Promise.reject(new TypeError('cut', { cause: new Error('cut') })) : fetch(input, init)),
    })
    await world.untilReady(first)
    const second = await world.startRuntime(quick)
    await until(() => second.loops.role() === 'standby')
    await world.post('@writer [[gate:g]][[say:from the one run]]')
    await world.gate('g').entered
    cut = true
    await until(() => second.loops.period()?.delivery.held().length === 1)
    cut = false
    await until(() => first.loops.role() === 'standby')
    world.gate('g').release()
    expect(await world.replies(1)).toEqual(['from the one run'])
    await until(() => second.loops.period()?.delivery.held().length === 0)
    expect(world.gateway.turns).toHaveLength(1)
    expect(await deliveries(world)).toMatchObject([{ state: 'delivered', attempts: 2, fence: 2 }])
  }, 100_000)

  it('is refused with a wrong token at the start, and says so', async () => {
    await using world = await createWorld(functions)
    const wrong = `${world.token.slice(0, -4)}AAAA`
    const runtime = await world.startRuntime({ ...quick, SERVICE_TOKEN: wrong })
    await expect(runtime.done).rejects.toMatchObject({ code: 'TOKEN_REFUSED' })
    expect(JSON.stringify(world.lines)).not.toContain(wrong)
  })

  it('wakes an agent with work once, with a prompt of its tasks', async () => {
    await using world = await createWorld(functions, { agents: [], clock: createFastClock(20) })
    const agentId = await world.createAgent('writer', { heartbeatMinutes: 1 })
    const task = await world.createTask('Write the report')
    const runtime = await world.startRuntime({ ...quick, HEALTH_CHECK_INTERVAL: '5000' })
    await world.untilReady(runtime)
    await world.owner.mutation(api.tasks.assign, {
      accountId: world.accountId as never,
      taskId: task as never,
      assignees: [{ type: 'agent', id: agentId }],
    })
    const turn = await world.gateway.waitForTurn(({ prompt }) => prompt.includes('# heartbeat'))
    expect(turn.prompt).toContain('Write the report')
    expect(turn.prompt).toContain('at most one action')
  }, 100_000)

  it('gives a new agent its first heartbeat within a minute, moves it with its interval, and none once it is gone', async () => {
    const clock = createFastClock(20)
    await using world = await createWorld(functions, { agents: [], clock })
    const runtime = await world.startRuntime({ ...quick, HEALTH_CHECK_INTERVAL: '5000' })
    await world.untilReady(runtime)
    const accountId = world.accountId as never
    const created = clock.monotonic()
    const agentId = (await world.createAgent('writer', { heartbeatMinutes: 720 })) as never
    const task = (await world.createTask('Write the report')) as never
    await world.owner.mutation(api.tasks.assign, { accountId, taskId: task, assignees: [{ type: 'agent', id: agentId }] })
    const heartbeats = () => world.gateway.turns.filter(({ prompt }) => prompt.includes('# heartbeat')).length

    await until(() => runtime.health().heartbeats.scheduled === 1)
    await until(() => heartbeats() === 1)
    // A minute, one check-in of 5 s that carries it, and what a busy machine adds, twentyfold.
    expect(clock.monotonic() - created).toBeLessThan(60_000 + 5_000 + 20_000)
    const agent = (await world.owner.query(api.agents.get, { accountId, agentId })) as { status: string }
    expect(['online', 'idle', 'busy']).toContain(agent.status)

    await world.owner.mutation(api.agents.update, { accountId, agentId, heartbeatMinutes: 1 })
    const shortened = clock.monotonic()
    await until(() => heartbeats() >= 2)
    expect(clock.monotonic() - shortened).toBeLessThan(3 * 60_000) // it was due in half a day

    await world.owner.mutation(api.agents.remove, { accountId, agentId })
    await until(() => runtime.health().heartbeats.scheduled === 0)
    const last = heartbeats()
    await clock.sleep(3 * 60_000)
    expect(heartbeats()).toBe(last)
    expect(runtime.health().agentSync.counts).toMatchObject({ removed: 1 })
  }, 100_000)
})

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 10))
}

async function deliveries(world: World, taskId = world.taskId) {
  return world.backend.run(async (ctx) =>
    ctx.db
      .query('deliveries')
      .collect()
      .then((rows: { taskId: string }[]) => rows.filter((row) => row.taskId === taskId)),
  )
}
