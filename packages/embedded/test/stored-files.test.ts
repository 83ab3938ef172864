/** Stored files in backups, exports, imports and checks: real files, real zips, a real second process. */
import { execFile } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { createWriteStream, readdirSync } from 'node:fs'
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { systemClock, systemRandom } from '@mission-control/host/clock'
import { mutationGeneric as mutation, queryGeneric as query } from 'convex/server'
import { v } from 'convex/values'
import { describe, expect, it, vi } from 'vitest'
import { holdContents } from '../src/files/hold.ts'
import { backup } from '../src/operations/backup.ts'
import { check } from '../src/operations/check.ts'
import { exportZip } from '../src/operations/export.ts'
import type { ImportMode } from '../src/operations/import.ts'
import { openImport } from '../src/operations/import-source.ts'
import { importStopped } from '../src/operations/import-stopped.ts'
import { openForReading } from '../src/operations/open.ts'
import { encodeId } from '../src/values/ids.ts'
import { onDisk, temporaryFolder } from './fixtures/backend.ts'
import { functions as fixture } from './fixtures/functions.ts'

const files = {
  store: mutation({
    args: { text: v.string(), type: v.optional(v.string()) },
    handler: (ctx, { text, type }) => ctx.storage.store(new Blob([text], type === undefined ? {} : { type })),
  }),
  remove: mutation({ args: { id: v.id('_storage') }, handler: (ctx, { id }) => ctx.storage.delete(id) }),
  all: query({ args: {}, handler: (ctx) => ctx.db.system.query('_storage').collect() }),
}
const functions = { ...fixture, modules: { ...fixture.modules, files } }
const open = (dataDir: string) => onDisk({ dataDir, functions })
const store = async (backend: Awaited<ReturnType<typeof open>>, text: string, type?: string) =>
  (await backend.mutation('files:store', { text, ...(type !== undefined && { type }) })) as string
const contents = (dataDir: string) => readdirSync(join(dataDir, 'files')).sort()
const problems = async (dataDir: string) =>
  (await check(dataDir, { deep: true })).filter(({ status, what }) => status !== 'pass' && what !== 'disk space')

/** A stopped data folder with two files, and their documents. */
async function filled() {
  const dataDir = await temporaryFolder()
  const backend = await open(dataDir)
  const ids = [await store(backend, 'first', 'text/plain'), await store(backend, 'second')] as const
  await backend.mutation('messages:send', { channel: 'c', body: 'b' })
  const documents = await backend.query('files:all', {})
  await backend.close()
  return { dataDir, ids, documents }
}
async function exported(dataDir: string): Promise<string> {
  const file = join(await temporaryFolder(), 'e.zip')
  const connection = openForReading(dataDir)
  try {
    await exportZip(connection, createWriteStream(file), { filesOf: dataDir })
  } finally {
    connection.close()
  }
  return file
}
async function imported(dataDir: string, path: string, mode: ImportMode = 'replaceAll'): Promise<number> {
  const source = await openImport(path, null)
  try {
    return await importStopped(dataDir, source, mode, { clock: systemClock, random: systemRandom })
  } finally {
    source.close()
  }
}
async function unpacked(zip: string): Promise<string> {
  const folder = await temporaryFolder()
  await promisify(execFile)('unzip', ['-q', zip, '-d', folder])
  return folder
}
function cli(...args: string[]) {
  const bin = fileURLToPath(new URL('../bin/mission-control-backend.mjs', import.meta.url))
  return promisify(execFile)(process.execPath, [bin, ...args])
}

describe('backup', () => {
  it('of a backend whose files come and go all the time has every content its database names', { timeout: 60_000 }, async () => {
    const dataDir = await temporaryFolder()
    const backend = await open(dataDir)
    for (let n = 0; n < 50; n++) await store(backend, `early ${n} ${'x'.repeat(50_000)}`)
    let going = true
    let removed = 0
    const changing = (async () => {
      while (going) {
        const [oldest] = (await backend.query('files:all', {})) as { _id: string }[]
        await store(backend, `late ${removed}`)
        await backend.mutation('files:remove', { id: oldest!._id })
        removed++
      }
    })()
    const target = join(await temporaryFolder(), 'copy')
    const { stdout } = await cli('backup', target, '--data-dir', dataDir)
    going = false
    await changing
    expect(removed).toBeGreaterThan(5) // or nothing was tried
    const [, copied] = /, (5[01]) stored files/.exec(stdout) ?? []
    expect(await problems(target)).toEqual([])
    const restored = await open(target)
    expect(await restored.query('files:all', {})).toHaveLength(Number(copied))
    await store(backend, 'the removals that waited happen with a later batch')
    await vi.waitFor(async () =>
      expect(contents(dataDir)).toHaveLength(((await backend.query('files:all', {})) as unknown[]).length),
    )
  })

  it('is refused when a content is missing or damaged, and leaves nothing', async () => {
    const { dataDir, ids } = await filled()
    const folder = await temporaryFolder()
    await writeFile(join(dataDir, 'files', ids[1]), 'SECOND')
    await expect(backup(dataDir, join(folder, 'b'))).rejects.toThrow(`stored file ${ids[1]} is missing or damaged`)
    await rm(join(dataDir, 'files', ids[1]))
    await expect(backup(dataDir, join(folder, 'b'))).rejects.toThrow(`stored file ${ids[1]} is missing or damaged (ENOENT`)
    expect(await readdir(folder)).toEqual([])
  })
})

