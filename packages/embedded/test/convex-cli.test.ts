/** The official CLI against a running backend, unchanged. */
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it, vi } from 'vitest'
import { check } from '../src/operations/check.ts'
import { inMemory, onDisk, temporaryFolder } from './fixtures/backend.ts'
import { convexProject, runConvex } from './fixtures/convex-project.ts'

const TIMEOUT_MS = 60_000 // the CLI takes seconds to start on a loaded machine
const EMPTY = { 'package.json': '{"name":"scratch","type":"module","dependencies":{"convex":"1.48.0"}}' }

async function served() {
  const dataDir = await temporaryFolder()
  const backend = await onDisk({ dataDir })
  const { url } = await backend.listen()
  const folder = await convexProject(EMPTY)
  const convex = (...args: string[]) => runConvex(folder, [...args, '--url', url, '--admin-key', backend.adminKey])
  const rows = () =>
    backend.run(async (ctx) => [
      ...(await ctx.db.query('messages').collect()),
      ...(await ctx.db.query('anything').collect()),
    ]) as Promise<{ body?: string }[]>
  return { dataDir, backend, url, folder, convex, rows }
}
type Served = Awaited<ReturnType<typeof served>>
const fill = ({ backend }: Served) =>
  backend.run(async (ctx) => {
    for (let n = 0; n < 5; n++) await ctx.db.insert('messages', { channel: 'c', body: `body ${n}` })
    await ctx.db.insert('anything', { k: 'x', big: 7n, bytes: new Uint8Array([1]).buffer })
  })

