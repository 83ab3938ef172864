/** Clients that do not read: they cost a bounded amount of memory, and nobody else. */
import { actionGeneric, mutationGeneric, queryGeneric } from 'convex/server'
import { v } from 'convex/values'
import { expect, it, vi } from 'vitest'
import { createTestClock, inMemory } from '../../test/fixtures/backend.ts'
import { schema } from '../../test/fixtures/functions.ts'
import { connectRaw, hello } from '../../test/fixtures/raw-socket.ts'

const MIB = 1024 * 1024
const set = mutationGeneric({
  args: { n: v.number() },
  handler: async (ctx, { n }) => {
    const known = await ctx.db.query('anything').first()
    if (known) await ctx.db.replace(known._id, { n })
    else await ctx.db.insert('anything', { n })
  },
})
const state = queryGeneric({
  args: {},
  handler: async (ctx) => ({ n: (await ctx.db.query('anything').first())?.n ?? null, filling: 'x'.repeat(MIB) }),
})
const large = actionGeneric({ args: {}, handler: () => 'x'.repeat(8 * MIB) })
const functions = { schema, modules: { m: { set, state, large } } }
const watch = {
  type: 'ModifyQuerySet',
  baseVersion: 0,
  newVersion: 1,
  modifications: [{ type: 'Add', queryId: 1, udfPath: 'm:state', args: [{}] }],
}

it('a client that stops reading is sent the newest state when it reads again, not every state', async () => {
  const backend = await inMemory({ functions })
  const { messages, send, socket } = await connectRaw(backend)
  const states = () =>
    messages
      .flatMap((message) => (message['modifications'] ?? []) as { value: { n: number | null } }[])
      .map(({ value }) => value.n)
  send(hello)
  send(watch)
  await vi.waitFor(() => expect(states()).toEqual([null]))
  socket.pause()
  const seen: unknown[] = []
  backend.onUpdate('m:state', {}, (value) => seen.push((value as { n: number | null }).n))
  for (let n = 0; n < 60; n++) {
    await backend.mutation('m:set', { n })
    await vi.waitFor(() => expect(seen.at(-1)).toBe(n)) // others are served meanwhile
  }
  socket.resume()
  await vi.waitFor(() => expect(states().at(-1)).toBe(59), 10_000)
  // Sockets of the system hold some MiB of either side before the backend notices.
  expect(states().length).toBeLessThan(30)
  expect(states().slice(1)).toEqual((states().slice(1) as number[]).toSorted((a, b) => a - b))
  socket.terminate()
})

it('a client that asks and never reads the answers is cut off', async () => {
  const backend = await inMemory({ functions })
  const { closed, send, socket } = await connectRaw(backend)
  send(hello)
  socket.pause()
  for (let requestId = 0; requestId < 24; requestId++) send({ type: 'Action', requestId, udfPath: 'm:large', args: [{}] })
  await vi.waitFor(() => expect(backend.engine.live.count()).toBe(0), 20_000) // the session is gone
  socket.resume()
  expect((await closed)[0]).toBe(1006)
})

it('a connection whose other end is gone without a word is given up', async () => {
  const { clock, advance, sleepers } = createTestClock()
  const backend = await inMemory({ functions, clock, autoSchedule: false })
  const alive = await connectRaw(backend)
  const dead = await connectRaw(backend, { autoPong: false })
  for (const { send } of [alive, dead]) {
    send(hello)
    send(watch)
  }
  await vi.waitFor(() => expect([alive.messages.length, dead.messages.length]).toEqual([1, 1]))
  for (let ping = 1; ping <= 9; ping++) {
    const pings = () => alive.messages.filter((message) => message['type'] === 'Ping').length
    await vi.waitFor(() => expect(sleepers()).toBe(2)) // both wait for their next ping
    await advance(15_000)
    await vi.waitFor(() => expect(pings()).toBe(ping))
  }
  expect((await dead.closed)[0]).toBe(1006)
  expect(backend.engine.live.count()).toBe(1)
  alive.socket.terminate()
})

it('a client that never answers does not hold up a stop', async () => {
  const backend = await inMemory({ functions })
  const { send, messages, socket } = await connectRaw(backend)
  send(hello)
  send(watch)
  await vi.waitFor(() => expect(messages).toHaveLength(1))
  socket.pause()
  const start = performance.now()
  await backend.close()
  expect(performance.now() - start).toBeLessThan(10_000) // a container gives 10 s
  socket.terminate()
})
