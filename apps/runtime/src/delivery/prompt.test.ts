import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DELIVERY_TYPES } from '@mission-control/shared/enums'
import type { DeliveryType } from '@mission-control/shared/enums'
import { fuzzRuns } from '@mission-control/shared/fuzz'
import type { ClaimedItem } from '@mission-control/shared/service-contract'
import { INJECTIONS } from '../agent-texts/injections.fixture.ts'
import { PROMPT_VERSION } from '../agent-texts/rules.ts'
import { turnPrompt } from './prompt.ts'
import { CASES, HEARTBEAT, itemOf, said } from './prompt.fixture.ts'

/**
 * What each version says, by a hash of all golden prompts. Entries are added and never changed: whoever changes a prompt raises
 * PROMPT_VERSION and writes the new hash beside it.
 */
const SAID_BY_VERSION: Readonly<Record<number, string>> = {
  2: '5de194e047fc41f1',
}

const goldenOf = (type: DeliveryType): string =>
  Object.entries(CASES[type])
    .map(([name, item]) => `======== ${name} ========\n${turnPrompt(item)}\n`)
    .join('\n')

describe('the prompt of a turn', () => {
  it.each(DELIVERY_TYPES)('of type %s stands in its golden file', async (type) => {
    await expect(goldenOf(type)).toMatchFileSnapshot(`golden/${type}.txt`)
  })

  it('says nothing else without another version', () => {
    const all = createHash('sha256').update(DELIVERY_TYPES.map(goldenOf).join()).digest('hex').slice(0, 16)
    expect(SAID_BY_VERSION[PROMPT_VERSION]).toBe(all)
  })

  it.each(DELIVERY_TYPES)('carries type, title, body, task, status, delivery, turn and version: %s', (type) => {
    const item = itemOf(type, { body: 'The very text.', title: 'The very title' })
    const prompt = turnPrompt(item)
    const { task } = item.context
    for (const part of [
      `# ${type}\n- title: "The very title"`,
      '- delivery: d1 (attempt 1)',
      '- turn: k7q2zx',
      `- task: t1, status ${task?.status}, priority 2, title "Ship it"`,
      `- prompt: version ${PROMPT_VERSION}`,
      '> The very text.',
      'Pass "k7q2zx" as the argument `turn`',
    ]) {
      expect(prompt).toContain(part)
    }
  })

  it('names only sections that are there', () => {
    for (const item of DELIVERY_TYPES.flatMap((type) => Object.values(CASES[type]))) {
      const prompt = turnPrompt(item)
      const named = [...prompt.matchAll(/under "([^"]+)"/g)].map(([, name]) => name)
      for (const name of named) expect(prompt).toContain(`\n## ${name}\n`)
    }
  })

  it('never offers silence where an answer is owed, and never asks for a reply in a thread there is not', () => {
    for (const type of DELIVERY_TYPES) {
      const owed = ['assignment', 'continuation', 'response_request'].includes(type)
      expect([type, turnPrompt(itemOf(type)).includes('HEARTBEAT_OK')]).toEqual([type, !owed])
      expect(turnPrompt(itemOf(type, { task: null }))).not.toContain("posted in the task's thread")
    }
  })
})

/** The prompt without what stands on marked lines, in quotes and in the number of its fence. */
const structure = (prompt: string): string[] =>
  prompt
    .split(/\r\n|[\n\r\v\f\u0085\u2028\u2029]/)
    .filter((line) => line !== '>' && !line.startsWith('> '))
    .map((line) => line.replace(/"(?:[^"\\]|\\.)*"/g, '""').replace(/TEXT-k7q2zx(-\d+)?/g, 'TEXT'))

/** An item in which every text that others choose is the next one given. */
function filled(type: DeliveryType, next: () => string): ClaimedItem {
  const file = () => ({ name: next(), contentType: next(), size: 3 })
  const message = (id: string) => said(id, { type: 'user', name: next() }, next(), { attachments: [file(), file()] })
  return itemOf(
    type,
    {
      title: next(),
      body: next(),
      task: { id: 't1', title: next(), status: 'blocked', priority: 3, description: next(), blockedReason: next() },
      message: message('m2'),
      thread: [message('m0'), message('m1')],
      effectsDone: [next(), next()],
      voidEarlier: true,
      heartbeat:
        type !== 'heartbeat'
          ? null
          : {
              ...HEARTBEAT,
              assigned: [{ id: 't1', title: next(), status: 'assigned', priority: 1 }],
              recentActivity: [{ summary: next(), at: 0 }],
              unreadMentions: [{ taskId: 't1', title: next(), from: next(), at: 0 }],
              stale: [
                {
                  ...{ id: 't2', title: next(), status: 'blocked', priority: 1, quietMs: 1, blockedReason: next() },
                  assignees: [{ type: 'user', name: next() }],
                },
              ],
            },
    },
    { agent: { id: 'a1', slug: 'writer', name: next() } },
  )
}

describe('whatever others write', () => {
  const harmless = (type: DeliveryType) => structure(turnPrompt(filled(type, () => 'x')))
  const line = fc.oneof(
    fc.constantFrom(...INJECTIONS),
    fc.string({ unit: 'binary', minLength: 1 }),
    fc.array(fc.constantFrom('"', '\\', '\n', '\r', '\u2028', '>', '> ', '<<<', 'TEXT-k7q2zx', '-1', '>>>', '#', 'x'), {
      minLength: 1,
    }),
  )
  const hostile = line.map((text) => `${Array.isArray(text) ? text.join('') : text}x`)

  it.each(DELIVERY_TYPES)('changes no line of ours, opens no section and closes no fence: %s', (type) => {
    const expected = harmless(type)
    fc.assert(
      fc.property(fc.array(hostile, { minLength: 1, maxLength: 40 }), (texts) => {
        let n = 0
        const prompt = turnPrompt(filled(type, () => texts[n++ % texts.length] ?? 'x'))
        expect(structure(prompt)).toEqual(expected)
        const fence = /Text by others stands between `<<<([^`]+)`/.exec(prompt)?.[1] ?? 'no fence'
        const marked = prompt.split('\n').filter((text) => text.startsWith('>'))
        for (const text of marked) expect(text).not.toContain(fence)
      }),
      fuzzRuns(150),
    )
  })

  it('of each known injection, in every place at once', () => {
    for (const type of DELIVERY_TYPES) {
      for (const text of INJECTIONS) expect(structure(turnPrompt(filled(type, () => `${text}x`)))).toEqual(harmless(type))
    }
  })

  it('is what a person sees: no control, tag or direction character comes through', () => {
    const prompt = turnPrompt(filled('mention', () => INJECTIONS.join(' ')))
    expect(/[\p{Cc}\u202A-\u202E\u2066-\u2069\u{E0000}-\u{E01EF}\uFEFF\u200B]/u.exec(prompt.replace(/\n/g, ''))).toBeNull()
    expect(prompt.isWellFormed()).toBe(true)
    const family = 'ok \u{1F468}\u200D\u{1F469}\u200D\u{1F467} \u0646\u0645\u06CC\u200C\u062F\u0627\u0646\u0645\tand\ttabs'
    expect(turnPrompt(itemOf('mention', { body: family }))).toContain(`> ${family}\n`)
  })
})
