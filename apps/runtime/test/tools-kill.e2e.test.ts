/** kill -9 of the runtime while an agent works with tools: nothing is created twice, and the agent goes on where it can. */
import { beforeAll, expect, it } from 'vitest'
import type { Functions } from '@mission-control/embedded'
import { api } from '@mission-control/backend/convex/_generated/api'
import type { RuntimeProcess } from './stack/process.ts'
import { spawnRuntime } from './stack/process.ts'
import type { World } from './stack/world.ts'
import { buildFunctions, createWorld } from './stack/world.ts'

let functions: Functions
beforeAll(async () => {
  functions = await buildFunctions()
})

const tool = (name: string, args: object) => `[[tool:${name} ${JSON.stringify({ ...args, turn: '{{turn}}' })}]]`
const active = (line: Record<string, unknown>) => line['msg'] === 'active'
const toolLines = ({ lines }: RuntimeProcess) => lines.filter(({ msg }) => msg === 'tool call')

async function titles(world: World): Promise<string[]> {
  const { page } = await world.owner.query(api.tasks.list, {
    accountId: world.accountId as never,
    status: 'inbox',
    paginationOpts: { numItems: 50, cursor: null },
  })
  return page.map(({ title }) => title).toSorted()
}

it('the gateway lives on: the turn goes on, and its later calls find their claim again', async () => {
  await using world = await createWorld(functions, { agents: [] })
  await world.createAgent('writer', { permissions: { canCreateTasks: true } })
  const env = await world.environment()
  await using first = spawnRuntime(env)
  await first.line(active)
  await world.post(
    `@writer ${tool('task_create', { title: 'Before' })}[[gate:g]]${tool('task_create', { title: 'After' })}[[say:both {{1.task.title}} and {{2.task.title}}]]`,
  )
  await world.gate('g').entered
  first.kill('SIGKILL')
  await first.ended

  await using second = spawnRuntime(env) // the same folder: the same tokens, and the port the gateway knows
  await second.line(active)
  world.gate('g').release()
  expect(await world.replies(1)).toEqual(['both Before and After'])
  expect(await titles(world)).toEqual(['After', 'Before', 'The task'])
  expect(world.gateway.turns).toHaveLength(1) // the model was asked once
  expect(toolLines(second)).toMatchObject([{ tool: 'task_create', by: 'code', ok: true }])
  const sync = await second.line((line) => line['msg'] === 'agent sync')
  expect(sync).toMatchObject({ unchanged: 1, updated: 0 })
})

it('the gateway dies as well: the turn runs again from its beginning, and gets what it had made', async () => {
  await using world = await createWorld(functions, { agents: [], gateway: { holdRecovery: true } })
  await world.createAgent('writer', { permissions: { canCreateTasks: true } })
  const env = await world.environment()
  await using first = spawnRuntime(env)
  await first.line(active)
  const twice = tool('task_create', { title: 'Twin' }) // equal calls of one run are meant
  await world.post(
    `@writer ${twice}${twice}${tool('message_post', { task: world.taskId, content: 'On it.' })}[[gate:g]][[say:done {{1.task.id}} {{2.task.id}}]]`,
  )
  await world.gate('g').entered
  first.kill('SIGKILL')
  await first.ended
  await world.gateway.crash()
  await world.gateway.restart()

  await using second = spawnRuntime(env)
  await second.line(active)
  world.gate('g').release()
  const [posted, reply] = await world.replies(2)
  expect(posted).toBe('On it.')
  expect(await titles(world)).toEqual(['The task', 'Twin', 'Twin'])
  const [, one, two] = (reply ?? '').split(' ')
  expect(one).not.toBe(two)
  expect(world.gateway.turns).toHaveLength(2)
  expect(toolLines(second)).toHaveLength(3) // all were called again
  expect((await world.messages()).filter(({ content }) => content === 'On it.')).toHaveLength(1)
})
