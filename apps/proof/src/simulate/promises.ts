/**
 * The backend's side of a call, with what each single answer promises: checked against the rows before and after it, by code that knows
 * none of the backend's. Also writes the ledger, from which the end of a history is judged.
 */
import assert from 'node:assert/strict'
import { ConvexError } from 'convex/values'
import { periodStart } from '@mission-control/shared/budgets'
import { errorCode } from '@mission-control/shared/errors'
import { ORPHAN_MS } from '@mission-control/shared/lanes/policy'
import type { CheckInArgs, HelloResult, SettledOne, SettleResult } from '@mission-control/shared/service-contract'
import type { Simulation } from '@mission-control/backend/proof/simulation'
import { noteContinuation, noteShown } from '@mission-control/backend/proof/simulation'
import type { Claimed } from '@mission-control/backend/proof/simulation'
import type { Doc, Id } from '@mission-control/backend/convex/_generated/dataModel'
import type { BackendPart } from './backend.ts'
import type { Outcome } from './network.ts'
import type { Part } from './time.ts'
import type { Moment } from './weather.ts'

export interface ServeDeps {
  readonly backend: BackendPart
  readonly history: () => Simulation
  readonly violate: (invariant: string, detail: string) => void
  /** Counts what the seed has met. */
  readonly met: (what: string) => void
  readonly moment: (moment: Moment, part: Part) => void
}

type Args = Record<string, unknown>
type Item = Doc<'deliveries'>
type End = 'settle' | 'fail' | 'release'

/** Whether a run counts as a turn: from its claim on where a cap was set by then, otherwise once it has ended and something was sent. */
const isTurn = ({ outcome, sentAt, turnCounted }: Doc<'agentRuns'>): boolean =>
  outcome === 'open' ? turnCounted : outcome === 'failed' ? sentAt !== null : outcome !== 'released' && outcome !== 'orphaned'

