/** What a backend reads from files and clients beside its two protocols: imports, ids, index keys, schedules. */
import { fuzzRuns, hostileJson, hostileText, inTime, pumped } from '@mission-control/shared/fuzz'
import fc from 'fast-check'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { csvRecords } from '../src/operations/csv.ts'
import { OperationError } from '../src/operations/errors.ts'
import { importRows } from '../src/operations/import-rows.ts'
import { openImport } from '../src/operations/import-source.ts'
import { nextRun } from '../src/scheduler/cron-schedule.ts'
import { tokenize } from '../src/search/tokenize.ts'
import { decodeKey } from '../src/values/decode-key.ts'
import { decodeId, encodeId } from '../src/values/ids.ts'
import { packed } from './fixtures/zip.ts'

/** The content in pieces of any size: what a parser sees of a file. */
const inPieces = (content: Buffer, sizes: readonly number[]): Readable =>
  Readable.from(
    (function* () {
      for (let at = 0, n = 0; at < content.length; n += 1) {
        const size = sizes.length === 0 ? content.length : Math.max(1, sizes[n % sizes.length] ?? 1)
        yield content.subarray(at, at + size)
        at += size
      }
    })(),
    { objectMode: false },
  )
const sizes = fc.array(fc.integer({ min: 1, max: 9 }), { maxLength: 4 })

/** Everything read, or the sentence of the refusal; anything else that is thrown fails the test. */
async function read<T>(rows: AsyncIterable<T>): Promise<T[] | string> {
  try {
    const all: T[] = []
    for await (const row of rows) all.push(row)
    return all
  } catch (error) {
    if (!(error instanceof OperationError)) throw error
    expect(error.message).toMatch(/\.$/)
    return error.message
  }
}

describe('CSV', () => {
  const cell = hostileText([',', '"', '""', '\n', '\r\n', ' ', '=1+1'], 12).map((text) => text.toWellFormed())
  const quoted = (text: string) => `"${text.replaceAll('"', '""')}"`

  it('reads back what was written, whatever the cells hold and wherever the pieces end', async () => {
    const record = fc.array(cell, { minLength: 1, maxLength: 4 })
    await fc.assert(
      fc.asyncProperty(fc.array(record, { maxLength: 5 }), sizes, fc.constantFrom('\n', '\r\n'), async (records, pieces, end) => {
        // An empty line is no record: the only cell of one must be quoted to be seen, and an empty one is still none.
        const kept = records.filter((cells) => cells.length > 1 || cells[0] !== '')
        const text = kept.map((cells) => cells.map(quoted).join(',')).join(end)
        const found = await read(csvRecords(inPieces(Buffer.from(text), pieces), 10_000))
        expect(Array.isArray(found) ? found.map(({ cells }) => cells) : found).toEqual(kept)
      }),
      fuzzRuns(200),
    )
  })

  it('of any bytes is records or a refusal', async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(cell, hostileText([',', '"', '\n'])), sizes, async (text, pieces) => {
        const found = await read(importRows(() => Promise.resolve(inPieces(Buffer.from(text), pieces)), 't', 'csv'))
        if (Array.isArray(found)) for (const { value } of found) expect(Object.keys(value).length).toBeGreaterThan(0)
      }),
      fuzzRuns(200),
    )
  })

  it('a record that never ends is refused before it fills the memory', async () => {
    const endless = Readable.from(
      (function* () {
        for (;;) yield Buffer.from(`"${'x'.repeat(1_000)}`)
      })(),
      { objectMode: false },
    )
    expect(await read(csvRecords(endless, 100_000))).toMatch(/too long|behind a closing quote/)
  })
})

it.each(['jsonLines', 'jsonArray'] as const)('%s of any bytes is documents or a refusal', async (format) => {
  const line = fc.oneof(
    hostileJson().map((value) => JSON.stringify(value)),
    hostileText(['{', '}', '[', ']', '\n', '"']),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(line, { maxLength: 5 }), fc.constantFrom('\n', ','), sizes, async (lines, joint, pieces) => {
      const text = format === 'jsonArray' ? `[${lines.join(joint)}]` : lines.join(joint)
      const found = await read(importRows(() => Promise.resolve(inPieces(Buffer.from(text), pieces)), 't', format))
      if (Array.isArray(found)) for (const { value } of found) expect(typeof value).toBe('object')
    }),
    fuzzRuns(200),
  )
})

