/**
 * `node packages/embedded/test/proof/memory.ts [--documents 100000] [--seconds 600]`
 * Resident memory of a serving process with few and with many small documents, then under load that leaves the amount of data
 * as it is: memory must not climb after the warm-up, and the write-ahead log must stay bounded. Linux only.
 */
import { ConvexClient, ConvexHttpClient } from 'convex/browser'
import { makeFunctionReference } from 'convex/server'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { WebSocket } from 'ws'
import { createEmbeddedConvex } from '../../src/index.ts'
import { functions } from '../fixtures/functions.ts'
import { startServer, type ServerProcess } from '../fixtures/server.ts'
import { load } from './load.ts'
import { createVerdict, median, option, residentMiB } from '@mission-control/host/numbers'

const SMALL = 1_000
const LARGE = option('documents', 100_000)
const SECONDS = option('seconds', 600)
const CALLERS = 16
const ROWS = 20 // of a read: as many as a channel of the small one has, so that both do the same work
const SAMPLE_MS = 1_000
const CHANNELS = 50
const SILENT = 10
const SILENT_ROWS = 100 // of each query: 15 KB a change
const SETTLED_CALLS = 5_000
const SILENT_MIB = 250 // what they read, once, and what garbage collection leaves (104 to 142 were seen); every change would be 750 MiB
const WARM_UP = 0.3 // share of the run that counts as warm-up
const SERVED_MIB = 200
const GROWTH_MIB = 60 // of the large over the small
const CLIMB_MIB = 10 // between the first and the last third after warm-up: what garbage collection moves about anyway
const LOG_MIB = 16
interface Found {
  isDone: boolean
  continueCursor: string
}
const send = makeFunctionReference<'mutation', Record<string, unknown>, string>('messages:send')
const edit = makeFunctionReference<'mutation'>('messages:edit')
const remove = makeFunctionReference<'mutation'>('messages:remove')
const list = makeFunctionReference<'query', Record<string, unknown>, { _id: string }[]>('messages:list')
const page = makeFunctionReference<'query', Record<string, unknown>, Found>('messages:page')
const get = makeFunctionReference<'query'>('messages:get')
const verdict = createVerdict()
const folder = await mkdtemp(join(tmpdir(), 'embedded-memory-'))

async function prepare(documents: number): Promise<string> {
  const dataDir = join(folder, String(documents))
  await using backend = await createEmbeddedConvex({ functions, dataDir })
  await load(backend, documents)
  return dataDir
}

/** What a client does all day: pages of every channel, single documents, edits, a document more and a document less. */
async function work(server: ServerProcess, until: (calls: number) => boolean): Promise<number> {
  let calls = 0
  await Promise.all(
    Array.from({ length: CALLERS }, async (_, caller) => {
      const client = new ConvexHttpClient(server.url, { logger: false })
      for (let n = caller; !until(calls); n += CALLERS) {
        const rows = await client.query(list, { channel: `c${n % CHANNELS}`, limit: ROWS })
        await client.query(get, { id: rows[n % rows.length]!._id })
        await client.mutation(edit, { id: rows.at(-1)!._id, body: `edited ${n}` })
        const id = await client.mutation(send, { channel: `c${n % CHANNELS}`, body: `added ${n}`, score: n })
        await client.mutation(remove, { id })
        calls += 5
      }
    }),
  )
  return calls
}

/** Every document once, so that the caches hold what they are going to hold. */
async function sweep(server: ServerProcess): Promise<void> {
  const client = new ConvexHttpClient(server.url, { logger: false })
  for (let channel = 0; channel < CHANNELS; channel++) {
    for (let cursor: string | null = null; ;) {
      const found: Found = await client.query(page, { channel: `c${channel}`, paginationOpts: { cursor, numItems: ROWS } })
      if (found.isDone) break
      cursor = found.continueCursor
    }
  }
}

