/** Whom a token of the local issuer names. */
import { LOCAL_ISSUER } from '@mission-control/shared/local-issuer'
import type { UserIdentityAttributes } from 'convex/server'

export interface Person {
  /** Who it is: with the issuer it makes the user id of everything this person does. */
  readonly subject: string
  /** What others read. */
  readonly name: string | null
  /** Whoever mints tokens vouches for it: invitations to this address are theirs. */
  readonly email: string | null
}

/** The person in front of this machine: owner of the account that the stack makes. */
export const OWNER: Person = { subject: 'you', name: 'You', email: null }

/** As functions see the owner. With a token or with the admin key: the same person. */
export const LOCAL_IDENTITY = {
  ...{ issuer: LOCAL_ISSUER, subject: 'you', name: 'You' },
} as const satisfies UserIdentityAttributes

export const userIdOf = ({ subject }: Person): string => `${LOCAL_ISSUER}|${subject}`

const MAX_CHARS = 200 // of a name in the backend

/**
 * The owner, unless anything is said: a name or an address alone must never be the owner under another name, so whoever has no subject
 * gets one made from them.
 * @throws Error with one sentence
 */
export function personFrom(given: {
  subject?: string | undefined
  name?: string | undefined
  email?: string | undefined
}): Person {
  const { subject, name, email } = given
  if (subject === undefined && name === undefined && email === undefined) return OWNER
  for (const [flag, text] of Object.entries({ subject, name, email })) {
    if (text === undefined) continue
    if (text.trim() === '') throw new Error(`--${flag} is empty: leave it out, or say who it is.`)
    if (text.length > MAX_CHARS || /\p{Cc}/u.test(text))
      throw new Error(`--${flag} must be one line of at most ${MAX_CHARS} characters.`)
  }
  if (subject !== undefined && /\s/.test(subject)) throw new Error('--subject must have no spaces, e.g. --subject ada.')
  if (email !== undefined && !/^[^\s@]+@[^\s@]+$/.test(email))
    throw new Error('--email must be one address, e.g. --email ada@example.org.')
  const made = subject ?? slug(name ?? '') ?? email?.toLowerCase()
  if (made === undefined) throw new Error('--name has no letter in it: say who it is with --subject, e.g. --subject ada.')
  if (subject === undefined && made === OWNER.subject)
    throw new Error(`--name ${name} would be the owner of this stack: say --subject ${OWNER.subject} if that is meant.`)
  return { subject: made, name: name?.trim() ?? (made === OWNER.subject ? OWNER.name : null), email: email ?? null }
}

function slug(name: string): string | undefined {
  const text = name
    .normalize('NFC')
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, '-')
    .replace(/^-|-$/g, '')
  return text === '' ? undefined : text
}
