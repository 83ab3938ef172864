/** The parsers that backend, runtime and web share, on texts that no client of ours sends. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { canonicalJson } from '../src/canonical-json.ts'
import { errorCode } from '../src/errors.ts'
import { LIMITS } from '../src/limits.ts'
import { parseMentions } from '../src/mentions.ts'
import { formatServiceToken, parseServiceToken, redactServiceTokens } from '../src/service-token.ts'
import { parseSessionKey, refuseSlug, sessionKey } from '../src/session-keys.ts'
import { checkToolArgs, isToolName, TOOL_NAMES, TOOLS } from '../src/tools.ts'
import { fuzzRuns, hostileJson, hostileText, inTime, mostlyRecord, pumped } from './fuzz.ts'

/** More than any field holds: linear work takes milliseconds. */
const LONG = LIMITS.messageChars

describe('mentions', () => {
  const words = ['@', '"', '`', '``', '```', '~~~', '> ', '\n', ' ', 'a', '-', '_', '@all', '@"a b"', 'é', '.']

  it('are read out of any text, and stand in it', () => {
    fc.assert(
      fc.property(hostileText(words), (text) => {
        const { names } = parseMentions(text)
        const folded = text.replace(/\s+/g, ' ').toLowerCase()
        for (const { name } of names) {
          expect(folded).toContain(name)
          expect(name).toBe(name.trim())
          expect(name).not.toBe('')
        }
        expect(new Set(names.map(({ name, quoted }) => `${quoted} ${name}`)).size).toBe(names.length)
      }),
      fuzzRuns(1_000),
    )
  })

  it('take time in proportion to the longest message', () => {
    fc.assert(
      fc.property(pumped(words, LONG), (text) => void inTime(() => parseMentions(text))),
      fuzzRuns(60),
    )
  })

  it('take time in proportion to it also when no run of backticks has a partner', () => {
    let text = ''
    for (let run = 1; text.length < LONG; run += 1) text += `${'`'.repeat(run)}a`
    inTime(() => parseMentions(text))
  })
})

describe('session keys', () => {
  const words = ['agent:', ':task:', ':v', 'writer', 'a1', '0', '1', '2', '9', '-', ':']

  it('are read or refused, and what is read says the same again', () => {
    const almost = fc
      .tuple(hostileText(words, 8), hostileText(words, 8), fc.bigInt({ min: 0n, max: 10n ** 30n }))
      .map(([slug, id, generation]) => `agent:w${slug}:a${id}:task:t1:v${generation}`)
    fc.assert(
      fc.property(fc.oneof(almost, hostileText(words)), (text) => {
        const name = parseSessionKey(text)
        if (name !== null) expect(sessionKey(name)).toBe(text)
      }),
      fuzzRuns(1_000),
    )
  })

  it('take any slug that may be used', () => {
    fc.assert(
      fc.property(hostileText(words), (slug) => {
        const refusal = refuseSlug(slug)
        if (refusal !== null) return void expect(refusal).toMatch(/\.$/)
        const name = { slug, accountId: 'a1', taskId: 't1', generation: 2 }
        expect(parseSessionKey(sessionKey(name))).toEqual(name)
      }),
      fuzzRuns(500),
    )
  })

  it('take time in proportion to the text', () => {
    fc.assert(
      fc.property(pumped(words, LONG), (text) => void inTime(() => [parseSessionKey(text), refuseSlug(text)])),
      fuzzRuns(30),
    )
  })
})

describe('service tokens', () => {
  const account = fc.stringMatching(/^[0-9a-z]{1,64}$/)
  const secret = fc.uint8Array({ minLength: 32, maxLength: 32 })
  const words = ['mcs_', 'mcs_a_', '_', 'a', '-', 'A']

  it('read back as they were made; anything else is none', () => {
    fc.assert(
      fc.property(account, secret, hostileText(words), (accountId, bytes, text) => {
        const token = formatServiceToken(accountId, bytes)
        expect(parseServiceToken(token)).toMatchObject({ accountId })
        const parsed = parseServiceToken(text)
        if (parsed !== null) expect(`mcs_${parsed.accountId}_${parsed.secret}`).toBe(text)
      }),
      fuzzRuns(300),
    )
  })

  it('never survive the redaction, whatever stands around them', () => {
    fc.assert(
      fc.property(account, secret, hostileText(words), hostileText(words), (accountId, bytes, before, after) => {
        const token = formatServiceToken(accountId, bytes)
        for (const text of [`${before}${token}${after}`, JSON.stringify({ before, token, after }), `${token}${token}`]) {
          expect(redactServiceTokens(text)).not.toContain(token.slice(-43))
        }
      }),
      fuzzRuns(300),
    )
  })

  it('are looked for in time in proportion to the text', () => {
    fc.assert(
      fc.property(pumped(words, LONG), (text) => void inTime(() => redactServiceTokens(text))),
      fuzzRuns(30),
    )
  })
})

describe('arguments of tools', () => {
  const texts = fc.oneof(hostileText(), fc.constant('x'.repeat(LIMITS.documentBytes + 1)))
  const given = (name: (typeof TOOL_NAMES)[number]) =>
    mostlyRecord(
      Object.fromEntries(
        Object.entries(TOOLS[name].parameters.properties as Record<string, { type: string; enum?: readonly string[] }>).map(
          ([key, schema]) => [
            key,
            schema.enum
              ? fc.constantFrom(...schema.enum)
              : schema.type === 'integer'
                ? fc.integer({ min: -1, max: 60 })
                : schema.type === 'array'
                  ? fc.array(texts, { maxLength: 60 })
                  : texts,
          ],
        ),
      ),
    )
  const call = fc.constantFrom(...TOOL_NAMES).chain((name) => fc.tuple(fc.constant(name), fc.oneof(given(name), hostileJson())))

  it('are taken as they are or refused in one bounded sentence', () => {
    let taken = 0
    fc.assert(
      fc.property(call, ([name, args]) => {
        const checked = checkToolArgs(name, args)
        if (!checked.ok) {
          expect(checked.refusal.length).toBeLessThan(500)
          expect(checked.refusal).toMatch(/\.$/)
          return
        }
        taken += 1
        const { properties, required } = TOOLS[name].parameters
        expect(Object.keys(properties)).toEqual(expect.arrayContaining(Object.keys(checked.args)))
        expect(Object.keys(checked.args)).toEqual(expect.arrayContaining([...required]))
        expect(Object.keys(checked.args)).not.toContain('turn')
        for (const [key, value] of Object.entries(checked.args)) expect(value).toBe((args as Record<string, unknown>)[key])
      }),
      fuzzRuns(1_000),
    )
    expect(taken).toBeGreaterThan(50) // or the test looks at refusals only
  })

  it('names of tools are those of the table, not of the prototype', () => {
    fc.assert(
      fc.property(hostileText(), (name) => {
        expect(isToolName(name)).toBe((TOOL_NAMES as readonly string[]).includes(name))
      }),
      fuzzRuns(200),
    )
  })
})

it('canonical JSON is the same value, and the same text for the same value', () => {
  fc.assert(
    fc.property(hostileJson(), (value) => {
      const text = canonicalJson(value)
      expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)))
      expect(canonicalJson(JSON.parse(text))).toBe(text)
    }),
    fuzzRuns(500),
  )
})

it('codes are read out of whatever was thrown', () => {
  fc.assert(
    fc.property(fc.oneof(hostileJson(['code', 'data']), fc.anything()), (thrown) => {
      expect(['string', 'object']).toContain(typeof errorCode(thrown))
    }),
    fuzzRuns(500),
  )
})
