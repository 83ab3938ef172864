/**
 * The runtime with the real OpenClaw: it starts its own gateway, brings the roster into it, delivers, adopts it after kill -9, and
 * meets what a gateway and a model can do to a turn. One gateway for all of it, because a start takes many seconds; the tests build
 * on each other. What takes minutes is in gateway-outages.full.test.ts.
 */
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { api } from '@mission-control/backend/convex/_generated/api'
import type { Functions } from '@mission-control/embedded'
import { systemClock } from '@mission-control/host/clock'
import { createClient } from '@mission-control/openclaw/client'
import { removeAgent } from '@mission-control/openclaw/config/live'
import type { RealOpenClaw } from './stack/real-openclaw.ts'
import { installedOpenClaw, startRealOpenClaw, traceOf } from './stack/real-openclaw.ts'
import type { World } from './stack/world.ts'
import { buildFunctions, createWorld } from './stack/world.ts'

const bin = installedOpenClaw()

/**
 * Longest turn of the second life: one hangs for so long beside the other tests. The first turn of an agent that was put back takes half of
 * it on a busy machine.
 */
const SHORT_TURN_MS = 45_000

describe.skipIf(bin === null)('with one real gateway', { timeout: 300_000 }, () => {
  let functions: Functions
  let stack: RealOpenClaw
  let world: World
  /** The task whose turn hangs. */
  let hanging: string
  beforeAll(async () => {
    functions = await buildFunctions()
    stack = await startRealOpenClaw(functions, bin ?? '')
    world = stack.world
  })
  afterAll(async () => stack?.[Symbol.asyncDispose]())

  it('delivers through a gateway of its own', async () => {
    await stack.runtime.line((line) => line['msg'] === 'active')
    await world.post('@writer [[say:hello from OpenClaw]]') // waits for the gateway, burning no attempt
    expect(await world.replies(1)).toEqual(['hello from OpenClaw'])
    const line = await stack.runtime.line(({ msg }) => msg === 'delivery')
    expect(line).toMatchObject({ outcome: 'reply', state: 'delivered', attempt: 1 })
    const { runs } = await traceOf(world, line['delivery'])
    expect(runs[0]?.usage?.outputTokens).toBeGreaterThan(0)
    expect(runs[0]?.usage?.model).toContain('scripted')
  })

  it('gives a new agent to the gateway without a restart', async () => {
    await world.createAgent('editor', { profile: { soul: 'You edit.' } })
    await world.post('@editor [[say:edited]]')
    expect(await world.replies(2)).toEqual(['hello from OpenClaw', 'edited'])
    expect(stack.model.requests.at(-1)?.system).toContain('You edit.')
  })

  it('is adopted after kill -9 in mid-turn, and the turn answers once', async () => {
    await world.post('@writer [[gate:g]][[say:exactly once]]')
    await stack.gate('g').entered
    const asked = stack.model.requests.length
    stack.runtime.kill('SIGKILL')
    await stack.runtime.ended
    const died = performance.now()
    stack.startRuntime({ TURN_TIMEOUT: String(SHORT_TURN_MS) })
    await stack.runtime.line((line) => line['msg'] === 'adopted the running gateway')
    stack.gate('g').release()
    expect((await world.replies(3))[2]).toBe('exactly once')
    console.log(`kill -9 to reply over an adopted gateway: ${Math.round(performance.now() - died)} ms`)
    expect(stack.model.requests).toHaveLength(asked)
    // Looked at again at the end: its deadline passes while the others run.
    hanging = await world.createTask('Hanging')
    await world.post('@writer [[gate:hang]][[say:woken up]]', hanging)
    await stack.gate('hang').entered
  })

  it('a model that answers 400: the attempt fails in its words, the next one answers', async () => {
    stack.setOutage({ status: 400, message: 'the scripted context is too long' }, 1)
    await world.post('@writer [[say:after the refusal]]')
    const line = await stack.failed('TURN_FAILED')
    expect(line).toMatchObject({ level: 'warn', agent: 'writer', ended: true, state: 'ready' })
    expect(line['reason']).toMatch(/provider rejected/i)
    expect((await world.replies(4))[3]).toBe('after the refusal')
    expect(await stack.delivered(line['delivery'])).toMatchObject({ state: 'delivered' })
    const { runs, state } = await traceOf(world, line['delivery'])
    expect(state).toBe('delivered')
    expect(runs.map(({ outcome }) => outcome)).toEqual(['failed', 'reply'])
    expect(runs[0]?.reason).toContain(line['reason'])
  })

  it('an agent that somebody took out of the gateway is put back and answers, at the cost of no attempt', async () => {
    const port = Number(stack.env['OPENCLAW_GATEWAY_PORT'])
    const token = (await readFile(path.join(stack.env['DATA_DIR'] ?? '', 'openclaw', 'gateway.token'), 'utf8')).trim()
    await using client = createClient({ clock: systemClock }, { url: `ws://127.0.0.1:${port}`, token })
    // A loaded gateway loses the lease of a deletion now and then, and says so: asked again, it goes on.
    const removed = () =>
      removeAgent(client, 'editor', systemClock.timeout(120_000)).then(
        () => true,
        () => false,
      )
    while (!(await removed())) await systemClock.sleep(500)
    await world.post('@editor [[say:back again]]')
    expect((await world.replies(5))[4]).toBe('back again')
    const line = await stack.runtime.line(({ msg, agent }) => msg === 'delivery' && agent === 'editor')
    expect(await traceOf(world, line['delivery'])).toMatchObject({ state: 'delivered', attempts: 1 })
  })

  it("somebody else's gateway that refuses our token: degraded in plain words, nothing is claimed", async () => {
    await using other = await createWorld(functions)
    const url = `ws://127.0.0.1:${stack.env['OPENCLAW_GATEWAY_PORT']}`
    const refused = await other.startRuntime({ OPENCLAW_GATEWAY_URL: url, OPENCLAW_GATEWAY_TOKEN: 'not-the-token' })
    const message = await other.post('@writer [[say:never]]')
    const reason = /^gateway: .*token mismatch.*Set OPENCLAW_GATEWAY_TOKEN/i
    while (!refused.health().reasons.some((text) => reason.test(text))) await systemClock.sleep(20)
    expect(refused.health()).toMatchObject({ status: 'degraded', gateway: { running: false } })
    expect(refused.notReady()).toContainEqual(expect.stringMatching(reason))
    refused.loops.period()?.delivery.poll() // whatever could make it claim
    const [item] = await other.owner.query(api.deliveries.forTask, {
      accountId: other.accountId as never,
      taskId: other.taskId as never,
    })
    expect(item).toMatchObject({ messageId: message, state: 'ready', attempts: 0, claimedAt: null })
    expect((await traceOf(other, item?.id)).runs).toEqual([])
    const told = other.lines.filter(({ fields }) => fields['condition'] === 'gateway')
    expect(told.at(-1)).toMatchObject({ level: 'warn', message: 'degraded' })
    expect(told.filter(({ fields }) => reason.test(`gateway: ${String(fields['reason'])}`))).toHaveLength(1)
    expect(JSON.stringify(other.lines)).not.toContain('not-the-token')
  })

  it('a model that hangs: the turn was ended at its deadline, and the next one answers', async () => {
    const line = await stack.failed('TURN_TIMEOUT')
    expect(line).toMatchObject({ attempt: 1, ended: true, state: 'ready' })
    // The deadline is the gateway's or ours, whichever is first; the abort and its confirmation come on top.
    expect(line['ms']).toBeLessThan(SHORT_TURN_MS + 30_000)
    stack.gate('hang').release()
    expect(await world.replies(1, hanging)).toEqual(['woken up'])
    const { runs } = await traceOf(world, line['delivery'])
    expect(runs[0]).toMatchObject({ outcome: 'failed', reason: expect.stringMatching(/time|did not end/i) as string })
  })

  it('loses a removed agent without a restart, and stops with its runtime', async () => {
    const { accountId } = world
    const agents = await world.owner.query(api.agents.list, { accountId: accountId as never })
    const editor = agents.find(({ slug }) => slug === 'editor')
    await world.owner.mutation(api.agents.remove, { accountId: accountId as never, agentId: editor?.id as never })
    await stack.runtime.line((line) => line['msg'] === 'agent sync' && line['removed'] === 1)
    const config = await readFile(path.join(stack.env['DATA_DIR'] ?? '', 'openclaw', 'openclaw.json'), 'utf8')
    expect(config).not.toContain('"editor"')
    stack.runtime.kill('SIGTERM')
    expect(await stack.runtime.ended).toBe(0)
    const status = await world.owner.query(api.runtimes.status, { accountId: accountId as never })
    expect(JSON.stringify(status)).toContain('offline')
  })
})
