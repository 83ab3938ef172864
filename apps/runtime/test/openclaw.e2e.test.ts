/** The runtime with the real OpenClaw: it starts its own gateway, brings the roster into it, delivers, adopts it after kill -9. */
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { expect, it } from 'vitest'
import { api } from '@mission-control/backend/convex/_generated/api'
import { freePort } from '@mission-control/host/ports'
import { startModelServer } from '@mission-control/openclaw/testing/model-server'
import { runScript } from '@mission-control/openclaw/testing/script'
import { createGates } from '@mission-control/openclaw/testing/gates'
import { OPENCLAW_VERSION } from '@mission-control/openclaw/version'
import { spawnRuntime } from './stack/process.ts'
import { buildFunctions, createWorld } from './stack/world.ts'

const local = path.resolve(import.meta.dirname, `../../../.tools/openclaw-${OPENCLAW_VERSION}/node_modules/openclaw/openclaw.mjs`)
const bin = process.env['OPENCLAW_BIN'] ?? (existsSync(local) ? local : null)
if (bin === null) process.stderr.write(`skipped: no OpenClaw ${OPENCLAW_VERSION} (set OPENCLAW_BIN to its openclaw.mjs)\n`)

it.skipIf(bin === null)('delivers through a gateway of its own, and adopts it after kill -9', { timeout: 300_000 }, async () => {
  await using world = await createWorld(await buildFunctions())
  const gates = createGates()
  await using model = await startModelServer({
    respond: ({ prompt, toolResults, signal }) =>
      runScript({ prompt: prompt.split('## To you').at(-1) ?? '', toolResults: [...toolResults] }, gates, signal),
  })
  const env: Record<string, string> = {
    ...(await world.environment()),
    OPENCLAW_GATEWAY_URL: '',
    OPENCLAW_GATEWAY_TOKEN: '',
    OPENCLAW_GATEWAY_PORT: String(await freePort()),
    OPENCLAW_BIN: bin ?? '',
    MODEL_BASE_URL: model.baseUrl,
    OPENCLAW_MODEL: 'scripted',
    SHUTDOWN_GRACE: '1000',
  }
  await using first = spawnRuntime(env)
  await first.line((line) => line['msg'] === 'active')
  await world.post('@writer [[say:hello from OpenClaw]]') // waits for the gateway, burning no attempt
  expect(await world.replies(1)).toEqual(['hello from OpenClaw'])
  const delivered = await first.line((line) => line['msg'] === 'delivery')
  expect(delivered).toMatchObject({ outcome: 'reply', state: 'delivered', attempt: 1 })

  await world.createAgent('editor', { profile: { soul: 'You edit.' } })
  await world.post('@editor [[say:edited]]')
  expect(await world.replies(2)).toEqual(['hello from OpenClaw', 'edited'])
  expect(model.requests.at(-1)?.system).toContain('You edit.')

  await world.post('@writer [[gate:g]][[say:exactly once]]')
  await gates.gate('g').entered
  const asked = model.requests.length
  first.kill('SIGKILL')
  await first.ended
  const died = performance.now()
  await using second = spawnRuntime(env)
  await second.line((line) => line['msg'] === 'adopted the running gateway')
  gates.gate('g').release()
  expect((await world.replies(3))[2]).toBe('exactly once')
  console.log(`kill -9 to reply over an adopted gateway: ${Math.round(performance.now() - died)} ms`)
  expect(model.requests).toHaveLength(asked)

  const editor = (await world.owner.query(api.agents.list, { accountId: world.accountId as never })).find(
    ({ slug }) => slug === 'editor',
  )
  await world.owner.mutation(api.agents.remove, {
    accountId: world.accountId as never,
    agentId: editor?.id as never,
  })
  await second.line((line) => line['msg'] === 'agent sync' && line['removed'] === 1)
  const config = await readFile(path.join(env['DATA_DIR'] ?? '', 'openclaw', 'openclaw.json'), 'utf8')
  expect(config).not.toContain('"editor"')

  second.kill('SIGTERM')
  expect(await second.ended).toBe(0)
  const status = await world.owner.query(api.runtimes.status, { accountId: world.accountId as never })
  expect(JSON.stringify(status)).toContain('offline')
})