describe('the official CLI', { timeout: TIMEOUT_MS }, () => {
  it('data lists tables and the newest documents of one', async () => {
    const on = await served()
    await fill(on)
    expect((await on.convex('data')).stdout.trim().split('\n')).toEqual(['anything', 'messages', 'users'])
    const { stdout, stderr } = await on.convex('data', 'messages', '--limit', '2', '--format', 'jsonl')
    expect(stdout.match(/"body": "body \d"/g)).toEqual(['"body": "body 4"', '"body": "body 3"'])
    expect(stderr).not.toContain('rror')
    expect((await on.convex('data', 'anything')).stdout).toContain('7n')
    expect((await on.convex('data', 'nothing')).stderr).toContain('There are no documents in this table.')
  })

  it('data reads more than one query may, page by page', async () => {
    const on = await served()
    for (let batch = 0; batch < 3; batch++)
      await on.backend.run(async (ctx) => {
        for (let n = 0; n < 8; n++) await ctx.db.insert('anything', { k: `${batch}-${n}`, text: 'x'.repeat(900_000) })
      })
    const { stdout } = await on.convex('data', 'anything', '--limit', '40', '--order', 'asc', '--format', 'jsonl')
    expect(stdout.match(/"k": "[^"]+"/g)).toHaveLength(24)
  })

  it('export and import carry the data through the running backend, and live queries see the result', async () => {
    const on = await served()
    await fill(on)
    const before = await on.rows()
    const file = join(on.folder, 'e.zip')
    await on.convex('export', '--path', file)
    await on.backend.run(async (ctx) => {
      for (const row of await ctx.db.query('messages').collect()) await ctx.db.delete('messages', row._id)
      await ctx.db.insert('messages', { channel: 'c', body: 'later' })
    })
    const seen: unknown[] = []
    const stop = on.backend.onUpdate('messages:bodies', { channel: 'c' }, (bodies) => seen.push(bodies))
    const { stderr } = await on.convex('import', '--replace-all', '--yes', file)
    expect(stderr).toContain('Added 6 documents')
    expect(await on.rows()).toEqual(before)
    expect(seen.at(-1)).toEqual(['body 0', 'body 1', 'body 2', 'body 3', 'body 4'])
    stop()
    await on.backend.mutation('messages:send', { channel: 'c', body: 'after' })
    await on.backend.close()
    expect((await check(on.dataDir)).filter(({ status }) => status === 'fail')).toEqual([])
  })

  it('import of JSON lines appends; a refused document leaves everything', async () => {
    const on = await served()
    await fill(on)
    const before = await on.rows()
    const lines = join(on.folder, 'm.jsonl')
    await writeFile(lines, '{"channel":"c","body":"one"}\n{"channel":"c","body":"two"}\n')
    expect((await on.convex('import', '--table', 'messages', '--append', lines)).stderr).toContain('Added 2 documents')
    expect(await on.rows()).toHaveLength(before.length + 2)
    await writeFile(lines, '{"channel":"c","body":"three"}\n{"channel":"c"}\n')
    await expect(on.convex('import', '--table', 'messages', '--append', lines)).rejects.toMatchObject({
      stderr: expect.stringMatching(/Line 2: table "messages", id \w+, field "body"/),
    })
    expect(await on.rows()).toHaveLength(before.length + 2)
  })

  it('import takes CSV, a JSON array, and replaces or wants a table to be empty', async () => {
    const on = await served()
    const bodies = () => on.backend.query('messages:bodies', { channel: 'c' })
    const write = async (name: string, text: string) => {
      await writeFile(join(on.folder, name), text)
      return join(on.folder, name)
    }
    const csv = await write('m.csv', 'channel,body,score\r\nc,"a, ""quoted""\nline",-1.5\r\nc,plain,2\r\n')
    expect((await on.convex('import', '--table', 'messages', csv)).stderr).toContain('Added 2 documents')
    expect(await on.rows()).toMatchObject([
      { body: 'a, "quoted"\nline', score: -1.5 },
      { body: 'plain', score: 2 },
    ])
    await expect(on.convex('import', '--table', 'messages', csv)).rejects.toMatchObject({
      stderr: expect.stringContaining('Table "messages" holds documents: import with replace or append.'),
    })
    const array = await write('m.json', '[{"channel":"c","body":"from an array"}]')
    await on.convex('import', '--table', 'messages', '--append', array)
    expect(await bodies()).toHaveLength(3)
    await on.convex('import', '--table', 'messages', '--replace', '--yes', array)
    expect(await bodies()).toEqual(['from an array'])
    const failing: [string, string][] = [
      [await write('short.csv', 'channel,body\nc\n'), 'line 2 has 1 cells, the first line names 2 fields'],
      [await write('open.csv', 'channel,body\nc,"x\n'), 'ends inside a quoted cell'],
      [await write('twice.csv', 'body,body\n'), 'must name every field once'],
      [await write('object.json', '{"channel":"c"}'), 'not a JSON array'],
      [await write('list.json', '[7]'), 'element 1 is not a document'],
    ]
    for (const [file, message] of failing)
      await expect(on.convex('import', '--table', 'messages', '--append', file)).rejects.toMatchObject({
        stderr: expect.stringContaining(message),
      })
    expect(await bodies()).toEqual(['from an array'])
  })

  it('export and import with file storage, through the running backend', async () => {
    const on = await served()
    await on.backend.run(async (ctx) => {
      const stored = (await ctx.storage.store(new Blob(['content'], { type: 'text/plain' }))) as string
      await ctx.db.insert('anything', { k: 'file', stored })
    })
    const [before] = (await on.rows()) as { stored: string }[]
    const content = async () => (await readFile(join(on.dataDir, 'files', before!.stored))).toString()
    const file = join(on.folder, 'e.zip')
    await on.convex('export', '--include-file-storage', '--path', file)
    const removed = await on.backend.run<string>((ctx) => ctx.storage.store(new Blob(['goes away'])))
    await on.backend.run((ctx) => ctx.storage.delete(before!.stored))
    await vi.waitFor(() => expect(content()).rejects.toThrow('ENOENT'))
    expect((await on.convex('import', '--replace-all', '--yes', file)).stderr).toContain('Added 2 documents')
    expect(await on.rows()).toEqual([before])
    expect(await content()).toBe('content')
    await vi.waitFor(async () => expect(await readdir(join(on.dataDir, 'files'))).not.toContain(removed))
    await on.backend.close()
    const lines = await check(on.dataDir, { deep: true })
    expect(lines.filter(({ status, what }) => status !== 'pass' && what !== 'disk space')).toEqual([])
  })

  it('codegen and dev --once succeed, say that functions come from the build, and deploy nothing', async () => {
    const on = await served()
    const folder = await convexProject({
      ...EMPTY,
      'convex/schema.ts': `import { defineSchema, defineTable } from 'convex/server'
        import { v } from 'convex/values'
        export default defineSchema({ notes: defineTable({ text: v.string() }) })`,
      'convex/messages.ts': `import { query } from './_generated/server.js'
        export const secret = query({ args: {}, handler: () => 'pushed' })`,
    })
    const quiet = ['--typecheck', 'disable']
    await runConvex(folder, ['codegen', '--url', on.url, '--admin-key', on.backend.adminKey, ...quiet])
    expect(await readFile(join(folder, 'convex/_generated/api.d.ts'), 'utf8')).toContain(
      'import type * as messages from "../messages.js"',
    )
    const env = { CONVEX_SELF_HOSTED_URL: on.url, CONVEX_SELF_HOSTED_ADMIN_KEY: on.backend.adminKey }
    const { stdout, stderr } = await runConvex(folder, ['dev', '--once', ...quiet], env)
    expect(stdout + stderr).toContain('its functions come from the build it was started with')
    expect((await runConvex(folder, ['run', 'messages:secret'], env)).stdout.trim()).toBe('"internal only"')
  })

  it('function-spec knows every function; what is not supported answers with its name', async () => {
    const on = await served()
    const spec = await on.convex('function-spec')
    expect(spec.stdout).toContain('messages.js:send')
    expect(spec.stdout).not.toContain('_system')
    await expect(on.convex('run', 'messages:nothing')).rejects.toMatchObject({ stderr: expect.stringContaining('messages:send') })
    for (const args of [['env', 'set', 'A', 'b']]) {
      await expect(on.convex(...args)).rejects.toMatchObject({
        stderr: expect.stringContaining('not supported by the embedded backend: '),
      })
    }
  })
})

describe('the routes of the CLI', () => {
  it('are for the admin only', async () => {
    const backend = await inMemory()
    const { url } = await backend.listen()
    for (const [method, path] of [
      ['POST', 'import/start_upload'],
      ['POST', 'perform_import'],
      ['POST', 'export/request/zip'],
      ['GET', 'export/zip/1'],
      ['POST', 'deploy2/start_push'],
      ['POST', 'get_config_hashes'],
    ]) {
      const response = await fetch(`${url}/api/${path}`, { method: method! })
      expect([path, response.status]).toEqual([path, 403])
    }
    const query = await fetch(`${url}/api/query`, {
      method: 'POST',
      body: JSON.stringify({ path: '_system/cli/tables', args: {} }),
    })
    expect(await query.json()).toMatchObject({
      status: 'error',
      errorMessage: expect.stringContaining('Could not find public function'),
    })
  })

  it('refuse parts of unknown uploads, imports nobody began, and an export of a backend in memory', async () => {
    const backend = await inMemory()
    const { url } = await backend.listen()
    const post = async (path: string, body = '{}') => {
      const headers = { authorization: `Convex ${backend.adminKey}` }
      const response = await fetch(`${url}/api/${path}`, { method: 'POST', headers, body })
      return [response.status, await response.text()]
    }
    expect(await post('import/upload_part?uploadToken=../../x&partNumber=1')).toEqual([
      400,
      expect.stringContaining('no such upload'),
    ])
    expect(await post('import/upload_part?uploadToken=x&partNumber=0')).toEqual([400, expect.stringContaining('partNumber')])
    expect(await post('import/finish_upload', '{"uploadToken":"x"}')).toEqual([400, expect.stringContaining('no such upload')])
    const begun = async () =>
      (JSON.parse((await post('import/start_upload'))[1] as string) as { uploadToken: string }).uploadToken
    const first = await begun()
    expect(await post(`import/upload_part?uploadToken=${first}&partNumber=1`, 'x')).toEqual([200, '"1"'])
    for (let n = 0; n < 16; n++) await begun() // the oldest upload is forgotten, with its parts
    expect(await post(`import/upload_part?uploadToken=${first}&partNumber=2`, 'x')).toEqual([
      400,
      expect.stringContaining('no such upload'),
    ])
    expect(await post('perform_import', '{"importId":"x"}')).toEqual([400, expect.stringContaining('No such import')])
    expect(await post('export/request/zip')).toEqual([400, expect.stringContaining('an export of a backend in memory')])
    expect(await post('run_test_function')).toEqual([
      400,
      expect.stringContaining('not supported by the embedded backend: POST /api/run_test_function'),
    ])
  })
})
