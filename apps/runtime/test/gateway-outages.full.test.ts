/** Model outages the real gateway takes minutes over: it tries again by itself, and blocks a provider whose key was refused. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { RealOpenClaw } from './stack/real-openclaw.ts'
import { installedOpenClaw, startRealOpenClaw, traceOf } from './stack/real-openclaw.ts'
import { buildFunctions } from './stack/world.ts'

const bin = installedOpenClaw()

describe.skipIf(bin === null)('outages of the model', () => {
  let stack: RealOpenClaw
  /** Log lines of failures that a test has had. */
  const seen = new Set<object>()
  beforeAll(async () => {
    stack = await startRealOpenClaw(await buildFunctions(), bin ?? '')
    await stack.world.post('@writer [[say:warm]]')
    await stack.world.replies(1)
  })
  afterAll(async () => stack?.[Symbol.asyncDispose]())

  it.each([
    [500, 'the scripted model is broken', 2],
    [429, 'the scripted model has no capacity', 3],
  ])('%d for minutes: the gateway gives up, the attempt is used, the next one answers', async (status, message, count) => {
    const said = `after ${status}`
    const { world } = stack
    const before = stack.model.requests.length
    stack.setOutage({ status, message })
    const begun = performance.now()
    await world.post(`@writer [[say:${said}]]`)
    const line = await stack.runtime.line(
      (one) => one['msg'] === 'delivery failed' && one['code'] === 'TURN_FAILED' && one['attempt'] === 1 && !seen.has(one),
    )
    seen.add(line)
    console.log(
      `${status}: given up after ${Math.round((performance.now() - begun) / 1000)} s and ${stack.model.requests.length - before} calls`,
    )
    expect(stack.model.requests.length - before).toBeGreaterThan(1)
    stack.setOutage(null)
    expect(line).toMatchObject({ ended: true, state: 'ready' })
    expect((await world.replies(count)).at(-1)).toBe(said)
    const { runs } = await traceOf(world, line['delivery'])
    expect(runs.at(-1)).toMatchObject({ outcome: 'reply' })
    expect(runs[0]).toMatchObject({ outcome: 'failed' })
  })

  it('401: a matter of configuration; no attempt is used, and it goes on within two minutes of the repair', async () => {
    const { world } = stack
    stack.setOutage({ status: 401, message: 'Incorrect API key provided' })
    await world.post('@writer [[say:after 401]]')
    const line = await stack.failed('TURN_MODEL_CONFIG')
    stack.setOutage(null)
    expect(line).toMatchObject({ ended: true, state: 'ready', attempt: 1 })
    expect(line['reason']).toMatch(/401|API key|auth/i)
    expect(await traceOf(world, line['delivery'])).toMatchObject({ attempts: 0, state: 'ready' })
    const repaired = performance.now()
    expect((await world.replies(4)).at(-1)).toBe('after 401')
    console.log(`401: answered ${Math.round((performance.now() - repaired) / 1000)} s after the repair`)
    expect(performance.now() - repaired).toBeLessThan(150_000)
  })
})
