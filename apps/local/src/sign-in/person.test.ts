import { describe, expect, it } from 'vitest'
import { parseLifetime } from './lifetime.ts'
import { LOCAL_IDENTITY, OWNER, personFrom, userIdOf } from './person.ts'

describe('whom a token names', () => {
  it.each([
    [{}, { subject: 'you', name: 'You', email: null }],
    [{ subject: 'you' }, { subject: 'you', name: 'You', email: null }],
    [
      { subject: 'you', name: 'Ada', email: 'a@b.c' },
      { subject: 'you', name: 'Ada', email: 'a@b.c' },
    ],
    [{ name: 'Ada Lovelace' }, { subject: 'ada-lovelace', name: 'Ada Lovelace', email: null }],
    [{ name: ' Zoë ' }, { subject: 'zoë', name: 'Zoë', email: null }],
    [
      { name: 'Ada', email: 'Ada@example.org' },
      { subject: 'ada', name: 'Ada', email: 'Ada@example.org' },
    ],
    [{ email: 'Ada@example.org' }, { subject: 'ada@example.org', name: null, email: 'Ada@example.org' }],
    [
      { subject: 'google-oauth2|1', name: 'Ada' },
      { subject: 'google-oauth2|1', name: 'Ada', email: null },
    ],
  ])('%j', (given, person) => expect(personFrom(given)).toEqual(person))

  it.each([
    [{ name: 'You' }, '--name You would be the owner of this stack: say --subject you if that is meant.'],
    [{ name: '!?' }, '--name has no letter in it: say who it is with --subject, e.g. --subject ada.'],
    [{ name: '' }, '--name is empty: leave it out, or say who it is.'],
    [{ subject: ' ' }, '--subject is empty: leave it out, or say who it is.'],
    [{ subject: 'ada lovelace' }, '--subject must have no spaces, e.g. --subject ada.'],
    [{ subject: 'a', name: 'A\nB' }, '--name must be one line of at most 200 characters.'],
    [{ subject: 'a'.repeat(201) }, '--subject must be one line of at most 200 characters.'],
    [{ email: 'nobody' }, '--email must be one address, e.g. --email ada@example.org.'],
  ])('refuses %j', (given, sentence) => expect(() => personFrom(given)).toThrow(sentence))

  it('is the same person as the one the admin key vouches for', () => {
    expect(LOCAL_IDENTITY).toMatchObject({ subject: OWNER.subject, name: OWNER.name })
    expect(userIdOf(OWNER)).toBe(`${LOCAL_IDENTITY.issuer}|${LOCAL_IDENTITY.subject}`)
  })
})

describe('for how long', () => {
  it.each([
    ['1m', 60_000],
    ['12h', 43_200_000],
    ['30d', 2_592_000_000],
    ['90d', 7_776_000_000],
  ])('%s', (text, ms) => expect(parseLifetime(text)).toBe(ms))
  it.each(['', '0h', '1', '1y', '-1h', '1.5h', '1h30m', '1e3d', 'h'])('refuses %j', (text) =>
    expect(() => parseLifetime(text)).toThrow('Give the time as minutes, hours or days: 45m, 12h, 30d.'),
  )
  it.each(['91d', '2161h', '999999d'])('refuses %s, more than the maximum', (text) =>
    expect(() => parseLifetime(text)).toThrow('A token is good for 90 days at most.'),
  )
})
