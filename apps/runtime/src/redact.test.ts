import { PassThrough } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { createLog } from './pino-log.ts'
import { createRedactor } from './redact.ts'

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
    const redactor = createRedactor(['canary-secret'])
    let out = ''
    const stream = new PassThrough()
    const written = new Promise<void>((resolve) =>
      stream.on('data', (chunk: Buffer) => {
        out += chunk.toString()
        if (out.includes('the last line')) resolve()
      }),
    )
    const log = createLog({ level: 'debug', now: () => 0, colour: false, pretty, redactor }, stream)
    log.info({ token: 'by-its-name', headers: { authorization: 'Bearer by-its-name' } }, 'canary-secret in a message')
    log.error({ error: new Error('refused: canary-secret') }, 'failed')
    log.info({}, 'the last line')
    await written
    expect(out).not.toMatch(/canary-secret|by-its-name/)
    // What went wrong is still there: an Error is not written as {}.
    expect(out).toContain('refused: ***')
  })
})
