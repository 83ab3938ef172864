/* eslint-disable @typescript-eslint/no-explicit-any -- documents without a data model */
/** The index holds exactly its documents, whatever becomes of transactions, schemas, files and the process. */
import { systemClock, systemRandom } from '@mission-control/host/clock'
import { defineSchema, defineTable } from 'convex/server'
import { v } from 'convex/values'
import fc from 'fast-check'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, it } from 'vitest'
import { inMemory, onDisk, temporaryFolder } from '../../test/fixtures/backend.ts'
import { functions, schema, searched, withNotes, write } from '../../test/fixtures/notes.ts'
import { backup } from '../operations/backup.ts'
import { check } from '../operations/check.ts'
import { exportZip } from '../operations/export.ts'
import { importStopped } from '../operations/import-stopped.ts'
import { openImport } from '../operations/import-source.ts'
import { openForReading } from '../operations/open.ts'
import { tableDefinitions } from '../functions/definition.ts'

const failures = async (dataDir: string) => (await check(dataDir)).filter(({ status }) => status === 'fail')
const found = async (backend: Awaited<ReturnType<typeof onDisk>>, text: string) =>
  ((await backend.query('notes:search', { text })) as any[]).map(({ body }) => body as string).toSorted()
const edit = (dataDir: string, change: (db: DatabaseSync) => void) => {
  const db = new DatabaseSync(join(dataDir, 'convex.sqlite'))
  db.enableDefensive(false) // FTS5's own tables may be written
  change(db)
  db.close()
}

describe('transactions', () => {
  it('what a failed mutation wrote is not found, nor what failed inside another one', async () => {
    const dataDir = await temporaryFolder()
    const backend = await onDisk({ functions, dataDir })
    await write(backend, { body: 'red kept' })
    await expect(backend.mutation('notes:writeAndFail', { body: 'red lost' })).rejects.toThrow('after the write')
    expect(await backend.mutation('notes:failsInside', { body: 'red lost', text: 'red' })).toBe(1)
    // Side by side in one batch: each in a savepoint of its own.
    const both = [write(backend, { body: 'red two' }), backend.mutation('notes:writeAndFail', { body: 'red lost' })]
    expect((await Promise.allSettled(both)).map(({ status }) => status)).toEqual(['fulfilled', 'rejected'])
    expect(await found(backend, 'red')).toEqual(['red kept', 'red two'])
    await backend.close()
    expect(await failures(dataDir)).toEqual([])
  })

  it('random inserts, patches, replacements, deletions and failures leave exactly the documents', async () => {
    const value = fc.oneof(fc.constantFrom<any[]>('red one', 'Red', 'blue\0 x', '', 7, null, '東京 🎉'), fc.string())
    const note = fc.record({ body: value, project: value, n: fc.nat(3) }, { requiredKeys: [] })
    const step = fc.record({
      kind: fc.constantFrom('insert', 'insert', 'patch', 'replace', 'delete'),
      place: fc.nat(30),
      note,
      fail: fc.boolean(),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(step, { maxLength: 6 }), { maxLength: 8 }), async (mutations) => {
        const dataDir = await temporaryFolder()
        const backend = await onDisk({ functions, dataDir, autoSchedule: false })
        for (const steps of mutations) {
          const run = backend.run(async (ctx) => {
            for (const { kind, place, note } of steps) {
              const all: any[] = await ctx.db.query('notes').collect()
              const id = all[place % Math.max(1, all.length)]?._id
              if (kind === 'insert') await ctx.db.insert('notes', note)
              else if (id === undefined) continue
              else if (kind === 'patch') await ctx.db.patch(id, note)
              else if (kind === 'replace') await ctx.db.replace(id, note)
              else await ctx.db.delete(id)
            }
            if (steps[0]?.fail) throw new Error('taken back')
          })
          await run.catch((error: unknown) => expect(String(error)).toContain('taken back'))
        }
        await backend.close()
        expect(await failures(dataDir)).toEqual([])
      }),
      { numRuns: 25 },
    )
  }, 30_000)

  it('a kill under load loses nothing acknowledged and leaves index and documents in step', { timeout: 30_000 }, async () => {
    const dataDir = await temporaryFolder()
    const url = (path: string) => JSON.stringify(new URL(path, import.meta.url).href)
    const source = `
      import { createEmbeddedConvex } from ${url('../index.ts')}
      import { functions } from ${url('../../test/fixtures/notes.ts')}
      const backend = await createEmbeddedConvex({ functions, dataDir: ${JSON.stringify(dataDir)} })
      const writer = async (name) => {
        for (let n = 0; ; n++) {
          const id = await backend.mutation('notes:write', { body: 'red ' + name + 'n' + n })
          if (n % 3 === 1) await backend.mutation('notes:patch', { id, change: { body: 'blue ' + name + 'n' + n } })
          if (n % 5 === 4) await backend.mutation('notes:remove', { id })
          else process.stdout.write(name + 'n' + n + '\\n')
        }
      }
      for (const name of ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']) void writer(name)`
    const child = spawn(process.execPath, ['--input-type=module', '-e', source], { stdio: ['ignore', 'pipe', 'inherit'] })
    let printed = ''
    child.stdout.on('data', (chunk: Buffer) => {
      printed += chunk.toString()
      if (printed.length > 2_000) child.kill('SIGKILL')
    })
    const [, signal] = (await once(child, 'close')) as [number | null, string]
    expect(signal).toBe('SIGKILL')
    expect(await failures(dataDir)).toEqual([])
    const backend = await onDisk({ functions, dataDir })
    const acknowledged = printed.split('\n').slice(0, -1)
    expect(acknowledged.length).toBeGreaterThan(100)
    for (const name of acknowledged) expect(await found(backend, name.slice(0, -1) + name.at(-1)!)).not.toEqual([])
    await backend.close()
  })
})

