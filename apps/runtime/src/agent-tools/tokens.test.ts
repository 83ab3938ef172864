import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { systemRandom } from '@mission-control/host/clock'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { openAgentTokens } from './tokens.ts'

let folder: string
let file: string
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'mc-tokens-'))
  file = path.join(folder, 'agent-tokens.json')
})
afterEach(() => rm(folder, { recursive: true }))

it('mints one per agent, keeps them over restarts, writes only for a change', async () => {
  const tokens = await openAgentTokens(file, systemRandom)
  await tokens.keep(['a', 'b'])
  const [a, b] = [tokens.of('a'), tokens.of('b')]
  expect(a).toMatch(/^mca_[0-9a-f]{64}$/)
  expect(a).not.toBe(b)
  expect(tokens.agentOf(a ?? '')).toBe('a')
  const { mode, ino } = await stat(file)
  expect(mode & 0o777).toBe(0o600)

  const again = await openAgentTokens(file, systemRandom)
  await again.keep(['b', 'a'])
  expect([again.of('a'), again.of('b')]).toEqual([a, b])
  expect((await stat(file)).ino).toBe(ino) // an atomic write is another file
})

it('the token of a removed agent stops working, at once and for good', async () => {
  const tokens = await openAgentTokens(file, systemRandom)
  await tokens.keep(['a', 'b'])
  const a = tokens.of('a') ?? ''
  await tokens.keep(['b'])
  expect(tokens.agentOf(a)).toBeNull()
  expect(await readFile(file, 'utf8')).not.toContain(a)
  await tokens.keep(['a', 'b'])
  expect(tokens.agentOf(a)).toBeNull()
})

it('shuts a removed agent out even when nothing can be written, and hands out no token that would not survive', async () => {
  const tokens = await openAgentTokens(file, systemRandom)
  await tokens.keep(['a'])
  const a = tokens.of('a') ?? ''
  await rm(folder, { recursive: true })
  await writeFile(folder, 'a file where the folder was')
  await expect(tokens.keep(['b'])).rejects.toThrow()
  expect([tokens.agentOf(a), tokens.of('b')]).toEqual([null, null])
  await rm(folder)
  await tokens.keep(['b'])
  expect(tokens.of('b')).not.toBeNull()
})

it('a damaged file costs new tokens, nothing else; loose permissions are tightened', async () => {
  await writeFile(file, '{"a": "not a token"', { mode: 0o644 })
  const tokens = await openAgentTokens(file, systemRandom)
  expect((await stat(file)).mode & 0o777).toBe(0o600)
  expect([tokens.of('a'), tokens.agentOf('not a token'), tokens.agentOf('')]).toEqual([null, null, null])
  await tokens.keep(['a'])
  expect((await openAgentTokens(file, systemRandom)).of('a')).toBe(tokens.of('a'))
})
