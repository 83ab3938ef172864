/**
 * The numbers in the README: `node packages/embedded/test/bench.ts [documents]`. One process holds client and server; the disk
 * is whatever the temporary folder is on.
 */
import { ConvexClient, ConvexHttpClient } from 'convex/browser'
import { makeFunctionReference } from 'convex/server'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createEmbeddedConvex } from '../src/index.ts'
import { functions } from './fixtures/functions.ts'

const DOCUMENTS = Number(process.argv[2] ?? 1_000)
const SECONDS = 1.5
const send = makeFunctionReference<'mutation'>('messages:send')
const get = makeFunctionReference<'query'>('messages:get')
const list = makeFunctionReference<'query'>('messages:list')

const folder = await mkdtemp(join(tmpdir(), 'embedded-bench-'))
const backend = await createEmbeddedConvex({ functions, dataDir: folder })

async function measure(name: string, callers: number, call: (n: number) => Promise<unknown>): Promise<void> {
  const times: number[] = []
  const until = performance.now() + SECONDS * 1_000
  const commits = backend.stats.commits
  await Promise.all(
    Array.from({ length: callers }, async () => {
      for (let n = 0; performance.now() < until; n++) {
        const start = performance.now()
        await call(n)
        times.push(performance.now() - start)
      }
    }),
  )
  times.sort((a, b) => a - b)
  const at = (share: number) => `${times[Math.floor((times.length - 1) * share)]!.toFixed(2)} ms`
  const perCommit =
    backend.stats.commits > commits ? `, ${(times.length / (backend.stats.commits - commits)).toFixed(1)} per commit` : ''
  console.log(
    `${name.padEnd(44)} ${String(Math.round(times.length / SECONDS)).padStart(6)}/s  p50 ${at(0.5)}  p99 ${at(0.99)}${perCommit}`,
  )
}

const loadStart = performance.now()
for (let done = 0; done < DOCUMENTS; done += 1_000) {
  await backend.run(async (ctx) => {
    for (let n = 0; n < Math.min(1_000, DOCUMENTS - done); n++)
      await ctx.db.insert('messages', { channel: `c${n % 50}`, body: `message ${done + n}`, score: n })
  })
}
console.log(`${DOCUMENTS} documents loaded, ${Math.round((DOCUMENTS / (performance.now() - loadStart)) * 1_000)}/s`)
const id = (await backend.mutation('messages:send', { channel: 'c1', body: 'x' })) as string

await measure('engine: get by id', 1, () => backend.query('messages:get', { id }))
await measure('engine: index eq, desc, take 10', 1, () => backend.query('messages:list', { channel: 'c1' }))
await measure('engine: insert, 1 caller', 1, () => backend.mutation('messages:send', { channel: 'b', body: 'x' }))
await measure('engine: insert, 16 callers', 16, () => backend.mutation('messages:send', { channel: 'b', body: 'x' }))

const { url } = await backend.listen()
const http = new ConvexHttpClient(url)
await measure('HTTP: get by id', 1, () => http.query(get, { id }))
await measure('HTTP: index eq, desc, take 10', 1, () => http.query(list, { channel: 'c1' }))
await measure('HTTP: insert, 1 caller', 1, () => http.mutation(send, { channel: 'b', body: 'x' }, { skipQueue: true }))
await measure('HTTP: insert, 16 callers', 16, () => http.mutation(send, { channel: 'b', body: 'x' }, { skipQueue: true }))

const socket = new ConvexClient(url)
let arrived = Promise.withResolvers<void>()
socket.onUpdate(list, { channel: 'watched' }, () => arrived.resolve())
await arrived.promise
await measure('mutation over HTTP -> callback of a subscriber', 1, async () => {
  arrived = Promise.withResolvers()
  void http.mutation(send, { channel: 'watched', body: 'x' }, { skipQueue: true })
  await arrived.promise
})
await socket.close()
const closing = performance.now()
await backend.close()
console.log(
  `closed in ${Math.round(performance.now() - closing)} ms, RSS ${Math.round(process.memoryUsage().rss / 1024 / 1024)} MB`,
)
await rm(folder, { recursive: true })