describe('a new schema', () => {
  const notes = schema.tables.notes
  const open = (dataDir: string, tables: object) =>
    onDisk({ dataDir, functions: { schema: defineSchema(tables as never), modules: functions.modules }, autoSchedule: false })
  const indexed = (index: string, searchField: string, filterFields: string[] = []) => ({
    notes: defineTable(v.any()).searchIndex(index, { searchField, filterFields }),
  })
  const search = (backend: any, text: string, more: object): Promise<string[]> =>
    backend.run(async (ctx: any) => (await searched(ctx.db, { text, ...more })).map(({ n }) => n))

  it('fills a new search index, rebuilds a changed one, drops a removed one, keeps the rest', async () => {
    const dataDir = await temporaryFolder()
    const plain = await open(dataDir, { notes: defineTable(v.any()) })
    await withNotes(plain, [
      { body: 'red', title: 'blue', n: 0 },
      { body: 'blue', n: 1 },
      { body: 5, title: 'red', n: 2 },
    ])
    await plain.close()
    const first = await open(dataDir, indexed('s', 'body'))
    expect(await search(first, 'red', { index: 's' })).toEqual([0])
    await first.close()
    const tables = () => {
      let names: unknown[] = []
      edit(
        dataDir,
        (db) =>
          (names = db
            .prepare(`SELECT name FROM sqlite_master WHERE sql LIKE '%fts5%'`)
            .all()
            .map(({ name }) => name)),
      )
      return names
    }
    const [kept] = tables()
    await (await open(dataDir, indexed('s', 'body'))).close()
    expect(tables()).toEqual([kept])
    const second = await open(dataDir, indexed('s', 'title', ['n']))
    expect(tables()).not.toContain(kept)
    expect(await search(second, 'red', { index: 's', field: 'title' })).toEqual([2])
    expect(await search(second, 'blue', { index: 's', field: 'title', equal: [['n', 0]] })).toEqual([0])
    await second.close()
    expect(await failures(dataDir)).toEqual([])
    await (await open(dataDir, { notes: defineTable(v.any()) })).close()
    expect(tables()).toEqual([])
    expect(await failures(dataDir)).toEqual([])
  })

  it('is rebuilt when texts are parted in another way than when it was made', async () => {
    const dataDir = await temporaryFolder()
    const first = await onDisk({ functions, dataDir })
    await withNotes(first, ['red'])
    await first.close()
    edit(dataDir, (db) => {
      db.exec(`UPDATE search_indexes SET definition = replace(definition, 'unicode-', 'unicode-0.')`)
      const [{ name }] = db.prepare(`SELECT name FROM sqlite_master WHERE sql LIKE '%fts5%'`).all() as [{ name: string }]
      db.exec(`INSERT INTO ${name} (${name}) VALUES ('delete-all')`)
    })
    expect(await failures(dataDir)).toEqual([]) // it is outdated, not wrong
    const second = await onDisk({ functions, dataDir })
    expect(await found(second, 'red')).toEqual(['red'])
  })

  it('a document that does not match leaves the old state, search indexes included', async () => {
    const dataDir = await temporaryFolder()
    const first = await open(dataDir, indexed('s', 'body'))
    await withNotes(first, ['red'])
    await first.close()
    const state = () => {
      let rows: unknown
      edit(
        dataDir,
        (db) => (rows = ['sqlite_master', 'search_indexes', 'meta'].map((table) => db.prepare(`SELECT * FROM ${table}`).all())),
      )
      return rows
    }
    const before = state()
    const broken = { notes: defineTable({ body: v.number() }).searchIndex('t', { searchField: 'body' }) }
    await expect(open(dataDir, broken)).rejects.toThrow('does not match the schema')
    expect(state()).toEqual(before)
  })

  it('a kill in the middle of filling one leaves the old state', { timeout: 30_000 }, async () => {
    const dataDir = await temporaryFolder()
    const first = await open(dataDir, { notes: defineTable(v.any()) })
    await withNotes(
      first,
      Array.from({ length: 300 }, (_, n) => `red ${n}`),
    )
    await first.close()
    const url = (path: string) => JSON.stringify(new URL(path, import.meta.url).href)
    const source = `
      import { createEmbeddedConvex } from ${url('../index.ts')}
      import { functions } from ${url('../../test/fixtures/notes.ts')}
      let filled = 0
      await createEmbeddedConvex({ functions, dataDir: ${JSON.stringify(dataDir)}, wrapConnection: (connection) => ({
        ...connection,
        run(sql, ...args) {
          const result = connection.run(sql, ...args)
          if (sql.startsWith('INSERT INTO search_') && sql.includes('rowid') && ++filled === 150) {
            process.stdout.write('in the middle')
            process.kill(process.pid, 'SIGKILL')
          }
          return result
        },
      }) })`
    const child = spawn(process.execPath, ['--input-type=module', '-e', source], { stdio: ['ignore', 'pipe', 'inherit'] })
    let printed = ''
    child.stdout.on('data', (chunk: Buffer) => (printed += chunk.toString()))
    const [, signal] = (await once(child, 'close')) as [number | null, string]
    expect([printed, signal]).toEqual(['in the middle', 'SIGKILL'])
    edit(dataDir, (db) => expect(db.prepare('SELECT * FROM search_indexes').all()).toEqual([]))
    expect(await failures(dataDir)).toEqual([])
    const after = await onDisk({ functions, dataDir })
    expect(await found(after, 'red')).toHaveLength(300)
  })

  it('of an older version gets its search indexes', async () => {
    const dataDir = await temporaryFolder()
    const first = await open(dataDir, { notes: defineTable(v.any()) })
    await withNotes(first, ['red'])
    await first.close()
    edit(dataDir, (db) => db.exec(`DROP TABLE search_indexes; UPDATE meta SET value = '1' WHERE key = 'format'`))
    expect(await failures(dataDir)).toEqual([])
    const after = await onDisk({ functions, dataDir })
    expect(await found(after, 'red')).toEqual(['red'])
    await after.close()
    edit(dataDir, (db) => expect(db.prepare(`SELECT value FROM meta WHERE key = 'format'`).get()).toEqual({ value: '2' }))
  })

  const table = (define: (at: any) => any) => tableDefinitions(defineSchema({ notes: define(defineTable(v.any())) }))
  it.each<[string, (at: any) => any, string]>([
    [
      'a vector index',
      (at) => at.vectorIndex('by_vector', { vectorField: 'e', dimensions: 8 }),
      'not supported by the embedded backend: vector indexes (notes.by_vector)',
    ],
    [
      'a staged vector index',
      (at) => at.vectorIndex('by_vector', { vectorField: 'e', dimensions: 8, staged: true }),
      'not supported by the embedded backend: vector indexes (notes.by_vector)',
    ],
    [
      'more than 16 filter fields',
      (at) => at.searchIndex('s', { searchField: 'body', filterFields: Array.from({ length: 17 }, (_, n) => `f${n}`) }),
      'Search index notes.s has more than 16 filter fields.',
    ],
    ['what is no field path', (at) => at.searchIndex('s', { searchField: 'a..b' }), '"a..b" is not a field path'],
    [
      'two with the same fields',
      (at) => at.searchIndex('s', { searchField: 'a' }).searchIndex('t', { searchField: 'a' }),
      'Search indexes notes.s and notes.t have the same fields',
    ],
  ])('refuses %s at the start', (_name, define, message) => {
    expect(() => table(define)).toThrow(message)
  })

  it('refuses a name twice', () => {
    expect(() => table((at) => at.index('s', ['a']).searchIndex('s', { searchField: 'a' }))).toThrow(/notes.*\bs\b/)
  })

  it('refuses a vector search by name', async () => {
    const { actionGeneric } = await import('convex/server')
    const near = actionGeneric({
      args: {},
      handler: (ctx: any) => ctx.vectorSearch('notes', 'by_vector', { vector: [1], limit: 1 }),
    })
    const backend = await inMemory({ functions: { schema: defineSchema({ notes }), modules: { near: { near } } } })
    await expect(backend.action('near:near', {})).rejects.toThrow(
      'not supported by the embedded backend: vector search ("notes.by_vector")',
    )
  })
})

