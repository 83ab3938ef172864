/** The agent sync over the doubles: what each kind of change costs, what one bad agent may do, and how old the roster may get. */
import { describe, expect, it } from 'vitest'
import type { AgentReport, RosterEntry } from '@mission-control/shared/service-contract'
import { BrainError } from '../src/brain/errors.ts'
import type { Harness } from './doubles/harness.ts'
import { createHarness, rosterEntry } from './doubles/harness.ts'

const INTERVAL = 60_000
const GRACE = 5_000

const agent = (slug: string, patch: Partial<RosterEntry> = {}) => rosterEntry(slug, { id: `id-${slug}`, ...patch })
const syncOf = (h: Harness) => h.loops.period()?.sync.status()
const reportsOf = (h: Harness, id: string) =>
  h.brain.calls
    .filter(({ name }) => name === 'upsertHeartbeat')
    .flatMap(({ args }) => args['agents'] as AgentReport[])
    .filter(({ agentId }) => agentId === id)
const callsOf = (h: Harness, name: string) => h.brain.calls.filter((call) => call.name === name).length

async function started(roster: RosterEntry[], options: Parameters<typeof createHarness>[0] = {}): Promise<Harness> {
  const h = createHarness(options)
  h.brain.roster = roster
  await h.start()
  h.host.log.length = 0
  return h
}
let version = 100
async function change(h: Harness, roster: RosterEntry[]): Promise<void> {
  h.brain.roster = roster
  h.brain.setSignals({ rosterVersion: (version += 1) })
  await h.clock.settle()
}

describe('a change of the roster', () => {
  it('reaches gateway, files and schedule at once, many agents in one patch', async () => {
    const h = await started([agent('first')])
    const many = Array.from({ length: 30 }, (_, n) => agent(`many${n}`))
    await change(h, [agent('first'), ...many])
    expect(h.host.log.filter((line) => line.startsWith('put'))).toEqual([`put ${many.map(({ slug }) => slug).join(',')}`])
    expect(h.host.hosted.size).toBe(31)
    expect(h.loops.period()?.heartbeats.status().scheduled).toBe(31)
    expect(syncOf(h)).toMatchObject({
      counts: { added: 30, updated: 0, removed: 0, unchanged: 1, failed: 0 },
      lastError: null,
      lastSyncAt: h.clock.now(),
    })
    await h.stop()
  })

  const one = agent('one')
  it.each<[string, Partial<RosterEntry>, string[]]>([
    ['permissions', { permissions: { ...one.permissions, canMarkDone: true } }, ['write one']],
    ['the lead', { lead: true }, ['write one']],
    ['the profile', { profileHash: 'h2' }, ['write one']],
    ['the model', { model: 'provider/other' }, ['put one']],
    ['the name', { name: 'Other' }, ['write one', 'put one']],
    ['the interval', { heartbeatMinutes: 720 }, []],
    ['pausing', { paused: true }, []],
    ['the last heartbeat', { lastHeartbeatSlot: 1 }, []],
  ])('writes only what says so: %s', async (_, patch, log) => {
    const h = await started([one, agent('two')])
    await change(h, [{ ...one, ...patch }, agent('two')])
    expect(h.host.log).toEqual(log)
    expect(syncOf(h)?.counts).toMatchObject({ updated: log.length > 0 ? 1 : 0, unchanged: log.length > 0 ? 1 : 2 })
    await change(h, [{ ...one, ...patch }, agent('two')])
    expect(h.host.log).toEqual(log)
    await h.stop()
  })

  it('of permissions stands in the file that says what the agent may do', async () => {
    const h = await started([one])
    expect(h.host.files.get('one')?.['TOOLS.md']).toContain('- close tasks (move them to done)\n')
    await change(h, [{ ...one, permissions: { ...one.permissions, canMarkDone: true } }])
    expect(h.host.files.get('one')?.['TOOLS.md']).toContain('- close a task that is in review')
    await h.stop()
  })

  it('that pauses an agent takes it off the schedule, and back on when it is resumed', async () => {
    const h = await started([one, agent('two')])
    const scheduled = () => h.loops.period()?.heartbeats.status().scheduled
    await change(h, [{ ...one, paused: true }, agent('two')])
    expect(scheduled()).toBe(1)
    await change(h, [one, agent('two')])
    expect(scheduled()).toBe(2)
    await h.stop()
  })

  it('while a pass runs is followed by another pass, never by one beside it', async () => {
    const h = await started([one])
    const before = callsOf(h, 'list')
    const answer = h.brain.holdAnswer('list')
    await change(h, [one, agent('two')])
    for (let n = 0; n < 5; n += 1) await change(h, [one, agent('two'), agent('three')])
    expect(callsOf(h, 'list')).toBe(before + 1)
    answer()
    await h.clock.advance(1_000)
    expect(h.host.hosted.has('three')).toBe(true)
    expect(callsOf(h, 'list')).toBe(before + 2)
    await h.stop()
  })
})

