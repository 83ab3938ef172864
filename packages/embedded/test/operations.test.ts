import { execFile } from 'node:child_process'
import { createWriteStream } from 'node:fs'
import { chmod, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { systemClock, systemRandom } from '@mission-control/host/clock'
import { defineSchema, defineTable } from 'convex/server'
import { v } from 'convex/values'
import { describe, expect, it } from 'vitest'
import { tableDefinitions } from '../src/functions/definition.ts'
import { backup } from '../src/operations/backup.ts'
import { check, type CheckLine } from '../src/operations/check.ts'
import { exportZip } from '../src/operations/export.ts'
import { openImport } from '../src/operations/import-source.ts'
import { importStopped } from '../src/operations/import-stopped.ts'
import { openForReading } from '../src/operations/open.ts'
import { onDisk, temporaryFolder } from './fixtures/backend.ts'

const deps = { clock: systemClock, random: systemRandom }
const everyValue = {
  k: 'all',
  big: -5n,
  bytes: new Uint8Array([0, 255, 7]).buffer,
  odd: [Number.NaN, -0, Number.POSITIVE_INFINITY, null, true],
  deep: { text: 'ü\n"', list: [{ n: 1.5 }] },
}

async function filled(dataDir: string): Promise<Record<string, unknown>[]> {
  const backend = await onDisk({ dataDir })
  const rows = await backend.run(async (ctx) => {
    const author: unknown = await ctx.db.insert('users', { name: 'a' })
    for (let n = 0; n < 30; n++) await ctx.db.insert('messages', { channel: 'c', body: `${n}`, author })
    await ctx.db.insert('anything', everyValue)
    return await contents(ctx)
  })
  await backend.close()
  return rows
}
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- the fixture's data model is not typed
const contents = async (ctx: any): Promise<Record<string, unknown>[]> =>
  (await Promise.all(['users', 'messages', 'anything'].map((table) => ctx.db.query(table).collect()))).flat()
async function read(dataDir: string): Promise<Record<string, unknown>[]> {
  const backend = await onDisk({ dataDir })
  const rows = await backend.run(contents)
  await backend.close()
  return rows
}
async function exported(dataDir: string): Promise<string> {
  const file = join(await temporaryFolder(), 'e.zip')
  const connection = openForReading(dataDir)
  await exportZip(connection, createWriteStream(file))
  connection.close()
  return file
}
async function imported(
  dataDir: string,
  path: string,
  mode: Parameters<typeof importStopped>[2] = 'replaceAll',
): Promise<number> {
  const source = await openImport(path, null)
  try {
    return await importStopped(dataDir, source, mode, deps)
  } finally {
    source.close()
  }
}
async function layout(files: Record<string, string>): Promise<string> {
  const folder = await temporaryFolder()
  for (const [table, text] of Object.entries(files)) {
    await mkdir(join(folder, table))
    await writeFile(join(folder, table, 'documents.jsonl'), text)
  }
  return folder
}
const failures = (lines: CheckLine[]) =>
  lines.filter(({ status }) => status !== 'pass').map(({ what, found }) => `${what}: ${found}`)

describe('backup', () => {
  it('of a backend that is being written to is one consistent state that can be served', async () => {
    const dataDir = await temporaryFolder()
    const backend = await onDisk({ dataDir })
    const pair = () =>
      backend.run(async (ctx) => {
        for (const body of ['left', 'right']) await ctx.db.insert('messages', { channel: 'c', body })
      })
    await pair()
    let going = true
    const writing = (async () => {
      while (going) await pair()
    })()
    const restored = join(await temporaryFolder(), 'copy')
    const copied = await cli('backup', restored, '--data-dir', dataDir)
    going = false
    await writing
    expect(copied.stdout).toContain('Backed up to')
    expect((await stat(restored)).mode & 0o777).toBe(0o700)
    expect((await stat(join(restored, 'convex.sqlite'))).mode & 0o777).toBe(0o600)
    expect(await readFile(join(restored, 'admin-key'), 'utf8')).toBe(await readFile(join(dataDir, 'admin-key'), 'utf8'))
    const bodies = (await (await onDisk({ dataDir: restored })).query('messages:bodies', { channel: 'c' })) as string[]
    expect(bodies.length).toBeGreaterThanOrEqual(2)
    expect(bodies.filter((body) => body === 'left')).toHaveLength(bodies.length / 2)
  })

  it('never touches an existing file and leaves nothing half written behind', async () => {
    const dataDir = await temporaryFolder()
    await filled(dataDir)
    const folder = await temporaryFolder()
    await writeFile(join(folder, 'mine'), 'mine')
    await expect(backup(dataDir, join(folder, 'mine'))).rejects.toThrow('exists already')
    expect(await readFile(join(folder, 'mine'), 'utf8')).toBe('mine')
    await expect(backup(dataDir, join(folder, 'no', 'x'))).rejects.toThrow('There is no folder')
    await expect(backup(folder, join(folder, 'x'))).rejects.toThrow('There is no backend data')
    expect(await readdir(folder)).toEqual(['mine'])
  })
})

describe('export and import', () => {
  it('carry every value, id and creation time into another folder, whose table numbers differ', async () => {
    const [from, to] = [await temporaryFolder(), await temporaryFolder()]
    const before = await filled(from)
    // Other numbers: the tables come in another order, behind one of their own.
    const { schema } = (await onDisk()).engine.functions
    const { messages, users, anything } = schema.tables as Record<string, never>
    const shuffled = defineSchema({ first: defineTable({}), anything, users, messages } as never)
    const other = await onDisk({ dataDir: to, functions: { schema: shuffled, modules: {} } })
    await other.run((ctx) => ctx.db.insert('users', { name: 'goes away' }))
    await other.close()
    expect(await imported(to, await exported(from))).toBe(before.length)
    expect(failures(await check(to)).filter((line) => !line.startsWith('disk space'))).toEqual([])
    const again = await onDisk({ dataDir: to, functions: { schema: shuffled, modules: {} } })
    expect(await again.run(contents)).toEqual(before)
    const added = await again.run((ctx) => ctx.db.insert('first', {}))
    expect(await again.run((ctx) => ctx.db.get(added))).toMatchObject({ _id: added })
  })

  it('have the layout of Convex exports', async () => {
    const dataDir = await temporaryFolder()
    await filled(dataDir)
    const file = await exported(dataDir)
    const { stdout } = await promisify(execFile)('unzip', ['-p', file, 'anything/documents.jsonl'])
    const line = JSON.parse(stdout) as Record<string, unknown>
    expect(line).toMatchObject({ k: 'all', big: { $integer: '+/////////8=' }, bytes: { $bytes: 'AP8H' } })
    expect((await promisify(execFile)('unzip', ['-Z1', file])).stdout.trim().split('\n').sort()).toEqual([
      'README.md',
      '_tables/documents.jsonl',
      'anything/documents.jsonl',
      'messages/documents.jsonl',
      'users/documents.jsonl',
    ])
  })

  it.each([
    ['messages', '{"channel":"c","body":"fine"}\n{"channel":"c","body":5}\n', /Line 2: table "messages", id \w+, field "body"/],
    ['messages', '{"channel":"c"}\n', /field "body": Object is missing the required field/],
    ['messages', '{nope\n', /line 1 is not JSON/],
    ['messages', '[]\n', /line 1 is not a document/],
    ['messages', '{"_id":"xyz","channel":"c","body":"b"}\n', /"xyz" is not an id/],
    ['unknown', '{}\n', /"unknown" of the import is not in the schema/],
    ['_storage', '{}\n', /Stored files, line 1: undefined is not an id/],
    ['_other', '{}\n', /_other in an import/],
  ])('a refused document changes nothing (%s %s)', async (table, text, message) => {
    const dataDir = await temporaryFolder()
    const before = await filled(dataDir)
    const good = { users: '{"name":"new"}\n' }
    await expect((async () => imported(dataDir, await layout({ ...good, [table]: text })))()).rejects.toThrow(message)
    expect(await read(dataDir)).toEqual(before)
  })

  it('generated_schema.jsonl: current exports are read, plain values of older ones are refused', async () => {
    const dataDir = await temporaryFolder()
    await filled(dataDir)
    const folder = await layout({ users: '{"name":"new"}\n' })
    const withTypes = async (text: string) => {
      await writeFile(join(folder, 'users', 'generated_schema.jsonl'), text)
      return imported(dataDir, folder)
    }
    const types = (shape: string) => `${JSON.stringify(shape)}\n`
    expect(await withTypes(types('uniform'))).toBe(1)
    // Fields may be called like types.
    expect(
      await withTypes(types('{"_creationTime": normalfloat64, "_id": string, "bytes": string, "finance": field_name}')),
    ).toBe(1)
    for (const shape of [
      '{"name": string, "n": int64}',
      '{"n"?: float64}',
      'array<bytes>',
      '{"n": -0 | normalfloat64}',
      'unknown',
    ])
      await expect(withTypes(types(shape))).rejects.toThrow('has values written as plain text')
    await expect(withTypes(`${types('{"n": string}')}{"xyz":"int64"}\n`)).rejects.toThrow('(exceptions in')
  })

  it('append keeps what is there, and a running backend is not written behind its back', async () => {
    const dataDir = await temporaryFolder()
    const before = await filled(dataDir)
    const folder = await layout({ users: '{"name":"second"}\n' })
    expect(await imported(dataDir, folder, 'append')).toBe(1)
    expect(await read(dataDir)).toHaveLength(before.length + 1)
    await expect(imported(dataDir, folder, 'requireEmpty')).rejects.toThrow('Table "users" holds documents')
    await onDisk({ dataDir })
    await expect(imported(dataDir, folder)).rejects.toThrow('in use by another backend')
  })
})

describe('check', () => {
  it('passes a sound folder and changes nothing, while it is served and while it is not', async () => {
    const dataDir = await temporaryFolder()
    await filled(dataDir)
    const bytes = await readFile(join(dataDir, 'convex.sqlite'))
    expect(failures(await check(dataDir)).filter((line) => !line.startsWith('disk space'))).toEqual([])
    expect((await readFile(join(dataDir, 'convex.sqlite'))).equals(bytes)).toBe(true)
    await onDisk({ dataDir })
    expect((await check(dataDir)).find(({ what }) => what === 'lock')!.found).toContain(`pid ${process.pid}`)
  })

  it('names a lost entry, a wrong document and open permissions, and exits 1', async () => {
    const dataDir = await temporaryFolder()
    await filled(dataDir)
    await chmod(join(dataDir, 'admin-key'), 0o644)
    const db = new DatabaseSync(join(dataDir, 'convex.sqlite'))
    const user = db.prepare(`SELECT id, row FROM documents WHERE json LIKE '%"name":"a"%'`).get()!
    db.prepare('DELETE FROM entries WHERE row = ? AND index_id = (SELECT max(index_id) FROM entries WHERE row = ?)').run(
      user['row']!,
      user['row']!,
    )
    db.prepare(`UPDATE documents SET json = replace(json, '"body":"3"', '"body":3') WHERE json LIKE '%"body":"3"%'`).run()
    db.close()
    const found = failures(await check(dataDir)).join('\n')
    expect(found).toContain(`index users.by_name has no entry for id ${user['id'] as string}`)
    expect(found).toMatch(
      /table "messages", id \w+, field "body": Value does not match validator. Value: 3.0, expected: v.string\(\)/,
    )
    expect(found).toContain('chmod 600')
    await expect(cli('check', '--data-dir', dataDir)).rejects.toMatchObject({
      code: 1,
      stdout: expect.stringContaining('fail  indexes'),
    })
  })

  it('reports a damaged file instead of failing on it', async () => {
    const dataDir = await temporaryFolder()
    await filled(dataDir)
    const file = join(dataDir, 'convex.sqlite')
    const bytes = await readFile(file)
    bytes.fill(0x5a, 4096 * 3, 4096 * 6)
    await writeFile(file, bytes)
    expect((await check(dataDir)).some(({ status, what }) => status === 'fail' && what !== 'disk space')).toBe(true)
    await writeFile(file, 'this is no database, only text that is long enough to be looked at as a header of one...........')
    expect(failures(await check(dataDir)).join()).toMatch(/database: .*not a database/)
  })

  it('holds the documents against another schema on request', async () => {
    const dataDir = await temporaryFolder()
    await filled(dataDir)
    const documentTypes = new Map(
      tableDefinitions(defineSchema({ users: defineTable({ name: v.number() }) })).map((table) => [
        table.name,
        table.documentType,
      ]),
    )
    expect(failures(await check(dataDir, { documentTypes })).join()).toMatch(/table "users", id \w+, field "name"/)
  })
})

it('each command fails in one sentence', async () => {
  const folder = await temporaryFolder()
  for (const args of [
    ['backup', join(folder, 'b')],
    ['export', join(folder, 'e.zip')],
    ['check'],
    ['import', folder, '--replace-all'],
  ]) {
    const failed = (await cli(...args, '--data-dir', folder).catch((error: unknown) => error)) as { code: number; stderr: string }
    expect(failed.code).toBe(1)
    expect(failed.stderr.trim().split('\n')).toHaveLength(1)
    expect(failed.stderr).not.toContain('    at ')
  }
  expect(await readdir(folder)).toEqual([])
})

it('a foreign database stays as it is, whatever is tried with it', async () => {
  const folder = await temporaryFolder()
  const file = join(folder, 'convex.sqlite')
  const db = new DatabaseSync(file)
  db.exec('CREATE TABLE theirs (x)')
  db.close()
  const bytes = await readFile(file)
  await expect(onDisk({ dataDir: folder })).rejects.toThrow(
    'is the database of another program: give the backend a folder of its own',
  )
  const out = await temporaryFolder()
  for (const args of [
    ['backup', join(out, 'b')],
    ['export', join(out, 'e.zip')],
  ]) {
    const failed = (await cli(...args, '--data-dir', folder).catch((error: unknown) => error)) as { code: number; stderr: string }
    expect(failed).toMatchObject({ code: 1, stderr: expect.stringContaining('The database holds no backend') })
    expect(failed.stderr.trim()).toMatch(/^[^\n]*[^.]\.$/)
  }
  expect(await readdir(out)).toEqual([])
  expect((await readFile(file)).equals(bytes)).toBe(true)
})

it.each([
  [[], 2],
  [['--help'], 0],
  [['nope'], 2],
  [['backup'], 2],
  [['serve'], 2],
  [['import', 'x'], 2],
  [['check', '--bogus'], 2],
  [['serve', '--functions', 'x', '--port', 'abc'], 2],
  [['check', '--data-dir', '/nowhere/at/all'], 1],
])('the exit code of %j is %i', async (args, code) => {
  const ended = await cli(...args).catch((error: unknown) => error)
  expect((ended as { code?: number }).code ?? 0).toBe(code)
})

function cli(...args: string[]) {
  const bin = fileURLToPath(new URL('../bin/mission-control-backend.mjs', import.meta.url))
  return promisify(execFile)(process.execPath, [bin, ...args])
}
