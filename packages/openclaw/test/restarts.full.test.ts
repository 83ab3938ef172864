/**
 * What becomes of turns when the real gateway goes away and comes back: drained with a turn queued, killed with two turns in flight,
 * killed several times in a row. Each of its starts takes many seconds.
 */
import { randomUUID } from 'node:crypto'
import { systemClock } from '@mission-control/host/clock'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createGateway } from '../src/official-gateway.ts'
import { runTurn } from '../src/turn/run.ts'
import type { TurnRequest } from '../src/turn/types.ts'
import type { RealGateway } from './real-gateway.ts'
import { installedOpenClaw, prepareRealGateway } from './real-gateway.ts'

const entry = installedOpenClaw()
const clock = systemClock

describe.skipIf(entry === null).sequential('turns over restarts of the real gateway', () => {
  let real: RealGateway
  const session = (agent: string) => `agent:${agent}:restarts-${randomUUID()}`
  const turn = (request: Pick<TurnRequest, 'sessionKey' | 'message'> & Partial<TurnRequest>) =>
    runTurn({ gateway: createGateway(real.host.client), clock }, { turnKey: randomUUID(), timeoutMs: 400_000, ...request })
  const pid = () => real.host.status().pid ?? 0
  /** Resolves once another gateway process has answered. */
  const booted = () =>
    new Promise<void>((resolve) => {
      const stop = real.host.onBoot(() => (stop(), resolve()))
    })
  const modelCalls = (text: string) => real.model.requests.filter(({ prompt }) => prompt.includes(text)).length

  beforeAll(async () => {
    real = await prepareRealGateway(entry ?? '')
    await real.host.start()
  })
  afterAll(async () => real?.[Symbol.asyncDispose]())

  it('drained by SIGTERM with a turn queued: what runs is answered, what waits is over and its key not used again', async () => {
    const sessionKey = session('writer')
    const gate = real.model.gate('drain')
    const first = turn({ sessionKey, message: '[[gate:drain]][[say:first]]' })
    await gate.entered
    const queued = randomUUID()
    const second = turn({ sessionKey, turnKey: queued, message: '[[say:second]]' })
    second.catch(() => undefined)
    const gateway = createGateway(real.host.client)
    for (;;) {
      const { receipts } = await gateway.history(sessionKey, [queued], clock.timeout(60_000))
      if (receipts.includes(queued)) break
      await clock.sleep(100)
    }
    const back = booted()
    process.kill(pid(), 'SIGTERM')
    const draining = async () => (await fetch(`http://127.0.0.1:${real.port}/readyz`)).status === 503
    while (!(await draining())) await clock.sleep(50)
    gate.release()
    expect(await first).toMatchObject({ text: 'first' })
    await expect(second).rejects.toMatchObject({ ended: true })
    await back
    expect(modelCalls('[[say:second]]')).toBe(0)
    await expect(turn({ sessionKey, turnKey: queued, message: '[[say:second]]', reconcile: true })).rejects.toMatchObject({
      code: 'TURN_KEY_SPENT',
      ended: true,
    })
    expect(await turn({ sessionKey, message: '[[say:second, anew]]' })).toMatchObject({ text: 'second, anew' })
  })

  it('killed with two turns in flight: both are continued, one after the other or taken over, and answer once', async () => {
    const turns = ['writer', 'editor'].map((agent) => {
      const name = `two-${agent}`
      const request = { sessionKey: session(agent), turnKey: randomUUID(), message: `[[gate:${name}]][[say:${name}]]` }
      return { name, request, answer: turn(request) }
    })
    for (const { name } of turns) await real.model.gate(name).entered
    const back = booted()
    process.kill(pid(), 'SIGKILL')
    for (const { name } of turns) real.model.gate(name).release()
    await back
    for (const { request, answer } of turns) {
      const { text } = await answer
      expect(text).not.toBe('')
      expect(await turn({ ...request, reconcile: true })).toMatchObject({ text, recovered: true })
      const { rows } = await createGateway(real.host.client).history(request.sessionKey, [request.turnKey], clock.timeout(60_000))
      expect(rows.filter(({ role, stopReason }) => role === 'assistant' && stopReason === 'stop')).toHaveLength(1)
      expect(rows.some(({ stopReason }) => stopReason === 'error')).toBe(false)
    }
  })

  it('killed three times in a row: the turn answers once in the end', async () => {
    const request = { sessionKey: session('writer'), turnKey: randomUUID(), message: '[[gate:thrice]][[say:patience]]' }
    const answer = turn(request)
    await real.model.gate('thrice').entered
    for (const last of [false, false, true]) {
      const back = booted()
      process.kill(pid(), 'SIGKILL')
      if (last) real.model.gate('thrice').release()
      await back
    }
    const { text } = await answer
    expect(text).not.toBe('')
    expect(await turn({ ...request, reconcile: true })).toMatchObject({ text })
  })
})
