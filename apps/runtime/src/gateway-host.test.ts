/** The gateway a runtime works with, over its whole life: what breaks long after the start is repaired too. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, it } from 'vitest'
import { systemClock, systemRandom } from '@mission-control/host/clock'
import { freePort } from '@mission-control/host/ports'
import { createClient } from '@mission-control/openclaw/client'
import { putAgents, removeAgent } from '@mission-control/openclaw/config/live'
import { startFakeGateway } from '@mission-control/openclaw/testing/fake-gateway'
import { TICK_MS } from '@mission-control/openclaw/testing/fake/server'
import type { Clock } from '@mission-control/shared/clock'
import { rosterEntry } from '../test/doubles/harness.ts'
import { loadConfig } from './config/load.ts'
import { openGateway } from './gateway-host.ts'
import { silentLog } from './log.ts'
import { createRedactor } from './redact.ts'
import type { RuntimeGateway } from './runtime.ts'

const NO_TOOLS = { keep: async () => undefined, entryOf: () => null }

const PRETEND = fileURLToPath(new URL('../../../packages/openclaw/test/fixtures/pretend-openclaw.mjs', import.meta.url))

const cleanups: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

async function tempFolder(): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), 'mc-gateway-'))
  cleanups.push(() => rm(folder, { recursive: true, force: true }))
  return folder
}

/** A minute of backoff is a moment here; time limits and the gateway's ticks stay real, or it would seem to have fallen silent. */
const impatient = {
  ...systemClock,
  sleep: (ms: number, signal?: AbortSignal) => systemClock.sleep(ms >= 1_000 && ms !== TICK_MS ? 20 : ms, signal),
}

/** Knows how many sleeps run at this moment. */
function countingClock() {
  const running = new Set<object>()
  const clock: Clock = {
    ...impatient,
    sleep: (ms, signal) => {
      const one = {}
      running.add(one)
      return impatient.sleep(ms, signal).finally(() => running.delete(one))
    },
  }
  return { clock, running }
}

function run(env: Record<string, string>, clock: Clock = impatient): RuntimeGateway {
  const { config } = loadConfig(
    { ACCOUNT_ID: 'abc1', CONVEX_URL: 'http://127.0.0.1:1', SERVICE_TOKEN: `mcs_abc1_${'s'.repeat(43)}`, ...env },
    '0.0.0',
  )
  const gateway = openGateway({
    config,
    env: process.env,
    clock,
    random: systemRandom,
    log: silentLog,
    tools: NO_TOOLS,
    redactor: createRedactor(),
  })
  const life = new AbortController()
  const running = gateway.run(life.signal)
  cleanups.push(async () => {
    life.abort()
    await running
    await gateway.stop(300)
  })
  return gateway
}

/** Resolves when the link has, or gets, this state. */
function until({ link }: RuntimeGateway, up: boolean, reason = /./): Promise<void> {
  return new Promise((resolve) => {
    const look = () => {
      const state = link.state()
      if (state.up !== up || (!up && !reason.test(state.reason ?? ''))) return
      stop()
      resolve()
    }
    const stop = link.onChange(look)
    look()
  })
}

describe("somebody else's gateway", () => {
  it('costs no timer while it is there, and is known to be lost and back by what it tells', async () => {
    const fake = await startFakeGateway({ token: 'right' })
    cleanups.unshift(() => fake.stop())
    const { clock, running } = countingClock()
    const env = { DATA_DIR: await tempFolder(), OPENCLAW_GATEWAY_URL: fake.url, OPENCLAW_GATEWAY_TOKEN: 'right' }
    const gateway = run(env, clock)
    await until(gateway, true)
    await expect.poll(() => running.size).toBe(0)
    await fake.crash()
    await until(gateway, false, /lost|did not answer|ECONNREFUSED|connect/i)
    expect(running.size).toBeLessThanOrEqual(1) // until its client connects again
    await fake.restart()
    await until(gateway, true)
    await expect.poll(() => running.size).toBe(0)
  })

  it('may have lost agents that we never had: one that comes back harms nobody', async () => {
    const fake = await startFakeGateway({ token: 'right', agents: ['writer'] })
    cleanups.unshift(() => fake.stop())
    await using somebody = createClient({ clock: systemClock }, { url: fake.url, token: 'right' })
    const signal = systemClock.timeout(10_000)
    await putAgents(somebody, [{ slug: 'ada', name: 'Ada', workspace: '/nowhere/ada' }], signal)
    await removeAgent(somebody, 'ada', signal)
    const gateway = run({ DATA_DIR: await tempFolder(), OPENCLAW_GATEWAY_URL: fake.url, OPENCLAW_GATEWAY_TOKEN: 'right' })
    await until(gateway, true)
    await gateway.agents.list(signal)
    await gateway.agents.put([rosterEntry('ada')], signal) // or OpenClaw would ask for a restart
    expect(fake.transcript.deleted.has('ada')).toBe(false)
  })

  it('is used again after it refused us once, long after the start', async () => {
    const first = await startFakeGateway({ token: 'right' })
    const gateway = run({ DATA_DIR: await tempFolder(), OPENCLAW_GATEWAY_URL: first.url, OPENCLAW_GATEWAY_TOKEN: 'right' })
    await until(gateway, true)
    await first.stop()
    await until(gateway, false)
    const wrong = await startFakeGateway({ port: first.port, token: 'wrong' })
    await until(gateway, false, /token|refused/i)
    await wrong.stop()
    const right = await startFakeGateway({ port: first.port, token: 'right' })
    cleanups.unshift(() => right.stop())
    await until(gateway, true)
    expect(gateway.link.isOurs).toBe(false)
  }, 60_000)
})

describe('our own gateway', () => {
  it.each([
    ['port', /port/i],
    ['config', /config/i],
  ])(
    'comes back from a death that only a person can repair (%s), once that is done',
    async (behaviour, reason) => {
      const stateDir = await tempFolder()
      const plan = path.join(stateDir, 'pretend.json')
      await mkdir(stateDir, { recursive: true })
      await writeFile(plan, JSON.stringify({ starts: 0, behaviours: ['run', behaviour, behaviour, 'run'] }))
      const { clock, running } = countingClock()
      const env = {
        DATA_DIR: await tempFolder(),
        OPENCLAW_BIN: PRETEND,
        OPENCLAW_STATE_DIR: stateDir,
        OPENCLAW_GATEWAY_PORT: String(await freePort()),
        OPENCLAW_MODEL: 'test/model',
        MODEL_BASE_URL: 'http://127.0.0.1:1/v1',
      }
      const gateway = run(env, clock)
      await until(gateway, true)
      await expect.poll(() => running.size).toBe(0)
      const { pid } = JSON.parse(await readFile(path.join(stateDir, 'gateway.process.json'), 'utf8')) as { pid: number }
      process.kill(pid, 'SIGKILL')
      await until(gateway, false, reason)
      await until(gateway, true)
      expect((JSON.parse(await readFile(plan, 'utf8')) as { starts: number }).starts).toBe(4)
      expect(gateway.link.isOurs).toBe(true)
    },
    60_000,
  )
})
