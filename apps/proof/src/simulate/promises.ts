/**
 * The backend's side of a call, with what each single answer promises: checked against the rows before and after it, by code that knows
 * none of the backend's. Also writes the ledger, from which the end of a history is judged.
 */
import assert from 'node:assert/strict'
import { errorCode } from '@mission-control/shared/errors'
import { ORPHAN_MS } from '@mission-control/shared/lanes/policy'
import type { CheckInArgs, HelloResult, SettleResult } from '@mission-control/shared/service-contract'
import type { Simulation } from '@mission-control/backend/proof/simulation'
import { noteContinuation, noteShown } from '@mission-control/backend/proof/simulation'
import type { Claimed } from '@mission-control/backend/proof/simulation'
import type { Doc, Id } from '@mission-control/backend/convex/_generated/dataModel'
import type { BackendPart } from './backend.ts'
import type { Outcome } from './network.ts'
import type { Part } from './time.ts'

export interface ServeDeps {
  readonly backend: BackendPart
  readonly history: () => Simulation
  readonly violate: (invariant: string, detail: string) => void
  /** Counts what the seed has met. */
  readonly met: (what: string) => void
}

type Args = Record<string, unknown>
type Item = Doc<'deliveries'>

export function createServe({ backend, history, violate, met }: ServeDeps) {
  const { engine } = backend
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
  async function underFence(short: string, name: string, args: Args): Promise<Outcome> {
    const before = itemOf(args['id'])
    const fence = args['fence']
    const outcome = await run('mutation', name, args)
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
    const reply = args['reply']
    if (short !== 'settle' || typeof reply !== 'string') return outcome
    const { replies } = history().ledger
    const delivered = result !== null && !result.replayed && result.state === 'delivered' && result.messageId !== null
    if (delivered && replies.get(reply) === true) violate('an answer is posted once', say)
    if (delivered || !replies.has(reply)) replies.set(reply, delivered)
    if (delivered) await noteContinuation(history(), args['id'] as Id<'deliveries'>)
    return outcome
  }

  async function claims(name: string, args: Args): Promise<Outcome> {
    const outcome = await run('mutation', name, args)
    if (!('value' in outcome)) return outcome
    const { items, item } = outcome.value as { items?: Claimed[]; item?: Claimed }
    const agents = new Map(rowsOf<Doc<'agents'>>('agents').map((agent) => [agent._id as string, agent]))
    for (const one of items ?? (item ? [item] : [])) {
      const agent = agents.get(one.agent.id)
      if (!agent) violate('no turn for a removed agent', `claimed ${one.id}`)
      if (agent?.paused === true) violate('no turn for a paused agent', `claimed ${one.id}`)
      noteShown(history(), one)
      met('claims')
      if (one.reconcile) met('claims of turns that may have been sent')
    }
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
    return outcome
  }

  return async (_from: Part, kind: 'query' | 'mutation', name: string, args: Args): Promise<Outcome> => {
    if (!backend.isUp()) return { error: new TypeError('fetch failed', { cause: new Error('connect ECONNREFUSED') }) }
    const short = name.slice(name.indexOf(':') + 1)
    try {
      switch (short) {
        case 'settle':
        case 'fail':
        case 'release':
          return await underFence(short, name, args)
        case 'claim':
        case 'begin':
          return await claims(name, args)
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
