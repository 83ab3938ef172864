/** What must hold in every history. Each check throws with the rows it is about. */
import assert from 'node:assert/strict'
import { NO_USAGE, periodStart, toMicroUsd, toTokens } from '@mission-control/shared/budgets'
import type { Doc } from '../../convex/_generated/dataModel.js'
import type { Ledger } from './ledger.ts'
import { claimKey, laneKey } from './ledger.ts'
import type { AllRows, QueueRows } from './rows.ts'

type Item = Doc<'deliveries'>
const HEADS = ['ready', 'claimed', 'waiting']
const ENDED = ['delivered', 'skipped', 'dead']
const ATTEMPTS = 5

export const isHead = ({ state }: Item): boolean => HEADS.includes(state)
export const isOpen = (item: Item): boolean => isHead(item) || item.state === 'queued'
const say = (item: Item): string =>
  JSON.stringify({ ...item, accountId: undefined, sessionKey: undefined, permissions: undefined })

/** I1 to I5 of the lanes, and order: the head of a lane is the oldest of what is open in it. */
export function checkLanes(now: QueueRows): void {
  const byLane = Map.groupBy(now.deliveries, ({ laneId }) => laneId)
  for (const lane of now.lanes) {
    const items = byLane.get(lane._id) ?? []
    const heads = items.filter(isHead)
    const queued = items.filter(({ state }) => state === 'queued')
    if (heads.length > 1) assert.fail(`I1: two heads in one lane: ${heads.map(say).join(' and ')}`)
    assert.equal(lane.activeId, heads[0]?._id ?? null, 'I1: the lane does not name its head')
    if (lane.closed === null && queued.length > 0) assert.ok(lane.activeId !== null, 'I2: a queue without a head')
    assert.equal(lane.queued, queued.length, 'the lane counts its queue wrongly')
    for (const item of queued) {
      const [head] = heads
      if (head && head.seq >= item.seq) assert.fail(`FIFO: ${say(head)} stands before the older ${say(item)}`)
    }
    assert.equal(new Set(items.map(({ seq }) => seq)).size, items.length, 'two items of a lane have one number')
    for (const { seq } of items) assert.ok(seq < lane.nextSeq, 'a number that is yet to be given')
  }
  for (const item of now.deliveries) {
    // Worded only when it does not hold: this runs after each step of thousands of histories.
    if ((item.claimedBy !== null) !== (item.state === 'claimed')) assert.fail(`I3: claimed and claimedBy disagree: ${say(item)}`)
    if (item.attempts > ATTEMPTS || item.attempts < 0) assert.fail(`I4: too many attempts: ${say(item)}`)
    if ((item.state === 'skipped' || item.state === 'dead') && !item.reason) assert.fail(`ended without a reason: ${say(item)}`)
  }
}

/**
 * What one step may do to an item: the fence and the turn only grow, and only a redrive opens what has ended.
 * @param claims of one item that the step may have made
 */
export function checkStep(before: QueueRows, now: QueueRows, redriven: ReadonlySet<string>, claims = 1): void {
  const after = new Map(now.deliveries.map((item) => [item._id, item]))
  for (const old of before.deliveries) {
    const item = after.get(old._id)
    if (item === old) continue
    if (!item) assert.fail(`an item vanished: ${say(old)}`)
    if (item.fence < old.fence) assert.fail(`I3: the fence fell: ${say(item)}`)
    if (old.fence > 0 && item.committedAt !== old.committedAt)
      assert.fail(`it was claimed before and took over a message: ${say(item)}`)
    if (item.turn < old.turn || item.seq < old.seq) assert.fail(`turn or number fell: ${say(item)}`)
    if (item.fence > old.fence + claims) assert.fail(`too many claims in one step: ${say(item)}`)
    if (item.fence > old.fence && item.attempts > old.attempts + claims) assert.fail(`attempts jumped: ${say(item)}`)
    if (!ENDED.includes(old.state)) continue
    if (old.state === 'dead' && redriven.has(old._id)) continue
    assert.deepEqual({ ...item }, { ...old }, 'I5: an ended item changed')
  }
}

/** What holds for claims: a stopped one is never answered, and none is about another message than the one its runtime was shown. */
export function checkClaims({ deliveries }: QueueRows, ledger: Ledger): void {
  for (const item of deliveries) {
    const key = claimKey(item._id, item.fence)
    if (ledger.stopped.has(key)) {
      if (item.state === 'claimed') assert.ok(item.stopAt !== null, `its task was stopped, and it is not: ${say(item)}`)
      else assert.ok(item.state === 'skipped' && item.replyId === null, `stopped and answered all the same: ${say(item)}`)
    }
    const about = ledger.shown.get(key)?.about ?? null
    if (about === null || (item.state !== 'claimed' && item.state !== 'delivered')) continue
    assert.equal(item.messageId, about, `it is about another message than its turn was shown: ${say(item)}`)
  }
}

