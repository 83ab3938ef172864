/**
 * Commit to accepted: from the moment the sender's mutation promise resolves to the gateway's acceptance, on one monotonic clock.
 * The figure is printed; the assertion is generous, because other tests share the machine.
 */
import { expect, it } from 'vitest'
import { buildFunctions, createWorld } from './stack/world.ts'

const DELIVERIES = 200

it(`hands ${DELIVERIES} mentions to the gateway, one after the other`, { timeout: 120_000 }, async () => {
  const arrived = new Map<string, PromiseWithResolvers<number>>()
  const arrival = (key: string) => {
    const known = arrived.get(key) ?? Promise.withResolvers<number>()
    arrived.set(key, known)
    return known
  }
  const functions = await buildFunctions()
  await using world = await createWorld(functions, {
    gateway: {
      // The first thing the gateway does with an accepted turn is to ask the model.
      respond({ prompt }) {
        // The thread before it names earlier ones.
        arrival([...prompt.matchAll(/number (\d+)\./g)].at(-1)?.[1] ?? '').resolve(performance.now())
        return 'ok'
      },
    },
  })
  const runtime = await world.startRuntime({ SHUTDOWN_GRACE: '0' })
  await world.untilReady(runtime)
  const tasks = await Promise.all(Array.from({ length: 10 }, (_, i) => world.createTask(`Task ${i}`)))
  const figures: number[] = []
  for (let n = -10; n < DELIVERIES; n += 1) {
    const key = String(n + 1_000)
    const task = tasks[(n + 10) % tasks.length] ?? world.taskId
    await world.post(`@writer number ${key}.`, task)
    const committed = performance.now()
    const at = await arrival(key).promise
    if (n >= 0) figures.push(at - committed)
    while ((runtime.loops.period()?.delivery.held().length ?? 0) > 0) await new Promise((resolve) => setTimeout(resolve, 1))
  }
  const sorted = figures.toSorted((a, b) => a - b)
  const at = (share: number) => (sorted[Math.floor(share * (sorted.length - 1))] ?? NaN).toFixed(1)
  console.log(`commit to accepted, ${DELIVERIES} deliveries: p50 ${at(0.5)} ms, p95 ${at(0.95)} ms, max ${at(1)} ms`)
  expect(figures).toHaveLength(DELIVERIES)
  expect(Number(at(0.5))).toBeLessThan(250)
})
