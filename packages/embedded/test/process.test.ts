/** The CLI as a process: killed without warning, stopped politely, started twice. */
import { ConvexClient, ConvexHttpClient } from 'convex/browser'
import { makeFunctionReference } from 'convex/server'
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterEach, expect, it, vi } from 'vitest'
import { onDisk, temporaryFolder } from './fixtures/backend.ts'
import { startServer, type ServerProcess } from './fixtures/server.ts'

const send = makeFunctionReference<'mutation'>('messages:send')
const bodies = makeFunctionReference<'query'>('messages:bodies')
const ROUNDS = 3
const WRITERS = 8

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

it('kill -9 under load loses no acknowledged write', { timeout: 60_000 }, async () => {
  const dataDir = await temporaryFolder()
  const acknowledged = new Set<string>()
  for (let round = 0; round < ROUNDS; round++) {
    const server = await start(dataDir) // the dead owner's lock is gone with it
    let alive = true
    const writer = async (w: number) => {
      const client = new ConvexHttpClient(server.url, { logger: false })
      for (let n = 0; alive; n++) {
        const body = `${round}.${w}.${n}`
        await client.mutation(send, { channel: 'k', body }, { skipQueue: true }).then(
          () => acknowledged.add(body),
          () => (alive = false),
        )
      }
    }
    const before = acknowledged.size
    const writers = Promise.all(Array.from({ length: WRITERS }, (_, w) => writer(w)))
    await vi.waitFor(() => expect(acknowledged.size - before).toBeGreaterThan(100), { timeout: 20_000, interval: 5 })
    await server.stop('SIGKILL')
    await writers
  }
  const backend = await onDisk({ dataDir })
  const kept = (await backend.query('messages:bodies', { channel: 'k' })) as string[]
  const lost = [...acknowledged].filter((body) => !kept.includes(body))
  expect(lost).toEqual([])
  expect(new Set(kept).size).toBe(kept.length)
  expect(kept.length - acknowledged.size).toBeLessThanOrEqual(ROUNDS * WRITERS) // committed, but the answer was cut off
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
  const backend = await onDisk({ dataDir })
  expect(((await backend.query('messages:bodies', { channel: 't' })) as string[]).length).toBeGreaterThanOrEqual(acknowledged)
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
  await expect(run('messages:crash', '{nope')).rejects.toMatchObject({ code: 1, stderr: expect.stringContaining('not JSON') })
})
