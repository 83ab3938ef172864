/** Reads `auth.config`: who may issue tokens. Everything wrong with it is said before the backend opens anything. */
import { NotSupportedError } from '../errors.ts'
import { isObject, type Json } from '../values/json.ts'

export interface TokenProvider {
  issuer: string
  /** `data:` URI, `file:` URL, absolute path, or URL on loopback. */
  jwks: string
  algorithm: 'RS256' | 'ES256'
  /** Must be among the token's audiences; null accepts any audience. */
  applicationID: string | null
}

/** `auth` is the default export of `auth.config.ts`, a function that makes it from `env`, or undefined when there is none. */
export function readProviders(auth: unknown, env: Readonly<Record<string, string | undefined>>): TokenProvider[] {
  const config = typeof auth === 'function' ? (auth as (from: typeof env) => unknown)(env) : auth
  if (config === undefined || config === null) return []
  const providers = isObject(config as Json) ? (config as { providers?: unknown }).providers : undefined
  if (!Array.isArray(providers)) throw new Error('auth.config must export an object with an array `providers`.')
  return providers.map((provider, position) => readProvider(provider as Json, `auth.config: provider ${position + 1}`))
}

function readProvider(provider: Json, where: string): TokenProvider {
  if (!isObject(provider)) throw new Error(`${where} must be an object.`)
  const { type, domain, issuer, jwks, algorithm, applicationID } = provider
  if ((type === undefined || type === 'oidc') && typeof domain === 'string') {
    throw new NotSupportedError(
      `the OpenID Connect provider ${domain} of auth.config, whose keys come from the internet (download what the \`jwks_uri\` of its /.well-known/openid-configuration answers and use \`type: "customJwt"\` with that file as \`jwks\`: its tokens stay good, and people keep their identities)`,
    )
  }
  if (type !== 'customJwt') throw new NotSupportedError(`an auth provider of type ${JSON.stringify(type ?? null)} in auth.config`)
  if (typeof issuer !== 'string' || issuer === '') throw new Error(`${where} needs an \`issuer\`.`)
  if (typeof jwks !== 'string' || jwks === '') throw new Error(`${where} (${issuer}) needs \`jwks\`.`)
  if (algorithm !== 'RS256' && algorithm !== 'ES256')
    throw new Error(`${where} (${issuer}): \`algorithm\` must be "RS256" or "ES256".`)
  if (applicationID !== undefined && applicationID !== null && (typeof applicationID !== 'string' || applicationID === ''))
    throw new Error(`${where} (${issuer}): \`applicationID\` must be text when it is given.`)
  return { issuer, jwks, algorithm, applicationID: applicationID ?? null }
}
