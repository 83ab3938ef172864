/** The CLI as a process: killed without warning, stopped politely, started twice. */
import { ConvexClient, ConvexHttpClient } from 'convex/browser'
import { makeFunctionReference } from 'convex/server'
import { execFile } from 'node:child_process'
import { statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterEach, expect, it, vi } from 'vitest'
import { check } from '../src/operations/check.ts'
import { createTestRandom, onDisk, temporaryFolder } from './fixtures/backend.ts'
import { inspect } from './fixtures/database.ts'
import { killReconnect, killWriters } from './fixtures/kill-loop.ts'
import { startServer, type ServerProcess } from './fixtures/server.ts'

const send = makeFunctionReference<'mutation'>('messages:send')
const bodies = makeFunctionReference<'query'>('messages:bodies')

const running: ServerProcess[] = []
afterEach(async () => {
  for (const server of running.splice(0)) {
    if (server.child.exitCode === null && server.child.signalCode === null) await server.stop('SIGKILL')
  }
})
async function start(dataDir: string): Promise<ServerProcess> {
  const server = await startServer(dataDir)
  running.push(server)
  return server
}

const loop = (dataDir: string) => ({
  dataDir,
  random: createTestRandom(1).next,
  onServer: (server: ServerProcess) => void running.push(server),
})

// The long version, with its figures: test/proof/kill.ts.
it('kill -9 under load loses no acknowledged write', { timeout: 60_000 }, async () => {
  const dataDir = await temporaryFolder()
  for (const round of await killWriters({ ...loop(dataDir), rounds: 3, writers: 16, writes: 100 })) {
    expect(round).toMatchObject({ lost: [], doubled: [] })
    expect(round.acknowledged).toBeGreaterThanOrEqual(100)
    expect(round.unanswered).toBeLessThanOrEqual(16) // one per writer: each waits for its answer
  }
  expect(inspect(dataDir)).toMatchObject({ integrity: 'ok', wrongEntries: 0, dangling: 0 })
})

it('mutations in flight when the backend is killed are applied exactly once', { timeout: 60_000 }, async () => {
  const dataDir = await temporaryFolder()
  const rounds = await killReconnect({ ...loop(dataDir), rounds: 3, writes: 40 })
  for (const round of rounds) expect(round).toMatchObject({ acknowledged: 40, lost: [], doubled: [] })
  expect(rounds.reduce((total, round) => total + round.unanswered, 0)).toBeGreaterThan(0) // or nothing was tried
})

it('SIGTERM finishes what was accepted and exits 0', { timeout: 30_000 }, async () => {
  const dataDir = await temporaryFolder()
  const server = await start(dataDir)
  const client = new ConvexClient(server.url, { logger: false })
  const seen: unknown[] = []
  client.onUpdate(
    bodies,
    { channel: 't' },
    (value) => seen.push(value),
    () => {},
  )
  await vi.waitFor(() => expect(seen).toEqual([[]]))
  const http = new ConvexHttpClient(server.url, { logger: false })
  const results = Array.from({ length: 20 }, (_, n) => http.mutation(send, { channel: 't', body: `${n}` }, { skipQueue: true }))
  await results[0]
  const exited = server.stop('SIGTERM')
  const settled = await Promise.allSettled(results)
  expect(await exited).toBe(0)
  await client.close()
  const acknowledged = settled.filter((result) => result.status === 'fulfilled').length
  // Everything is in the database file, and the folder and the port are free.
  expect(statSync(join(dataDir, 'convex.sqlite-wal'), { throwIfNoEntry: false })?.size ?? 0).toBe(0)
  expect((await check(dataDir)).find(({ what }) => what === 'lock')?.found).toBe('no backend is running')
  await expect(fetch(`${server.url}/health`)).rejects.toThrow()
  const backend = await onDisk({ dataDir })
  expect(((await backend.query('messages:bodies', { channel: 't' })) as string[]).length).toBeGreaterThanOrEqual(acknowledged)
})

it('SIGTERM drops the actions that still run', { timeout: 60_000 }, async () => {
  const folder = await temporaryFolder()
  const bundle = join(folder, 'bundle.mjs')
  writeFileSync(
    bundle,
    `import { actionGeneric, defineSchema } from ${JSON.stringify(import.meta.resolve('convex/server'))}
    export const schema = defineSchema({})
    const handler = () => {
      console.error('begun')
      return new Promise(() => {})
    }
    export const modules = { n: { never: actionGeneric({ args: {}, handler }) } }`,
  )
  const server = await startServer(join(folder, 'data'), ['--functions', bundle])
  running.push(server)
  const client = new ConvexHttpClient(server.url, { logger: false })
  const dropped = expect(client.action(makeFunctionReference<'action'>('n:never'))).rejects.toThrow()
  await vi.waitFor(() => expect(server.stderr()).toContain('begun'), { timeout: 10_000 })
  expect(await server.stop('SIGTERM')).toBe(0)
  await dropped
})

it('a second process is refused with the pid of the first; run calls internal functions', { timeout: 30_000 }, async () => {
  const dataDir = await temporaryFolder()
  const server = await start(dataDir)
  await expect(start(dataDir)).rejects.toThrow(`in use by another backend (pid ${server.pid})`)
  const cli = fileURLToPath(new URL('../bin/mission-control-backend.mjs', import.meta.url))
  const run = (...args: string[]) =>
    promisify(execFile)(process.execPath, [cli, 'run', ...args, '--url', server.url, '--data-dir', dataDir])
  expect((await run('messages:secret')).stdout).toBe('"internal only"\n')
  await expect(run('messages:crash', '{}')).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringContaining('Uncaught Error: boom'),
  })
  await expect(run('messages:crash', '{nope')).rejects.toMatchObject({ code: 2, stderr: expect.stringContaining('not JSON') })
})