describe('one bad agent', () => {
  const good = Array.from({ length: 60 }, (_, n) => agent(`good${n}`))

  it('whose profile cannot be read keeps no other away, and says so', async () => {
    const h = await started([agent('first')])
    h.brain.fault = (name, args) =>
      name === 'profiles' && (args['ids'] as string[]).includes('id-bad')
        ? new BrainError('server', 'CONVEX_UNREACHABLE', 'The backend failed: too many bytes read')
        : null
    await change(h, [agent('first'), ...good, agent('bad')])
    expect(h.host.hosted.size).toBe(61)
    expect(h.host.hosted.has('bad')).toBe(false)
    expect(syncOf(h)).toMatchObject({
      counts: { added: 60, failed: 1 },
      lastError: expect.stringContaining('too many bytes') as string,
    })
    expect(reportsOf(h, 'id-bad')).toMatchObject([
      { status: 'error', reason: expect.stringContaining('too many bytes') as string },
    ])
    expect(h.reasons().join()).toContain('bad')
    h.brain.fault = null
    await h.clock.advance(INTERVAL)
    expect(h.host.hosted.has('bad')).toBe(true)
    expect(reportsOf(h, 'id-bad').at(-1)).toMatchObject({ status: 'online' })
    expect(h.reasons()).toEqual([])
    await h.stop()
  })

  it('whose folder cannot be written keeps no other away, and says so', async () => {
    const h = await started([agent('first')])
    h.host.unwritable.add('bad')
    await change(h, [agent('bad'), ...good, agent('first')])
    expect([h.host.hosted.size, h.host.hosted.has('bad')]).toEqual([61, false])
    expect(reportsOf(h, 'id-bad')).toMatchObject([{ status: 'error', reason: 'the folder of bad cannot be written' }])
    expect(syncOf(h)?.counts).toMatchObject({ added: 60, failed: 1 })
    h.host.unwritable.clear()
    await h.clock.advance(INTERVAL)
    expect(h.host.hosted.has('bad')).toBe(true)
    await h.stop()
  })

  it('that the gateway refuses costs a few more patches, not one for each of the others', async () => {
    const h = await started([agent('first')])
    h.host.bad.add('bad')
    await change(h, [...good.slice(0, 40), agent('bad'), ...good.slice(40), agent('first')])
    expect([h.host.hosted.size, h.host.hosted.has('bad')]).toEqual([61, false])
    const puts = h.host.log.filter((line) => line.startsWith('put')).length
    expect(puts).toBeLessThanOrEqual(1 + 2 * Math.ceil(Math.log2(61)))
    expect(reportsOf(h, 'id-bad')).toMatchObject([{ status: 'error', reason: 'the gateway refuses bad' }])
    await h.stop()
  })

  it('does not make a backend that is away look like bad profiles', async () => {
    const h = await started([agent('first')])
    h.brain.fault = (name) => (name === 'profiles' ? new BrainError('unreachable', 'CONVEX_UNREACHABLE', 'no answer') : null)
    const before = callsOf(h, 'profiles')
    await change(h, [agent('first'), ...good])
    expect(callsOf(h, 'profiles')).toBe(before + 2) // those that were on their way at once; none is asked for alone
    expect(syncOf(h)?.lastError).toBe('no answer')
    expect(good.flatMap(({ id }) => reportsOf(h, id))).toEqual([])
    h.brain.fault = null
    await h.clock.advance(INTERVAL)
    expect(h.host.hosted.size).toBe(61)
    await h.stop()
  })
})

