import { ConvexHttpClient } from 'convex/browser'
import { actionGeneric, internalMutationGeneric, makeFunctionReference, mutationGeneric, queryGeneric } from 'convex/server'
import { v } from 'convex/values'
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chownSync, mkdirSync, readdirSync, rmdirSync, statSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { once } from 'node:events'
import { get, request, type IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { json } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, it, vi } from 'vitest'
import { createTestClock, inMemory, onDisk, temporaryFolder } from '../../test/fixtures/backend.ts'
import { functions as fixture } from '../../test/fixtures/functions.ts'
import type { Connection } from '../storage/connection.ts'
import { holdContents } from './hold.ts'

const id = v.id('_storage')
const files = {
  uploadUrl: mutationGeneric({ args: {}, handler: (ctx) => ctx.storage.generateUploadUrl() }),
  url: queryGeneric({ args: { id }, handler: (ctx, args) => ctx.storage.getUrl(args.id) }),
  metadata: queryGeneric({ args: { id }, handler: (ctx, args) => ctx.storage.getMetadata(args.id) }),
  document: queryGeneric({ args: { id }, handler: (ctx, args) => ctx.db.system.get(args.id) }),
  all: queryGeneric({ args: {}, handler: (ctx) => ctx.db.system.query('_storage').collect() }),
  remove: mutationGeneric({ args: { id }, handler: (ctx, args) => ctx.storage.delete(args.id) }),
  store: mutationGeneric({
    args: { text: v.string(), fail: v.optional(v.boolean()), sha256: v.optional(v.string()) },
    handler: async (ctx, { text, fail, sha256 }) => {
      const stored = await ctx.storage.store(new Blob([text], { type: 'text/plain' }), sha256 === undefined ? {} : { sha256 })
      if (fail) throw new Error('changed my mind')
      return { stored, read: await (await ctx.storage.get(stored))!.text() }
    },
  }),
  storeInChild: internalMutationGeneric({
    args: {},
    handler: async (ctx) => {
      const own = ctx.storage.store(new Blob([new Uint8Array(4_000_000)]))
      await new Blob(['x']).arrayBuffer() // now its content is being written
      const child = ctx.runMutation(makeFunctionReference<'mutation'>('files:store'), { text: 'child', fail: true })
      await child.catch(() => {})
      return own
    },
  }),
  change: mutationGeneric({ args: { id }, handler: (ctx, args) => ctx.db.patch(args.id, { size: 1 }) }),
  act: actionGeneric({
    args: { bytes: v.number() },
    handler: async (ctx, { bytes }) => {
      const stored = await ctx.storage.store(new Blob([new Uint8Array(bytes).fill(7)], { type: 'image/png' }))
      const blob = await ctx.storage.get(stored)
      const metadata = await ctx.storage.getMetadata(stored)
      const url = await ctx.storage.getUrl(stored)
      await ctx.storage.delete(stored)
      const after = [await ctx.storage.get(stored), await ctx.storage.getUrl(stored), await ctx.storage.getMetadata(stored)]
      return { type: blob!.type, size: blob!.size, metadata: metadata!.size, url, after }
    },
  }),
}
const functions = { ...fixture, modules: { ...fixture.modules, files } }
/** What is left then is in use, not only not collected yet. */
setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

const sha256 = (content: string) => createHash('sha256').update(content).digest('hex')

