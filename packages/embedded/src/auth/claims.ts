/** From the claims of a verified token to the identity functions see. */
import type { JWTPayload } from 'jose'
import { isObject, type Json, type JsonObject } from '../values/json.ts'

/** OpenID Connect's names and Convex's. Claims not listed keep their name. */
const NAMES: Readonly<Record<string, string>> = {
  given_name: 'givenName',
  family_name: 'familyName',
  preferred_username: 'preferredUsername',
  profile: 'profileUrl',
  picture: 'pictureUrl',
  email_verified: 'emailVerified',
  birthdate: 'birthday',
  zoneinfo: 'timezone',
  locale: 'language',
  phone_number: 'phoneNumber',
  phone_number_verified: 'phoneNumberVerified',
  updated_at: 'updatedAt',
}
/** About the token, not about the user. */
const REGISTERED: ReadonlySet<string> = new Set(['iss', 'sub', 'aud', 'exp', 'nbf', 'iat', 'jti'])

/** Nested claims become dotted keys, as Convex does for custom JWTs: `identity['properties.id']`. */
export function identityOf(claims: JWTPayload & { iss: string; sub: string }): JsonObject {
  const { iss: issuer, sub: subject } = claims
  const custom: [string, Json][] = []
  for (const [name, value] of Object.entries(claims)) if (!REGISTERED.has(name)) flatten(name, value as Json, custom)
  const standard = custom.flatMap(([name, value]): [string, Json][] =>
    Object.hasOwn(NAMES, name) ? [[NAMES[name]!, name === 'updated_at' ? timeText(value) : value]] : [],
  )
  const other = custom.filter(([name]) => !Object.hasOwn(NAMES, name))
  // Last wins: no claim can pass itself off as a verified email or as another user.
  return Object.fromEntries([
    ...other,
    ...standard,
    ['issuer', issuer],
    ['subject', subject],
    ['tokenIdentifier', `${issuer}|${subject}`],
  ])
}

function flatten(name: string, value: Json, into: [string, Json][]): void {
  if (!isObject(value)) return void into.push([name, value])
  for (const [field, child] of Object.entries(value)) flatten(`${name}.${field}`, child, into)
}

/** OpenID Connect has seconds since the epoch here, Convex has text. */
function timeText(value: Json): Json {
  return typeof value === 'number' && Math.abs(value) < 8.64e12 ? new Date(value * 1_000).toISOString() : value
}
