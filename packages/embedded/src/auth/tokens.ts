/** Verifies user tokens (JWT) against the providers of `auth.config`. Refusals say what is wrong, never what the token holds. */
import { decodeJwt, decodeProtectedHeader, errors, jwtVerify, type JWTPayload, type JWTVerifyGetKey } from 'jose'
import type { Clock } from '@mission-control/shared/clock'
import { RequestError } from '../errors.ts'
import type { WireCode } from '../wire-codes.ts'
import type { JsonObject } from '../values/json.ts'
import { identityOf } from './claims.ts'
import { openKeys } from './jwks.ts'
import type { TokenProvider } from './providers.ts'

export interface VerifiedToken {
  identity: JsonObject
  /** Wall clock, milliseconds: from then on the token is worth nothing. */
  expiresAtMs: number
}
/** Throws a RequestError with status 401, or 503 when the keys cannot be had. */
export type VerifyToken = (token: string) => Promise<VerifiedToken>

/** Bounds the work that an unverified token can cause. Browsers and proxies cap headers near this. */
const MAX_TOKEN_CHARACTERS = 16_384

export async function createTokenVerifier(providers: readonly TokenProvider[], clock: Clock): Promise<VerifyToken> {
  const known = await Promise.all(providers.map(async (provider) => ({ provider, keys: await openKeys(provider) })))

  function find(claims: JWTPayload): { provider: TokenProvider; keys: JWTVerifyGetKey } {
    const audiences = [claims.aud ?? []].flat()
    const found = known.find(
      ({ provider }) =>
        provider.issuer === claims.iss && (provider.applicationID === null || audiences.includes(provider.applicationID)),
    )
    if (found) return found
    const names = providers.map(({ issuer, applicationID }) => `${issuer} (application ${applicationID ?? 'any'})`)
    throw new RequestError(
      401,
      'NoAuthProvider',
      names.length === 0
        ? 'No auth provider found matching the given token: auth.config has no providers.'
        : `No auth provider found matching the given token. Its \`iss\` and \`aud\` must match one of: ${names.join(', ')}.`,
    )
  }

  return async (token) => {
    const { provider, keys } = find(readUnverified(token))
    const payload = await verify(token, provider, keys, clock)
    return {
      identity: identityOf(payload as JWTPayload & { iss: string; sub: string }),
      expiresAtMs: payload.exp! * 1_000,
    }
  }
}

/** What the token says of itself: enough to choose a provider, and to insist on what production insists on. */
function readUnverified(token: string): JWTPayload {
  if (token.length > MAX_TOKEN_CHARACTERS) throw refused(`it is longer than ${MAX_TOKEN_CHARACTERS} characters`)
  let claims: JWTPayload
  let header: { kid?: unknown; typ?: unknown }
  try {
    claims = decodeJwt(token)
    header = decodeProtectedHeader(token)
  } catch (error) {
    throw refused(`it is no JWT (${(error as Error).message})`)
  }
  for (const name of ['kid', 'typ'] as const) if (typeof header[name] !== 'string') throw refused(`its header has no \`${name}\``)
  for (const name of ['iss', 'sub'] as const) {
    if (typeof claims[name] !== 'string' || claims[name] === '') throw refused(`the claim \`${name}\` is missing`)
  }
  return claims
}

async function verify(token: string, provider: TokenProvider, keys: JWTVerifyGetKey, clock: Clock): Promise<JWTPayload> {
  try {
    const { payload } = await jwtVerify(token, keys, {
      issuer: provider.issuer,
      algorithms: [provider.algorithm],
      requiredClaims: ['exp', 'sub'],
      currentDate: new Date(clock.now()),
      ...(provider.applicationID !== null && { audience: provider.applicationID }),
    })
    return payload
  } catch (error) {
    if (error instanceof errors.JWTExpired) throw refused('it has expired', 'TokenExpired')
    if (error instanceof errors.JWKSNoMatchingKey) throw refused(`issuer ${provider.issuer} has no key with its \`kid\``)
    if (error instanceof errors.JWTClaimValidationFailed) throw refused(`the claim \`${error.claim}\` is missing or wrong`)
    if (error instanceof errors.JOSEAlgNotAllowed) throw refused(`issuer ${provider.issuer} signs with ${provider.algorithm}`)
    if (error instanceof errors.JWSSignatureVerificationFailed) throw refused('its signature is wrong')
    if ([errors.JWTInvalid, errors.JWSInvalid, errors.JOSENotSupported].some((kind) => error instanceof kind))
      throw refused(`it is malformed (${(error as Error).message})`)
    // The token may be fine: the keys were not to be had, or are of no use.
    throw new RequestError(
      503,
      'AuthProviderUnavailable',
      `The keys of issuer ${provider.issuer} could not be used: ${(error as Error).message}`,
    )
  }
}

function refused(why: string, code: WireCode = 'InvalidAuthHeader'): RequestError {
  return new RequestError(401, code, `The token was refused: ${why}.`)
}