/** Counting again what is kept as a sum or a copy. Nothing scheduled may be pending. */
export function checkSums(rows: AllRows): void {
  const tasks = Map.groupBy(rows.tasks, ({ status }) => `tasks:${status}`)
  assert.deepEqual(rows.counterChanges, [], 'changes of counters are left')
  for (const { key, value } of rows.counters)
    if (key.startsWith('tasks:')) assert.equal(value, tasks.get(key)?.length ?? 0, `counter ${key}`)
  for (const [key] of tasks)
    assert.ok(
      rows.counters.some((row) => row.key === key),
      `no counter ${key}`,
    )
  for (const task of rows.tasks) {
    const assigned = rows.assignments.filter(({ taskId }) => taskId === task._id)
    const pairs = (parties: readonly { type: string; id: string }[]) => parties.map(({ type, id }) => `${type}:${id}`).sort()
    const asParties = assigned.map(({ assigneeType: type, assigneeId: id }) => ({ type, id }))
    assert.deepEqual(pairs(task.assignees), pairs(asParties), 'assignees of a task and its assignments differ')
    for (const { status } of assigned) assert.equal(status, task.status, 'an assignment has another status than its task')
    const labels = rows.taskLabels.filter(({ taskId }) => taskId === task._id).map(({ label }) => label)
    assert.deepEqual(
      labels.sort(),
      task.status === 'archived' ? [] : [...task.labels].sort(),
      'labels of a task and its rows differ',
    )
  }
  const unread = Map.groupBy(
    rows.notifications.filter(({ readAt }) => readAt === null),
    ({ userId }) => userId,
  )
  for (const userId of new Set([...unread.keys(), ...rows.inboxes.map((row) => row.userId)])) {
    const counted = rows.inboxes.find((row) => row.userId === userId)?.unread ?? 0
    assert.equal(counted, unread.get(userId)?.length ?? 0, `unread of ${userId}`)
  }
  assert.deepEqual(rows.laneRepairs, [], 'the audit had something to mend')
  checkUsage(rows)
  // Every item has one run per fence, and a claimed one has the open one.
  for (const item of rows.deliveries) {
    const runs = rows.agentRuns.filter(({ deliveryId }) => deliveryId === item._id)
    assert.equal(runs.length, item.fence, `runs of ${say(item)}`)
    const open = runs.filter(({ outcome }) => outcome === 'open').map(({ fence }) => fence)
    assert.deepEqual(open, item.state === 'claimed' ? [item.fence] : [], `open runs of ${say(item)}`)
  }
}

function checkUsage({ usage, agentRuns }: AllRows): void {
  const sums = new Map<string, Record<keyof typeof NO_USAGE, number>>()
  for (const run of agentRuns) {
    const { agentId, claimedAt, outcome, sentAt, turnCounted } = run
    const none = outcome === 'released' || outcome === 'orphaned' || (outcome === 'failed' && sentAt === null)
    const turns = Number(outcome === 'open' ? turnCounted : !none)
    for (const owner of [agentId, null]) {
      for (const period of ['hour', 'day'] as const) {
        const key = `${owner ?? 'account'}|${period}|${periodStart(period, claimedAt)}`
        const sum = sums.get(key) ?? { ...NO_USAGE }
        sum.turns += turns
        sum.inputTokens += toTokens(run.usage?.inputTokens ?? 0)
        sum.outputTokens += toTokens(run.usage?.outputTokens ?? 0)
        sum.microUsd += run.usage ? toMicroUsd(run.usage.costUsd) : 0
        sums.set(key, sum)
      }
    }
  }
  const kept = usage.map(({ agentId, period, start, turns, inputTokens, outputTokens, microUsd }) => [
    `${agentId ?? 'account'}|${period}|${start}`,
    { turns, inputTokens, outputTokens, microUsd },
  ])
  // A row may have fallen back to nothing; and nothing needs no row.
  const some = ([, sum]: [string, typeof NO_USAGE]) => Object.values(sum).some((amount) => amount !== 0)
  const sorted = (all: unknown) => (all as [string, typeof NO_USAGE][]).filter(some).sort(([a], [b]) => (a < b ? -1 : 1))
  assert.deepEqual(sorted(kept), sorted([...sums]), 'usage does not equal the runs')
}

