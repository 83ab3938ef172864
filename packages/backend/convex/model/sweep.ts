/**
 * One change to all lanes of an agent or a task: close, stop, hold, resume, new session keys. The first step runs in the caller's
 * transaction, so that the change is in force at once; what is left goes on in scheduled steps.
 */
import type { Infer } from 'convex/values'
import { v } from 'convex/values'
import { sessionKey } from '@mission-control/shared/session-keys'
import { internal } from '../_generated/api.js'
import type { Id } from '../_generated/dataModel.js'
import type { MutationCtx } from '../_generated/server.js'
import { applyEvent } from './apply.js'
import { HOLD_PAUSED } from './enqueue.js'
import type { Item, Lane } from './lanes.js'
import { getLane } from './lanes.js'
import { bump } from './signals.js'

/** Rows one step may change: far below the limits of a transaction, and short enough not to hold up others. */
const ROWS_PER_STEP = 200

const vScope = { accountId: v.id('accounts'), agentId: v.optional(v.id('agents')), taskId: v.optional(v.id('tasks')) }
export const vSweep = v.union(
  v.object({ ...vScope, kind: v.literal('close'), reason: v.string() }),
  /** `marked`: the lanes say already which items are meant. Absent in the first step, which marks them. */
  v.object({ ...vScope, kind: v.literal('stop'), marked: v.optional(v.boolean()) }),
  v.object({ ...vScope, kind: v.literal('hold') }),
  v.object({ ...vScope, kind: v.literal('resume') }),
  /** The agent's slug changed. */
  v.object({ ...vScope, kind: v.literal('rekey') }),
  /** The task was reopened. */
  v.object({ ...vScope, kind: v.literal('newGeneration') }),
)
export type Sweep = Infer<typeof vSweep>
export const vSweepCursor = v.union(v.null(), v.number(), v.string())
/** Key of the last lane done; the first step has none. */
type Cursor = Infer<typeof vSweepCursor> | undefined

/** Runs one step and schedules the next if there is more. */
export async function sweep(ctx: MutationCtx, job: Sweep, after?: Cursor): Promise<void> {
  if (job.kind === 'stop' && !job.marked) {
    await bump(ctx, job.accountId, 'stopSeq')
    await markStop(ctx, job)
  }
  if (await isOutdated(ctx, job)) return
  let left = ROWS_PER_STEP
  let cursor = after
  const lanes = await lanesAfter(ctx, job, after, ROWS_PER_STEP)
  for (const lane of lanes) {
    const { rows, done } = await sweepLane(ctx, job, lane, left)
    left -= rows + 1
    if (done) cursor = job.agentId ? lane.taskId : lane._creationTime
    if (!done || left <= 0) return await goOn(ctx, job, cursor)
  }
  if (lanes.length === ROWS_PER_STEP) await goOn(ctx, job, cursor)
}

async function goOn(ctx: MutationCtx, job: Sweep, cursor: Cursor): Promise<void> {
  const next = job.kind === 'stop' ? { ...job, marked: true } : job
  await ctx.scheduler.runAfter(0, internal.sweeps.step, cursor === undefined ? { job: next } : { job: next, after: cursor })
}

/**
 * Draws the line between what this /stop means and what is posted after it. By number, not by time: clocks cannot order
 * transactions, but whoever enqueues writes the lane. And no item behind the line may take over a message from beyond it.
 */
async function markStop(ctx: MutationCtx, { accountId, taskId }: Sweep): Promise<void> {
  if (taskId === undefined) throw new Error('A stop is for a task.')
  const lanes = ctx.db.query('lanes').withIndex('by_task', (q) => q.eq('accountId', accountId).eq('taskId', taskId))
  for await (const lane of lanes) {
    if (lane.closed === null) await ctx.db.patch(lane._id, { stopBefore: lane.nextSeq, tailId: null })
  }
}

/** A pause followed by a resume: the older sweep must not undo the newer one. */
async function isOutdated(ctx: MutationCtx, job: Sweep): Promise<boolean> {
  if (job.agentId === undefined || (job.kind !== 'hold' && job.kind !== 'resume')) return false
  const agent = await ctx.db.get(job.agentId)
  return agent === null || agent.paused !== (job.kind === 'hold')
}

