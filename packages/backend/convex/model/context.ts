/** What a claimed item tells its agent, at most LIMITS.contextBytes of JSON. Pure: rows in, context out. */
import { LIMITS } from '@mission-control/shared/limits'
import type { DeliveryContext, HeartbeatContext, ThreadMessage } from '@mission-control/shared/service-contract'
import type { Doc } from '../_generated/dataModel.js'
import { cutToBytes, jsonBytes } from '../lib/text.js'
import type { Item } from './lanes.js'

/** Shares of the 64 kB, in bytes of JSON. What is left after these goes to the thread, newest message first. */
const SHARES = {
  title: 1_000,
  body: 28_000,
  message: 4_000,
  description: 8_000,
  reason: 2_000,
  leftOut: 250,
  name: 400,
  fileName: 250,
  effect: 400,
}
/** A message of the thread gets the largest of these with which all the item stands for fits. */
const THREAD_SHARES = [4_000, 2_000, 1_000, 500, 250] as const
const SMALLEST_SHARE = 250
/** Messages of the thread one item shows, unless it stands for more. */
export const THREAD_MESSAGES = 20
/** Id of the line that stands for messages that found no room. */
const LEFT_OUT = 'left-out'
const DELETED = '[This message was deleted.]'

/** Messages before the item's own, newest first. */
export interface Thread {
  readonly rows: readonly Doc<'messages'>[]
  /** False if there are more that the item stands for than were read. */
  readonly complete: boolean
}

export interface ContextRows {
  readonly item: Item
  readonly task: Doc<'tasks'> | null
  readonly message: Doc<'messages'> | null
  /** `null` for what shows none. */
  readonly thread: Thread | null
  readonly heartbeat: HeartbeatContext | null
  /** What earlier attempts of the item did. */
  readonly effects: EffectsDone
}

export interface EffectsDone {
  /** Oldest first. */
  readonly effects: readonly Pick<Doc<'effects'>, 'summary'>[]
  /** There are more than these. */
  readonly more: boolean
}
/** Effects one context names. */
export const EFFECTS_SHOWN = 20

export function buildContext({ item, task, message, thread, heartbeat, effects }: ContextRows): DeliveryContext {
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
    voidEarlier: item.voidEarlier || isAskedAgain(item, message),
    effectsDone: effectLines(effects),
    heartbeat,
  }
  if (thread) context.thread = fitThread(thread, item, LIMITS.contextBytes - jsonBytes(context))
  return context
}

const effectLines = ({ effects, more }: EffectsDone): string[] => [
  ...effects.map(({ summary }) => cutToBytes(summary, SHARES.effect)),
  ...(more ? ['and more of the same kind'] : []),
]

/**
 * A turn of this very item ended without an answer, so that its text stands in the session already. Not said where the item stands
 * for several messages: those before the newest would be taken for void with it, and asking for them twice does less harm.
 */
const isAskedAgain = (item: Item, message: Doc<'messages'> | null): boolean =>
  item.turn > 1 && (message === null || item.unseenFrom === null || item.unseenFrom >= message._creationTime)

/** Oldest first. What the item stands for goes before what is only there to understand it, and newer before older. */
function fitThread({ rows, complete }: Thread, item: Item, bytes: number): ThreadMessage[] {
  const isUnseen = (row: Doc<'messages'>) => item.unseenFrom !== null && row._creationTime >= item.unseenFrom
  const unseen = rows.filter(isUnseen)
  const lines = (share: number) => unseen.map((row) => threadMessage(row, share))
  const fitting = complete ? THREAD_SHARES.map(lines).find((all) => sizeOf(all) <= bytes) : undefined
  if (!fitting) {
    const shown = takeWhileFits(lines(SMALLEST_SHARE), bytes - SHARES.leftOut)
    const newestLeftOut = unseen[shown.length] ?? unseen.at(-1)
    const count = unseen.length - shown.length
    return [leftOut(count, complete, newestLeftOut?._creationTime ?? item._creationTime), ...shown.reverse()]
  }
  const before = rows.filter((row) => !isUnseen(row)).slice(0, Math.max(0, THREAD_MESSAGES - unseen.length))
  const context = takeWhileFits(
    before.map((row) => threadMessage(row, THREAD_SHARES[0])),
    bytes - sizeOf(fitting),
  )
  return [...fitting, ...context].reverse()
}

/** With the comma that follows each. */
const sizeOf = (lines: readonly ThreadMessage[]): number => lines.reduce((sum, line) => sum + jsonBytes(line) + 1, 0)

function takeWhileFits(lines: readonly ThreadMessage[], bytes: number): ThreadMessage[] {
  let left = bytes
  const end = lines.findIndex((line) => (left -= jsonBytes(line) + 1) < 0)
  return lines.slice(0, end < 0 ? lines.length : end)
}

function leftOut(count: number, exact: boolean, createdAt: number): ThreadMessage {
  const messages = count === 1 ? '1 earlier message is' : `${count} earlier messages are`
  const content = `[${exact ? '' : 'more than '}${messages} left out: there is no room for them here]`
  return { id: LEFT_OUT, author: { type: 'system', name: 'Mission Control' }, content, attachments: [], createdAt }
}

/** From this creation time on the context shows every message up to the item's newest. */
export function oldestShown(item: Item, { thread, message }: DeliveryContext): number {
  const oldest = thread.find(({ id }) => id !== LEFT_OUT) ?? message
  return oldest?.createdAt ?? item._creationTime
}

const threadMessage = (row: Doc<'messages'>, maxBytes: number): ThreadMessage => ({
  id: row._id,
  author: { type: row.authorType, name: cutToBytes(row.authorName, SHARES.name) },
  content: cutToBytes(contentOf(row), maxBytes),
  attachments: row.attachments.map(({ name, contentType, size }) => ({
    name: cutToBytes(name, SHARES.fileName),
    contentType: contentType === null ? null : cutToBytes(contentType, SHARES.fileName),
    size,
  })),
  createdAt: row._creationTime,
})

/** Deleted ones are left out of threads; one that an item is about may be told of all the same, if it was sent or is an answer. */
const contentOf = ({ content, deletedAt }: Doc<'messages'>): string => (deletedAt === null ? content : DELETED)

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
      return `Your request was ${message ? 'answered' : 'not answered'}${where}`
    case 'continuation':
      return `Go on with your work${where}`
    case 'heartbeat':
      return `Heartbeat${where}`
  }
}

function bodyOf(item: Item, message: Doc<'messages'> | null): string {
  return [item.note, message && contentOf(message)].filter((text) => text !== null && text !== undefined).join('\n\n')
}
