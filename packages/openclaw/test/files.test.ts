import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { mergeConfig, prepareConfigFile } from '../src/config/file.ts'
import { locateOpenClaw } from '../src/supervisor/locate.ts'

describe('files', () => {
  let dir: string
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'mc-files-'))
  })
  afterEach(async () => rm(dir, { recursive: true, force: true }))

  it('configuration: written when absent, merged when stale, left alone when right', async () => {
    const file = join(dir, 'openclaw.json')
    const wanted = { gateway: { port: 1 }, models: { providers: { a: {} } }, agents: { entries: { lead: { name: 'Lead' } } } }
    expect(await prepareConfigFile(file, wanted)).toBe(true)
    expect((await stat(file)).mode & 0o077).toBe(0)
    expect(await prepareConfigFile(file, wanted)).toBe(false)
    const lived = { ...wanted, meta: { touched: 1 }, agents: { entries: { lead: { name: 'Lead' }, late: { name: 'Late' } } } }
    await writeFile(file, JSON.stringify(lived))
    expect(await prepareConfigFile(file, wanted)).toBe(false)
    expect(await prepareConfigFile(file, { ...wanted, gateway: { port: 2 }, models: { providers: { b: {} } } })).toBe(true)
    expect(JSON.parse(await readFile(file, 'utf8'))).toEqual({ ...lived, gateway: { port: 2 }, models: { providers: { b: {} } } })
  })

  it('configuration: a file somebody broke by hand is not thrown away', async () => {
    const file = join(dir, 'openclaw.json')
    await writeFile(file, '{ agents: ')
    await expect(prepareConfigFile(file, {})).rejects.toMatchObject({ code: 'GATEWAY_CONFIG_INVALID', class: 'configuration' })
    expect(await readFile(file, 'utf8')).toBe('{ agents: ')
  })

  it('configuration: lists are replaced, objects merged', () => {
    expect(mergeConfig({ a: [1, 2], b: { c: 1, d: 1 } }, { a: [3], b: { c: 2 } })).toEqual({ a: [3], b: { c: 2, d: 1 } })
  })

  it('OpenClaw is found by its script, its folder or PATH, and missed with the next step', async () => {
    const script = join(dir, 'openclaw.mjs')
    await writeFile(script, '')
    await writeFile(join(dir, 'package.json'), '{"name":"openclaw","version":"2026.9.6"}')
    const found = { entry: expect.stringMatching(/openclaw\.mjs$/) as string, version: '2026.9.6' }
    expect(await locateOpenClaw({ OPENCLAW_BIN: script })).toEqual(found)
    expect(await locateOpenClaw({ OPENCLAW_BIN: dir })).toEqual(found)
    await expect(locateOpenClaw({ PATH: dir })).rejects.toMatchObject({ code: 'OPENCLAW_NOT_FOUND', class: 'configuration' })
    await expect(locateOpenClaw({ OPENCLAW_BIN: '/nowhere' })).rejects.toThrow('/nowhere')
  })
})