describe.each([
  ['memory', inMemory],
  ['disk', onDisk],
])('stored files, %s', (_name, open) => {
  async function serving(options: Parameters<typeof open>[0] = {}) {
    const backend = await open({ functions, ...options })
    const { url } = await backend.listen()
    const client = new ConvexHttpClient(url)
    const call = async (name: string, args: Record<string, unknown> = {}): Promise<unknown> =>
      (files[name as keyof typeof files] as { isQuery?: true }).isQuery
        ? client.query(makeFunctionReference<'query'>(`files:${name}`), args)
        : client.mutation(makeFunctionReference<'mutation'>(`files:${name}`), args)
    async function upload(content: string, headers: Record<string, string> = { 'content-type': 'text/plain' }) {
      const response = await fetch((await call('uploadUrl')) as string, { method: 'POST', body: content, headers })
      return { status: response.status, body: (await response.json()) as { storageId: string; code?: string } }
    }
    return { backend, client, url, call, upload }
  }

  it('the whole way: upload, read, delete', async () => {
    const { call, upload } = await serving()
    const { body } = await upload('hello')
    const { storageId } = body
    const expected = { sha256: sha256('hello'), size: 5, contentType: 'text/plain' }
    expect(await call('document', { id: storageId })).toEqual({ _id: storageId, _creationTime: expect.any(Number), ...expected })
    expect(await call('all')).toMatchObject([expected])
    expect(await call('metadata', { id: storageId })).toEqual({ storageId, ...expected })
    const url = (await call('url', { id: storageId })) as string
    const answer = await fetch(url)
    expect(await answer.text()).toBe('hello')
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      'content-type': 'text/plain',
      'x-content-type-options': 'nosniff',
    })
    await call('remove', { id: storageId })
    expect((await fetch(url)).status).toBe(404)
    expect([await call('url', { id: storageId }), await call('all')]).toEqual([null, []])
    await expect(call('remove', { id: storageId })).rejects.toThrow('no file')
  })

  it('ranges, HEAD, what the client has already, an empty file, active types', async () => {
    const { call, upload } = await serving()
    const urlOf = async (content: string, type = 'text/plain') =>
      (await call('url', { id: (await upload(content, { 'content-type': type })).body.storageId })) as string
    const url = await urlOf('0123456789')
    const get = async (headers: Record<string, string>, method = 'GET') => {
      const response = await fetch(url, { headers, method })
      return [response.status, await response.text(), response.headers.get('content-range')]
    }
    expect(await get({ range: 'bytes=2-4' })).toEqual([206, '234', 'bytes 2-4/10'])
    expect(await get({ range: 'bytes=7-' })).toEqual([206, '789', 'bytes 7-9/10'])
    expect(await get({ range: 'bytes=-2' })).toEqual([206, '89', 'bytes 8-9/10'])
    expect(await get({ range: 'bytes=8-99' })).toEqual([206, '89', 'bytes 8-9/10'])
    expect(await get({ range: 'bytes=10-' })).toEqual([416, '', 'bytes */10'])
    expect(await get({ range: 'bytes=5-2' })).toEqual([200, '0123456789', null])
    expect(await get({ range: 'lines=1-2' })).toEqual([200, '0123456789', null])
    expect(await get({ 'if-none-match': `"${sha256('0123456789')}"` })).toEqual([304, '', null])
    expect(await get({}, 'HEAD')).toEqual([200, '', null])
    expect(await (await fetch(await urlOf(''))).text()).toBe('')
    expect((await fetch(await urlOf('<script>', 'text/html'))).headers.get('content-security-policy')).toBe('sandbox')
  })

  it('URLs cannot be made up, changed, or used late', async () => {
    const time = createTestClock()
    const { call, upload, url } = await serving({ clock: time.clock })
    const { storageId } = (await upload('x')).body
    const good = (await call('url', { id: storageId })) as string
    for (const wrong of [`${url}/api/storage/${storageId}`, `${good.slice(0, -1)}_`, `${url}/api/storage/..%2Fadmin-key`])
      expect((await fetch(wrong)).status).toBe(404)
    const post = async (to: string) => (await fetch(to, { method: 'POST', body: 'x' })).status
    const uploadUrl = (await call('uploadUrl')) as string
    const later = uploadUrl.replace(/token=\d+/, 'token=9999999999999')
    for (const wrong of [`${url}/api/storage/upload`, `${uploadUrl}x`, later]) expect(await post(wrong)).toBe(401)
    await time.advance(3_599_999)
    expect(await post(uploadUrl)).toBe(200)
    await time.advance(1)
    expect(await post(uploadUrl)).toBe(401)
  })

  it('checksums are compared', async () => {
    const { call, upload } = await serving()
    const digest = (content: string) => `sha-256=${createHash('sha256').update(content).digest('base64')}`
    expect((await upload('good', { digest: digest('good') })).status).toBe(200)
    expect(await upload('bad', { digest: digest('good') })).toMatchObject({ status: 400, body: { code: 'BadUpload' } })
    await expect(call('store', { text: 'bad', sha256: sha256('good') })).rejects.toThrow('damaged')
    await expect(call('store', { text: 'bad', sha256: 'nonsense' })).rejects.toThrow('neither')
    expect(await call('store', { text: 'good', sha256: sha256('good') })).toMatchObject({ read: 'good' })
    expect(await call('all')).toHaveLength(2)
  })

  it('actions store and read; queries only read; other ids and the documents are refused', async () => {
    const { backend, client, call } = await serving()
    const act = makeFunctionReference<'action'>('files:act')
    expect(await client.action(act, { bytes: 100_000 })).toEqual({
      type: 'image/png',
      size: 100_000,
      metadata: 100_000,
      url: expect.stringContaining('/api/storage/'),
      after: [null, null, null],
    })
    const user = await backend.run((ctx: { db: { insert(table: string, value: object): Promise<string> } }) =>
      ctx.db.insert('users', { name: 'x' }),
    )
    await expect(call('url', { id: user })).rejects.toThrow('ArgumentValidationError')
    const { stored } = (await call('store', { text: 'x' })) as { stored: string }
    await expect(call('change', { id: stored })).rejects.toThrow('System tables can only be accessed with db.system.')
  })

  it('a live query hears of a deletion', async () => {
    const { backend, call } = await serving()
    const { stored } = (await call('store', { text: 'x' })) as { stored: string }
    const seen: unknown[] = []
    backend.onUpdate('files:url', { id: stored }, (url) => seen.push(url))
    await vi.waitFor(() => expect(seen).toHaveLength(1))
    await call('remove', { id: stored })
    await vi.waitFor(() => expect(seen.at(-1)).toBeNull())
  })
})