describe('a zip that was damaged or made to do harm', () => {
  let folder: string
  let whole: Buffer
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'embedded-fuzz-'))
    whole = await packed({
      '_tables/documents.jsonl': '{"name":"messages","id":10001}\n',
      'messages/documents.jsonl': '{"_id":"x","channel":"a","body":"b"}\n',
      'messages/generated_schema.jsonl': '"uniform"\n',
    })
  })
  afterAll(() => rm(folder, { recursive: true }))

  const opened = async (bytes: Buffer): Promise<string[]> => {
    const file = join(folder, 'x.zip')
    await writeFile(file, bytes)
    try {
      const source = await openImport(file, null)
      try {
        for (const table of source.tables) await read(table.rows())
        return source.tables.map(({ name }) => name)
      } finally {
        source.close()
      }
    } catch (error) {
      if (!(error instanceof OperationError)) throw error
      return [error.message]
    }
  }

  it('is read or refused, with any of its bytes changed or cut off', async () => {
    expect(await opened(whole)).toEqual(['messages'])
    const damage = fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 })
    await fc.assert(
      fc.asyncProperty(damage, fc.nat(whole.length), async (changes, length) => {
        const bytes = Buffer.from(length % 3 === 0 ? whole.subarray(0, length) : whole)
        for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value
        await opened(bytes)
      }),
      fuzzRuns(150),
    )
  })

  it.each(['../../escaped.txt', '/etc/escaped', 'messages/../../escaped', 'C:\\escaped', 'messages\\..\\escaped'])(
    'writes nothing outside: an entry named %s',
    async (name) => {
      const [answer] = await opened(await packed({ [name]: 'x', 'messages/documents.jsonl': '{}\n' }))
      expect(answer).toMatch(/not a readable zip file|^messages$/)
      await expect(readFile(join(folder, '../escaped.txt'))).rejects.toThrow('ENOENT')
    },
  )
})

describe('ids', () => {
  it('of any text are read or refused in bounded time, and read back', () => {
    const number = fc.integer({ min: 1, max: 2 ** 32 - 1 })
    const bytes = fc.uint8Array({ minLength: 16, maxLength: 16 })
    fc.assert(
      fc.property(number, bytes, hostileText(['k', '0', 'z']), fc.nat(40), (table, random, junk, at) => {
        const id = encodeId(table, random)
        expect(decodeId(id)).toEqual({ table })
        const changed = `${id.slice(0, at)}${junk}${id.slice(at + junk.length)}`
        for (const text of [junk, changed]) {
          const found = decodeId(text)
          if ('problem' in found) expect(found.problem).toMatch(/^Unable to decode ID: /)
          else expect(text.length).toBeGreaterThanOrEqual(31)
        }
      }),
      fuzzRuns(500),
    )
  })
})

it('index keys of any bytes print without failing', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => void expect(decodeKey(Buffer.from(bytes))).toMatch(/^\(.*\)$/s)),
    fuzzRuns(1_000),
  )
})

describe('schedules', () => {
  const field = fc.oneof(
    hostileText(['*', '/', '-', ',', '0', '59', '7', 'L', 'W', '#', '?', 'MON', 'JAN'], 6),
    fc.constantFrom('*', '0', '*/5', '1-5', '31', 'MON'),
  )

  it('of any text name a time to come or are refused in a sentence', () => {
    const expression = fc.oneof(
      fc.tuple(field, field, field, field, field).map((fields) => fields.join(' ')),
      hostileText(['@daily']),
    )
    fc.assert(
      fc.property(expression, fc.integer({ min: 0, max: 4e12 }), (cron, now) => {
        try {
          expect(inTime(() => nextRun('job', { type: 'cron', cron }, now, now))).toBeGreaterThan(now)
        } catch (error) {
          if (!(error instanceof Error)) throw error
          expect(error.message).toMatch(/^The cron "job" /)
        }
      }),
      fuzzRuns(300),
    )
  })
})

it('words of a search are found in any text, in time in proportion to it', () => {
  fc.assert(
    fc.property(fc.oneof(hostileText(), pumped(['a', ' ', '-', '\u0301', 'é', '"', '*'], 100_000)), (text) => {
      expect(inTime(() => tokenize(text)).every((word) => /^[^\s"*():]+$/.test(word))).toBe(true)
    }),
    fuzzRuns(40),
  )
})
