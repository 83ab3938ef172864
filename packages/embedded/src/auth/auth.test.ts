import { ConvexClient, ConvexHttpClient } from 'convex/browser'
import { httpActionGeneric, httpRouter, makeFunctionReference, mutationGeneric } from 'convex/server'
import { UnsecuredJWT } from 'jose'
import { writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { createTestClock, inMemory, temporaryFolder } from '../../test/fixtures/backend.ts'
import { functions } from '../../test/fixtures/functions.ts'
import { createIssuer, ISSUER } from '../../test/fixtures/issuer.ts'
import { connectRaw, hello } from '../../test/fixtures/raw-socket.ts'
import type { EmbeddedOptions } from '../index.ts'

const whoami = makeFunctionReference<'query', Record<string, never>, Record<string, unknown> | null>('messages:whoami')
const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup()
})

async function serving(providers: unknown[], options: Partial<EmbeddedOptions> = {}) {
  const backend = await inMemory({ functions: { ...functions, auth: { providers } }, ...options })
  const { url } = await backend.listen()
  const ask = async (authorization: string) => {
    const body = JSON.stringify({ path: 'messages:whoami', args: {} })
    const response = await fetch(`${url}/api/query`, { method: 'POST', body, headers: { authorization } })
    return { status: response.status, body: (await response.json()) as { value?: unknown; code?: string; message?: string } }
  }
  return { backend, url, ask }
}

describe('a token over HTTP', () => {
  it.each(['RS256', 'ES256'] as const)('%s: its claims are the identity', async (algorithm) => {
    const issuer = await createIssuer({ algorithm })
    const { url } = await serving([issuer.provider])
    const client = new ConvexHttpClient(url)
    client.setAuth(
      await issuer.token({
        name: 'Ada',
        email: 'ada@example.org',
        email_verified: true,
        given_name: 'A',
        updated_at: 0,
        roles: ['owner'],
        properties: { id: '1', deep: { color: 'red' } },
        // What a token must not be able to say of itself.
        tokenIdentifier: 'someone|else',
        subject: 'someone',
        issuer: 'elsewhere',
        emailVerified: false,
      }),
    )
    expect(await client.query(whoami, {})).toEqual({
      tokenIdentifier: `${ISSUER}|user`,
      subject: 'user',
      issuer: ISSUER,
      name: 'Ada',
      email: 'ada@example.org',
      emailVerified: true,
      givenName: 'A',
      updatedAt: '1970-01-01T00:00:00.000Z',
      roles: ['owner'],
      'properties.id': '1',
      'properties.deep.color': 'red',
    })
    client.clearAuth()
    expect(await client.query(whoami, {})).toBeNull()
  })

  it.each<[string, Record<string, unknown>, Record<string, unknown>, string, RegExp]>([
    ['has expired', { exp: 1_000 }, {}, 'TokenExpired', /expired/],
    ['never expires', { exp: undefined }, {}, 'InvalidAuthHeader', /`exp`/],
    ['is not valid yet', { nbf: 99_999_999_999 }, {}, 'InvalidAuthHeader', /`nbf`/],
    ['is another issuer’s', { iss: 'https://other.example' }, {}, 'NoAuthProvider', /https:\/\/issuer\.example/],
    ['is for another application', { aud: 'other' }, {}, 'NoAuthProvider', /application app/],
    ['is for nobody', { aud: undefined }, {}, 'NoAuthProvider', /application app/],
    ['has no subject', { sub: undefined }, {}, 'InvalidAuthHeader', /`sub`/],
    ['has no kid', {}, { kid: undefined }, 'InvalidAuthHeader', /`kid`/],
    ['has no typ', {}, { typ: undefined }, 'InvalidAuthHeader', /`typ`/],
    ['names an unknown key', {}, { kid: 'key-2' }, 'InvalidAuthHeader', /no key/],
  ])('is refused when it %s', async (_name, claims, header, code, message) => {
    const issuer = await createIssuer()
    const { ask } = await serving([issuer.provider])
    const answer = await ask(`Bearer ${await issuer.token(claims, header)}`)
    expect(answer).toEqual({ status: 401, body: { code, message: expect.stringMatching(message) } })
  })

  it('is refused when it is forged, unsigned, signed otherwise, huge or nonsense', async () => {
    const [issuer, forger, rsa] = await Promise.all([createIssuer(), createIssuer(), createIssuer({ algorithm: 'RS256' })])
    const { ask, backend } = await serving([issuer.provider])
    const refused = async (token: string) => {
      const { status, body } = await ask(`Bearer ${token}`)
      expect(status).toBe(401)
      return body.message
    }
    expect(await refused(await forger.token())).toMatch(/signature/)
    expect(await refused(await rsa.token())).toMatch(/ES256/)
    const [head, , tail] = (await issuer.token()).split('.')
    const payload = Buffer.from(JSON.stringify({ iss: ISSUER, sub: 'admin', aud: 'app', exp: 9e9 })).toString('base64url')
    expect(await refused(`${head}.${payload}.${tail}`)).toMatch(/signature/)
    const unsigned = new UnsecuredJWT({ iss: ISSUER, sub: 'user', aud: 'app', exp: 9e9 }).encode()
    expect(await refused(unsigned)).toMatch(/refused/)
    const none = Buffer.from(JSON.stringify({ alg: 'none', kid: 'key-1', typ: 'JWT' })).toString('base64url')
    expect(await refused(`${none}.${payload}.`)).toMatch(/refused/)
    expect(await refused('nonsense')).toMatch(/no JWT/)
    await expect(backend.engine.verifyToken('a'.repeat(20_000))).rejects.toThrow('longer than')
    expect(await ask(`Bearer ${await issuer.token()}`)).toMatchObject({ body: { value: { subject: 'user' } } })
  })

  it('needs a provider, and any audience does when the provider names no application', async () => {
    const issuer = await createIssuer()
    const { ask } = await serving([])
    expect(await ask(`Bearer ${await issuer.token()}`)).toMatchObject({
      status: 401,
      body: { code: 'NoAuthProvider', message: expect.stringContaining('no providers') },
    })
    const { applicationID: _, ...open } = issuer.provider
    expect(await (await serving([open])).ask(`Bearer ${await issuer.token({ aud: undefined })}`)).toMatchObject({ status: 200 })
  })
})