describe('how old the roster may get', () => {
  const lost = new BrainError('unreachable', 'CONVEX_UNREACHABLE', 'lost')

  it.each([5_000, INTERVAL, 600_000])(
    'is bounded by an interval of %d ms when every hint is lost',
    async (agentSyncIntervalMs) => {
      const h = await started([agent('one')], { agentSyncIntervalMs })
      h.brain.silent = true
      h.brain.fault = (name) => (name === 'checkIn' ? lost : null)
      await h.clock.advance(3 * agentSyncIntervalMs + 1_234)
      h.brain.roster = [agent('one'), agent('two')]
      h.brain.setSignals({ rosterVersion: (version += 1) })
      await h.clock.advance(agentSyncIntervalMs + GRACE)
      expect(h.host.hosted.has('two')).toBe(true)
      await h.stop()
    },
  )

  it('goes on being bounded when a question is lost, too', async () => {
    const h = await started([agent('one')])
    h.brain.silent = true
    h.brain.fault = (name) => (name === 'checkIn' || name === 'signals' ? lost : null)
    await h.clock.advance(10 * INTERVAL)
    // Asked again with growing pauses, not all the time.
    expect(callsOf(h, 'signals')).toBeLessThan(25)
    h.brain.fault = (name) => (name === 'checkIn' ? lost : null)
    h.brain.roster = [agent('one'), agent('two')]
    h.brain.setSignals({ rosterVersion: (version += 1) })
    await h.clock.advance(INTERVAL)
    expect(h.host.hosted.has('two')).toBe(true)
    await h.stop()
  })

  it('costs nothing while check-ins are answered', async () => {
    const h = await started([agent('one', { paused: true })])
    await h.clock.advance(1_000)
    h.newCalls()
    await h.clock.advance(10 * INTERVAL)
    expect(new Set(h.newCalls())).toEqual(new Set(['checkIn']))
    await h.stop()
  })
})

describe('an agent with another slug', () => {
  const old = agent('old', { id: 'a1' })
  const renamed = agent('new', { id: 'a1' })

  it('keeps its workspace; the gateway gets the new one and forgets the old', async () => {
    const h = await started([old])
    await change(h, [renamed])
    expect(h.host.log).toEqual(['move old new', 'write new', 'put new', 'remove old'])
    expect([...h.host.hosted.keys()]).toEqual(['new'])
    expect(h.host.workspaces.has('old')).toBe(false)
    await h.stop()
  })

  it('waits for the turn that still runs under the old one, and so do turns for the new one', async () => {
    const h = await started([old])
    h.turns.auto = null
    h.brain.add('old/t1', 'hello')
    await h.clock.settle()
    await change(h, [renamed])
    const next = h.brain.add('new/t2', 'for the new one')
    await h.clock.advance(120_000)
    expect(h.host.log).toEqual([])
    expect(next.item).toMatchObject({ state: 'claimed', attempts: 1 })
    h.turns.auto = () => (h.host.hosted.has('new') ? 'known' : 'unknown')
    for (const turn of h.turns.running.values()) turn.reply('done')
    await h.clock.advance(INTERVAL)
    expect(h.host.log).toEqual(['move old new', 'write new', 'put new', 'remove old'])
    expect(next.replies).toEqual(['known'])
    await h.stop()
  })

  it('that another one had gets nothing of it: the gateway forgets the other first', async () => {
    const [a, b] = [agent('a', { id: 'a1' }), agent('b', { id: 'b1' })]
    const h = await started([a, b])
    await change(h, [agent('b', { id: 'a1' }), agent('a', { id: 'b1' })])
    expect(h.host.log.slice(0, 4)).toEqual(['remove b', 'remove a', 'move a b', 'move b a'])
    expect(syncOf(h)).toMatchObject({ counts: { failed: 0, updated: 2 }, lastError: null })
    expect([h.host.workspaces.get('a'), h.host.workspaces.get('b')]).toEqual(['soul of b1', 'soul of a1'])
    h.host.log.length = 0
    await change(h, [agent('b', { id: 'a1' }), agent('a', { id: 'b1' })])
    expect(h.host.log).toEqual([])
    await h.stop()
  })

  it('and one that is made anew under the slug of a removed one are told apart, also when nobody looked in between', async () => {
    const h = await started([agent('a', { id: 'a1' })])
    await change(h, [agent('a', { id: 'a2' })])
    expect(h.host.log).toEqual(['remove a', 'write a', 'put a'])
    h.host.gatewayThere = false
    await change(h, [agent('a', { id: 'a3' })])
    h.host.gatewayThere = true
    h.host.log.length = 0
    h.turns.setState({ up: false, reason: 'away' })
    h.turns.setState({ up: true, reason: null })
    await h.clock.settle()
    expect(h.host.log).toEqual(['remove a', 'put a'])
    await h.stop()
  })

  it('is remembered as ours to remove over a restart', async () => {
    const h = await started([old, agent('other')])
    h.host.stuck.add('old')
    await change(h, [renamed, agent('other')])
    expect(syncOf(h)?.lastError).toContain('cannot be removed')
    await h.stop()
    h.host.stuck.clear()
    const remembered = new Set((await h.host.readApplied()).map(({ slug }) => slug))
    h.host.isOurs = (slug) => remembered.has(slug) // as a new process, which knows only what was written down
    const second = createHarness({ brain: h.brain, clock: h.clock, host: h.host })
    await second.start()
    expect([...h.host.hosted.keys()].sort()).toEqual(['new', 'other'])
    await second.stop()
  })
})
