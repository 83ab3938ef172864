/**
 * Canaries: every secret and every text of people and agents is a word of its own, put through whole runs of the real process. None
 * of them may be on stdout, stderr or a page at info level, however the run ends; no secret may reach what people read in the backend.
 */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { beforeAll, expect, it } from 'vitest'
import { api } from '@mission-control/backend/convex/_generated/api'
import type { Functions } from '@mission-control/embedded'
import type { RuntimeProcess } from './stack/process.ts'
import { spawnRuntime } from './stack/process.ts'
import { buildFunctions, createWorld } from './stack/world.ts'

let functions: Functions
beforeAll(async () => {
  functions = await buildFunctions()
}, 120_000)

const GATEWAY_TOKEN = 'canary-gateway-token'
const PROVIDER_KEY = 'canary-provider-key'
const WRONG_TOKEN = 'canary-wrong-gateway-token'
const BODY = 'canary-message-body'
const REPLY = 'canary-reply-text'

const active = (line: Record<string, unknown>) => line['msg'] === 'active'

it('is silent about secrets and contents: success, failure, refusal, bad configuration', async () => {
  await using world = await createWorld(functions, {
    gateway: {
      token: GATEWAY_TOKEN,
      async respond({ prompt }) {
        // Providers repeat the key they refuse.
        if (prompt.includes('[[refuse]]')) throw new Error(`401 Incorrect API key provided: ${PROVIDER_KEY}. ${agentToken()}`)
        return REPLY
      },
    },
  })
  const env = await world.environment({ MODEL_API_KEY: PROVIDER_KEY, LOG_LEVEL: 'info' })
  const secret = world.token.split('_').at(-1) ?? ''
  const agentToken = () => {
    const tokens = JSON.parse(readFileSync(path.join(env['DATA_DIR'] ?? '', 'agent-tokens.json'), 'utf8')) as Record<
      string,
      string
    >
    return Object.values(tokens)[0] ?? expect.fail('no agent has a token')
  }
  const texts: string[] = []
  const hear = ({ lines, errors }: RuntimeProcess) => texts.push(lines.map((line) => JSON.stringify(line)).join('\n'), errors())

  {
    await using runtime = spawnRuntime(env)
    const started = await runtime.line((line) => line['msg'] === 'runtime started')
    await runtime.line(active)
    await world.post(`@writer ${BODY}`)
    const success = await runtime.line((line) => line['msg'] === 'delivery')
    expect(success).toMatchObject({ outcome: 'reply', state: 'delivered', attempt: 1, agent: 'writer', ms: expect.any(Number) })
    expect(await world.replies(1)).toEqual([REPLY])
    const other = await world.createTask('Other')
    await world.post(`@writer ${BODY} [[refuse]]`, other)
    const failure = await runtime.line((line) => line['msg'] === 'delivery failed')
    expect(failure).toMatchObject({ level: 'warn', reason: expect.stringContaining('***') })
    for (const page of ['/health', '/readyz', '/version', '/metrics', `/${BODY}`]) {
      texts.push(
        await (
          await fetch(`http://127.0.0.1:${started['port'] as number}${page}`, { headers: { 'x-key': PROVIDER_KEY } })
        ).text(),
      )
    }
    const service = { accountId: world.accountId, serviceToken: world.token }
    const story = await world.backend.query(api.service.notifications.getForDelivery, {
      ...service,
      id: failure['delivery'] as string,
    })
    expect(JSON.stringify(story)).toContain('Incorrect API key provided: ***. ***')
    texts.push(JSON.stringify(story))
    runtime.kill('SIGTERM')
    expect(await runtime.ended).toBe(0)
    hear(runtime)
  }
  {
    await using refused = spawnRuntime({ ...env, OPENCLAW_GATEWAY_TOKEN: WRONG_TOKEN })
    await refused.line((line) => line['msg'] === 'degraded' && line['condition'] === 'gateway')
    refused.kill('SIGTERM')
    await refused.ended
    hear(refused)
  }
  const bad: [Record<string, string>, number][] = [
    [{ SERVICE_TOKEN: `${world.token.slice(0, -6)}canary` }, 4],
    [{ SERVICE_TOKEN: `canary${world.token}` }, 3],
    [{ SERVICE_TOKEN: world.token, ACCOUNT_ID: 'other' }, 3],
    [{ OPENCLAW_GATEWAY_URL: 'canary://somewhere' }, 3],
  ]
  for (const [over, code] of bad) {
    await using process = spawnRuntime({ ...env, ...over })
    expect(await process.ended).toBe(code)
    hear(process)
  }
  const everything = texts.join('\n')
  expect(everything).toContain('delivery failed') // it was really heard
  for (const canary of [secret, GATEWAY_TOKEN, PROVIDER_KEY, WRONG_TOKEN, agentToken(), BODY, REPLY, 'canary'])
    expect(everything).not.toContain(canary)
}, 180_000)