describe('keys', () => {
  it('come from a file, which is read again for a key that is not known', async () => {
    const path = join(await temporaryFolder(), 'jwks.json')
    const [first, second] = await Promise.all([createIssuer({ kid: 'one' }), createIssuer({ kid: 'two' })])
    await writeFile(path, JSON.stringify(first.keys))
    for (const jwks of [path, pathToFileURL(path).href]) {
      const { ask } = await serving([{ ...first.provider, jwks }])
      await writeFile(path, JSON.stringify(first.keys))
      expect(await ask(`Bearer ${await first.token()}`)).toMatchObject({ status: 200 })
      expect(await ask(`Bearer ${await second.token()}`)).toMatchObject({ status: 401 })
      await writeFile(path, JSON.stringify(second.keys))
      expect(await ask(`Bearer ${await second.token()}`)).toMatchObject({ status: 200 })
      expect(await ask(`Bearer ${await first.token()}`)).toMatchObject({ status: 401 })
    }
  })

  it('come from a URL on loopback; while nobody answers there the token is neither taken nor called wrong', async () => {
    const issuer = await createIssuer()
    const server: Server = createServer((_request, response) => response.end(JSON.stringify(issuer.keys)))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const jwks = `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks.json`
    const up = await serving([{ ...issuer.provider, jwks }])
    const down = await serving([{ ...issuer.provider, jwks }])
    expect(await up.ask(`Bearer ${await issuer.token()}`)).toMatchObject({ status: 200 })
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
    expect(await down.ask(`Bearer ${await issuer.token()}`)).toMatchObject({
      status: 503,
      body: { code: 'AuthProviderUnavailable' },
    })
  })

  it.each<[string, object | null, RegExp]>([
    [
      'an OIDC domain',
      { domain: 'https://clerk.example', applicationID: 'convex' },
      /not supported.*https:\/\/clerk\.example.*jwks_uri/,
    ],
    [
      'an OIDC domain with its type',
      { type: 'oidc', domain: 'https://clerk.example' },
      /OpenID Connect provider https:\/\/clerk/,
    ],
    ['a JWKS on the internet', { jwks: 'https://issuer.example/jwks.json' }, /not supported.*issuer\.example\/jwks\.json/],
    ['a host that only starts like loopback', { jwks: 'http://127.0.0.1.example/jwks' }, /not supported/],
    ['a relative path', { jwks: 'jwks.json' }, /not supported/],
    ['another type', { type: 'saml' }, /not supported.*saml/],
    ['another algorithm', { algorithm: 'HS256' }, /RS256/],
    ['no issuer', { issuer: '' }, /issuer/],
    ['no key set', { jwks: 'data:application/json,{}' }, /no JSON Web Key Set/],
    ['no data URI', { jwks: 'data:nonsense' }, /data: URI/],
    ['no file', { jwks: '/nowhere/jwks.json' }, /ENOENT/],
    ['no object', null, /must be an object/],
  ])('%s stops the start', async (_name, change, message) => {
    const { provider } = await createIssuer()
    const broken = change && ('domain' in change ? change : { ...provider, ...change })
    await expect(inMemory({ functions: { ...functions, auth: { providers: [broken] } } })).rejects.toThrow(message)
  })
})

it('auth.config may be a function: each backend evaluates it with its own environment', async () => {
  const { provider } = await createIssuer()
  const start = (env: Record<string, string>) =>
    inMemory({
      env,
      functions: { ...functions, auth: (from: typeof env) => ({ providers: [{ ...provider, issuer: from['NAME'] }] }) },
    })
  await start({ NAME: 'https://one.example' })
  await expect(start({})).rejects.toThrow('issuer')
})

