/** The threads that a claim reads, each message once: a message that tells many agents makes as many items about the same thread. */
import type { Doc, Id } from '../_generated/dataModel.js'
import type { QueryCtx } from '../_generated/server.js'

type Message = Doc<'messages'>

export interface Threads {
  /** Messages of a task that are no newer than `until`, the newest first. Nothing newer is read. */
  newestFirst(accountId: Id<'accounts'>, taskId: Id<'tasks'>, until: number): AsyncIterable<Message>
}

/** What is known of a thread: all messages from `until` back, as far as they were asked for. */
interface Known {
  readonly until: number
  readonly rows: Message[]
  /** The rest of it; `null` when there is none. */
  older: AsyncIterator<Message> | null
}

/** Messages between two items of a claim up to which the second goes on from the first; more are read anew, as they are asked for. */
const BETWEEN = 8

/** For one transaction that writes no messages. */
export function createThreads(ctx: { db: QueryCtx['db'] }): Threads {
  const threads = new Map<Id<'tasks'>, Known>()

  const messages = (accountId: Id<'accounts'>, taskId: Id<'tasks'>, until: number, after = Number.NEGATIVE_INFINITY) =>
    ctx.db
      .query('messages')
      .withIndex('by_account_task', (q) =>
        q.eq('accountId', accountId).eq('taskId', taskId).gt('_creationTime', after).lte('_creationTime', until),
      )
      .order('desc')

  async function reaching(accountId: Id<'accounts'>, taskId: Id<'tasks'>, until: number): Promise<Known> {
    const known = threads.get(taskId)
    if (known && known.until >= until) return known
    const between = known ? await messages(accountId, taskId, until, known.until).take(BETWEEN + 1) : null
    const reached: Known =
      known && between && between.length <= BETWEEN
        ? { until, rows: [...between, ...known.rows], older: known.older }
        : { until, rows: [], older: messages(accountId, taskId, until)[Symbol.asyncIterator]() }
    threads.set(taskId, reached)
    return reached
  }

  async function readOn(known: Known): Promise<void> {
    const next = await known.older?.next()
    // A query that has ended must not be asked again.
    if (next === undefined || next.done === true) known.older = null
    else known.rows.push(next.value)
  }

  return {
    async *newestFirst(accountId, taskId, until) {
      const known = await reaching(accountId, taskId, until)
      for (let n = 0; ; n++) {
        if (n === known.rows.length) await readOn(known)
        const row = known.rows[n]
        if (row === undefined) return
        if (row._creationTime <= until) yield row
      }
    },
  }
}
