/** Who may sign people in, by environment; and that the bundle takes it from the backend that starts with it. */
import { createEmbeddedConvex, type Functions } from '@mission-control/embedded'
import { beforeAll, describe, expect, it } from 'vitest'
import { buildFunctions } from './harness/embedded.ts'

type Env = Record<string, string>
let functions: Functions
beforeAll(async () => {
  functions = await buildFunctions()
})

const evaluate = (env: Env) => (functions.auth as (env: Env) => { providers: unknown[] })(env)
/** As Convex gives it to auth.config: names cannot be listed, and reading one that is not set throws. */
const asOnConvex = (env: Env): Env =>
  new Proxy<Env>(
    {},
    {
      get: (_target, name) => {
        if (typeof name === 'string' && name in env) return env[name]
        throw new Error(`Environment variable ${String(name)} is used in auth config file but its value was not set`)
      },
    },
  )
const OIDC = { AUTH_ISSUER: 'https://login.example.com', AUTH_AUDIENCE: 'team' }
const LOCAL = { AUTH_LOCAL_JWKS: '/data/auth/jwks.json' }
const EMPTY_SET = 'data:application/json,{"keys":[]}'

describe('auth.config', () => {
  it.each<[string, Env, unknown[]]>([
    ['nothing set: nobody can sign in', {}, []],
    ['an OpenID Connect issuer', OIDC, [{ domain: 'https://login.example.com', applicationID: 'team' }]],
    [
      'spaces around values, blank ones',
      { ...OIDC, AUTH_ISSUER: ' https://login.example.com\n', AUTH_JWKS: ' ' },
      [{ domain: 'https://login.example.com', applicationID: 'team' }],
    ],
    [
      'an issuer whose keys are given',
      { ...OIDC, AUTH_JWKS: 'https://login.example.com/keys', AUTH_ALGORITHM: 'RS256' },
      [
        {
          ...{ type: 'customJwt', issuer: 'https://login.example.com', applicationID: 'team' },
          ...{ jwks: 'https://login.example.com/keys', algorithm: 'RS256' },
        },
      ],
    ],
    [
      'the local issuer',
      LOCAL,
      [
        {
          ...{ type: 'customJwt', issuer: 'https://mission-control.local', applicationID: 'mission-control' },
          ...{ jwks: '/data/auth/jwks.json', algorithm: 'ES256' },
        },
      ],
    ],
    [
      'several at once, one issuer for two applications among them',
      {
        ...{ ...OIDC, ...LOCAL, AUTH_ISSUER_2: OIDC.AUTH_ISSUER, AUTH_AUDIENCE_2: 'phone' },
        ...{ AUTH_ISSUER_3: 'http://localhost:9000/realms/x', AUTH_AUDIENCE_3: 'team' },
      },
      [
        { domain: 'https://login.example.com', applicationID: 'team' },
        { domain: 'https://login.example.com', applicationID: 'phone' },
        { domain: 'http://localhost:9000/realms/x', applicationID: 'team' },
        expect.objectContaining({ issuer: 'https://mission-control.local' }),
      ],
    ],
  ])('%s', (_name, env, providers) => {
    expect(evaluate(env).providers).toEqual(providers)
    expect(evaluate(asOnConvex(env)).providers).toEqual(providers)
  })

  it.each<[string, Env, RegExp]>([
    ['no issuer', { AUTH_AUDIENCE: 'team' }, /^AUTH_AUDIENCE is set and AUTH_ISSUER is not: .*\.$/],
    ['keys of nobody', { AUTH_JWKS: EMPTY_SET, AUTH_ALGORITHM: 'ES256' }, /^AUTH_JWKS is set and AUTH_ISSUER is not: .*\.$/],
    ['a second one by half', { ...OIDC, AUTH_AUDIENCE_2: 'x' }, /^AUTH_AUDIENCE_2 is set and AUTH_ISSUER_2 is not: .*\.$/],
    [
      'another algorithm',
      { ...OIDC, AUTH_JWKS: EMPTY_SET, AUTH_ALGORITHM: 'HS256' },
      /^AUTH_ALGORITHM must be RS256 or ES256\.$/,
    ],
    ['an algorithm without keys', { ...OIDC, AUTH_ALGORITHM: 'RS256' }, /^AUTH_ALGORITHM is set and AUTH_JWKS is not: .*\.$/],
    ['an issuer without https://', { ...OIDC, AUTH_ISSUER: 'login.example.com' }, /^AUTH_ISSUER must be the address .*\.$/],
    [
      'an issuer with a password',
      { ...OIDC, AUTH_ISSUER: 'https://a:secret@x.example' },
      /^AUTH_ISSUER must be the address ((?!secret).)*\.$/,
    ],
    [
      'the local issuer by another key',
      { ...OIDC, AUTH_ISSUER: 'https://mission-control.local/' },
      /local issuer.*AUTH_LOCAL_JWKS.*\.$/,
    ],
    ['a relative path', { AUTH_LOCAL_JWKS: 'auth/jwks.json' }, /^AUTH_LOCAL_JWKS must be a data: URI .*\.$/],
    ['a key set as it is', { AUTH_LOCAL_JWKS: '{"keys": []}' }, /^AUTH_LOCAL_JWKS must be a data: URI .*\.$/],
    [
      'the same one twice',
      { ...OIDC, AUTH_ISSUER_3: 'https://login.example.com/', AUTH_AUDIENCE_3: 'team' },
      /^Two of .*: unset one of them\.$/,
    ],
  ])('one sentence for %s', (_name, env, sentence) => {
    expect(() => evaluate(env)).toThrow(sentence)
    expect(() => evaluate(asOnConvex(env))).toThrow(sentence)
  })
})

it('lets the variables of an issuer be set one by one, and removed in reverse, as `convex env set` does it', () => {
  const env: Env = {}
  const seen = Object.entries({ ...OIDC, AUTH_JWKS: EMPTY_SET, AUTH_ALGORITHM: 'ES256' }).map(([name, value]) => {
    env[name] = value
    return evaluate(asOnConvex(env)).providers[0]
  })
  expect(seen).toMatchObject([
    // No audience is never any audience.
    { domain: OIDC.AUTH_ISSUER, applicationID: 'mission-control' },
    { domain: OIDC.AUTH_ISSUER, applicationID: 'team' },
    { issuer: OIDC.AUTH_ISSUER, applicationID: 'team', jwks: EMPTY_SET, algorithm: 'RS256' },
    { issuer: OIDC.AUTH_ISSUER, applicationID: 'team', jwks: EMPTY_SET, algorithm: 'ES256' },
  ])
})

describe('the embedded backend', () => {
  const start = async (env: Env) => {
    await using _ = await createEmbeddedConvex({ functions, memory: true, env })
  }

  it('reads it from its own environment, whatever environment the bundle was loaded in', async () => {
    await start({})
    await start({ AUTH_LOCAL_JWKS: EMPTY_SET })
    await expect(start({ AUTH_AUDIENCE: 'team' })).rejects.toThrow('AUTH_ISSUER is not')
    await expect(start({ AUTH_LOCAL_JWKS: '/nowhere/jwks.json' })).rejects.toThrow(
      /https:\/\/mission-control\.local could not be read/,
    )
  })

  it('refuses an OpenID Connect issuer and says what to do instead', async () => {
    await expect(start(OIDC)).rejects.toThrow(
      /^not supported by the embedded backend: .* https:\/\/login\.example\.com .*customJwt/,
    )
    await start({ ...OIDC, AUTH_JWKS: EMPTY_SET, AUTH_ALGORITHM: 'RS256' })
  })
})
