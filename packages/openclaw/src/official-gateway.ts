/** The `Gateway` a turn talks to, over a real connection. Translates between the wire and the few fields a decision needs. */
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

interface AgentAnswer {
  readonly status: string
  readonly endedAt?: number
}

interface RunEnd {
  readonly status: string
  readonly endedAt?: number
  readonly stopReason?: string
  readonly error?: unknown
  readonly terminalReply?: { readonly disposition?: string; readonly text?: string }
}

export function createGateway(client: Client): Gateway {
  return {
    async send(request, signal): Promise<SendAnswer> {
      const { payload, bootId } = await client.request<AgentAnswer>('agent', agentParams(request), { signal })
      if (payload.status === 'accepted' || payload.status === 'in_flight') return { status: payload.status, bootId }
      // A key whose run was ended earlier in the same gateway life is answered with that end.
      return { status: 'ended', bootId }
    },

    async wait(runId, waitMs, signal): Promise<WaitAnswer> {
      const timeoutMs = Math.max(0, Math.round(waitMs))
      const { payload } = await client.request<RunEnd>(
        'agent.wait',
        { runId, timeoutMs },
        { signal, timeoutMs: timeoutMs + WAIT_GRACE_MS },
      )
      return readRunEnd(payload)
    },

    async history(sessionKey, turnKeys, signal): Promise<HistorySnapshot> {
      const read = async (window: { limit: number; offset?: number; inputRunIds?: readonly string[] }) => {
        const params = { sessionKey, maxChars: HISTORY_ROW_CHARS, ...window }
        const { payload, bootId } = await client.request('chat.history', params, { signal, timeoutMs: HISTORY_TIMEOUT_MS })
        return { page: readPage(payload), bootId }
      }
      const newest = await read({ limit: HISTORY_ROWS, ...(turnKeys.length === 0 ? {} : { inputRunIds: turnKeys }) })
      const { bootId } = newest
      let { page } = newest
      // A long turn, or long rows (an answer has a limit in bytes as well), put its beginning out of the first window.
      while (page.hasMore === true && !holdsRowsOf(page, turnKeys) && (page.nextOffset ?? MOST_ROWS) < MOST_ROWS) {
        const offset = page.nextOffset ?? 0
        const older = await read({ limit: OLDER_ROWS, offset })
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
      const { payload } = await client.request<{ abortedRunId?: string | null }>(
        'sessions.abort',
        { key: sessionKey },
        { signal },
      )
      return { abortedRunId: payload.abortedRunId ?? null }
    },

    onBoot: (listener) => client.onBoot(listener),
  }
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

function readRunEnd(end: RunEnd): WaitAnswer {
  const stopReason = end.stopReason ?? null
  switch (end.status) {
    case 'ok':
      return { status: 'ok', text: end.terminalReply?.text ?? '', stopReason }
    case 'error':
      return { status: 'error', message: errorText(end.error) ?? 'the turn ended with an error', stopReason }
    case 'timeout':
      // Without an end time only the wait expired, or the run is unknown: the gateway does not tell which.
      if (end.endedAt === undefined) return { status: 'pending' }
      if (stopReason !== null && stopReason !== 'timeout')
        return { status: 'error', message: errorText(end.error) ?? 'aborted', stopReason }
      return { status: 'timeout', message: errorText(end.error) ?? 'the turn ran into its time limit' }
    default:
      throw new GatewayError('GATEWAY_PROTOCOL', `agent.wait answered with the unknown status "${end.status}"`)
  }
}

function errorText(error: unknown): string | null {
  if (typeof error === 'string') return error
  if (typeof error === 'object' && error !== null && 'message' in error && typeof error.message === 'string') return error.message
  return null
}
