/** What a claimed item tells its agent, at most LIMITS.contextBytes of JSON. Pure: rows in, context out. */
import { LIMITS } from '@mission-control/shared/limits'
import type { DeliveryContext, HeartbeatContext, ThreadMessage } from '@mission-control/shared/service-contract'
import type { Doc } from '../_generated/dataModel.js'
import { cutToBytes, jsonBytes } from '../lib/text.js'
import type { Item } from './lanes.js'

/** Shares of the 64 kB, in bytes of JSON. What is left after these goes to the thread, newest message first. */
const SHARES = { title: 1_000, body: 28_000, message: 4_000, description: 8_000, reason: 2_000, threadMessage: 4_000, name: 400 }
/** Messages of the thread one item shows at most. */
export const THREAD_MESSAGES = 20

export interface ContextRows {
  readonly item: Item
  readonly task: Doc<'tasks'> | null
  readonly message: Doc<'messages'> | null
  /** Newest first. */
  readonly thread: readonly Doc<'messages'>[]
  readonly heartbeat: HeartbeatContext | null
}

export function buildContext({ item, task, message, thread, heartbeat }: ContextRows): DeliveryContext {
  const context: DeliveryContext = {
    title: cutToBytes(titleOf(item, task, message), SHARES.title),
    body: cutToBytes(bodyOf(item, message), SHARES.body),
    task: task && {
      id: task._id,
      title: cutToBytes(task.title, SHARES.title),
      status: task.status,
      priority: task.priority,
      description: cutToBytes(task.description, SHARES.description),
      blockedReason: task.blockedReason === null ? null : cutToBytes(task.blockedReason, SHARES.reason),
    },
    message: message && threadMessage(message, SHARES.message),
    thread: [],
    // A turn of this very item that ended without an answer is as void as an earlier item's.
    voidEarlier: item.voidEarlier || item.turn > 1,
    effectsDone: [],
    heartbeat,
  }
  let left = LIMITS.contextBytes - jsonBytes(context)
  for (const row of thread.slice(0, THREAD_MESSAGES)) {
    const line = threadMessage(row, SHARES.threadMessage)
    left -= jsonBytes(line) + 1
    if (left < 0) break
    context.thread.unshift(line)
  }
  return context
}

const threadMessage = (row: Doc<'messages'>, maxBytes: number): ThreadMessage => ({
  id: row._id,
  author: { type: row.authorType, name: cutToBytes(row.authorName, SHARES.name) },
  content: cutToBytes(row.content, maxBytes),
  createdAt: row._creationTime,
})

function titleOf(item: Item, task: Doc<'tasks'> | null, message: Doc<'messages'> | null): string {
  const where = task ? `: ${task.title}` : ''
  const who = message?.authorName ?? 'Somebody'
  switch (item.type) {
    case 'mention':
      return `${who} mentioned you${where}`
    case 'thread_update':
      return `${who} wrote${where}`
    case 'assignment':
      return `You are assigned${where}`
    case 'status_change':
      return `Status changed${where}`
    case 'response_request':
      return `${who} asks you${where}`
    case 'response':
      return `Your request was answered${where}`
    case 'continuation':
      return `Go on with your work${where}`
    case 'heartbeat':
      return `Heartbeat${where}`
  }
}

function bodyOf(item: Item, message: Doc<'messages'> | null): string {
  return [item.note, message?.content].filter((text) => text !== null && text !== undefined).join('\n\n')
}
