import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatServiceToken, parseServiceToken, redactServiceTokens } from './service-token.ts'
import { parseSessionKey, refuseSlug, sessionKey } from './session-keys.ts'
import { refuseTaskMove, TASK_TRANSITIONS } from './tasks.ts'
import { TASK_STATUSES } from './enums.ts'
import { ERRORS, errorCode } from './errors.ts'

describe('session keys', () => {
  it('read back as they were written', () => {
    const id = fc.stringMatching(/^[0-9a-z]{4,32}$/)
    const slug = fc.stringMatching(/^[a-z][a-z0-9-]{1,39}$/)
    const name = fc.record({ slug, accountId: id, taskId: fc.option(id), generation: fc.integer({ min: 1, max: 99 }) })
    fc.assert(
      fc.property(name, (session) => {
        const expected = session.taskId === null ? { ...session, generation: 1 } : session
        expect(parseSessionKey(sessionKey(session))).toEqual(expected)
      }),
    )
  })
  it('are lower case', () => {
    expect(sessionKey({ slug: 'Writer', accountId: 'K57', taskId: 'T1', generation: 2 })).toBe('agent:writer:k57:task:t1:v2')
  })
  it.each([
    '',
    'writer',
    'agent:writer',
    'agent:writer:a:task:b:v0',
    'agent:writer:a:task:b:v1',
    'agent:Writer:a',
    'agent:writer:a:cron:b',
  ])('%j is none of ours', (key) => {
    expect(parseSessionKey(key)).toBeNull()
  })
})

it.each([
  ['writer', true],
  ['seo-expert', true],
  ['w', false],
  ['Writer', false],
  ['1st', false],
  ['main', false],
  ['all', false],
  ['a'.repeat(41), false],
])('slug %j is allowed: %s', (slug, allowed) => {
  expect(refuseSlug(slug) === null).toBe(allowed)
})

describe('service tokens', () => {
  const token = formatServiceToken('k57abc', new Uint8Array(32).fill(250))
  it('name their account and read back', () => {
    expect(parseServiceToken(token)).toMatchObject({ accountId: 'k57abc' })
    expect(parseServiceToken(`${token}x`)).toBeNull()
    expect(parseServiceToken('mcs_k57abc_short')).toBeNull()
    expect(() => formatServiceToken('k57abc', new Uint8Array(16))).toThrow(/32 random bytes/)
  })
  it('are redacted wherever they stand', () => {
    expect(redactServiceTokens(`{"serviceToken":"${token}"}`)).toBe('{"serviceToken":"mcs_k57abc_***"}')
  })
})

describe('task moves', () => {
  it('allow exactly the table', () => {
    for (const from of TASK_STATUSES) {
      for (const to of TASK_STATUSES) {
        const assignees = to === 'inbox' ? 0 : 1
        const refusal = refuseTaskMove({ from, to, assignees, reason: 'because' })
        expect(refusal === null, `${from} -> ${to}`).toBe(TASK_TRANSITIONS[from].includes(to))
      }
    }
  })
  it.each([
    [{ from: 'inbox', to: 'assigned', assignees: 0 }, /assignee/],
    [{ from: 'assigned', to: 'inbox', assignees: 1 }, /Remove the assignees/],
    [{ from: 'assigned', to: 'blocked', assignees: 1, reason: '  ' }, /reason/],
    [{ from: 'archived', to: 'inbox', assignees: 0 }, /final/],
  ] as const)('%j is refused in one sentence', (move, text) => {
    expect(refuseTaskMove(move)).toMatch(text)
  })
})

it('error codes are read out of what crosses the wire', () => {
  expect(errorCode({ data: { code: 'STALE_FENCE', message: 'x' } })).toBe('STALE_FENCE')
  expect(errorCode({ code: 'NOT_FOUND' })).toBe('NOT_FOUND')
  expect(errorCode({ data: { code: 'ELSE' } })).toBeNull()
  expect(errorCode(new Error('x'))).toBeNull()
  for (const info of Object.values(ERRORS)) expect(info.whatToDo).toMatch(/\.$/)
})
