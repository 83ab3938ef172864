/** Reads `chat.history` answers into a snapshot. Fields that are missing mean "none"; a wrong shape is a protocol error. */
import { z } from 'zod'
import { GatewayError } from './errors.ts'
import type { HistoryRow, HistorySnapshot, TurnUsage } from './gateway.ts'

const Count = z.number().catch(0)
const Usage = z.object({
  input: Count,
  output: Count,
  cacheRead: Count,
  cacheWrite: Count,
  cost: z.object({ total: Count }).catch({ total: 0 }),
})

const Message = z.object({
  role: z.string(),
  content: z.unknown(),
  idempotencyKey: z.string().optional(),
  stopReason: z.string().optional(),
  provider: z.string().optional(),
  model: z.string().optional(),
  usage: Usage.optional().catch(undefined),
  __openclaw: z
    .object({ id: z.string().optional(), runId: z.string().optional(), idempotencyKey: z.string().optional() })
    .optional(),
})

const History = z.object({
  messages: z.array(Message),
  pendingInputs: z.object({ items: z.array(z.object({ runId: z.string(), state: z.string() })) }).default({ items: [] }),
  inputReceipts: z.array(z.object({ runId: z.string() })).default([]),
  sessionInfo: z
    .object({ status: z.string().nullish(), hasActiveRun: z.boolean().nullish(), activeRunIds: z.array(z.string()).nullish() })
    .default({}),
  inFlightRun: z.object({ runId: z.string() }).nullish(),
  hasMore: z.boolean().optional(),
  nextOffset: z.number().int().positive().optional(),
})

type Message = z.infer<typeof Message>
type History = z.infer<typeof History>

/** One answer: a window of rows, and what the gateway says about the session at that moment. */
export type HistoryPage = History

/** The gateway appends this to the key of a request to name the user row it wrote. */
const USER_ROW_SUFFIX = /:user$/

/** Throws GATEWAY_PROTOCOL when the answer is not a history. */
export function readPage(payload: unknown): HistoryPage {
  const parsed = History.safeParse(payload)
  if (!parsed.success) throw new GatewayError('GATEWAY_PROTOCOL', `unreadable history: ${parsed.error.issues[0]?.message ?? ''}`)
  return parsed.data
}

/** Whether the page holds the user row of each of these keys. */
export function holdsRowsOf(page: HistoryPage, turnKeys: readonly string[]): boolean {
  const keys = new Set(page.messages.map(inputKeyOf))
  return turnKeys.every((key) => keys.has(key))
}

/**
 * Puts older rows before a page. Rows written between the two reads push the window back, so that it can repeat some of them; what
 * is said about the session stays the newer page's.
 */
export function prepend(older: HistoryPage, page: HistoryPage): HistoryPage {
  const known = new Set(page.messages.flatMap(({ __openclaw }) => __openclaw?.id ?? []))
  const fresh = older.messages.filter(({ __openclaw }) => __openclaw?.id === undefined || !known.has(__openclaw.id))
  const { hasMore, nextOffset } = older
  return { ...page, messages: [...fresh, ...page.messages], hasMore, nextOffset }
}

/** `complete`: nothing older is left unread. */
export function snapshotOf(page: HistoryPage, bootId: string, complete: boolean): HistorySnapshot {
  const { messages, pendingInputs, inputReceipts, sessionInfo, inFlightRun } = page
  return {
    rows: messages.map(readRow),
    complete,
    pending: pendingInputs.items,
    receipts: inputReceipts.map((receipt) => receipt.runId),
    status: sessionInfo.status ?? null,
    hasActiveRun: sessionInfo.hasActiveRun ?? false,
    liveRunId: inFlightRun?.runId ?? sessionInfo.activeRunIds?.[0] ?? null,
    bootId,
  }
}

function inputKeyOf(message: Message): string | null {
  const key = message.idempotencyKey ?? message.__openclaw?.idempotencyKey ?? null
  return message.role === 'user' && key !== null && USER_ROW_SUFFIX.test(key) ? key.replace(USER_ROW_SUFFIX, '') : null
}

function readRow(message: Message): HistoryRow {
  return {
    role: message.role,
    inputKey: inputKeyOf(message),
    runId: message.__openclaw?.runId ?? null,
    text: visibleText(message.content),
    stopReason: message.stopReason ?? null,
    usage: message.role === 'assistant' ? readUsage(message) : null,
  }
}

function readUsage({ usage, provider, model }: Message): TurnUsage | null {
  if (usage === undefined) return null
  return {
    inputTokens: usage.input,
    outputTokens: usage.output,
    cacheReadTokens: usage.cacheRead,
    cacheWriteTokens: usage.cacheWrite,
    costUsd: usage.cost.total,
    model: model === undefined ? null : `${provider ?? 'unknown'}/${model}`,
  }
}

/** Text parts only: thinking and tool calls are not part of an answer. */
function visibleText(content: unknown): string {
  if (typeof content === 'string') return content
  if (!Array.isArray(content)) return ''
  return content
    .map((part: unknown) => {
      const { type, text } = (part ?? {}) as { type?: unknown; text?: unknown }
      return type === 'text' && typeof text === 'string' ? text : ''
    })
    .join('')
}
