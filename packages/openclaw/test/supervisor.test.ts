import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock, systemRandom } from '@mission-control/host/clock'
import type { Clock } from '@mission-control/shared/clock'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openSupervisor } from '../src/supervisor/open.ts'
import { descendantsOf, startTimeOf } from '@mission-control/host/processes'
import { gatewayPaths } from '../src/supervisor/supervisor.ts'
import type { GatewayHost, HostEvent } from '../src/supervisor/types.ts'
import { createGateway } from '../src/official-gateway.ts'
import { runTurn } from '../src/turn/run.ts'
import { startOwner } from './owner.ts'
import { freePort } from './real-gateway.ts'

/** Backoff takes no time here; every sleep is written down instead. */
function impatientClock(slept: number[]): Clock {
  return {
    ...systemClock,
    sleep: (ms, signal) => {
      slept.push(ms)
      return systemClock.sleep(ms >= 1000 ? 1 : ms, signal)
    },
  }
}

describe('supervisor', () => {
  let stateDir: string
  let port: number
  let slept: number[]
  let events: HostEvent[]
  const hosts: GatewayHost[] = []

  beforeEach(async () => {
    stateDir = await mkdtemp(join(tmpdir(), 'mc-supervisor-'))
    port = await freePort()
    slept = []
    events = []
  })
  afterEach(async () => {
    for (const host of hosts.splice(0)) await host.stop({ graceMs: 500 })
    await rm(stateDir, { recursive: true, force: true })
  })

  const open = async (options: { port?: number; startGraceMs?: number } = {}) => {
    const host = await openSupervisor(
      { clock: impatientClock(slept), random: systemRandom, log: (event) => events.push(event) },
      {
        entry: join(import.meta.dirname, 'fixtures/pretend-openclaw.mjs'),
        stateDir,
        port,
        env: { ...process.env, SERVICE_TOKEN: 'secret' },
        modelEnv: { MODEL_API_KEY: 'k' },
        config: (gateway) => ({ gateway: { port: gateway.port, auth: { mode: 'token', token: gateway.token } } }),
        ...options,
      },
    )
    hosts.push(host)
    return host
  }
  const plan = async (...behaviours: string[]) => {
    await mkdir(stateDir, { recursive: true })
    await writeFile(join(stateDir, 'pretend.json'), JSON.stringify({ starts: 0, behaviours }))
  }
  const starts = async () => (JSON.parse(await readFile(join(stateDir, 'pretend.json'), 'utf8')) as { starts: number }).starts
  const gone = async (pid: number) => startTimeOf(pid) === null
  const until = async (holds: () => boolean | Promise<boolean>) => {
    while (!(await holds())) await systemClock.sleep(20, AbortSignal.timeout(15_000))
  }

  it('starts, connects and stops, leaving no process behind', async () => {
    await plan('run')
    const host = await open()
    const { version } = await host.start()
    expect(version).toBe('2026.9.6')
    const { pid } = host.status()
    expect(host.status()).toMatchObject({ state: 'running', kind: 'supervised', deaths: 0 })
    await until(async () => descendantsOf(pid ?? 0).length > 0)
    const family = [pid ?? 0, ...descendantsOf(pid ?? 0)]
    await host.stop({ graceMs: 2000 })
    for (const member of family) expect(await gone(member)).toBe(true)
    expect(host.status().state).toBe('stopped')
  })

  it('keeps its secrets to itself: files of the owner only, an environment by allow-list', async () => {
    await plan('run')
    const host = await open()
    await host.start()
    const paths = gatewayPaths(stateDir)
    for (const file of [paths.record, paths.token, paths.config, paths.log]) expect((await stat(file)).mode & 0o077).toBe(0)
    const environment = JSON.parse(await readFile(join(stateDir, 'environment.json'), 'utf8')) as Record<string, string>
    expect(environment).toMatchObject({ OPENCLAW_NO_RESPAWN: '1', MODEL_API_KEY: 'k', HOME: paths.home })
    expect(environment).not.toHaveProperty('SERVICE_TOKEN')
  })

  it('adopts a gateway that was kept, with the same boot id', async () => {
    await plan('run')
    const first = await open()
    const { bootId } = await first.start()
    const { pid } = first.status()
    await first.stop({ keepGateway: true })
    expect(await gone(pid ?? 0)).toBe(false)
    const second = await open()
    expect((await second.start()).bootId).toBe(bootId)
    expect(second.status()).toMatchObject({ kind: 'adopted', pid, state: 'running' })
    expect(await starts()).toBe(1)
    await second.stop({ graceMs: 2000 })
    expect(await gone(pid ?? 0)).toBe(true)
  })

  it('survives kill -9 of its owner, with the turn in flight', async () => {
    await plan('run')
    const turn = { sessionKey: 'agent:writer:owned', turnKey: 'k1', message: '[[sleep:1500]][[say:went on]]' }
    const config = { gateway: { port } }
    const entry = join(import.meta.dirname, 'fixtures/pretend-openclaw.mjs')
    const owner = await startOwner({ entry, stateDir, port, config, modelEnv: {}, turn })
    await owner.kill()
    const host = await open()
    expect((await host.start()).bootId).toBe(owner.bootId)
    const gateway = createGateway(host.client)
    const result = await runTurn({ gateway, clock: systemClock }, { ...turn, timeoutMs: 10_000, reconcile: true })
    expect(result).toMatchObject({ text: 'went on', recovered: true })
  })

  it('notices the death of an adopted gateway', async () => {
    await plan('run')
    const first = await open()
    await first.start()
    const { pid } = first.status()
    await first.stop({ keepGateway: true })
    const second = await open()
    await second.start()
    process.kill(pid ?? 0, 'SIGKILL')
    await until(() => second.status().state === 'running' && second.status().kind === 'supervised')
    expect(second.status().pid).not.toBe(pid)
  })

  it('ends a recorded gateway that does not answer, and starts another', async () => {
    await plan('silent', 'run')
    const first = await open({ startGraceMs: 60_000 })
    const never = first.start()
    never.catch(() => undefined)
    await until(async () => (await readFile(gatewayPaths(stateDir).record, 'utf8').catch(() => '')) !== '')
    const { pid } = first.status()
    // The handshake limit of 15 s passes at once.
    const second = await openSupervisor(
      { clock: { ...systemClock, timeout: (ms) => systemClock.timeout(ms === 15_000 ? 300 : ms) }, random: systemRandom },
      {
        entry: join(import.meta.dirname, 'fixtures/pretend-openclaw.mjs'),
        stateDir,
        port,
        env: process.env,
        config: (gateway) => ({ gateway: { port: gateway.port, auth: { mode: 'token', token: gateway.token } } }),
      },
    )
    hosts.push(second)
    await second.start()
    expect(await gone(pid ?? 0)).toBe(true)
    expect(second.status().kind).toBe('supervised')
    await first.stop()
  })

  it('does not take another process for its own when the pid was given away', async () => {
    await plan('run')
    const record = { pid: process.pid, startTime: 'long ago', port, token: 't' }
    await writeFile(gatewayPaths(stateDir).record, JSON.stringify(record))
    const host = await open()
    await host.start()
    expect(host.status()).toMatchObject({ kind: 'supervised' })
    expect(host.status().pid).not.toBe(process.pid)
  })

  it('restarts after a death, with growing pauses, and says so', async () => {
    await plan('run', 'crash', 'crash', 'run')
    const host = await open()
    const { bootId } = await host.start()
    const boots: string[] = []
    host.onBoot((id) => boots.push(id))
    process.kill(host.status().pid ?? 0, 'SIGKILL')
    await until(() => boots.length > 0)
    expect(boots[0]).not.toBe(bootId)
    expect(host.status()).toMatchObject({ state: 'running', deaths: 3 })
    // The first is 1 s, as is each pause of the client that would connect meanwhile.
    expect(slept.filter((ms) => ms > 1000)).toEqual([2000, 4000])
    expect(events.some(({ message }) => message.includes('something broke'))).toBe(true)
  })

  it.each([
    ['owned', 'GATEWAY_STATE_OWNED', /another OpenClaw process owns gateway-lifecycle/],
    ['config', 'GATEWAY_CONFIG_INVALID', /agents\.entries is wrong/],
    ['port', 'GATEWAY_PORT_TAKEN', /port 18789 is taken by process 4711/],
  ])('exit "%s" is %s and is not tried again', async (behaviour, code, message) => {
    await plan(behaviour)
    const host = await open()
    await expect(host.start()).rejects.toMatchObject({
      code,
      class: 'configuration',
      message: expect.stringMatching(message) as string,
    })
    expect(await starts()).toBe(1)
    expect(host.status()).toMatchObject({ state: 'failed', lastError: { code } })
  })

  it('fails for good when a running gateway dies of a broken configuration', async () => {
    await plan('run', 'config')
    const host = await open()
    await host.start()
    process.kill(host.status().pid ?? 0, 'SIGKILL')
    await until(() => host.status().state === 'failed')
    expect(host.status().lastError?.code).toBe('GATEWAY_CONFIG_INVALID')
    expect(await starts()).toBe(2)
  })

  it('does not start again what ended by itself over its configuration', async () => {
    await plan('run')
    const host = await open()
    await host.start()
    process.kill(host.status().pid ?? 0, 'SIGUSR2')
    await until(() => host.status().state === 'failed')
    expect(host.status().lastError?.message).toContain('edited while running')
    expect(await starts()).toBe(1)
  })

  it('a repaired configuration can be started by hand', async () => {
    await plan('config', 'run')
    const host = await open()
    await expect(host.start()).rejects.toMatchObject({ code: 'GATEWAY_CONFIG_INVALID' })
    await host.start()
    expect(host.status()).toMatchObject({ state: 'running', lastError: null })
  })

  it.each(['port', 'owned', 'config'])('comes back from "%s" at a later restart when it is started again', async (behaviour) => {
    await plan('run', behaviour, 'run')
    const host = await open()
    const { bootId } = await host.start()
    process.kill(host.status().pid ?? 0, 'SIGKILL')
    await until(() => host.status().state === 'failed')
    expect(await starts()).toBe(2)

    const again = await host.start()
    expect(again.bootId).not.toBe(bootId)
    expect(host.status()).toMatchObject({ state: 'running', lastError: null, bootId: again.bootId })
    expect(await host.client.request('agents.list', {})).toMatchObject({ bootId: again.bootId })

    // It is watched again, too.
    process.kill(host.status().pid ?? 0, 'SIGKILL')
    await until(async () => (await starts()) === 4 && host.status().state === 'running')
    expect(host.status().bootId).not.toBe(again.bootId)
  })

  it('tells of every change, so that nobody has to poll', async () => {
    await plan('run', 'port', 'run')
    const host = await open()
    const told: string[] = []
    let disconnects = 0
    host.onChange(({ state, bootId }) => {
      const now = `${state}${bootId === null ? '' : ' connected'}`
      if (told.at(-1) !== now) told.push(now)
    })
    const deaf = host.onDisconnect(() => (disconnects += 1))
    await host.start()
    expect(told).toEqual(['starting', 'starting connected', 'running connected'])
    process.kill(host.status().pid ?? 0, 'SIGKILL')
    await until(() => told.at(-1) === 'failed')
    expect(told).toContain('waiting')
    expect(told.slice(3).every((seen) => !seen.startsWith('running connected'))).toBe(true)
    expect(disconnects).toBe(1)
    deaf()
    await host.start()
    expect(told.at(-1)).toBe('running connected')
    await host.stop({ graceMs: 2000 })
    expect(told.at(-1)).toBe('stopped')
    expect(disconnects).toBe(1)
  })

  it('cannot be started after a stop: its connection is closed', async () => {
    await plan('run')
    const host = await open()
    await host.start()
    await host.stop({ graceMs: 2000 })
    await expect(host.start()).rejects.toThrow('was stopped')
    expect(await starts()).toBe(1)
  })

  it('gives up a start that takes too long and tries again', async () => {
    await plan('silent', 'run')
    // Long enough for the second start on a machine busy with other tests.
    const host = await open({ startGraceMs: 6000 })
    await host.start()
    expect(host.status()).toMatchObject({ state: 'running', deaths: 1 })
  }, 60_000)

  it('a stop during a start ends the start and the process', async () => {
    await plan('silent')
    const host = await open()
    const starting = host.start()
    starting.catch(() => undefined)
    await until(() => host.status().pid !== null)
    const { pid } = host.status()
    await host.stop({ graceMs: 200 })
    await expect(starting).rejects.toThrow('stopped')
    await until(() => gone(pid ?? 0))
  })

  it('SIGKILL comes at the deadline of a gateway that ignores SIGTERM', async () => {
    await plan('stubborn')
    const host = await open()
    await host.start()
    const { pid } = host.status()
    const gate = host.client.request('agent', {
      sessionKey: 'agent:writer:x',
      message: '[[hang]]',
      idempotencyKey: 'k',
      deliver: false,
    })
    await gate
    const begun = performance.now()
    await host.stop({ graceMs: 400 })
    expect(performance.now() - begun).toBeGreaterThan(350)
    expect(await gone(pid ?? 0)).toBe(true)
  })

  it('a port held by somebody else is not mistaken for our gateway', async () => {
    const holder = createServer()
    await new Promise<void>((done) => holder.listen(0, '127.0.0.1', done))
    try {
      await plan('crash')
      const host = await open({ port: (holder.address() as AddressInfo).port })
      const starting = host.start(AbortSignal.timeout(1500))
      await expect(starting).rejects.toThrow()
      expect(host.status().state).toBe('stopped')
    } finally {
      holder.close()
    }
  })
})
