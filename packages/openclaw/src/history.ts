/** Reads a `chat.history` answer into a snapshot. Fields that are missing mean "none"; a wrong shape is a protocol error. */
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
  __openclaw: z.object({ runId: z.string().optional(), idempotencyKey: z.string().optional() }).optional(),
})

const History = z.object({
  messages: z.array(Message),
  pendingInputs: z.object({ items: z.array(z.object({ runId: z.string(), state: z.string() })) }).default({ items: [] }),
  inputReceipts: z.array(z.object({ runId: z.string() })).default([]),
  sessionInfo: z
    .object({ status: z.string().nullish(), hasActiveRun: z.boolean().nullish(), activeRunIds: z.array(z.string()).nullish() })
    .default({}),
  inFlightRun: z.object({ runId: z.string() }).nullish(),
})

/** The gateway appends this to the key of a request to name the user row it wrote. */
const USER_ROW_SUFFIX = /:user$/

/** Throws GATEWAY_PROTOCOL when the answer is not a history. */
export function readHistory(payload: unknown, bootId: string): HistorySnapshot {
  const parsed = History.safeParse(payload)
  if (!parsed.success) throw new GatewayError('GATEWAY_PROTOCOL', `unreadable history: ${parsed.error.issues[0]?.message ?? ''}`)
  const { messages, pendingInputs, inputReceipts, sessionInfo, inFlightRun } = parsed.data
  return {
    rows: messages.map(readRow),
    pending: pendingInputs.items,
    receipts: inputReceipts.map((receipt) => receipt.runId),
    status: sessionInfo.status ?? null,
    hasActiveRun: sessionInfo.hasActiveRun ?? false,
    liveRunId: inFlightRun?.runId ?? sessionInfo.activeRunIds?.[0] ?? null,
    bootId,
  }
}

function readRow(message: z.infer<typeof Message>): HistoryRow {
  const key = message.idempotencyKey ?? message.__openclaw?.idempotencyKey ?? null
  const isUser = message.role === 'user'
  return {
    role: message.role,
    inputKey: isUser && key !== null && USER_ROW_SUFFIX.test(key) ? key.replace(USER_ROW_SUFFIX, '') : null,
    runId: message.__openclaw?.runId ?? null,
    text: visibleText(message.content),
    stopReason: message.stopReason ?? null,
    usage: message.role === 'assistant' ? readUsage(message) : null,
  }
}

function readUsage({ usage, provider, model }: z.infer<typeof Message>): TurnUsage | null {
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
