/** What the program arranges for itself, however it is started: a start that need not compile, memory that does not swell. */
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, it, vi } from 'vitest'
import { temporaryFolder } from './fixtures/backend.ts'
import { startServer, type ServerProcess } from './fixtures/server.ts'

const running: ServerProcess[] = []
afterEach(async () => {
  for (const server of running.splice(0)) await server.stop('SIGKILL')
})
async function start(env: Record<string, string> = {}): Promise<ServerProcess> {
  const server = await startServer(await temporaryFolder(), [], { env })
  running.push(server)
  return server
}

it('a process that is killed leaves compiled code behind, and the next one uses it', async () => {
  const cache = join(await temporaryFolder(), 'compiled')
  const first = await start({ NODE_COMPILE_CACHE: cache })
  await vi.waitFor(() => expect(existsSync(cache) && readdirSync(cache, { recursive: true }).length).toBeGreaterThan(50), 5_000)
  await first.stop('SIGKILL')
  await (await start()).stop('SIGTERM') // at its own place, which this may be the first to fill
  const next = await start({ NODE_DEBUG_NATIVE: 'COMPILE_CACHE' })
  await next.stop('SIGTERM')
  expect(next.stderr()).toMatch(/cache for ESM \S*src\/engine\.ts was accepted/)
})

// The long version, with the process's whole memory: test/proof/memory.ts.
it('the young generation does not grow under load', async () => {
  const { url } = await start()
  const call = async (kind: string, path: string, args: object) => {
    const body = JSON.stringify({ path: `messages:${path}`, args })
    const response = await fetch(`${url}/api/${kind}`, { method: 'POST', headers: { 'content-type': 'application/json' }, body })
    expect(await response.json()).toMatchObject({ status: 'success' })
  }
  const youngBytes = async () =>
    Number(/^mission_control_backend_heap_young_bytes (\d+)$/m.exec(await (await fetch(`${url}/metrics`)).text())?.[1])
  const before = await youngBytes()
  expect(before).toBeLessThan(17 * 1024 * 1024)
  await Promise.all(Array.from({ length: 1_000 }, (_, n) => call('mutation', 'send', { channel: 'c', body: `${n}` })))
  await Promise.all(Array.from({ length: 100 }, () => call('query', 'list', { channel: 'c', limit: 1_000 })))
  expect(await youngBytes()).toBeLessThanOrEqual(before)
})
