/**
 * A key is all a user gives us; these runs show that what we make of it works. For each provider the generated configuration, with
 * only the base URL changed, goes to the real gateway, which calls a scripted server that speaks that provider's protocol.
 * One gateway start per provider.
 */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { systemClock } from '@mission-control/host/clock'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ModelSettings } from '../src/config/model.ts'
import { createGateway } from '../src/official-gateway.ts'
import type { DialectName } from '../src/testing/dialects/dialect.ts'
import type { ModelServer } from '../src/testing/model-server.ts'
import { runTurn } from '../src/turn/run.ts'
import type { RealGateway } from './real-gateway.ts'
import { installedOpenClaw, prepareRealGateway } from './real-gateway.ts'

interface Provider {
  readonly name: string
  readonly dialect: DialectName
  readonly model: string
  /** The one header the key is in, and what it is there. */
  readonly header: readonly [name: string, value: string]
  settings(model: ModelServer): ModelSettings
}

const KEY = 'sk-key-that-stands-in-no-file'

const PROVIDERS: readonly Provider[] = [
  {
    name: 'openai',
    dialect: 'responses',
    model: 'gpt-5.4',
    header: ['authorization', `Bearer ${KEY}`],
    settings: ({ baseUrl }) => ({ openaiApiKey: KEY, openaiBaseUrl: baseUrl }),
  },
  {
    name: 'anthropic',
    dialect: 'messages',
    model: 'claude-sonnet-4-6',
    header: ['x-api-key', KEY],
    settings: ({ origin }) => ({ anthropicApiKey: KEY, anthropicBaseUrl: origin }),
  },
  {
    name: 'compatible',
    dialect: 'chat',
    model: 'org/some-model',
    header: ['authorization', `Bearer ${KEY}`],
    settings: ({ baseUrl }) => ({ baseUrl, model: 'org/some-model', apiKey: KEY }),
  },
]

const entry = installedOpenClaw()

describe.skipIf(entry === null).sequential.each(PROVIDERS)('$name', ({ name, dialect, model, header, settings }) => {
  let real: RealGateway
  let turns = 0
  beforeAll(async () => {
    real = await prepareRealGateway(entry ?? '', ['writer'], settings)
    await real.host.start()
  })
  afterAll(async () => real?.[Symbol.asyncDispose]())

  const turn = (message: string) =>
    runTurn(
      { gateway: createGateway(real.host.client), clock: systemClock },
      { sessionKey: 'agent:writer:provider', turnKey: `turn-${++turns}`, message, timeoutMs: 60_000 },
    )

  it('answers a turn, with the key in the one header it belongs in', async () => {
    const text = 'This reply came back in several pieces, none of them lost: \u2713 and \u{1f980}.'
    expect(await turn(`Please reply. [[say:${text}]]`)).toMatchObject({
      outcome: 'reply',
      text,
      usage: { model: `${name}/${model}`, inputTokens: expect.any(Number) as number, outputTokens: Math.ceil(text.length / 4) },
    })
    expect(real.model.requests).toHaveLength(1)
    const request = real.model.requests[0]
    expect(request).toMatchObject({ dialect, model, stream: true, tools: ['session_status'] })
    expect(request?.system).toContain('OpenClaw')
    expect(Object.entries(request?.headers ?? {}).filter(([, value]) => value?.includes(KEY))).toEqual([header])
  })

  it('lets the model call a tool and see its result', async () => {
    const before = real.model.requests.length
    expect(await turn('[[tool:session_status {}]] [[say:I looked.]]')).toMatchObject({ text: 'I looked.' })
    const steps = real.model.requests.slice(before)
    expect(steps.map(({ toolResults }) => toolResults.length)).toEqual([0, 1])
    expect(steps[1]?.toolResults[0]).toContain(`${name}/${model}`)
  })

  it('tells a refusal of the provider from an answer', async () => {
    await expect(turn('[[fail:400]]')).rejects.toMatchObject({ code: 'TURN_FAILED', ended: true })
  })

  it('wrote the key into no file: not the configuration, its copies, a log or a database', async () => {
    const files = await filesUnder(real.dir)
    const holding = (text: string) => files.filter(({ bytes }) => bytes.includes(text)).map(({ path }) => path)
    expect(holding(KEY)).toEqual([])
    // The search does find what is there: the model stands in the configuration, the message in the agent's database.
    expect(holding(model)).toContain(join(real.options.stateDir, 'openclaw.json'))
    expect(holding('none of them lost').some((path) => /\.sqlite/.test(path))).toBe(true)
  })
})

/** Everything in the installation's folder. The gateway is running: a file may be gone between listing and reading. */
async function filesUnder(dir: string): Promise<{ readonly path: string; readonly bytes: Buffer }[]> {
  const entries = (await readdir(dir, { recursive: true, withFileTypes: true })).filter((found) => found.isFile())
  const read = entries.map(async ({ parentPath, name }) => {
    const path = join(parentPath, name)
    return readFile(path).then(
      (bytes) => [{ path, bytes }],
      (error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return []
        throw error
      },
    )
  })
  return (await Promise.all(read)).flat()
}
