/**
 * Speed as ratios measured in one run, which a slow or shared machine distorts least: `node packages/embedded/test/proof/ratios.ts`.
 * What is compared takes turns, so that a busy moment hits both. Exits 1 when a bound is missed.
 */
import { ConvexClient, ConvexHttpClient } from 'convex/browser'
import { makeFunctionReference } from 'convex/server'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createEmbeddedConvex, type EmbeddedConvex } from '../../src/index.ts'
import { functions } from '../fixtures/functions.ts'
import { startServer } from '../fixtures/server.ts'
import { countSyncs } from '../fixtures/syncs.ts'
import { load } from './load.ts'
import { createVerdict, median, option, percentile } from '@mission-control/host/numbers'

const SMALL = 1_000
const LARGE = option('documents', 100_000)
const READ_RATIO = 1.5
const MUTATIONS_PER_FSYNC = 4
const CALLERS = 16
const WRITES = 400 // per caller: enough for the log to be checkpointed more than once
interface Done {
  mutations: number
  commits: number
}
const CALLBACK_MEDIAN_MS = 10
const CALLBACK_P99_MS = 50
const SUBSCRIPTIONS = 200
const SUBSCRIPTION_SHARE = 0.2
const send = makeFunctionReference<'mutation'>('messages:send')
const list = makeFunctionReference<'query'>('messages:list')
const verdict = createVerdict()

const folder = await mkdtemp(join(tmpdir(), 'embedded-ratios-'))

async function open(name: string, documents: number): Promise<EmbeddedConvex> {
  const backend = await createEmbeddedConvex({ functions, dataDir: join(folder, name) })
  await load(backend, documents)
  return backend
}

async function times(count: number, call: (n: number) => Promise<unknown>): Promise<number[]> {
  const found: number[] = []
  for (let n = 0; n < count; n++) {
    const start = performance.now()
    await call(n)
    found.push(performance.now() - start)
  }
  return found
}

/** Medians of two calls that take turns in blocks. */
async function compare(rounds: number, block: number, a: (n: number) => Promise<unknown>, b: (n: number) => Promise<unknown>) {
  const [first, second]: [number[], number[]] = [[], []]
  for (let round = 0; round < rounds; round++) {
    first.push(...(await times(block, a)))
    second.push(...(await times(block, b)))
  }
  return { a: median(first), b: median(second) }
}

async function indexReads(small: EmbeddedConvex, large: EmbeddedConvex): Promise<void> {
  const read = (backend: EmbeddedConvex) => (n: number) => backend.query('messages:list', { channel: `c${n % 50}` })
  await compare(2, 200, read(small), read(large)) // warm-up
  const { a, b } = await compare(20, 100, read(small), read(large))
  verdict.note(`index read of 10 rows: ${a.toFixed(3)} ms at ${SMALL}, ${b.toFixed(3)} ms at ${LARGE} documents`)
  verdict.atMost('index read, large over small', b / a, READ_RATIO, 'times')
}

/** How many mutations share a sync of the disk, checkpoints included. In process, and over HTTP to a process of its own. */
async function groupCommit(
  name: string,
  pid: number,
  call: (n: number) => Promise<unknown>,
  done: () => Promise<Done>,
): Promise<void> {
  const before = await done()
  const stop = await countSyncs(pid)
  await Promise.all(Array.from({ length: CALLERS }, () => times(WRITES, call)))
  const syncs = await stop?.()
  const after = await done()
  const [mutations, commits] = [after.mutations - before.mutations, after.commits - before.commits]
  verdict.note(`${CALLERS} callers ${name}: ${mutations} mutations in ${commits} commits`)
  if (syncs) {
    verdict.note(`  fsync of the log ${syncs.log} times, of the database ${syncs.other} times`)
    if (syncs.log < commits)
      throw new Error(`${commits} commits with ${syncs.log} fsyncs: not all were seen, or not all are safe.`)
    verdict.atMost(`fsyncs per mutation, ${name}`, (syncs.log + syncs.other) / mutations, 1 / MUTATIONS_PER_FSYNC, 'fsyncs')
  } else {
    verdict.note('  strace is not there or may not look: fsyncs were not counted, checkpoints are missing in this figure')
    verdict.atMost(`commits per mutation, ${name}`, commits / mutations, 1 / MUTATIONS_PER_FSYNC, 'commits')
  }
}