async function served(dataDir: string): Promise<number> {
  const server = await startServer(dataDir)
  const started = residentMiB(server.pid)
  await sweep(server)
  await work(server, (calls) => calls >= SETTLED_CALLS)
  const after = residentMiB(server.pid)
  verdict.note(
    `${dataDir.split('/').at(-1)} documents: ${started.toFixed(0)} MiB when started, ${after.toFixed(0)} MiB after every document was read and 5,000 calls`,
  )
  await server.stop('SIGTERM')
  return after
}

async function underLoad(dataDir: string): Promise<void> {
  const server = await startServer(dataDir)
  const socket = new ConvexClient(server.url, { logger: false })
  for (let channel = 0; channel < CHANNELS; channel++) socket.onUpdate(list, { channel: `c${channel}` }, () => {})
  const samples: number[] = []
  let log = 0
  const sampler = setInterval(() => {
    samples.push(residentMiB(server.pid))
    log = Math.max(log, (statSync(join(dataDir, 'convex.sqlite-wal'), { throwIfNoEntry: false })?.size ?? 0) / 1024 / 1024)
    if (samples.length % 30 === 0) verdict.note(`after ${samples.length} s: ${samples.at(-1)!.toFixed(0)} MiB`)
  }, SAMPLE_MS)
  const end = performance.now() + SECONDS * 1_000
  const calls = await work(server, () => performance.now() >= end)
  clearInterval(sampler)
  await socket.close()
  await server.stop('SIGTERM')
  const steady = samples.slice(Math.floor(samples.length * WARM_UP))
  const third = Math.floor(steady.length / 3)
  verdict.note(`${calls} calls in ${SECONDS} s, highest ${Math.max(...samples).toFixed(0)} MiB`)
  verdict.atMost(
    'memory, last third over first third after warm-up',
    median(steady.slice(-third)) - median(steady.slice(0, third)),
    CLIMB_MIB,
    'MiB',
  )
  verdict.atMost('largest write-ahead log', log, LOG_MIB, 'MiB')
}

/** Subscribers that stop reading must not be kept a copy of every state. */
async function beside(dataDir: string): Promise<void> {
  const server = await startServer(dataDir)
  await work(server, (calls) => calls >= SETTLED_CALLS)
  const before = residentMiB(server.pid)
  const sockets = await Promise.all(Array.from({ length: SILENT }, () => silentSubscriber(server.url)))
  await work(server, (calls) => calls >= SETTLED_CALLS)
  const more = residentMiB(server.pid) - before
  verdict.note(`${SILENT} subscribers of ${CHANNELS} queries each were sent ${SETTLED_CALLS * 0.6} changes and read none`)
  verdict.atMost('memory they added', more, SILENT_MIB, 'MiB')
  for (const socket of sockets) socket.terminate()
  await server.stop('SIGTERM')
}

async function silentSubscriber(url: string): Promise<WebSocket> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/api/1.48.0/sync`)
  await once(socket, 'open')
  const first = once(socket, 'message')
  const modifications = Array.from({ length: CHANNELS }, (_, n) => {
    return { type: 'Add', queryId: n, udfPath: 'messages:list', args: [{ channel: `c${n}`, limit: SILENT_ROWS }] }
  })
  socket.send(JSON.stringify({ type: 'Connect', sessionId: randomUUID(), connectionCount: 0, lastCloseReason: null }))
  socket.send(JSON.stringify({ type: 'ModifyQuerySet', baseVersion: 0, newVersion: 1, modifications }))
  await first
  socket.pause()
  return socket
}

try {
  const [small, large] = [await prepare(SMALL), await prepare(LARGE)]
  const few = await served(small)
  const many = await served(large)
  verdict.atMost(`memory with ${LARGE} documents served`, many, SERVED_MIB, 'MiB')
  verdict.atMost(`more than with ${SMALL}`, many - few, GROWTH_MIB, 'MiB')
  await beside(large)
  await underLoad(large)
} finally {
  await rm(folder, { recursive: true })
}
verdict.finish()