export function createServe({ backend, history, violate, met, moment }: ServeDeps) {
  const { engine } = backend
  /** Heartbeats that were begun, by agent and slot. */
  const begun = new Set<string>()
  const rowsOf = <T>(table: string): readonly T[] => backend.rows(table) as readonly T[]
  const itemOf = (id: unknown): Item | null => rowsOf<Item>('deliveries').find(({ _id }) => _id === id) ?? null

  async function run(kind: 'query' | 'mutation', name: string, args: Args): Promise<Outcome> {
    try {
      const value: unknown = kind === 'query' ? await engine.query(name, args) : await engine.mutation(name, args)
      return { value }
    } catch (error) {
      if (errorCode(error) === null) violate('a function of the backend failed', `${name}: ${String(error)}`)
      return { error }
    } finally {
      if (kind === 'mutation') backend.committed()
    }
  }

  /** Settle, fail, release: what counts is the fence. */
  async function end(from: Part, short: End, name: string, args: Args): Promise<Outcome> {
    const before = itemOf(args['id'])
    const outcome = await run('mutation', name, args)
    await judgeEnd(from, short, args, before, outcome)
    return outcome
  }

  /** Each of them as if it had come alone. */
  async function settleMany(from: Part, name: string, args: Args): Promise<Outcome> {
    const settles = args['settles'] as readonly Args[]
    const before = settles.map(({ id }) => itemOf(id))
    const outcome = await run('mutation', name, args)
    if (!('value' in outcome)) return outcome
    met('settles that travelled together')
    const results = outcome.value as readonly SettledOne[]
    for (const [n, settle] of settles.entries()) {
      const result = results[n]
      if (result === undefined) violate('each settle has its answer', JSON.stringify(outcome))
      else if ('settled' in result) await judgeEnd(from, 'settle', settle, before[n] ?? null, { value: result.settled })
      else await judgeEnd(from, 'settle', settle, before[n] ?? null, { error: new ConvexError(result.refused) })
    }
    return outcome
  }

  async function judgeEnd(from: Part, short: End, args: Args, before: Item | null, outcome: Outcome): Promise<void> {
    const fence = args['fence']
    const current = before?.state === 'claimed' && before.fence === fence
    const endedUnderIt = ['delivered', 'skipped', 'dead'].includes(before?.state ?? '') && before?.fence === fence
    const accepted = 'value' in outcome
    if (endedUnderIt) met('calls repeated after the end')
    else if (!current) met(before?.state === 'claimed' ? 'stale calls on a newer claim' : 'stale calls')
    const result = short === 'settle' && accepted ? (outcome.value as SettleResult) : null
    const say = `${short} of fence ${String(fence)} on ${JSON.stringify(before)} -> ${JSON.stringify(outcome)}`
    if (short === 'settle' && endedUnderIt) {
      if (result?.replayed !== true || result.messageId !== before?.replyId)
        violate('a repeated settle is answered as the first', say)
    } else if (accepted && !current) violate('a stale fence is refused', say)
    if (accepted && current) {
      moment('ended', from)
      if (short !== 'settle') givenBack(short, args, before, say)
    }
    const reply = args['reply']
    if (short !== 'settle' || typeof reply !== 'string') return
    const { replies } = history().ledger
    const delivered = result !== null && !result.replayed && result.state === 'delivered' && result.messageId !== null
    if (delivered && replies.get(reply) === true) violate('an answer is posted once', say)
    if (delivered || !replies.has(reply)) replies.set(reply, delivered)
    if (delivered) await noteContinuation(history(), args['id'] as Id<'deliveries'>)
  }

  /** What comes back is tried again: under a new key if the old one is spent, and at no cost if it was not the item's fault. */
  function givenBack(short: 'fail' | 'release', args: Args, before: Item, say: string): void {
    const after = itemOf(before._id)
    if (after?.state !== 'ready') return
    met(short === 'fail' ? 'failures to be tried again' : 'claims given back')
    if (args['ended'] === true && after.turn === before.turn) violate('a key whose turn has ended is not used again', say)
    if (args['ended'] !== true && after.turn !== before.turn) violate('a turn that may go on keeps its key', say)
    const isFree = short === 'release' || args['class'] === 'configuration'
    if (after.attempts !== before.attempts - Number(isFree)) violate('an attempt is used by a failure, and by nothing else', say)
    if (short === 'fail' && after.dueAt <= backend.clock.now()) violate('a failure is followed by a pause', say)
  }

  async function claims(from: Part, name: string, args: Args): Promise<Outcome> {
    const before = new Map(rowsOf<Item>('deliveries').map((item) => [item._id as string, item]))
    const now = backend.clock.now()
    const outcome = await run('mutation', name, args)
    if (!('value' in outcome)) return outcome
    const { items, item } = outcome.value as { items?: Claimed[]; item?: Claimed }
    const agents = new Map(rowsOf<Doc<'agents'>>('agents').map((agent) => [agent._id as string, agent]))
    const claimed = items ?? (item ? [item] : [])
    const active = rowsOf<Doc<'runtimes'>>('runtimes').find(({ role }) => role === 'active')
    if (claimed.length > 0 && active?.epoch !== args['epoch'])
      violate('only the active runtime claims', `epoch ${String(args['epoch'])}, active is ${JSON.stringify(active)}`)
    if (item !== undefined) beginOnce(args)
    for (const one of claimed) {
      const agent = agents.get(one.agent.id)
      const due = before.get(one.id)?.dueAt ?? now
      if (due > now) violate('nothing is claimed before it is due', `${one.id} is due in ${due - now} ms`)
      if (!agent) violate('no turn for a removed agent', `claimed ${one.id}`)
      if (agent?.paused === true) violate('no turn for a paused agent', `claimed ${one.id}`)
      if (agent) withinBudget(agent)
      noteShown(history(), one)
      met('claims')
      if (one.reconcile) met('claims of turns that may have been sent')
    }
    if (claimed.length > 0) moment('claimed', from)
    return outcome
  }

  /** A call whose answer was lost comes again, with the same slot. */
  function beginOnce({ agentId, slot }: Args): void {
    const beat = `${String(agentId)} at ${String(slot)}`
    if (begun.has(beat)) violate('a heartbeat is begun once', beat)
    begun.add(beat)
    met('heartbeats')
  }

  /**
   * The turns of this hour, counted anew, the one that was just claimed among them. Those that ended before a cap was set are known when
   * they have been added to the sums, a moment later: of them the sums are believed, which are counted anew at the end.
   */
  function withinBudget(agent: Doc<'agents'>): void {
    const [account] = rowsOf<Doc<'accounts'>>('accounts')
    const caps = { agent: agent.budgets.turnsPerHour, account: account?.budgets.turnsPerHour ?? null }
    if (caps.agent === null && caps.account === null) return
    const hour = periodStart('hour', backend.clock.now())
    const turns = rowsOf<Doc<'agentRuns'>>('agentRuns').filter((one) => one.claimedAt >= hour && one.turnCounted && isTurn(one))
    const uncounted = rowsOf<Doc<'agentRuns'>>('agentRuns').find(
      (one) => one.outcome === 'open' && !one.turnCounted && (caps.account !== null || one.agentId === agent._id),
    )
    if (uncounted) violate('turns under way count where a cap holds', JSON.stringify(uncounted))
    const sum = (whose: string | null) =>
      rowsOf<Doc<'usage'>>('usage').find(({ agentId, period, start }) => agentId === whose && period === 'hour' && start === hour)
        ?.turns ?? 0
    const used = {
      agent: Math.max(sum(agent._id), turns.filter(({ agentId }) => agentId === agent._id).length),
      account: Math.max(sum(null), turns.length),
    }
    for (const scope of ['agent', 'account'] as const) {
      const cap = caps[scope]
      if (cap === null) continue
      met('claims under a cap')
      if (used[scope] > cap) violate('no turn beyond the budget', `${used[scope]} turns of ${cap} (${scope})`)
    }
  }

  async function tool(from: Part, name: string, args: Args): Promise<Outcome> {
    const before = itemOf(args['id'])
    const outcome = await run('mutation', name, args)
    const current = before?.state === 'claimed' && before.fence === args['fence']
    const say = `${String(args['tool'])} in ${JSON.stringify(before)}`
    if (!('value' in outcome)) {
      met('tool calls refused')
      return outcome
    }
    if (!current) violate('a stale claim does nothing through tools', say)
    else if (before.stopAt !== null) violate('a stopped turn does nothing more', say)
    met((outcome.value as { replayed: boolean }).replayed ? 'tool calls done before' : 'tool calls')
    moment('tool', from)
    return outcome
  }

  /** A clean goodbye costs nothing: all its claims are given back. */
  async function goOffline(name: string, args: Args): Promise<Outcome> {
    const before = rowsOf<Item>('deliveries').filter(({ claimedBy }) => claimedBy === args['epoch'])
    const outcome = await run('mutation', name, args)
    if (!('value' in outcome)) return outcome
    for (const item of before) {
      const after = itemOf(item._id)
      const say = `${JSON.stringify(item)} -> ${JSON.stringify(after)}`
      if (after?.state === 'claimed') violate('whoever leaves gives its claims back', say)
      if (after?.state === 'ready' && after.attempts !== item.attempts - 1) violate('leaving costs no attempt', say)
    }
    if (before.length > 0) met('goodbyes with claims')
    return outcome
  }

  /** The same installation takes over at once; another one only when the lease has run out. */
  async function hello(name: string, args: Args): Promise<Outcome> {
    const before = rowsOf<Doc<'runtimes'>>('runtimes').find(({ role }) => role === 'active')
    const now = backend.clock.now()
    const outcome = await run('mutation', name, args)
    if (!('value' in outcome)) return outcome
    const answer = outcome.value as HelloResult
    const { role } = answer
    if (answer.role === 'active') {
      met(before?.instanceId === args['instanceId'] ? 'returns of a runtime' : 'take-overs')
      const left = rowsOf<Item>('deliveries').find(({ claimedBy }) => claimedBy !== null && claimedBy !== answer.epoch)
      if (left) violate('whoever takes over takes back all claims', JSON.stringify(left))
    }
    const mustWait = before !== undefined && before.instanceId !== args['instanceId'] && before.leaseUntil > now
    if (mustWait && role === 'active') violate('a living lease is not taken away', JSON.stringify(before))
    if (!mustWait && role === 'standby') violate('whoever may take over does', JSON.stringify(before))
    return outcome
  }

  /** A claim that is old enough and that its owner does not list comes back. */
  async function checkIn(name: string, args: Args): Promise<Outcome> {
    const { held, epoch } = args as unknown as CheckInArgs
    const now = backend.clock.now()
    const before = rowsOf<Item>('deliveries').filter(({ claimedBy }) => claimedBy === epoch)
    const outcome = await run('mutation', name, args)
    if (!('value' in outcome) || (outcome.value as { superseded: boolean }).superseded) return outcome
    const listed = new Set(held.map(({ id, fence }) => `${id}.${fence}`))
    for (const item of rowsOf<Item>('deliveries')) {
      if (item.state !== 'claimed' || item.claimedAt === null) continue
      if (item.claimedBy !== epoch) violate('a claim of an earlier owner lapses', JSON.stringify(item))
      const lost = !listed.has(`${item._id}.${item.fence}`) && item.claimedAt < now - ORPHAN_MS - 1
      if (lost) violate('a claim that its owner never saw comes back', JSON.stringify(item))
      if (item.dueAt < now) violate('no claim outlives its deadline', JSON.stringify(item))
    }
    for (const item of before) {
      const after = itemOf(item._id)
      const isTakenBack = after?.state !== 'claimed'
      const say = `${JSON.stringify(item)} -> ${JSON.stringify(after)}`
      if (isTakenBack) met('claims taken back')
      if (isTakenBack && item.dueAt >= now && (item.claimedAt ?? 0) > now - ORPHAN_MS)
        violate('a claim that its owner may yet hear of is left alone', say)
      if (after?.state === 'ready' && item.dueAt >= now && after.attempts !== item.attempts - 1)
        violate('a lost answer costs no attempt', say)
    }
    return outcome
  }

  return async (from: Part, kind: 'query' | 'mutation', name: string, args: Args): Promise<Outcome> => {
    if (!backend.isUp()) return { error: new TypeError('fetch failed', { cause: new Error('connect ECONNREFUSED') }) }
    const short = name.slice(name.indexOf(':') + 1)
    try {
      switch (short) {
        case 'settle':
        case 'fail':
        case 'release':
          return await end(from, short, name, args)
        case 'settleMany':
          return await settleMany(from, name, args)
        case 'call':
          return await tool(from, name, args)
        case 'goOffline':
          return await goOffline(name, args)
        case 'claim':
        case 'begin':
          return await claims(from, name, args)
        case 'hello':
          return await hello(name, args)
        case 'checkIn':
          return await checkIn(name, args)
        default:
          return await run(kind, name, args)
      }
    } catch (error) {
      if (!(error instanceof assert.AssertionError)) throw error
      violate('a claim shows what it is about', error.message)
      return { error }
    }
  }
}