describe('operations', () => {
  async function filled(): Promise<string> {
    const dataDir = await temporaryFolder()
    const backend = await onDisk({ functions, dataDir })
    await withNotes(backend, ['red one', { body: 'red two', project: 'p' }, 'blue', { body: 7 }])
    await backend.close()
    return dataDir
  }

  it('a backup can be searched', async () => {
    const other = join(await temporaryFolder(), 'copy')
    await backup(await filled(), other)
    expect(await failures(other)).toEqual([])
    const backend = await onDisk({ functions, dataDir: other })
    expect(await found(backend, 'red')).toEqual(['red one', 'red two'])
  })

  it.each(['replaceAll', 'append'] as const)('an export, imported with %s, can be searched', async (mode) => {
    const [dataDir, other] = [await filled(), await temporaryFolder()]
    const file = join(await temporaryFolder(), 'e.zip')
    const connection = openForReading(dataDir)
    await exportZip(connection, createWriteStream(file))
    connection.close()
    // There the table has another number when everything is replaced, and texts of its own.
    const tables = mode === 'append' ? schema.tables : { first: defineTable(v.any()), ...schema.tables }
    const before = await onDisk({ functions: { schema: defineSchema(tables), modules: {} }, dataDir: other })
    await withNotes(before, ['red before'])
    await before.close()
    const source = await openImport(file, null)
    try {
      await importStopped(other, source, mode, { clock: systemClock, random: systemRandom })
    } finally {
      source.close()
    }
    expect(await failures(other)).toEqual([])
    edit(other, (db) => {
      const sql =
        'SELECT t.name AS "table", s.name FROM search_indexes s JOIN tables t ON t.number = s.table_number ORDER BY s.name'
      const rows = db.prepare(sql).all()
      expect(rows.map((row) => `${String(row['table'])}.${String(row['name'])}`)).toEqual([
        'notes.search_body',
        'notes.search_text',
      ])
    })
    const backend = await onDisk({ functions: { schema: defineSchema(tables), modules: functions.modules }, dataDir: other })
    expect(await found(backend, 'red')).toEqual(mode === 'append' ? ['red before', 'red one', 'red two'] : ['red one', 'red two'])
  })

  it.each<[string, string, RegExp]>([
    [
      'an entry too few',
      `INSERT INTO FTS (FTS, rowid, filters, text) VALUES ('delete', 1, FILTERS, 'red one')`,
      /2 entries for 3 documents/,
    ],
    [
      'terms of another text',
      `INSERT INTO FTS (FTS, rowid, filters, text) VALUES ('delete', 1, FILTERS, 'red one');
      INSERT INTO FTS (rowid, filters, text) VALUES (1, FILTERS, 'red two')`,
      /has other terms than its documents/,
    ],
    ['a document that is not in it', `UPDATE documents SET json = replace(json, 'red two', 'red new')`, /has other terms/],
    [
      'a search index of no table',
      `UPDATE search_indexes SET table_number = 99999`,
      /a table that does not exist \(search_body\)/,
    ],
    ['a damaged index', `UPDATE FTS_data SET block = zeroblob(8) WHERE id > 10`, /FTS5|malformed/],
  ])('check finds %s', async (_name, sql, message) => {
    const dataDir = await filled()
    edit(dataDir, (db) => {
      const { id } = db.prepare(`SELECT id FROM search_indexes WHERE name = 'search_body'`).get() as { id: number }
      const fts = `search_${id}`
      db.exec(`CREATE VIRTUAL TABLE temp.terms USING fts5vocab(main, ${fts}, instance)`)
      const terms = db.prepare(`SELECT term FROM temp.terms WHERE doc = 1 AND col = 'filters' ORDER BY "offset"`).all()
      db.exec(sql.replaceAll('FTS', fts).replaceAll('FILTERS', `'${terms.map(({ term }) => String(term)).join(' ')}'`))
    })
    const lines = await failures(dataDir)
    expect(lines.map(({ found }) => found).join('\n')).toMatch(message)
  })
})
