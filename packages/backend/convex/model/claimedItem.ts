/** From a claimed row to what the runtime gets: everything a turn needs, so that there is no second read. */
import type { ClaimedItem, HeartbeatContext } from '@mission-control/shared/service-contract'
import type { Doc } from '../_generated/dataModel.js'
import type { MutationCtx } from '../_generated/server.js'
import { now, random } from '../lib/clock.js'
import type { Thread } from './context.js'
import { buildContext, EFFECTS_SHOWN, oldestShown, THREAD_MESSAGES } from './context.js'
import { effectsOf } from './effects.js'
import type { Item } from './lanes.js'
import type { Threads } from './threads.js'

export interface ItemRows {
  readonly agent: Doc<'agents'>
  readonly task: Doc<'tasks'> | null
  readonly message: Doc<'messages'> | null
}

/** Characters of thread text read per item before the search for older messages ends. */
const THREAD_READ_CHARS = 150_000
/** The same for messages the item stands for: many times what its context can hold, so that what is left out is counted. */
const UNSEEN_READ_CHARS = 1_000_000
const UNSEEN_READ_ROWS = 1_000
/**
 * Characters of text that one claim reads before it leaves the rest of its ids for the next: a transaction may read 16 MiB, a
 * character may take 3 bytes, and the item that crosses the line may bring 1.6 million more.
 */
export const CLAIM_READ_CHARS = 3_500_000

/** What is left to read in this transaction. */
export interface ReadBudget {
  chars: number
}

/** Draws the turn's code (kept when the turn may already have been sent with it) and builds the answer. */
export async function claimedItem(
  ctx: MutationCtx,
  claimed: Item,
  reconcile: boolean,
  { agent, task, message }: ItemRows,
  budget: ReadBudget,
  threads: Threads,
  heartbeat: HeartbeatContext | null = null,
): Promise<ClaimedItem> {
  const turnCode = reconcile && claimed.turnCode !== null ? claimed.turnCode : drawTurnCode()
  // A heartbeat is about the agent's work as a whole: its prompt shows no thread, so it must not count as having shown one.
  const thread = task && claimed.type !== 'heartbeat' ? await readThread(threads, claimed, task, message) : null
  // Only an attempt before this one may have left any: a first claim reads no range of them.
  const effects = claimed.fence > 1 ? await effectsOf(ctx, claimed, EFFECTS_SHOWN) : { effects: [], more: false }
  const context = buildContext({ item: claimed, task, message, thread, heartbeat, effects })
  const shownFrom = thread === null ? null : oldestShown(claimed, context)
  if (turnCode !== claimed.turnCode || shownFrom !== claimed.shownFrom) {
    await ctx.db.patch(claimed._id, { turnCode, shownFrom })
  }
  budget.chars -= (thread?.rows ?? []).reduce((sum, { content }) => sum + content.length, 0)
  return {
    id: claimed._id,
    fence: claimed.fence,
    turnKey: `${claimed._id}.${claimed.turn}`,
    turnCode,
    reconcile,
    sessionKey: claimed.sessionKey,
    type: claimed.type,
    attempt: claimed.attempts,
    depth: claimed.depth,
    committedAgoMs: now() - claimed.committedAt,
    deadlineInMs: claimed.dueAt - now(),
    agent: { id: agent._id, slug: agent.slug, name: agent.name },
    context,
  }
}

/**
 * The messages before the item's own, newest first: all the item stands for, and some more where those are few. The range ends at
 * the item: a message posted while the claim runs lies outside of it and cannot conflict with it.
 */
async function readThread(threads: Threads, item: Item, task: Doc<'tasks'>, message: Doc<'messages'> | null): Promise<Thread> {
  const until = Math.max(item._creationTime, message?._creationTime ?? 0)
  const from = item.unseenFrom ?? Number.POSITIVE_INFINITY
  const found: Doc<'messages'>[] = []
  let [read, chars] = [0, 0]
  let reached = from >= (message?._creationTime ?? until)
  for await (const row of threads.newestFirst(item.accountId, task._id, until)) {
    reached ||= row._creationTime <= from
    if (row._id === message?._id) continue
    if (row.deletedAt === null) found.push(row)
    read++
    chars += row.content.length
    if (reached && (found.length >= THREAD_MESSAGES || chars > THREAD_READ_CHARS)) break
    if (read >= UNSEEN_READ_ROWS || chars > UNSEEN_READ_CHARS) return { rows: found, complete: reached }
  }
  return { rows: found, complete: true }
}

/** Letters and digits that no reader or model confuses. */
const CODE_ALPHABET = 'abcdefghjkmnpqrstuvwxyz23456789'

/** Six characters that name a turn inside an agent's tool calls; a name, never a credential. */
function drawTurnCode(): string {
  return Array.from({ length: 6 }, () => CODE_ALPHABET[Math.floor(random() * CODE_ALPHABET.length)]).join('')
}
