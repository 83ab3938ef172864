/** The environment, as a broken template or a hostile deployment might set it: a configuration, or sentences that name no secret. */
import { fuzzRuns, hostileText, inTime, pumped } from '@mission-control/shared/fuzz'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { ConfigError, loadConfig } from './load.ts'
import { VARIABLES } from './variables.ts'

const TOKEN = `mcs_abc1_${'x'.repeat(43)}`
const VALID: Record<string, string> = { ACCOUNT_ID: 'abc1', CONVEX_URL: 'http://127.0.0.1:3210', SERVICE_TOKEN: TOKEN }
const SECRETS = VARIABLES.filter(({ kind }) => kind === 'secret' || kind === 'token').map(({ name }) => name)

const value = fc.oneof(
  hostileText(['http://', 'ws://', '[::1]', ':', '@', '/', '..', '0', '-1', '99999999999999999999', 'mcs_abc1_', 'info']),
  fc.constantFrom(
    '0',
    '1',
    '-1',
    '65535',
    '99999999999999999999',
    '1e3',
    'true',
    'http://[',
    'ws://x:99999',
    'http://u:p@h/',
    'mcs__',
  ),
)
const environment = fc
  .dictionary(fc.constantFrom(...VARIABLES.map(({ name }) => name)), value, { maxKeys: 8 })
  .chain((set) =>
    fc
      .subarray(Object.keys(VALID), { minLength: 2 })
      .map((kept) => ({ ...set, ...Object.fromEntries(kept.map((name) => [name, VALID[name] ?? ''])) })),
  )

/** Sentences, or null when the environment was taken. */
function problems(env: Record<string, string>): readonly string[] | null {
  try {
    const { config, warnings } = loadConfig(env, '1.2.3')
    for (const sentence of warnings) expect(sentence).toMatch(/\.$/)
    for (const number of Object.values(config)) if (typeof number === 'number') expect(Number.isFinite(number)).toBe(true)
    return null
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
}

it('any environment is taken, or refused in sentences', () => {
  let taken = 0
  fc.assert(
    fc.property(environment, (env) => {
      const found = problems(env)
      if (found === null) taken += 1
      else expect(found.length).toBeGreaterThan(0)
      for (const sentence of found ?? []) expect(sentence).toMatch(/^[A-Z_]+ /)
    }),
    fuzzRuns(300),
  )
  expect(taken).toBeGreaterThan(20) // or only refusals were looked at
})

it('no problem and no warning says a secret, wherever it was put', () => {
  const secret = fc
    .string({ unit: fc.constantFrom(...'abcXYZ019-_'), minLength: 6, maxLength: 30 })
    .map((text) => `canary${text}`)
  fc.assert(
    fc.property(fc.constantFrom(...SECRETS), secret, environment, (name, text, env) => {
      const given = { ...env, [name]: text }
      expect(JSON.stringify(problems(given))).not.toContain('canary')
    }),
    fuzzRuns(200),
  )
})

it('takes time in proportion to a value', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...VARIABLES.map(({ name }) => name)),
      pumped(['/', 'a', ':', '.', '-', '0', '\n', ' '], 100_000),
      (name, text) => {
        inTime(() => problems({ ...VALID, [name]: text }))
      },
    ),
    fuzzRuns(40),
  )
})
