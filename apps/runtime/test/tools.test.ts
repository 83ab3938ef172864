/** Agents that use tools: the real runtime with its tools endpoint, the embedded backend, the fake gateway as the MCP client. */
import { readFile, rm, stat } from 'node:fs/promises'
import path from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import type { Functions } from '@mission-control/embedded'
import { freePort } from '@mission-control/host/ports'
import { api } from '@mission-control/backend/convex/_generated/api'
import type { World } from './stack/world.ts'
import { buildFunctions, createWorld } from './stack/world.ts'

let functions: Functions
beforeAll(async () => {
  functions = await buildFunctions()
})

const quick = { SHUTDOWN_GRACE: '0' }
const tool = (name: string, args: object) => `[[tool:${name} ${JSON.stringify(args)}]]`
const turn = '{{turn}}'

/** Titles of the tasks in the inbox. */
async function inboxTitles(world: World): Promise<string[]> {
  const { page } = await world.owner.query(api.tasks.list, {
    accountId: world.accountId as never,
    status: 'inbox',
    paginationOpts: { numItems: 50, cursor: null },
  })
  return page.map(({ title }) => title)
}

const may = (world: World, slug: string, permissions: object) => world.createAgent(slug, { permissions })

describe('an agent with tools', () => {
  it('reads and creates, and its later step sees what the earlier one made', async () => {
    await using world = await createWorld(functions, { agents: [] })
    await may(world, 'writer', { canCreateTasks: true })
    const runtime = await world.startRuntime(quick)
    await world.untilReady(runtime)
    await world.post(
      `@writer ${tool('task_create', { title: 'From a tool', turn })}${tool('task_get', { task: '{{1.task.id}}', turn })}[[say:made {{2.title}}]]`,
    )
    expect(await world.replies(1)).toEqual(['made From a tool'])
    expect(await inboxTitles(world)).toContain('From a tool')
    expect(runtime.health().tools).toEqual({ listening: true, sessions: 1, calls: 2, refused: 0, rejected: 0 })
  })

  it('is told what would be allowed when a tool refuses', async () => {
    await using world = await createWorld(functions)
    const runtime = await world.startRuntime(quick)
    await world.untilReady(runtime)
    await world.post(`@writer ${tool('task_create', { title: 'No', turn })}[[say:{{1}}]]`)
    expect((await world.replies(1))[0]).toMatch(/You may not create tasks.*canCreateTasks/)
    expect(runtime.health().tools).toMatchObject({ calls: 1, refused: 1 })
  })

  it('has its own token: kept over a restart, in a file of its own, gone with the agent', async () => {
    await using world = await createWorld(functions, { agents: ['writer', 'editor'] })
    const runtime = await world.startRuntime(quick)
    await world.untilReady(runtime)
    const file = path.join(runtime.config.dataDir, 'agent-tokens.json')
    expect((await stat(file)).mode & 0o777).toBe(0o600)
    const tokens = Object.values(JSON.parse(await readFile(file, 'utf8')) as Record<string, string>)
    expect(new Set(tokens).size).toBe(2)
    expect(JSON.stringify(world.lines)).not.toContain(tokens[0])
    const servers = () => (world.gateway.transcript.config?.['mcp'] as { servers: Record<string, object> }).servers
    const before = servers()
    expect(Object.keys(before).sort()).toEqual(['mc-editor', 'mc-writer'])

    await world.owner.mutation(api.agents.remove, {
      accountId: world.accountId as never,
      agentId: (await idOf(world, 'editor')) as never,
    })
    while (Object.keys(servers()).length > 1) await new Promise((resolve) => setTimeout(resolve, 10))
    expect(Object.values(JSON.parse(await readFile(file, 'utf8')) as object)).toHaveLength(1)
    const { url, headers } = before['mc-editor'] as { url: string; headers: Record<string, string> }
    expect((await fetch(url, { method: 'POST', headers, body: '{}' })).status).toBe(401)
  })
})