describe('a token over the socket', () => {
  function connect(url: string): ConvexClient {
    const client = new ConvexClient(url, { logger: false })
    cleanups.push(() => client.close())
    return client
  }

  it('signs the official client in, and out again', async () => {
    const issuer = await createIssuer()
    const { url } = await serving([issuer.provider])
    const client = connect(url)
    const seen: unknown[] = []
    client.onUpdate(whoami, {}, (value) => seen.push(value?.subject ?? null))
    await vi.waitFor(() => expect(seen).toEqual([null]))
    const states: boolean[] = []
    client.setAuth(
      () => issuer.token(),
      (signedIn) => states.push(signedIn),
    )
    await vi.waitFor(() => expect([seen.at(-1), states.at(-1)]).toEqual(['user', true]))
    expect(states).not.toContain(false)
    client.client.clearAuth()
    await vi.waitFor(() => expect(seen.at(-1)).toBeNull())
  })

  it('the official client is told of a bad token, gives up and goes on as nobody', async () => {
    const issuer = await createIssuer()
    const { url } = await serving([issuer.provider])
    const client = connect(url)
    const states: boolean[] = []
    client.setAuth(
      () => issuer.token({ aud: 'other', jti: `${Math.random()}` }),
      (signedIn) => states.push(signedIn),
    )
    await vi.waitFor(() => expect(states).toEqual([false]), 10_000)
    expect(await client.query(whoami, {})).toBeNull()
  })

  it('when it runs out the official client fetches another and goes on', async () => {
    const time = createTestClock(Date.now())
    const issuer = await createIssuer({ nowMs: time.clock.now })
    const { url } = await serving([issuer.provider], { clock: time.clock })
    const client = connect(url)
    const fetched: boolean[] = []
    client.setAuth(({ forceRefreshToken }) => {
      fetched.push(forceRefreshToken)
      return issuer.token({ sub: `user-${fetched.length}` })
    })
    const seen: unknown[] = []
    client.onUpdate(whoami, {}, (value) => seen.push(value?.subject))
    await vi.waitFor(() => expect(seen.at(-1)).toMatch(/^user-/))
    const [before, count] = [seen.at(-1), fetched.length]
    await time.advance(3_600_001)
    await vi.waitFor(() => expect(seen.at(-1)).not.toBe(before), 10_000)
    expect(fetched.slice(count)[0]).toBe(true)
    expect(seen).not.toContain(undefined)
  })

  it('nothing is done for an expired or refused token, and messages behind Authenticate wait for it', async () => {
    const time = createTestClock(Date.now())
    const issuer = await createIssuer({ nowMs: time.clock.now })
    const asked: unknown[] = []
    const note = mutationGeneric({
      args: {},
      handler: async (ctx) => void asked.push((await ctx.auth.getUserIdentity())?.subject ?? null),
    })
    const { backend } = await serving([issuer.provider], {
      clock: time.clock,
      functions: { ...functions, modules: { ...functions.modules, notes: { note } }, auth: { providers: [issuer.provider] } },
    })
    const call = (requestId: number) => ({ type: 'Mutation', requestId, udfPath: 'notes:note', args: [{}] })

    const first = await connectRaw(backend)
    first.send(hello)
    first.send(call(0))
    first.send({ type: 'Authenticate', tokenType: 'User', value: await issuer.token(), baseVersion: 0 })
    first.send(call(1))
    await vi.waitFor(() => expect(asked).toEqual([null, 'user']))
    await time.advance(3_600_001)
    expect((await first.closed)[1]).toMatch(/^AuthError/)
    expect(first.messages.at(-1)).toMatchObject({ type: 'AuthError', baseVersion: 0, authUpdateAttempted: false })

    const second = await connectRaw(backend)
    second.send({ ...hello, sessionId: 'other' })
    second.send({ type: 'Authenticate', tokenType: 'User', value: await issuer.token({ aud: 'x' }), baseVersion: 0 })
    second.send(call(0))
    expect((await second.closed)[1]).toMatch(/^AuthError/)
    expect(second.messages).toMatchObject([{ type: 'AuthError', baseVersion: 0, authUpdateAttempted: true }])
    expect(asked).toEqual([null, 'user'])
  })
})

it('HTTP actions know the user; tokens of others are left to the action', async () => {
  const http = httpRouter()
  http.route({
    path: '/me',
    method: 'GET',
    handler: httpActionGeneric(async (ctx) => new Response((await ctx.auth.getUserIdentity())?.subject ?? 'nobody')),
  })
  const issuer = await createIssuer()
  const backend = await inMemory({ functions: { ...functions, http, auth: { providers: [issuer.provider] } } })
  const { url } = await backend.listenSite()
  const me = async (authorization: string) => (await fetch(`${url}/me`, { headers: { authorization } })).text()
  expect(await me(`Bearer ${await issuer.token()}`)).toBe('user')
  expect(await me('Bearer webhook-secret')).toBe('nobody')
  expect(await me(`Bearer ${await issuer.token({ exp: 1 })}`)).toBe('nobody')
})