it('URLs need to know where the backend is', async () => {
  const { stored } = (await (await inMemory({ functions })).mutation('files:store', { text: 'x' })) as { stored: string }
  expect(stored).toBeTypeOf('string')
  await expect((await inMemory({ functions })).mutation('files:uploadUrl', {})).rejects.toThrow('CONVEX_CLOUD_URL')
  const named = await inMemory({ functions, env: { CONVEX_CLOUD_URL: 'https://backend.example/' } })
  expect(await named.mutation('files:uploadUrl', {})).toMatch(/^https:\/\/backend\.example\/api\/storage\/upload\?token=/)
})

describe('an upload that is too large', () => {
  it.each([
    ['announced', true],
    ['not announced', false],
  ])('%s is refused with the cap, and leaves nothing', async (_name, announced) => {
    const dataDir = await temporaryFolder()
    const backend = await onDisk({ functions, dataDir, maxUploadBytes: 100_000 })
    await backend.listen()
    const send = async (bytes: number) => {
      const url = (await backend.mutation('files:uploadUrl', {})) as string
      const upload = request(url, { method: 'POST', ...(announced && { headers: { 'content-length': bytes } }) })
      upload.on('error', () => {}) // the backend stops reading
      const answered = once(upload, 'response') as Promise<[IncomingMessage]>
      if (!announced) upload.flushHeaders() // in chunks then
      upload.end(Buffer.alloc(bytes))
      const [response] = await answered
      return { status: response.statusCode, body: (await json(response)) as { code?: string; message?: string } }
    }
    expect((await send(100_000)).status).toBe(200)
    expect(await send(100_001)).toEqual({
      status: 413,
      body: { code: 'FileTooLarge', message: expect.stringContaining('larger than 100000 bytes') },
    })
    await vi.waitFor(() => expect(readdirSync(join(dataDir, 'files'))).toHaveLength(1))
    expect(await backend.query('files:all', {})).toHaveLength(1)
  })
})

it('a disk that is full during an upload refuses it with the reason, and nothing is left', async (context) => {
  const dataDir = await temporaryFolder()
  const backend = await onDisk({ functions, dataDir })
  await backend.listen()
  const folder = join(dataDir, 'files')
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', folder], { stdio: 'ignore' })
  } catch {
    return context.skip('this machine does not let us mount a small disk')
  }
  try {
    const url = (await backend.mutation('files:uploadUrl', {})) as string
    const answer = await fetch(url, { method: 'POST', body: new Uint8Array(4_000_000) })
    expect([answer.status, await answer.text()]).toEqual([503, expect.stringContaining('ENOSPC')])
    expect(readdirSync(folder)).toEqual([])
    expect(await backend.query('files:all', {})).toEqual([])
    const fits = await fetch(url, { method: 'POST', body: 'fits' })
    expect(fits.status).toBe(200)
  } finally {
    execFileSync('umount', ['-l', folder])
  }
})

