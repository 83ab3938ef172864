/**
 * Who may sign people in, read from the deployment's environment: when the functions are pushed and at each change of a variable on
 * Convex, at the start of the embedded backend. Throws one sentence for a combination that cannot be meant. The variables are
 * described in packages/backend/README.md.
 */
import type { AuthConfig, AuthProvider } from 'convex/server'
import { LOCAL_ALGORITHM, LOCAL_AUDIENCE, LOCAL_ISSUER } from '@mission-control/shared/local-issuer'

declare const process: { readonly env: Readonly<Record<string, string | undefined>> }

/** Up to three issuers: their variables end in nothing, `_2` and `_3`. */
const ENDINGS = ['', '_2', '_3'] as const

export default { providers: distinct([...ENDINGS.flatMap(issuer), ...local()]) } satisfies AuthConfig

/**
 * Convex evaluates this after each single change of a variable and refuses a change that throws. So there must be an order in which
 * the variables of an issuer can be set one by one, and removed in reverse: issuer, audience, key set, algorithm.
 */
function issuer(ending: (typeof ENDINGS)[number]): AuthProvider[] {
  const names = {
    ...{ issuer: `AUTH_ISSUER${ending}`, audience: `AUTH_AUDIENCE${ending}` },
    ...{ jwks: `AUTH_JWKS${ending}`, algorithm: `AUTH_ALGORITHM${ending}` },
  }
  const url = read(names.issuer)
  const applicationID = read(names.audience) ?? LOCAL_AUDIENCE
  const jwks = read(names.jwks)
  const algorithm = read(names.algorithm)
  if (url === null) {
    const orphan = [names.audience, names.jwks, names.algorithm].find((name) => read(name) !== null)
    if (orphan === undefined) return []
    throw new Error(
      `${orphan} is set and ${names.issuer} is not: set it to the "iss" of the issuer's tokens, or unset ${orphan}.`,
    )
  }
  if (!/^https?:\/\/[^\s/?#@]+(\/[^\s?#]*)?$/.test(url)) {
    throw new Error(`${names.issuer} must be the address of the issuer as in its tokens, such as https://login.example.com.`)
  }
  if (withoutSlash(url) === LOCAL_ISSUER) {
    throw new Error(`${names.issuer} is the name of the local issuer, ${LOCAL_ISSUER}: give its keys in AUTH_LOCAL_JWKS instead.`)
  }
  if (jwks === null && algorithm === null) return [{ domain: url, applicationID }]
  if (jwks === null) {
    throw new Error(`${names.algorithm} is set and ${names.jwks} is not: name the issuer's key set, or unset ${names.algorithm}.`)
  }
  if (algorithm !== null && algorithm !== 'RS256' && algorithm !== 'ES256')
    throw new Error(`${names.algorithm} must be RS256 or ES256.`)
  return [{ type: 'customJwt', issuer: url, applicationID, jwks: keySet(names.jwks, jwks), algorithm: algorithm ?? 'RS256' }]
}

/** The issuer of `mission-control token`. */
function local(): AuthProvider[] {
  const jwks = read('AUTH_LOCAL_JWKS')
  if (jwks === null) return []
  return [
    {
      ...{ type: 'customJwt', issuer: LOCAL_ISSUER, applicationID: LOCAL_AUDIENCE, algorithm: LOCAL_ALGORITHM },
      jwks: keySet('AUTH_LOCAL_JWKS', jwks),
    },
  ]
}

function keySet(name: string, jwks: string): string {
  if (/^(data:|https?:\/\/|file:\/\/\/|\/|[A-Za-z]:\\)/.test(jwks)) return jwks
  throw new Error(`${name} must be a data: URI or a URL of a key set, or on the embedded backend the absolute path of a file.`)
}

function distinct(providers: AuthProvider[]): AuthProvider[] {
  const seen = providers.map((provider) => {
    const url = 'type' in provider ? provider.issuer : provider.domain
    return `${withoutSlash(url)} ${provider.applicationID}`
  })
  if (new Set(seen).size === seen.length) return providers
  throw new Error('Two of AUTH_ISSUER, AUTH_ISSUER_2 and AUTH_ISSUER_3 name the same issuer and audience: unset one of them.')
}

/** Convex and others do not tell apart whether an issuer ends in a slash. */
function withoutSlash(url: string): string {
  return url.replace(/\/+$/, '')
}

/**
 * `null` for what is unset or blank. On Convex reading a variable that is not set throws, here and nowhere else, to have the push
 * name it; ours are all optional, and a read cannot fail for another reason.
 */
function read(name: string): string | null {
  let value: string | undefined
  try {
    value = process.env[name]
  } catch {
    return null
  }
  return value?.trim() || null
}