async function groupCommits(backend: EmbeddedConvex, dataDir: string): Promise<void> {
  const inProcess = () => backend.mutation('messages:send', { channel: 'g', body: 'x' })
  await groupCommit('in process', process.pid, inProcess, () => Promise.resolve({ ...backend.stats }))
  await backend.close()
  const server = await startServer(dataDir)
  const overHttp = () => new ConvexHttpClient(server.url, { logger: false }).mutation(send, { channel: 'g', body: 'x' })
  const done = async () => {
    const text = await (await fetch(`${server.url}/metrics`)).text()
    const value = (metric: string) => Number(new RegExp(`^mission_control_backend_${metric} (\\d+)$`, 'm').exec(text)?.[1])
    return { mutations: value('mutations_total'), commits: value('commits_total') }
  }
  await groupCommit('over HTTP', server.pid, overHttp, done)
  await server.stop('SIGTERM')
}

/** Server in a process of its own, as it is used. */
async function callbacks(dataDir: string): Promise<void> {
  const server = await startServer(dataDir)
  const socket = new ConvexClient(server.url, { logger: false })
  const http = new ConvexHttpClient(server.url, { logger: false })
  try {
    let arrived = Promise.withResolvers<void>()
    socket.onUpdate(list, { channel: 'watched' }, () => arrived.resolve())
    await arrived.promise
    const measured = (mutate: () => Promise<unknown>) => async () => {
      arrived = Promise.withResolvers()
      const answered = mutate()
      await arrived.promise
      return answered
    }
    for (const [name, mutate] of [
      ['over HTTP', () => http.mutation(send, { channel: 'watched', body: 'x' })],
      ['over the socket', () => socket.mutation(send, { channel: 'watched', body: 'x' })],
    ] as const) {
      // Two callbacks may be owed to one mutation only when the list changed twice: each call is awaited to its end first.
      const call = async () => void (await measured(mutate)())
      await times(50, call)
      const found: number[] = []
      for (let n = 0; n < 500; n++) {
        const start = performance.now()
        arrived = Promise.withResolvers()
        const answered = mutate()
        await arrived.promise
        found.push(performance.now() - start)
        await answered
      }
      verdict.atMost(`mutation ${name} to callback, median`, median(found), CALLBACK_MEDIAN_MS, 'ms')
      verdict.atMost(`mutation ${name} to callback, p99`, percentile(found, 0.99), CALLBACK_P99_MS, 'ms')
    }
  } finally {
    await socket.close()
    await server.stop('SIGTERM')
  }
}

/** In memory there is no fsync to hide behind: the strictest measure of what a subscription costs a mutation. */
async function subscriptions(name: string, make: () => Promise<EmbeddedConvex>): Promise<void> {
  const [quiet, watched] = [await make(), await make()]
  const ready: Promise<void>[] = []
  for (let n = 0; n < SUBSCRIPTIONS; n++) {
    ready.push(new Promise((resolve) => watched.onUpdate('messages:list', { channel: `c${n}` }, () => resolve())))
  }
  await Promise.all(ready)
  const insert = (backend: EmbeddedConvex) => () => backend.mutation('messages:send', { channel: 'unwatched', body: 'x' })
  await compare(2, 100, insert(quiet), insert(watched)) // warm-up
  const { a, b } = await compare(25, 40, insert(quiet), insert(watched))
  verdict.note(`mutation ${name}: ${a.toFixed(3)} ms alone, ${b.toFixed(3)} ms beside ${SUBSCRIPTIONS} subscriptions`)
  verdict.atMost(`what ${SUBSCRIPTIONS} other subscriptions add, ${name}`, b / a - 1, SUBSCRIPTION_SHARE, 'of a mutation')
  await Promise.all([quiet.close(), watched.close()])
}

try {
  const [small, large] = [await open('small', SMALL), await open('large', LARGE)]
  await indexReads(small, large)
  await groupCommits(large, join(folder, 'large'))
  await small.close()
  await callbacks(join(folder, 'large'))
  await subscriptions('in memory', () => createEmbeddedConvex({ functions, memory: true }))
  let made = 0
  await subscriptions('on disk', () => open(`quiet${made++}`, SMALL))
} finally {
  await rm(folder, { recursive: true })
}
verdict.finish()