async function lanesAfter(ctx: MutationCtx, job: Sweep, after: Cursor, limit: number): Promise<Lane[]> {
  const { accountId, agentId, taskId } = job
  if (agentId !== undefined) {
    const mine = ctx.db.query('lanes').withIndex('by_agent_task', (q) => {
      const range = q.eq('accountId', accountId).eq('agentId', agentId)
      return after === undefined ? range : range.gt('taskId', after as Id<'tasks'> | null)
    })
    return await mine.take(limit)
  }
  if (taskId === undefined) throw new Error('A sweep needs an agent or a task.')
  const ofTask = ctx.db.query('lanes').withIndex('by_task', (q) => {
    const range = q.eq('accountId', accountId).eq('taskId', taskId)
    return typeof after === 'number' ? range.gt('_creationTime', after) : range
  })
  return await ofTask.take(limit)
}

async function sweepLane(ctx: MutationCtx, job: Sweep, lane: Lane, limit: number): Promise<{ rows: number; done: boolean }> {
  switch (job.kind) {
    case 'hold':
    case 'resume':
      return await sweepHead(ctx, lane, job.kind)
    case 'rekey':
      return await setKey(ctx, lane, lane.generation)
    case 'newGeneration':
      return await setKey(ctx, lane, lane.generation + 1)
    case 'close':
      await ctx.db.patch(lane._id, { closed: lane.closed ?? job.reason })
      return await interruptAll(ctx, lane, { type: 'close', reason: job.reason }, limit, {
        before: Number.MAX_SAFE_INTEGER,
        wake: true,
      })
    case 'stop':
      return await interruptAll(ctx, lane, { type: 'stop' }, limit, { before: lane.stopBefore, wake: job.marked === true })
  }
}

async function sweepHead(ctx: MutationCtx, lane: Lane, kind: 'hold' | 'resume'): Promise<{ rows: number; done: true }> {
  const head = await headOf(ctx, lane)
  if (head) await applyEvent(ctx, head, { type: kind, hold: HOLD_PAUSED })
  return { rows: head ? 1 : 0, done: true }
}

interface Interruption {
  /** Number of the first item that is not meant. */
  readonly before: number
  /** The runtime must be told of a turn to abort; the first step of a stop has said so already. */
  readonly wake: boolean
}

/** The queue first, then the head: so that ending the head promotes nothing that is about to be ended too. */
async function interruptAll(
  ctx: MutationCtx,
  lane: Lane,
  event: { type: 'stop' } | { type: 'close'; reason: string },
  limit: number,
  { before, wake }: Interruption,
): Promise<{ rows: number; done: boolean }> {
  const queued = await ctx.db
    .query('deliveries')
    .withIndex('by_lane_state_seq', (q) =>
      q.eq('accountId', lane.accountId).eq('laneId', lane._id).eq('state', 'queued').lt('seq', before),
    )
    .take(Math.max(1, limit))
  for (const item of queued) await applyEvent(ctx, item, event)
  if (queued.length === Math.max(1, limit)) return { rows: queued.length, done: false }
  // Read again: an item ended in this very step may have sent its asker an answer, into this lane.
  const head = await headOf(ctx, await getLane(ctx, lane._id))
  if (!head || head.seq >= before) return { rows: queued.length, done: true }
  const result = await applyEvent(ctx, head, event)
  const aborts = result.kind === 'changed' && result.item.state === 'claimed'
  if (aborts && wake) await bump(ctx, lane.accountId, 'stopSeq')
  return { rows: queued.length + 1, done: true }
}

/** A turn already sent keeps the session it was sent to. */
async function setKey(ctx: MutationCtx, lane: Lane, generation: number): Promise<{ rows: number; done: true }> {
  const agent = await ctx.db.get(lane.agentId)
  if (!agent) return { rows: 0, done: true }
  const key = sessionKey({ slug: agent.slug, accountId: lane.accountId, taskId: lane.taskId, generation })
  await ctx.db.patch(lane._id, { generation, sessionKey: key })
  const head = await headOf(ctx, lane)
  if (head && !head.turnOpen) await ctx.db.patch(head._id, { sessionKey: key })
  return { rows: head ? 1 : 0, done: true }
}

async function headOf(ctx: MutationCtx, lane: Lane): Promise<Item | null> {
  return lane.activeId === null ? null : await ctx.db.get(lane.activeId)
}
