/** Who a request speaks for: nobody, a user, the admin, or the admin acting as a user. */
import { RequestError } from '../errors.ts'
import { isObject, type Json, type JsonObject } from '../values/json.ts'
import { isAdminKey } from './admin-key.ts'
import { completeIdentity } from './identity.ts'
import type { VerifyToken } from './tokens.ts'

export interface Principal {
  identity: JsonObject | null
  /** Admin alone may call internal functions; acting as a user it goes through the user's guards on the public routes. */
  admin: boolean
  /** Wall clock, milliseconds: from then on the token behind the identity is worth nothing. Infinity for nobody and the admin. */
  expiresAtMs: number
}
export const NOBODY: Principal = { identity: null, admin: false, expiresAtMs: Infinity }
const ADMIN: Principal = { identity: null, admin: true, expiresAtMs: Infinity }
/** What credentials are checked against. */
export interface Authority {
  adminKey: string
  verifyToken: VerifyToken
}

/** Reads an `Authorization` header. Throws 401 for a wrong key or an unusable token. */
export async function authorizeHeader(authority: Authority, header: string | undefined): Promise<Principal> {
  if (header === undefined || header === '') return NOBODY
  const space = header.indexOf(' ')
  const scheme = header.slice(0, space === -1 ? undefined : space)
  const credentials = space === -1 ? '' : header.slice(space + 1).trim()
  if (scheme === 'Convex') return authorizeAdmin(authority.adminKey, credentials)
  if (scheme === 'Bearer') return authorizeToken(authority, credentials)
  throw new RequestError(401, 'BadAuthorization', 'The Authorization header must start with "Convex" or "Bearer".')
}

/** `<key>` or `<key>:<base64 JSON of identity attributes>`. */
export function authorizeAdmin(adminKey: string, credentials: string): Principal {
  const colon = credentials.indexOf(':', credentials.indexOf('|'))
  const key = colon === -1 ? credentials : credentials.slice(0, colon)
  if (!isAdminKey(adminKey, key)) throw new RequestError(401, 'BadAdminKey', 'The admin key is not the one of this backend.')
  if (colon === -1) return ADMIN
  return { identity: completeIdentity(parseIdentity(credentials.slice(colon + 1))), admin: true, expiresAtMs: Infinity }
}

/** The WebSocket form: key and identity attributes come separately. */
export function authorizeAdminMessage(adminKey: string, key: string, actingAs: Json | undefined): Principal {
  if (!isAdminKey(adminKey, key)) throw new RequestError(401, 'BadAdminKey', 'The admin key is not the one of this backend.')
  if (actingAs === undefined || actingAs === null) return ADMIN
  if (!isObject(actingAs)) throw new RequestError(400, 'InvalidIdentity', 'The identity to act as must be an object.')
  return { identity: completeIdentity(actingAs), admin: true, expiresAtMs: Infinity }
}

/** A user's JWT. */
export async function authorizeToken(authority: Authority, token: string): Promise<Principal> {
  return { ...(await authority.verifyToken(token)), admin: false }
}

function parseIdentity(encoded: string): JsonObject {
  try {
    const parsed = JSON.parse(Buffer.from(encoded, 'base64').toString('utf8')) as Json
    if (isObject(parsed)) return parsed
  } catch {
    // falls through to the refusal below: a broken encoding and a non-object are the same mistake
  }
  throw new RequestError(400, 'InvalidIdentity', 'The identity to act as must be base64 of a JSON object.')
}
