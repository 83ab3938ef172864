/** Agents of a real OpenClaw use their tools: everything between the scripted model and the backend is the real thing. */
import { existsSync } from 'node:fs'
import path from 'node:path'
import { expect, it } from 'vitest'
import { api } from '@mission-control/backend/convex/_generated/api'
import { freePort } from '@mission-control/host/ports'
import { createGates } from '@mission-control/openclaw/testing/gates'
import { startModelServer } from '@mission-control/openclaw/testing/model-server'
import { runScript, turnCodeIn } from '@mission-control/openclaw/testing/script'
import { OPENCLAW_VERSION } from '@mission-control/openclaw/version'
import { buildFunctions, createWorld } from './stack/world.ts'

const local = path.resolve(import.meta.dirname, `../../../.tools/openclaw-${OPENCLAW_VERSION}/node_modules/openclaw/openclaw.mjs`)
const bin = process.env['OPENCLAW_BIN'] ?? (existsSync(local) ? local : null)
if (bin === null) process.stderr.write(`skipped: no OpenClaw ${OPENCLAW_VERSION} (set OPENCLAW_BIN to its openclaw.mjs)\n`)

const QUESTION = 'Is the note good?'
const ANSWER = 'Yes, it is good.'
const turn = '{{turn}}'
const tool = (name: string, args: object) => `[[tool:${name} ${JSON.stringify({ ...args, turn })}]]`

it.skipIf(bin === null)('a task, its states, a document, a question and its answer', { timeout: 600_000 }, async () => {
  await using world = await createWorld(await buildFunctions(), { agents: [] })
  const { owner } = world
  const accountId = world.accountId as never
  const writer = await world.createAgent('writer', { permissions: { canCreateTasks: true, canMarkDone: true, canReview: true } })
  await owner.mutation(api.agents.setLead, { accountId, agentId: writer as never })
  await world.createAgent('editor')
  const gates = createGates()
  await using model = await startModelServer({
    respond({ prompt, toolResults, tools, signal }) {
      const own = prompt.split('## To you').at(-1) ?? ''
      if (own.includes('[[')) return runScript({ prompt: own, toolResults, tools, turnCode: turnCodeIn(prompt) }, gates, signal)
      if (own.includes(QUESTION)) return { kind: 'text', text: ANSWER }
      return own.includes(ANSWER) ? { kind: 'text', text: 'I have the answer.' } : null
    },
  })
  const runtime = await world.startRuntime({
    OPENCLAW_GATEWAY_URL: '',
    OPENCLAW_GATEWAY_TOKEN: '',
    OPENCLAW_GATEWAY_PORT: String(await freePort()),
    OPENCLAW_BIN: bin ?? '',
    MODEL_BASE_URL: model.baseUrl,
    OPENCLAW_MODEL: 'scripted',
    SHUTDOWN_GRACE: '1000',
  })
  const task = '{{1.task.id}}'
  const move = (from: string, status: string) => tool('task_update_status', { task, from, status })
  const steps = [
    tool('task_create', { title: 'Launch note', assignees: ['writer'] }),
    ...[move('assigned', 'in_progress'), move('in_progress', 'review'), move('review', 'done')],
    tool('document_write', { title: 'Note', content: '# Hello', task }),
    tool('document_read', { document: '{{5.document}}' }),
    tool('response_request', { task: world.taskId, recipients: ['editor'], message: QUESTION }),
    '[[say:wrote {{6.content}}]]',
  ]
  await world.post(`@writer ${steps.join('')}`)
  // The question is posted by the tool, before the reply of the turn that asks it; the colleague may be quicker than that reply.
  const said = await world.replies(4)
  expect(said.toSorted()).toEqual([`@editor ${QUESTION}`, 'I have the answer.', ANSWER, 'wrote # Hello'].toSorted())
  const tasks = await owner.query(api.tasks.list, { accountId, status: 'done', paginationOpts: { numItems: 10, cursor: null } })
  expect(tasks.page.map(({ title }) => title)).toEqual(['Launch note'])
  expect(runtime.health().tools).toMatchObject({ listening: true, calls: 7, refused: 0, rejected: 0 })
  // Each agent is offered its own tools and no others.
  for (const { tools } of model.requests) expect(new Set(tools.map((name) => name.split('__')[0])).size).toBe(2)
  // The gateway shows addresses and hides tokens: an unchanged roster is seen as such.
  const syncs = () => world.lines.filter(({ message }) => message === 'agent sync').map(({ fields }) => fields)
  const before = syncs().length
  await owner.mutation(api.agents.update, { accountId, agentId: writer as never, heartbeatMinutes: 1_439 })
  while (syncs().length === before) await new Promise((resolve) => setTimeout(resolve, 50))
  expect(syncs().at(-1)).toMatchObject({ unchanged: 2, updated: 0, failed: 0 })
})
