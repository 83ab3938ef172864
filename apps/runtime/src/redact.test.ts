import { PassThrough } from 'node:stream'
import { fuzzRuns, hostileText } from '@mission-control/shared/fuzz'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Log } from './log.ts'
import { createLog } from './pino-log.ts'
import type { Redactor } from './redact.ts'
import { createRedactor } from './redact.ts'

/** What a log of this kind writes until its last line. */
async function written(pretty: boolean, redactor: Redactor, write: (log: Log) => void): Promise<string> {
  let out = ''
  const stream = new PassThrough()
  const all = new Promise<void>((resolve) =>
    stream.on('data', (chunk: Buffer) => {
      out += chunk.toString()
      if (out.includes('the last line')) resolve()
    }),
  )
  const log = createLog({ level: 'debug', now: () => 0, colour: false, pretty, redactor }, stream)
  write(log)
  log.info({}, 'the last line')
  await all
  return out
}

describe('secrets', () => {
  it('are taken out wherever they stand, also inside another and in JSON', () => {
    const redactor = createRedactor(['gateway-token', 'gateway-token-longer', 'quoted"\\secret', 'short'])
    redactor.add('learnt-later')
    const text = 'gateway-token-longer gateway-token learnt-later short mcs_abc_ABCDEFGHIJKLMNOP'
    expect(redactor.redact(text)).toBe('*** *** *** short mcs_abc_***')
    expect(redactor.redact(`Bearer mca_${'0a'.repeat(32)}, an agent's`)).toBe("Bearer ***, an agent's")
    expect(redactor.redact(JSON.stringify({ a: 'quoted"\\secret' }))).toBe('{"a":"***"}')
  })

  it.each([true, false])('never get into a log line (pretty: %s), whatever carries them', async (pretty) => {
    const out = await written(pretty, createRedactor(['canary-secret']), (log) => {
      log.info({ token: 'by-its-name', headers: { authorization: 'Bearer by-its-name' } }, 'canary-secret in a message')
      log.error({ error: new Error('refused: canary-secret') }, 'failed')
    })
    expect(out).not.toMatch(/canary-secret|by-its-name/)
    // What went wrong is still there: an Error is not written as {}.
    expect(out).toContain('refused: ***')
  })

  it('are found in any text, as they are, in JSON and in the JSON within JSON', () => {
    const secret = hostileText(['"', '\\', '/', '+', ' '], 12).map((text) => `s3cr3t-${text.toWellFormed()}-s3cr3t`)
    fc.assert(
      fc.property(fc.array(secret, { minLength: 1, maxLength: 4 }), hostileText(), hostileText(), (secrets, before, after) => {
        const { redact } = createRedactor(secrets)
        for (const each of secrets) {
          const inJson = JSON.stringify({ error: each })
          const texts = [
            `${before}${each}${after}`,
            inJson,
            JSON.stringify({ reason: inJson }),
            `?key=${encodeURIComponent(each)}`,
          ]
          for (const text of texts) expect(redact(text)).not.toContain('s3cr3t')
        }
      }),
      fuzzRuns(200),
    )
  })
})

describe('a line of the log', () => {
  const HOSTILE = ['\x1b[2Jgone', '\u009b31mred', '\u202egnp.exe', 'two\r\nlines', '\x1b]0;title\x07', 'a \\u001b that was text']

  it.each([true, false])('shows what others wrote and obeys none of it (pretty: %s)', async (pretty) => {
    const out = await written(pretty, createRedactor(), (log) => {
      for (const text of HOSTILE) {
        log.warn({ reason: text, deep: { list: [text] }, error: new Error(text) }, text)
      }
    })
    expect(out).toMatch(/u001b\[2Jgone/)
    expect(/(?![\n\t])[\p{Cc}\p{Cf}]/u.exec(out)).toBeNull()
    if (!pretty) {
      const lines = out
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as { reason?: string })
      expect(lines.map(({ reason }) => reason)).toEqual([...HOSTILE, undefined])
    }
  })
})
