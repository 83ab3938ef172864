/** More of everything than one usually has: large results, many queries, more mutations than are let in. */
import { ConvexClient } from 'convex/browser'
import { makeFunctionReference, mutationGeneric, queryGeneric } from 'convex/server'
import { v } from 'convex/values'
import { expect, it, vi } from 'vitest'
import { inMemory, onDisk } from '../../test/fixtures/backend.ts'
import { schema } from '../../test/fixtures/functions.ts'
import { connectRaw, hello } from '../../test/fixtures/raw-socket.ts'

let hold: Promise<void> = Promise.resolve()
const l = {
  large: queryGeneric({ args: { bytes: v.number() }, handler: (_ctx, { bytes }) => 'x'.repeat(bytes) }),
  value: queryGeneric({
    args: { n: v.number() },
    handler: async (ctx, { n }) => [n, (await ctx.db.query('anything').first())?.k ?? null],
  }),
  set: mutationGeneric({ args: { k: v.number() }, handler: async (ctx, { k }) => void (await ctx.db.insert('anything', { k })) }),
  waits: mutationGeneric({ args: {}, handler: () => hold }),
}
const functions = { schema, modules: { l } }

it('a result of 12 MiB reaches the official client whole', async () => {
  const backend = await inMemory({ functions })
  const client = new ConvexClient((await backend.listen()).url, { logger: false })
  const bytes = 12 * 1024 * 1024
  const seen = Promise.withResolvers<string>()
  client.onUpdate(makeFunctionReference<'query'>('l:large'), { bytes }, (value: string) => seen.resolve(value), seen.reject)
  expect((await seen.promise).length).toBe(bytes)
  await client.close()
})

it('two thousand queries of one socket get their result and its change', { timeout: 30_000 }, async () => {
  const backend = await onDisk({ functions })
  const client = new ConvexClient((await backend.listen()).url, { logger: false })
  const seen = new Map<number, unknown>()
  for (let n = 0; n < 2_000; n++) {
    client.onUpdate(makeFunctionReference<'query'>('l:value'), { n }, ([of, value]: [number, unknown]) => seen.set(of, value))
  }
  await vi.waitFor(() => expect(seen.size).toBe(2_000), { timeout: 15_000 })
  await client.mutation(makeFunctionReference<'mutation'>('l:set'), { k: 7 })
  expect([...seen.values()].every((value) => value === 7)).toBe(true)
  await client.close()
})

it('a client that queues more than a thousand mutations is turned away, others are not', async () => {
  const release = Promise.withResolvers<void>()
  hold = release.promise
  const backend = await inMemory({ functions })
  const greedy = await connectRaw(backend)
  greedy.send(hello)
  for (let requestId = 0; requestId <= 1_001; requestId++)
    greedy.send({ type: 'Mutation', requestId, udfPath: 'l:waits', args: [{}] })
  expect(await greedy.closed).toEqual([1008, 'TooManyConcurrentRequests'])
  release.resolve()
  hold = Promise.resolve()
  await backend.mutation('l:set', { k: 1 })
})
