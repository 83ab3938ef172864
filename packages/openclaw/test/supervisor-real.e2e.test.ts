/** The supervisor over the real gateway: a start, an owner killed, an adoption, a gateway killed, an end. Two gateway starts in all. */
import { systemClock } from '@mission-control/host/clock'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createGateway } from '../src/official-gateway.ts'
import { descendantsOf, startTimeOf } from '@mission-control/host/processes'
import { gatewayPaths } from '../src/supervisor/supervisor.ts'
import { runTurn } from '../src/turn/run.ts'
import { OPENCLAW_VERSION } from '../src/version.ts'
import type { Owner } from './owner.ts'
import { startOwner } from './owner.ts'
import type { RealGateway } from './real-gateway.ts'
import { installedOpenClaw, prepareRealGateway } from './real-gateway.ts'

const entry = installedOpenClaw()
const SESSION = 'agent:writer:supervised'

describe.skipIf(entry === null).sequential('supervisor over the real gateway', () => {
  let real: RealGateway
  let owner: Owner
  const clock = systemClock
  const turnOn = (turnKey: string, message: string, reconcile = false) =>
    runTurn(
      { gateway: createGateway(real.host.client), clock },
      { sessionKey: SESSION, turnKey, message, timeoutMs: 90_000, reconcile },
    )
  beforeAll(async () => {
    real = await prepareRealGateway(entry ?? '')
  })
  afterAll(async () => real?.[Symbol.asyncDispose]())

  it('survives the death of its owner and is adopted with its turn in flight', async () => {
    const { stateDir, port, modelEnv = {} } = real.options
    const message = '[[gate:adopt]][[say:still here]]'
    const config = real.options.config({ port, token: 'replaced', logFile: gatewayPaths(stateDir).openclawLog })
    owner = await startOwner({
      entry: entry ?? '',
      stateDir,
      port,
      modelEnv,
      config,
      turn: { sessionKey: SESSION, turnKey: 'k1', message },
    })
    const gate = real.model.gate('adopt')
    await gate.entered
    await owner.kill()

    const begun = performance.now()
    const { bootId, version } = await real.host.start()
    process.stdout.write(`adoption took ${Math.round(performance.now() - begun)} ms\n`)
    expect(version).toBe(OPENCLAW_VERSION)
    expect(bootId).toBe(owner.bootId)
    expect(real.host.status()).toMatchObject({ kind: 'adopted', pid: owner.gatewayPid, state: 'running' })
    const resumed = turnOn('k1', message, true)
    gate.release()
    expect(await resumed).toMatchObject({ text: 'still here', recovered: true })
    expect(real.model.requests).toHaveLength(1)
  })

  it('is started again when it is killed', async () => {
    const booted = new Promise<string>((resolve) => real.host.onBoot(resolve))
    process.kill(real.host.status().pid ?? 0, 'SIGKILL')
    expect(await booted).not.toBe(owner.bootId)
    expect(real.host.status()).toMatchObject({ state: 'running', kind: 'supervised', deaths: 1 })
    expect(await turnOn('k2', '[[say:back]]')).toMatchObject({ text: 'back' })
  })

  it('leaves no process behind when stopped', async () => {
    const pid = real.host.status().pid ?? 0
    const family = [pid, ...descendantsOf(pid)]
    expect(family.length).toBeGreaterThan(1)
    await real.host.stop({ graceMs: 5000 })
    for (const member of family) expect(startTimeOf(member)).toBeNull()
  })
})
