import { cronJobs, makeFunctionReference } from 'convex/server'
import { expect, it } from 'vitest'
import type { Connection } from '../src/storage/connection.ts'
import { createTestClock, createTestRandom, inMemory } from './fixtures/backend.ts'
import { functions } from './fixtures/functions.ts'

/** Everything the engine stored, byte for byte, after the same story. */
async function story(seed: number): Promise<string> {
  const crons = cronJobs()
  crons.interval('tick', { seconds: 30 }, makeFunctionReference<'mutation'>('messages:tick'), { channel: 'cron' })
  const { clock, advance } = createTestClock()
  let connection: Connection | undefined
  const backend = await inMemory({
    functions: { ...functions, crons: crons },
    clock,
    random: createTestRandom(seed),
    wrapConnection: (opened) => (connection = opened),
  })
  const updates: unknown[] = []
  backend.onUpdate('messages:bodies', { channel: 'a' }, (value) => updates.push(value))
  await backend.mutation('messages:send', { channel: 'a', body: '1' })
  await Promise.all([2, 3, 4].map((n) => backend.mutation('messages:send', { channel: 'a', body: `${n}` })))
  await backend.mutation('messages:fail', { channel: 'a' }).catch(() => {})
  await backend.mutation('messages:later', { channel: 'a', body: 'later', delayMs: 45_000 })
  await backend.action('messages:sendTwice', { channel: 'a' })
  for (let i = 0; i < 8; i++) await advance(10_000)
  expect(((await backend.query('messages:bodies', { channel: 'cron' })) as string[]).length).toBeGreaterThan(1)
  const tables = ['meta', 'tables', 'indexes', 'documents', 'entries', 'requests']
  const rows = tables.map((table) => connection!.all(`SELECT * FROM ${table}`))
  return JSON.stringify([rows, updates], (_key, value: unknown) =>
    value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value,
  )
}

it('the same clock and seed give the same bytes, another seed gives others', async () => {
  const [first, second, other] = [await story(7), await story(7), await story(8)]
  expect(second).toBe(first)
  expect(other).not.toBe(first)
})
