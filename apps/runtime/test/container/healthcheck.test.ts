/** The image's health check as Docker runs it: a process, its exit code and one line. */
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import type { Server } from 'node:http'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, it } from 'vitest'

const SCRIPT = fileURLToPath(new URL('../../container/healthcheck.mjs', import.meta.url))
let folder = ''
let server: Server
let status = 200
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'mc-healthcheck-'))
  server = createServer((request, response) => void response.writeHead(request.url === '/livez' ? status : 404).end())
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
})
afterEach(async () => {
  server.close()
  await rm(folder, { recursive: true })
})

const port = () => (server.address() as AddressInfo).port
const record = (host: string, recorded = port()) =>
  writeFile(path.join(folder, 'health.json'), JSON.stringify({ pid: 1, host, port: recorded }))
const check = () =>
  new Promise<{ code: unknown; said: string }>((resolve) => {
    execFile(process.execPath, [SCRIPT], { env: { DATA_DIR: folder } }, (error, stdout) =>
      resolve({ code: error === null ? 0 : error.code, said: stdout.trim() }),
    )
  })

it('is healthy while /livez answers, at the recorded address or at loopback when it listens everywhere', async () => {
  status = 200
  for (const host of ['127.0.0.1', '0.0.0.0']) {
    await record(host)
    expect(await check()).toEqual({ code: 0, said: '/livez answered 200' })
  }
})

it('is unhealthy when /livez answers anything else', async () => {
  status = 503
  await record('0.0.0.0')
  expect(await check()).toEqual({ code: 1, said: '/livez answered 503' })
})

it('says why when nobody listens, and when nothing was recorded', async () => {
  const { code, said } = await check()
  expect(code).toBe(1)
  expect(said).toMatch(/^The runtime has recorded no health address in .*health\.json \(ENOENT\)/)
  const gone = port()
  server.close()
  await record('127.0.0.1', gone)
  const refused = await check()
  expect(refused.code).toBe(1)
  expect(refused.said).toContain('ECONNREFUSED')
})