/** Everybody who must hear of something has an item that stands for it; and nothing is there that nobody caused. */
export function checkNothingLost(rows: AllRows, ledger: Ledger): void {
  const byLane = Map.groupBy(rows.deliveries, ({ agentId, taskId }) => laneKey(agentId, taskId))
  const messages = new Map<string, Doc<'messages'>>(rows.messages.map((message) => [message._id, message]))
  for (const expected of ledger.expected) {
    const message = messages.get(expected.messageId)
    assert.ok(message, 'a message vanished')
    const lane = byLane.get(laneKey(expected.agentId, expected.taskId)) ?? []
    const standing = lane.filter((item) => standsFor(item, message, expected.why, messages))
    assert.ok(
      standing.some((item) => isAccounted(item, message, expected, rows, ledger)),
      `lost: ${JSON.stringify(expected)} (${message.content}); the lane has ${lane.map(say).join('\n')}`,
    )
  }
  const kinds = ['assignment', 'status_change', 'continuation']
  const counted = Map.groupBy(
    rows.deliveries.filter(({ type }) => kinds.includes(type)),
    ({ type, agentId, taskId }) => `${type}|${laneKey(agentId, taskId)}`,
  )
  for (const key of new Set([...counted.keys(), ...ledger.counts.keys()]))
    assert.equal(counted.get(key)?.length ?? 0, ledger.counts.get(key) ?? 0, `items of ${key}`)
  const mentions = rows.deliveries.filter(({ type }) => type === 'mention')
  const keys = mentions.map(({ agentId, messageId }) => `${agentId} ${messageId}`)
  assert.equal(new Set(keys).size, keys.length, 'an agent has two mentions of one message')
}

function standsFor(
  item: Item,
  message: Doc<'messages'>,
  why: 'mention' | 'thread_update',
  messages: ReadonlyMap<string, Doc<'messages'>>,
): boolean {
  if (item.messageId === message._id && (item.type === why || item.type === 'mention')) return true
  if (why === 'mention' || item.type !== 'thread_update' || item.messageId === null) return false
  const newest = messages.get(item.messageId)?._creationTime ?? 0
  // Its newest message may have been deleted, and the item be about an older one since.
  if (message.deletedAt !== null && message._creationTime >= (item.unseenFrom ?? newest)) return true
  return message._creationTime >= (item.unseenFrom ?? newest) && message._creationTime <= newest
}

/** Open, or ended as it may have: delivered only if its turn was shown the message. */
function isAccounted(item: Item, message: Doc<'messages'>, expected: { step: number }, rows: AllRows, ledger: Ledger): boolean {
  if (isOpen(item) || item.state === 'dead' || message.deletedAt !== null) return true
  const key = laneKey(item.agentId, item.taskId)
  if (item.state === 'delivered') return ledger.shown.get(claimKey(item._id, item.fence))?.messageIds.has(message._id) ?? false
  switch (item.reason) {
    case 'stopped':
      return (ledger.stops.get(item.taskId ?? '') ?? -1) >= expected.step
    case 'task_archived':
      return rows.tasks.some(({ _id, status }) => _id === item.taskId && status === 'archived')
    case 'agent_deleted':
    case 'agent_gone':
      return !rows.agents.some(({ _id }) => _id === item.agentId)
    case 'already_seen':
      return rows.deliveries.some((other) => {
        const shown = ledger.shown.get(claimKey(other._id, other.fence))
        return other.state === 'delivered' && shown?.laneKey === key && shown.messageIds.has(message._id)
      })
    default:
      return false
  }
}

/** A reply stands in its thread once if a settle said so, and never otherwise. */
export function checkReplies(rows: AllRows, ledger: Ledger): void {
  const visible = Map.groupBy(
    rows.messages.filter(({ deliveryId }) => deliveryId !== null),
    ({ deliveryId }) => deliveryId,
  )
  for (const [deliveryId, replies] of visible) {
    assert.equal(replies.length, 1, `two replies of delivery ${deliveryId}`)
    const item = rows.deliveries.find(({ _id }) => _id === deliveryId)
    assert.equal(item?.state, 'delivered', 'a reply of an item that was not delivered')
    assert.equal(item.replyId, replies[0]?._id, 'the item does not name its reply')
  }
  const written = Map.groupBy(rows.messages, ({ content }) => content)
  for (const [text, delivered] of ledger.replies) {
    const shown = rows.messages.some(({ content, deletedAt }) => deletedAt !== null && content === '')
    const times = written.get(text)?.length ?? 0
    if (delivered) assert.ok(times === 1 || (times === 0 && shown), `"${text}" was delivered and stands there ${times} times`)
    else assert.equal(times, 0, `"${text}" was not delivered and stands there`)
  }
}

/** What a pause means for the heads, once its steps have run. */
export function checkHolds({ agents, deliveries }: QueueRows): void {
  const paused = new Map(agents.map((agent) => [agent._id, agent.paused]))
  for (const item of deliveries) {
    // One whose turn ended while its agent was paused is held by its next claim.
    const held = item.state === 'ready' && item.fence === 0 && paused.get(item.agentId) === true
    assert.ok(!held, `ready although its agent is paused: ${say(item)}`)
    if (item.state === 'waiting') assert.equal(paused.get(item.agentId), true, `waits for nothing: ${say(item)}`)
  }
}
