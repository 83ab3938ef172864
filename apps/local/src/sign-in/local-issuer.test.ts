/** The key in the data folder, and that the backend takes what it signs: with the real functions, engine and clients. */
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { api } from '@mission-control/backend/convex/_generated/api'
import { bundleFunctions } from '@mission-control/backend/bundle'
import { createEmbeddedConvex, loadFunctions, type Functions } from '@mission-control/embedded'
import { ConvexClient, ConvexHttpClient } from 'convex/browser'
import { decodeJwt, decodeProtectedHeader } from 'jose'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { createMember } from '../stack/member.ts'
import { forgetKey, openLocalIssuer } from './local-issuer.ts'
import { LOCAL_IDENTITY, OWNER, personFrom } from './person.ts'

const HOUR_MS = 3_600_000
const within = (hours = 1) => ({ fromMs: Date.now(), untilMs: Date.now() + hours * HOUR_MS })

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'mission-control-issuer-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))
const file = (name: string) => path.join(folder, 'auth', name)
const mode = (name: string) => (statSync(file(name)).mode & 0o777).toString(8)

describe('the key', () => {
  it('is made once; its private part is for its owner only and in no other file', async () => {
    const { jwksFile } = await openLocalIssuer(folder)
    expect([jwksFile, mode('key.json'), mode('jwks.json')]).toEqual([file('jwks.json'), '600', '644'])
    const [key, set] = [readFileSync(file('key.json'), 'utf8'), readFileSync(jwksFile, 'utf8')]
    const { d } = JSON.parse(key) as { d: string }
    expect(d.length).toBeGreaterThan(40)
    expect(set).not.toContain(d)
    expect(Object.keys(JSON.parse(set).keys[0]).sort()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y'])
    await openLocalIssuer(folder)
    expect(readFileSync(file('key.json'), 'utf8')).toBe(key)
    expect(readdirSync(path.join(folder, 'auth')).sort()).toEqual(['jwks.json', 'key.json'])
  })

  it('is one key, however many processes come at once', async () => {
    const issuers = await Promise.all(Array.from({ length: 8 }, () => openLocalIssuer(folder)))
    const tokens = await Promise.all(issuers.map((issuer) => issuer.sign(OWNER, within())))
    expect(new Set(tokens.map((token) => decodeProtectedHeader(token).kid)).size).toBe(1)
    expect(readdirSync(path.join(folder, 'auth')).sort()).toEqual(['jwks.json', 'key.json'])
  })

  it('is closed again when somebody opened it, and a public file that is gone or wrong is written again', async () => {
    await openLocalIssuer(folder)
    const set = readFileSync(file('jwks.json'), 'utf8')
    chmodSync(file('key.json'), 0o644)
    writeFileSync(file('jwks.json'), '{"keys": []}')
    await openLocalIssuer(folder)
    expect(mode('key.json')).toBe('600')
    expect(readFileSync(file('jwks.json'), 'utf8')).toBe(set)
  })

  it.each(['', '{}', '{"kty": "EC"}', 'not JSON'])('one sentence for a key file that holds %j', async (text) => {
    await openLocalIssuer(folder)
    writeFileSync(file('key.json'), text)
    await expect(openLocalIssuer(folder)).rejects.toThrow(/^.*key\.json holds no key of ours: delete it .*\.$/)
  })

  it('says in a token who it is and for how long, and no more', async () => {
    const issuer = await openLocalIssuer(folder)
    const times = { fromMs: 1_700_000_000_999, untilMs: 1_700_003_600_999 }
    const ada = await issuer.sign(personFrom({ name: 'Ada', email: 'ada@example.org' }), times)
    expect(decodeProtectedHeader(ada)).toEqual({ alg: 'ES256', typ: 'JWT', kid: expect.any(String) })
    expect(decodeJwt(ada)).toEqual({
      ...{ iss: 'https://mission-control.local', aud: 'mission-control', sub: 'ada', iat: 1_700_000_000, exp: 1_700_003_600 },
      ...{ name: 'Ada', email: 'ada@example.org', email_verified: true },
    })
    const { email, email_verified } = decodeJwt(await issuer.sign(OWNER, times))
    expect([email, email_verified]).toEqual([undefined, undefined])
  })
})

describe('the embedded backend with the real functions', () => {
  const built = mkdtempSync(path.join(os.tmpdir(), 'mission-control-functions-'))
  let functions: Functions
  beforeAll(async () => {
    await bundleFunctions({ outFile: path.join(built, 'functions.mjs') })
    functions = await loadFunctions(path.join(built, 'functions.mjs'))
  })
  afterAll(() => rmSync(built, { recursive: true, force: true }))

  async function serving(body: (url: string) => Promise<void>) {
    const { jwksFile } = await openLocalIssuer(folder)
    const dataDir = path.join(folder, 'backend')
    await using backend = await createEmbeddedConvex({ functions, dataDir, env: { AUTH_LOCAL_JWKS: jwksFile } })
    await body((await backend.listen()).url)
  }
  const asOwner = (url: string) =>
    createMember({ url, adminKeyFile: path.join(folder, 'backend', 'admin-key'), identity: LOCAL_IDENTITY })
  function signedIn(url: string, token: string): ConvexHttpClient {
    const client = new ConvexHttpClient(url, { logger: false })
    client.setAuth(token)
    return client
  }

  it('takes the default token for the owner of what the stack created, over HTTP and over the socket', async () => {
    await serving(async (url) => {
      await using owner = asOwner(url)
      const accountId = await owner.http.mutation(api.accounts.create, { name: 'My team' })
      const token = await (await openLocalIssuer(folder)).sign(OWNER, within())
      const mine = await signedIn(url, token).query(api.accounts.listMine, {})
      expect(mine).toMatchObject([{ id: accountId, name: 'My team', role: 'owner' }])

      const live = new ConvexClient(url, { logger: false })
      try {
        const states: boolean[] = []
        live.setAuth(
          async () => token,
          (authenticated) => states.push(authenticated),
        )
        const seen: unknown[] = []
        live.onUpdate(
          api.accounts.listMine,
          {},
          (accounts) => seen.push(accounts),
          () => undefined,
        )
        await vi.waitFor(() => expect(seen.at(-1)).toEqual(mine), 10_000)
        expect(await live.mutation(api.tasks.create, { accountId, title: 'By token' })).toEqual(expect.any(String))
        expect(states).toEqual([true])
      } finally {
        await live.close()
      }
    })
  })

  it('knows another subject as another person, who sees nothing until added', async () => {
    await serving(async (url) => {
      await using owner = asOwner(url)
      const accountId = await owner.http.mutation(api.accounts.create, { name: 'My team' })
      const person = personFrom({ name: 'Ada', email: 'ada@example.org' })
      const ada = signedIn(url, await (await openLocalIssuer(folder)).sign(person, within()))
      expect(await ada.query(api.accounts.listMine, {})).toEqual([])
      await expect(ada.query(api.agents.list, { accountId })).rejects.toThrow(/not a member/)
      const userId = 'https://mission-control.local|ada'
      await owner.http.mutation(api.memberships.add, { accountId, userId, name: 'Ada', role: 'member' })
      expect(await ada.query(api.accounts.listMine, {})).toMatchObject([{ id: accountId, role: 'member' }])
    })
  })

  it('refuses a token that has ended, and one by the key of another folder', async () => {
    await serving(async (url) => {
      const now = Date.now()
      const ended = { fromMs: now - 2 * HOUR_MS, untilMs: now - HOUR_MS }
      const late = await (await openLocalIssuer(folder)).sign(OWNER, ended)
      await expect(signedIn(url, late).query(api.accounts.listMine, {})).rejects.toThrow('expired')
      const elsewhere = await openLocalIssuer(path.join(folder, 'elsewhere'))
      const foreign = signedIn(url, await elsewhere.sign(OWNER, within()))
      await expect(foreign.query(api.accounts.listMine, {})).rejects.toThrow('no key')
    })
  })

  it('takes a new key over while it runs, and then refuses what the old one signed', async () => {
    await serving(async (url) => {
      const before = signedIn(url, await (await openLocalIssuer(folder)).sign(OWNER, within()))
      expect(await before.query(api.accounts.listMine, {})).toEqual([])
      forgetKey(folder)
      const after = signedIn(url, await (await openLocalIssuer(folder)).sign(OWNER, within()))
      expect(await after.query(api.accounts.listMine, {})).toEqual([])
      await expect(before.query(api.accounts.listMine, {})).rejects.toThrow('no key')
    })
  })
})
