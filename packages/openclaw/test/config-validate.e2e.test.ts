/** OpenClaw's own validation is the judge of what we generate, and its real exit codes of how we read them. */
import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { systemClock, systemRandom } from '@mission-control/host/clock'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { initialConfig } from '../src/config/initial.ts'
import type { ModelSettings } from '../src/config/model.ts'
import { chooseModel, modelEnv } from '../src/config/model.ts'
import { openSupervisor } from '../src/supervisor/open.ts'
import { freePort, installedOpenClaw } from './real-gateway.ts'

const run = promisify(execFile)
const entry = installedOpenClaw()

const SETTINGS: Record<string, ModelSettings> = {
  scripted: { baseUrl: 'http://127.0.0.1:1/v1', model: 'scripted' },
  'MODEL_BASE_URL with a key': { baseUrl: 'https://models.example.com/v1', model: 'org/some-model', apiKey: 'k' },
  OPENAI_API_KEY: { openaiApiKey: 'sk-x' },
  ANTHROPIC_API_KEY: { anthropicApiKey: 'sk-ant-x' },
  'no model at all': {},
}

describe.skipIf(entry === null)('generated configuration', () => {
  let dir: string
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'mc-config-'))
  })
  afterAll(async () => rm(dir, { recursive: true, force: true }))

  const configOf = (settings: ModelSettings, port: number) =>
    initialConfig({
      port,
      token: 'token-for-validation',
      logFile: join(dir, 'openclaw.log'),
      model: chooseModel(settings),
      workspaceRoot: join(dir, 'workspaces'),
      agents: ['writer', 'seo-expert'].map((slug) => ({
        slug,
        name: slug,
        workspace: join(dir, slug),
        tools: { url: 'http://127.0.0.1:3002/mcp', bearer: `token-${slug}` },
      })),
    })

  const validate = async (config: object, env: Record<string, string>) => {
    const file = join(dir, 'openclaw.json')
    await writeFile(file, JSON.stringify(config))
    const environment = { PATH: process.env.PATH, HOME: dir, OPENCLAW_STATE_DIR: dir, OPENCLAW_CONFIG_PATH: file, ...env }
    return run(process.execPath, [entry ?? '', 'config', 'validate'], { env: environment }).then(
      ({ stdout }) => ({ ok: true, output: stdout }),
      (error: { stdout: string; stderr: string }) => ({ ok: false, output: error.stdout + error.stderr }),
    )
  }

  it.each(Object.entries(SETTINGS))('passes for %s', async (_name, settings) => {
    const result = await validate(configOf(settings, 18_789), modelEnv(chooseModel(settings)))
    expect(result).toMatchObject({ ok: true, output: expect.stringContaining('Config valid') as string })
  })

  it('is really looked at: a wrong value is refused', async () => {
    const config = configOf({}, 18_789)
    expect((await validate({ ...config, gateway: { mode: 'nonsense' } }, {})).ok).toBe(false)
  })

  it('a rejected configuration and a taken port are told apart and not tried again', async () => {
    const open = (port: number, config: object) =>
      openSupervisor(
        { clock: systemClock, random: systemRandom },
        {
          entry: entry ?? '',
          stateDir: join(dir, `state-${port}`),
          port,
          env: process.env,
          config: () => config as Record<string, unknown>,
        },
      )
    const port = await freePort()
    await using broken = await open(port, { ...configOf({}, port), gateway: { mode: 'nonsense' } })
    await expect(broken.start()).rejects.toMatchObject({ code: 'GATEWAY_CONFIG_INVALID', class: 'configuration' })

    const holder = createServer()
    await new Promise<void>((done) => holder.listen(0, '127.0.0.1', done))
    const taken = (holder.address() as AddressInfo).port
    await using blocked = await open(taken, configOf({}, taken))
    await expect(blocked.start()).rejects.toMatchObject({ code: 'GATEWAY_PORT_TAKEN' })
    holder.close()
  })
})