describe('the folder holds what the documents name', () => {
  const contents = (dataDir: string) => readdirSync(join(dataDir, 'files')).sort()

  it('after failed mutations, failed children, deletions and a refused COMMIT', async () => {
    const dataDir = await temporaryFolder()
    let refuse = false
    const wrapConnection = (connection: Connection): Connection => ({
      ...connection,
      exec(sql) {
        if (sql === 'COMMIT' && refuse) throw Object.assign(new Error('disk full'), { code: 'ERR_SQLITE_ERROR' })
        return connection.exec(sql)
      },
    })
    const backend = await onDisk({ functions, dataDir, wrapConnection })
    const { stored } = (await backend.mutation('files:store', { text: 'kept' })) as { stored: string }
    await expect(backend.mutation('files:store', { text: 'x', fail: true })).rejects.toThrow('changed my mind')
    const own = (await backend.mutation('files:storeInChild', {})) as string
    await vi.waitFor(() => expect(contents(dataDir)).toEqual([own, stored].sort()))
    refuse = true
    await expect(backend.mutation('files:store', { text: 'x' })).rejects.toThrow('disk full')
    await expect(backend.mutation('files:remove', { id: stored })).rejects.toThrow('disk full')
    refuse = false
    await vi.waitFor(() => expect(contents(dataDir)).toEqual([own, stored].sort()))
    await backend.mutation('files:remove', { id: own })
    await vi.waitFor(() => expect(contents(dataDir)).toEqual([stored]))
  })

  it('when it cannot be told whether somebody copies, the content waits and the deletion stands', async () => {
    const dataDir = await temporaryFolder()
    const backend = await onDisk({ functions, dataDir })
    const { stored } = (await backend.mutation('files:store', { text: 'x' })) as { stored: string }
    mkdirSync(join(dataDir, 'contents.lock')) // no file that could be asked
    await backend.mutation('files:remove', { id: stored })
    expect(contents(dataDir)).toEqual([stored])
    expect(await backend.query('files:all', {})).toEqual([])
    rmdirSync(join(dataDir, 'contents.lock'))
    await backend.mutation('files:store', { text: 'y' })
    await vi.waitFor(() => expect(contents(dataDir)).not.toContain(stored))
  })

  it.runIf(process.getuid?.() === 0)('a lock that root makes belongs to the owner of the folder', async () => {
    const dataDir = await temporaryFolder()
    chownSync(dataDir, 12_345, 23_456)
    holdContents(dataDir).release()
    const { uid, gid } = statSync(join(dataDir, 'contents.lock'))
    expect([uid, gid]).toEqual([12_345, 23_456])
  })

  it('a broken upload leaves nothing; the next start removes what a crash left, and only that', async () => {
    const dataDir = await temporaryFolder()
    const backend = await onDisk({ functions, dataDir })
    const { url } = await backend.listen()
    const { stored } = (await backend.mutation('files:store', { text: 'kept' })) as { stored: string }
    const gone = (await backend.mutation('files:store', { text: 'gone' })) as { stored: string }
    const upload = request((await backend.mutation('files:uploadUrl', {})) as string, {
      method: 'POST',
      headers: { 'content-length': 1_000 },
    })
    upload.on('error', () => {})
    upload.write('half')
    await vi.waitFor(() => expect(contents(dataDir)).toHaveLength(3))
    upload.destroy()
    await vi.waitFor(() => expect(contents(dataDir)).toHaveLength(2))
    await backend.mutation('files:remove', { id: gone.stored })
    await vi.waitFor(() => expect(contents(dataDir)).toEqual([stored]))
    const before = (await backend.query('files:url', { id: stored })) as string
    await backend.close()
    await writeFile(join(dataDir, 'files', gone.stored), 'removal lost')
    await writeFile(join(dataDir, 'files', '.partial-x'), 'half')
    await writeFile(join(dataDir, 'files', 'notes.txt'), 'not ours')
    const again = await onDisk({ functions, dataDir })
    expect(contents(dataDir)).toEqual([stored, 'notes.txt'].sort())
    const { url: now } = await again.listen()
    expect(await (await fetch(before.replace(url, now))).text()).toBe('kept')
  })

  it('memory does not grow with a file', async () => {
    const MIB = 1024 * 1024
    const SIZE = 256 * MIB // far above what other tests of this process leave behind
    const backend = await onDisk({ functions })
    await backend.listen()
    let peak = 0
    const note = () => {
      collectGarbage()
      peak = Math.max(peak, process.memoryUsage().arrayBuffers - base)
    }
    collectGarbage()
    const base = process.memoryUsage().arrayBuffers
    const watch = setInterval(note, 1_000)
    // Not fetch: as a client it would hold the whole body.
    const upload = request((await backend.mutation('files:uploadUrl', {})) as string, { method: 'POST' })
    const answered = once(upload, 'response') as Promise<[IncomingMessage]>
    await pipeline(
      Readable.from(Array.from({ length: SIZE / MIB }, (_, n) => n)).map(() => Buffer.alloc(MIB)),
      upload,
    )
    const { storageId } = (await json((await answered)[0])) as { storageId: string }
    const url = (await backend.query('files:url', { id: storageId })) as string
    const [download] = (await once(get(url), 'response')) as [IncomingMessage]
    let size = 0
    for await (const part of download as AsyncIterable<Buffer>) size += part.length
    note()
    clearInterval(watch)
    expect(size).toBe(SIZE)
    expect(peak).toBeLessThan(SIZE / 2)
  }, 60_000)
})
