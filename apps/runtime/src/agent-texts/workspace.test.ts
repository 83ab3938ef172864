import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DELIVERY_TYPES, PERMISSIONS } from '@mission-control/shared/enums'
import type { RosterEntry } from '@mission-control/shared/service-contract'
import { serverName } from '@mission-control/openclaw/config/agents'
import { turnPrompt } from '../delivery/prompt.ts'
import { itemOf } from '../delivery/prompt.fixture.ts'
import { INJECTIONS } from './injections.fixture.ts'
import { PERMISSION_RULES } from './rules.ts'
import { filesKey, workspaceFiles } from './workspace.ts'

const NO_PROFILE = { soul: '', identity: '', user: '' }
const all = (value: boolean) => Object.fromEntries(PERMISSIONS.map((name) => [name, value])) as RosterEntry['permissions']
const writer: RosterEntry = {
  ...{
    id: 'a1',
    slug: 'writer',
    name: 'Writer',
    role: 'writes',
    sessionKey: 'agent:writer:a',
    heartbeatMinutes: 15,
    paused: false,
  },
  ...{ permissions: all(false), model: null, lead: false, profileHash: 'h', lastHeartbeatSlot: null },
}
const lead: RosterEntry = { ...writer, slug: 'lead', name: 'Lead', role: 'leads', lead: true, permissions: all(true) }

describe('the files of a workspace', () => {
  it.each([writer, lead])('stand in their golden file: $slug', async (agent) => {
    const files = Object.entries(workspaceFiles(agent, NO_PROFILE))
    const all = files.map(([name, text]) => `======== ${name} ========\n${text}`).join('\n')
    await expect(all).toMatchFileSnapshot(`golden/${agent.slug}.txt`)
  })

  it('say of every permission whether the agent has it, and name its own tools only', () => {
    for (const permission of PERMISSIONS) {
      const tools = workspaceFiles({ ...writer, permissions: { ...all(false), [permission]: true } }, NO_PROFILE)['TOOLS.md']
      for (const other of PERMISSIONS) {
        const { may, mayNot } = PERMISSION_RULES[other]
        expect([other, tools.includes(`- ${may}\n`), tools.includes(`- ${mayNot}\n`)]).toEqual([
          ...[other, other === permission, other !== permission],
        ])
      }
    }
    const long = { ...writer, slug: 'a-very-long-slug-of-some-forty-characters' }
    expect(workspaceFiles(long, NO_PROFILE)['TOOLS.md']).toContain(`\`${serverName(long.slug)}__task_get\``)
  })

  it('have a key that changes exactly when one of them would', () => {
    const entry = fc.record({
      ...{ id: fc.constant('a1'), sessionKey: fc.constantFrom('k1', 'k2'), heartbeatMinutes: fc.constantFrom(15, 20) },
      ...{ paused: fc.boolean(), model: fc.constantFrom(null, 'm'), lastHeartbeatSlot: fc.constantFrom(null, 1) },
      ...{ slug: fc.constantFrom('writer', 'editor'), name: fc.constantFrom('Writer', 'Editor'), lead: fc.boolean() },
      ...{ role: fc.constantFrom('writes', 'edits'), profileHash: fc.constant('h') },
      permissions: fc.record(Object.fromEntries(PERMISSIONS.map((name) => [name, fc.boolean()]))),
    }) as fc.Arbitrary<RosterEntry>
    fc.assert(
      fc.property(entry, entry, (one, two) => {
        const same = JSON.stringify(workspaceFiles(one, NO_PROFILE)) === JSON.stringify(workspaceFiles(two, NO_PROFILE))
        expect(filesKey(one) === filesKey(two)).toBe(same)
      }),
    )
    expect(filesKey({ ...writer, profileHash: 'h2' })).not.toBe(filesKey(writer))
  })

  it('keep their lines, whatever an agent is called', () => {
    const lines = (agent: RosterEntry) => Object.values(workspaceFiles(agent, NO_PROFILE)).map((text) => text.split('\n').length)
    for (const text of INJECTIONS) expect(lines({ ...lead, name: text, role: text })).toEqual(lines(lead))
  })

  it('take the profile as it is', () => {
    const files = workspaceFiles(writer, { soul: '# Me\n\nI write.', identity: 'Writer', user: 'Ada' })
    expect(files).toMatchObject({ 'SOUL.md': '# Me\n\nI write.\n', 'IDENTITY.md': 'Writer\n', 'USER.md': 'Ada\n' })
  })

  it('say no rule in other words than the prompts: what both tell stands in both, word for word', () => {
    const files = Object.values(workspaceFiles(lead, NO_PROFILE))
      .join('\n')
      .split(/\n|(?<=[.:]) /)
    const prompts = DELIVERY_TYPES.map((type) => turnPrompt(itemOf(type))).join('\n')
    const shared = files.filter((sentence) => sentence.length > 40 && prompts.includes(sentence))
    expect(shared.length).toBeGreaterThanOrEqual(4)
    // Words by which a rule would be recognised; each may stand in one sentence only.
    for (const word of ['HEARTBEAT_OK', 'argument `turn`', 'double quotes']) {
      const sentences = [...files, ...prompts.split(/\n|(?<=[.:]) /)].filter((sentence) => sentence.includes(word))
      const wordings = new Set(
        sentences.map((sentence) =>
          sentence
            .replace(/^- /, '')
            .replace(/TEXT-(k7q2zx|CODE)/g, 'TEXT')
            .replace(/"k7q2zx"|the turn's code, which stands at the top of the message,/, 'CODE')
            .trim(),
        ),
      )
      expect([word, wordings.size]).toEqual([word, 1])
    }
  })
})
