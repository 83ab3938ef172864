/** User identities as functions see them. */
import { RequestError } from '../errors.ts'
import type { JsonObject } from '../values/json.ts'

const DEFAULT_ISSUER = 'https://embedded.invalid'

/** Fills in what every identity has: `tokenIdentifier` is `issuer|subject`, as for a verified token. */
export function completeIdentity(attributes: JsonObject): JsonObject {
  const given = attributes['tokenIdentifier']
  const issuer = typeof attributes['issuer'] === 'string' ? attributes['issuer'] : DEFAULT_ISSUER
  const subject = typeof attributes['subject'] === 'string' ? attributes['subject'] : undefined
  if (subject === undefined && typeof given !== 'string') {
    throw new RequestError(400, 'InvalidIdentity', 'An identity to act as needs a `subject` or a `tokenIdentifier`.')
  }
  const tokenIdentifier = typeof given === 'string' ? given : `${issuer}|${subject}`
  return { ...attributes, issuer, subject: subject ?? tokenIdentifier, tokenIdentifier }
}