describe('two turns of one agent at once', () => {
  it('each call lands in its own lane: by its code, then by its session; a stranger to both is refused', async () => {
    await using world = await createWorld(functions)
    const runtime = await world.startRuntime(quick)
    await world.untilReady(runtime)
    const other = await world.createTask('The other task')
    const own = (task: string, n: number) =>
      `@writer ${tool('message_post', { task, content: `first ${n}`, turn })}[[gate:g${n}]]${tool('message_post', { task, content: `second ${n}` })}[[say:end ${n}]]`
    await world.post(own(world.taskId, 1))
    await world.post(own(other, 2), other)
    await world.gate('g1').entered
    await world.gate('g2').entered
    await world.post(`@writer ${tool('agent_list', {})}[[say:{{1}}]]`, await world.createTask('A third'))
    const [item] = await replyIn(world, 'A third')
    expect(item).toMatch(/^Say which turn this is for: .*one of: \w{6} \(mention, task .*\), \w{6} .*, \w{6} /)
    world.gate('g1').release()
    world.gate('g2').release()
    expect(await world.replies(3)).toEqual(['first 1', 'second 1', 'end 1'])
    expect(await world.replies(3, other)).toEqual(['first 2', 'second 2', 'end 2'])
    const lines = world.lines.filter(({ message }) => message === 'tool call').map(({ fields }) => fields)
    expect(lines.map(({ by }) => by)).toEqual(['code', 'code', 'session', 'session'])
    // The first and the second call of one conversation belong to one delivery.
    expect(new Set(lines.map(({ delivery }) => delivery)).size).toBe(2)
    expect(runtime.health().tools).toMatchObject({ sessions: 2, calls: 5, refused: 1 })
  })
})

describe("the gateway's entries", () => {
  const entries = (world: World) =>
    (world.gateway.transcript.config?.['mcp'] as { servers: Record<string, { url: string }> } | undefined)?.servers ?? {}
  /** Passes since then; a gateway that comes up is looked at once more. */
  const syncs = (world: World, from = 0) =>
    world.lines.slice(from).flatMap(({ message, fields }) => (message === 'agent sync' ? [fields] : []))
  const sync = (world: World) => syncs(world).at(-1)

  it('are written once: not by the next pass, nor by the next process on the same folder', async () => {
    await using world = await createWorld(functions, { agents: ['writer', 'editor'] })
    const TOOLS_PORT = String(await freePort())
    const first = await world.startRuntime({ ...quick, TOOLS_PORT })
    await world.untilReady(first)
    const { config } = world.gateway.transcript
    await first.stop()
    const DATA_DIR = first.config.dataDir
    const second = await world.startRuntime({ ...quick, TOOLS_PORT, DATA_DIR })
    await world.untilReady(second)
    expect(sync(world)).toMatchObject({ added: 0, updated: 0, unchanged: 2 })
    expect(world.gateway.transcript.config).toBe(config)
    await second.stop()

    // A lost file of tokens: new ones, and the entries follow although the gateway shows no token.
    await rm(path.join(DATA_DIR, 'agent-tokens.json'))
    let from = world.lines.length
    const third = await world.startRuntime({ ...quick, TOOLS_PORT, DATA_DIR })
    await world.untilReady(third)
    expect(syncs(world, from)).toContainEqual(expect.objectContaining({ updated: 2, unchanged: 0 }))
    await world.post(`@writer ${tool('agent_list', { turn })}[[say:works]]`)
    expect(await world.replies(1)).toEqual(['works'])
    expect(third.health().tools).toMatchObject({ calls: 1, refused: 0, rejected: 0 })
    await third.stop()

    from = world.lines.length
    const fourth = await world.startRuntime({ ...quick, TOOLS_PORT, DATA_DIR, TOOLS_URL: 'http://tools.example.org/' })
    await world.untilReady(fourth)
    expect(syncs(world, from)).toContainEqual(expect.objectContaining({ updated: 2, unchanged: 0 }))
    expect(entries(world)['mc-writer']?.url).toMatch(/^http:\/\/tools\.example\.org\/mcp\/[0-9a-f]{12}$/)
  })
})

async function replyIn(world: World, title: string): Promise<string[]> {
  const { page } = await world.owner.query(api.tasks.list, {
    accountId: world.accountId as never,
    status: 'inbox',
    paginationOpts: { numItems: 50, cursor: null },
  })
  return world.replies(1, page.find((task) => task.title === title)?.id ?? '')
}

async function idOf(world: World, slug: string): Promise<string> {
  const agents = await world.owner.query(api.agents.list, { accountId: world.accountId as never })
  return agents.find((agent) => agent.slug === slug)?.id ?? ''
}
