/** The `Gateway` a turn talks to, over a real connection. Translates between the wire and the few fields a decision needs. */
import { z } from 'zod'
import type { Client } from './client.ts'
import { GatewayError } from './errors.ts'
import type { AbortAnswer, Gateway, HistorySnapshot, SendAnswer, SendRequest, WaitAnswer } from './gateway.ts'
import { holdsRowsOf, prepend, readPage, snapshotOf } from './history.ts'

/** The answer of `agent.wait` may come this much later than its own limit when the gateway's event loop is busy. */
const WAIT_GRACE_MS = 10_000

/**
 * The gateway keeps readers of a session waiting while it tidies the session's database: 25 s were seen on a loaded machine. A read that
 * is cut off and asked anew may never get through. A dead link is noticed by its silence, long before this.
 */
const HISTORY_TIMEOUT_MS = 120_000

/** Rows read per look. A turn writes one row per model step, so the newest 100 hold many turns of one session. */
const HISTORY_ROWS = 100

/** Rows per further page, for a key whose row lies further back. The gateway's limit. */
const OLDER_ROWS = 1000

/** How far back a key is looked for. A turn of 15 minutes that writes ten rows a second still begins within it. */
const MOST_ROWS = 10_000

/** Longest text of one row to read back, in characters: above the size of any reply we keep. */
const HISTORY_ROW_CHARS = 200_000

/** What is read of each answer. Anything else in its place is a protocol error: guessing could run a turn twice, or end one that runs. */
const AgentAnswer = z.object({ status: z.string() })
const RunEnd = z.object({
  status: z.string(),
  endedAt: z.number().nullish(),
  stopReason: z.string().nullish(),
  error: z.unknown().optional(),
  terminalReply: z.object({ text: z.string().nullish() }).nullish(),
})
const Aborted = z.object({ abortedRunId: z.string().nullish() })

export function createGateway(client: Client): Gateway {
  return {
    async send(request, signal): Promise<SendAnswer> {
      const { payload, bootId } = await client.request('agent', agentParams(request), { signal })
      const { status } = read('agent', AgentAnswer, payload)
      if (status === 'accepted' || status === 'in_flight') return { status, bootId }
      // A key whose run was ended earlier in the same gateway life is answered with that end.
      return { status: 'ended', bootId }
    },

    async wait(runId, waitMs, signal): Promise<WaitAnswer> {
      const timeoutMs = Math.max(0, Math.round(waitMs))
      const { payload } = await client.request(
        'agent.wait',
        { runId, timeoutMs },
        { signal, timeoutMs: timeoutMs + WAIT_GRACE_MS },
      )
      return readRunEnd(read('agent.wait', RunEnd, payload))
    },

    async history(sessionKey, turnKeys, signal): Promise<HistorySnapshot> {
      const readWindow = async (window: { limit: number; offset?: number; inputRunIds?: readonly string[] }) => {
        const params = { sessionKey, maxChars: HISTORY_ROW_CHARS, ...window }
        const { payload, bootId } = await client.request('chat.history', params, { signal, timeoutMs: HISTORY_TIMEOUT_MS })
        return { page: readPage(payload), bootId }
      }
      const newest = await readWindow({ limit: HISTORY_ROWS, ...(turnKeys.length === 0 ? {} : { inputRunIds: turnKeys }) })
      const { bootId } = newest
      let { page } = newest
      // A long turn, or long rows (an answer has a limit in bytes as well), put its beginning out of the first window.
      while (page.hasMore === true && !holdsRowsOf(page, turnKeys) && (page.nextOffset ?? MOST_ROWS) < MOST_ROWS) {
        const offset = page.nextOffset ?? 0
        const older = await readWindow({ limit: OLDER_ROWS, offset })
        // What was read before need not be true any more, and half a look must not lead to a decision.
        if (older.bootId !== bootId) {
          throw new GatewayError('GATEWAY_DISCONNECTED', 'another gateway process answered while the history was read')
        }
        if (older.page.hasMore === true && (older.page.nextOffset ?? 0) <= offset) {
          throw new GatewayError('GATEWAY_PROTOCOL', 'chat.history pages do not advance')
        }
        page = prepend(older.page, page)
      }
      return snapshotOf(page, bootId, !(page.hasMore ?? page.messages.length >= HISTORY_ROWS))
    },

    async abort(sessionKey, signal): Promise<AbortAnswer> {
      const { payload } = await client.request('sessions.abort', { key: sessionKey }, { signal })
      return { abortedRunId: read('sessions.abort', Aborted, payload).abortedRunId ?? null }
    },

    onBoot: (listener) => client.onBoot(listener),
  }
}

/** @throws GatewayError GATEWAY_PROTOCOL for an answer of another shape */
function read<T>(method: string, shape: z.ZodType<T>, payload: unknown): T {
  const parsed = shape.safeParse(payload)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  throw new GatewayError(
    'GATEWAY_PROTOCOL',
    `unreadable answer of ${method}: ${issue?.path.join('.') ?? ''} ${issue?.message ?? ''}`,
  )
}

/** The gateway's limit has whole seconds; a turn limit is rounded up so that ours always comes first. */
function agentParams(request: SendRequest): object {
  const { sessionKey, turnKey, message, extraSystemPrompt, attachments, timeoutMs } = request
  return {
    sessionKey,
    message,
    idempotencyKey: turnKey,
    deliver: false,
    timeout: Math.ceil(timeoutMs / 1000),
    ...(extraSystemPrompt === undefined ? {} : { extraSystemPrompt }),
    ...(attachments === undefined ? {} : { attachments }),
  }
}

function readRunEnd(end: z.infer<typeof RunEnd>): WaitAnswer {
  const stopReason = end.stopReason ?? null
  switch (end.status) {
    case 'ok':
      return { status: 'ok', text: end.terminalReply?.text ?? '', stopReason }
    case 'error':
      return { status: 'error', message: errorText(end.error) ?? 'the turn ended with an error', stopReason }
    case 'timeout':
      // Without an end time only the wait expired, or the run is unknown: the gateway does not tell which.
      if (typeof end.endedAt !== 'number') return { status: 'pending' }
      if (stopReason !== null && stopReason !== 'timeout')
        return { status: 'error', message: errorText(end.error) ?? 'aborted', stopReason }
      return { status: 'timeout', message: errorText(end.error) ?? 'the turn ran into its time limit' }
    default:
      throw new GatewayError('GATEWAY_PROTOCOL', `agent.wait answered with the unknown status "${end.status.slice(0, 50)}"`)
  }
}

function errorText(error: unknown): string | null {
  if (typeof error === 'string') return error
  if (typeof error === 'object' && error !== null && 'message' in error && typeof error.message === 'string') return error.message
  return null
}