describe('held contents', () => {
  it('stay although their documents are deleted, past a restart too, until nobody holds them', async () => {
    const { dataDir, ids } = await filled()
    let backend = await open(dataDir)
    const holds = [holdContents(dataDir), holdContents(dataDir)] as const
    await backend.mutation('files:remove', { id: ids[0] })
    await backend.mutation('messages:send', { channel: 'c', body: 'a later batch' })
    await backend.close()
    backend = await open(dataDir)
    expect(contents(dataDir)).toEqual([...ids].sort())
    holds[0].release()
    await backend.mutation('files:remove', { id: ids[1] })
    expect(contents(dataDir)).toEqual([...ids].sort())
    holds[1].release()
    await backend.mutation('messages:send', { channel: 'c', body: 'a later batch' })
    await vi.waitFor(() => expect(contents(dataDir)).toEqual([ids[0]])) // deleted before the restart: goes with the next one
    await backend.close()
    await open(dataDir)
    expect(contents(dataDir)).toEqual([])
  })
})

describe('export and import', () => {
  it('have the layout of Convex exports, and carry files into another folder', async () => {
    const { dataDir, ids, documents } = await filled()
    const zip = await exported(dataDir)
    const folder = await unpacked(zip)
    expect((await readdir(join(folder, '_storage'))).sort()).toEqual(['documents.jsonl', `${ids[0]}.txt`, ids[1]].sort())
    expect(await readFile(join(folder, '_storage', `${ids[0]}.txt`), 'utf8')).toBe('first')
    const [line] = (await readFile(join(folder, '_storage/documents.jsonl'), 'utf8')).split('\n')
    expect(JSON.parse(line!)).toEqual({
      _id: ids[0],
      _creationTime: expect.any(Number),
      size: 5,
      contentType: 'text/plain',
      sha256: createHash('sha256').update('first').digest('base64'), // as in production; our documents have hexadecimal
    })
    for (const from of [zip, folder]) {
      const to = (await filled()).dataDir // has files of its own: they are replaced
      expect(await imported(to, from)).toBe(3)
      expect(contents(to)).toEqual([...ids].sort())
      expect(await problems(to)).toEqual([])
      const backend = await open(to)
      expect(await backend.query('files:all', {})).toEqual(documents)
      await backend.close()
    }
  })

  it('an export that was packed again in a folder of its own, and one without files, which leaves those there alone', async () => {
    const { dataDir, ids } = await filled()
    const folder = await unpacked(await exported(dataDir))
    const outer = await temporaryFolder()
    const again = join(outer, 'again.zip')
    await promisify(execFile)('cp', ['-r', folder, join(outer, 'snapshot')])
    await promisify(execFile)('zip', ['-q', '-r', again, 'snapshot'], { cwd: outer })
    const to = (await filled()).dataDir
    expect(await imported(to, again)).toBe(3)
    await rm(join(folder, '_storage'), { recursive: true })
    expect(await imported(to, folder)).toBe(1)
    expect(contents(to)).toEqual([...ids].sort())
  })

  it('of the same data back where it came from keeps the contents, and repairs a damaged one', async () => {
    const { dataDir, ids } = await filled()
    const zip = await exported(dataDir)
    await writeFile(join(dataDir, 'files', ids[0]), 'rotten')
    expect((await problems(dataDir)).map(({ found }) => found).join()).toContain(`file ${ids[0]}`)
    expect(await imported(dataDir, zip)).toBe(3)
    expect(await problems(dataDir)).toEqual([])
    expect(await readFile(join(dataDir, 'files', ids[0]), 'utf8')).toBe('first')
  })

  const line = (id: string, more = {}) => `${JSON.stringify({ _id: id, ...more })}\n`
  const id = encodeId(3, randomBytes(16))
  it.each([
    ['a content that is not there', { 'documents.jsonl': line(id) }, 'the import has no content _storage/'],
    ['a content nobody names', { 'documents.jsonl': '', [id]: 'x' }, 'does not name'],
    ['a wrong size', { 'documents.jsonl': line(id, { size: 9 }), [id]: 'x' }, 'It has 1 bytes, expected were 9'],
    ['a wrong checksum', { 'documents.jsonl': line(id, { sha256: 'A'.repeat(43) + '=' }), [id]: 'x' }, 'damaged'],
    ['no checksum', { 'documents.jsonl': line(id, { sha256: 7 }), [id]: 'x' }, 'neither hexadecimal nor base64'],
    ['no id', { 'documents.jsonl': line('../../x'), '..x': 'x' }, '"../../x" is not an id'],
    ['an id twice', { 'documents.jsonl': line(id) + line(id), [id]: 'x' }, 'is there twice'],
    [
      'a table refused after it',
      { 'documents.jsonl': line(id), [id]: 'x', '../messages/documents.jsonl': '{}' },
      'Line 1: table "messages"',
    ],
    ['another content under an id that is taken', { 'documents.jsonl': line('OWN'), OWN: 'other' }, 'another content'],
    ['an id that is taken', { 'documents.jsonl': line('OWN'), OWN: 'first' }, 'is taken already', 'append' as const],
    [
      'an id that is taken, behind a good one',
      { 'documents.jsonl': line(id) + line('OWN'), [id]: 'x', OWN: 'first' },
      'is taken already',
      'append' as const,
    ],
    [
      'files where some are',
      { 'documents.jsonl': line(id), [id]: 'x' },
      'There are stored files already',
      'requireEmpty' as const,
    ],
  ])('%s changes nothing', async (_name, entries, message, mode: ImportMode = 'replaceAll') => {
    const { dataDir, ids, documents } = await filled()
    const folder = await temporaryFolder()
    for (const [name, text] of Object.entries(entries)) {
      const path = join(folder, '_storage', name.replace('OWN', ids[0]))
      await mkdir(join(path, '..'), { recursive: true })
      await writeFile(path, text.replace('OWN', ids[0]))
    }
    await expect(imported(dataDir, folder, mode)).rejects.toThrow(message)
    expect(contents(dataDir)).toEqual([...ids].sort())
    expect(await problems(dataDir)).toEqual([])
    expect(await (await open(dataDir)).query('files:all', {})).toEqual(documents)
  })

  it('takes over the table number that the files of another backend have', async () => {
    const { dataDir } = await filled()
    const foreign = encodeId(37, randomBytes(16))
    const folder = await temporaryFolder()
    await mkdir(join(folder, '_storage'))
    await writeFile(join(folder, '_storage/documents.jsonl'), line(foreign))
    await writeFile(join(folder, '_storage', `${foreign}.bin`), 'theirs')
    expect(await imported(dataDir, folder)).toBe(1)
    const backend = await open(dataDir)
    expect(await backend.query('files:all', {})).toMatchObject([{ _id: foreign, size: 6 }])
    const own = await store(backend, 'ours')
    await backend.mutation('files:remove', { id: foreign })
    await vi.waitFor(() => expect(contents(dataDir)).toEqual([own]))
    await backend.close()
    expect(await problems(dataDir)).toEqual([])
  })
})

describe('check', () => {
  it('names contents that are missing, cut, changed or nobody’s', async () => {
    const { dataDir, ids } = await filled()
    const stray = encodeId(3, randomBytes(16))
    await writeFile(join(dataDir, 'files', stray), 'x')
    await writeFile(join(dataDir, 'files', 'notes.txt'), 'x')
    await writeFile(join(dataDir, 'files', ids[0]), 'FIRST')
    await writeFile(join(dataDir, 'files', ids[1]), 'sec')
    const found = async (deep: boolean) =>
      (await check(dataDir, { deep })).map(({ status, what, found }) => `${status} ${what}: ${found}`)
    expect(await found(true)).toEqual(
      expect.arrayContaining([
        `fail stored files: the content of file ${ids[0]} does not have its checksum`,
        `fail stored files: the content of file ${ids[1]} has 3 bytes, its document says 6`,
        `warn contents without a document: ${stray}`,
        'warn other files among the contents: notes.txt',
      ]),
    )
    expect((await found(false)).join()).not.toContain(ids[0])
    await rm(join(dataDir, 'files', ids[1]))
    expect(await found(false)).toContain(`fail stored files: the content of file ${ids[1]} is missing`)
  })
})
