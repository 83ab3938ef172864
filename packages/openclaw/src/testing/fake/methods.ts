/** The fake gateway's methods over its runs and transcript: the answers have the real gateway's shape, reduced to what is used. */
import { createHash } from 'node:crypto'
import { rejection } from './rejection.ts'
import type { Method } from './params.ts'
import type { RunEnd, Runs } from './runs.ts'
import type { Row, Session, Transcript } from './transcript.ts'

/** Pending inputs per page, as in the real gateway. */
const PENDING_PAGE = 20
const DEFAULT_ROWS = 200
const DEFAULT_WAIT_MS = 30_000

type Json = Record<string, unknown>

export interface MethodsDeps {
  readonly runs: Runs
  readonly transcript: Transcript
  readonly onConfigChanged: () => void
}

export type Call = (method: Method, params: Json, gone: AbortSignal) => unknown

export function createMethods({ runs, transcript, onConfigChanged }: MethodsDeps): Call {
  const config = (): Json => ({ ...transcript.config })
  const entries = (): Json => ((config().agents as Json | undefined)?.entries ?? {}) as Json
  const systemAgent = (): string => {
    const defaults = (config().agents as Json | undefined)?.defaults as { systemAgent?: { agentId?: string } } | undefined
    return defaults?.systemAgent?.agentId ?? Object.keys(entries())[0] ?? 'main'
  }
  const writeConfig = (next: Json): void => {
    transcript.change(['config', next])
    onConfigChanged()
  }

  /** Lower case, with an owner, of an agent that exists. */
  function resolveKey(raw: string, agentId?: string): { sessionKey: string; agent: string } {
    const lower = raw.toLowerCase()
    const sessionKey = lower.startsWith('agent:') ? lower : `agent:${agentId ?? systemAgent()}:${lower}`
    const agent = sessionKey.split(':')[1] ?? ''
    if (agentId !== undefined && agentId !== agent) {
      throw rejection('INVALID_REQUEST', `agent "${agentId}" does not match: session key belongs to "${agent}", not "${agentId}"`)
    }
    if (!Object.hasOwn(entries(), agent)) throw rejection('INVALID_REQUEST', `Agent "${agent}" no longer exists in configuration`)
    return { sessionKey, agent }
  }

  /** Deleted a moment ago: the first turn for it still meets a database that is being closed, as on the real one. */
  const closing = new Set<string>()
  /**
   * A patch that brings a deleted agent back leaves all agents without what answers for them, until the next change that is none of these;
   * each patch ends in a request for a restart from then on. Seen on OpenClaw 2026.9.6.
   */
  const broken = { agents: false, patches: false }

  const methods: Record<Method, (params: never, gone: AbortSignal) => unknown> = {
    agent(params: AgentParams) {
      const [, meant = ''] = (params.sessionKey ?? '').toLowerCase().split(':')
      if (closing.delete(meant)) throw rejection('UNAVAILABLE', `Error: Agent database resources are closing: ${meant}`)
      const { sessionKey, agent } = resolveKey(params.sessionKey ?? 'main', params.agentId)
      if (transcript.deleted.has(agent)) {
        throw rejection('UNAVAILABLE', `Error: OpenClaw agent database is unavailable while agent ${agent} is deleted.`)
      }
      if (broken.agents) {
        throw rejection('UNAVAILABLE', `prepared reply dispatch runtime owner was not published for ${agent}`)
      }
      return runs.accept({
        sessionKey,
        agentId: agent,
        runId: params.idempotencyKey,
        message: params.message,
        extraSystemPrompt: params.extraSystemPrompt ?? null,
        timeoutMs: params.timeout === undefined ? null : params.timeout * 1000,
      })
    },
    async 'agent.wait'({ runId, timeoutMs = DEFAULT_WAIT_MS }: { runId: string; timeoutMs?: number }, gone) {
      return waitAnswer(runId, await runs.wait(runId, timeoutMs, gone))
    },
    'chat.history'({ sessionKey: raw, limit = DEFAULT_ROWS, inputRunIds = [] }: HistoryParams) {
      const { sessionKey } = resolveKey(raw)
      const session = transcript.sessions.get(sessionKey) ?? EMPTY
      const pending = [...session.pending.values()]
      const live = runs.activeRun(sessionKey)
      return {
        sessionKey,
        messages: session.rows.slice(-limit).map(wireRow),
        pendingInputs: { items: pending.slice(0, PENDING_PAGE), total: pending.length },
        inputReceipts: inputRunIds.filter((id) => session.pending.has(id)).map((runId) => ({ runId, state: 'pending' })),
        inputConsumptions: [],
        sessionInfo: sessionInfo(sessionKey, session),
        // A run has no text to show before its user row is written.
        ...(live === null || session.meta?.lastRunId !== live.runId ? {} : { inFlightRun: { runId: live.runId, text: '' } }),
      }
    },
    'sessions.list'() {
      const sessions = [...transcript.sessions].map(([key, session]) => sessionInfo(key, session))
      return { count: sessions.length, totalCount: sessions.length, sessions }
    },
    'sessions.abort'({ key, runId }: { key?: string; runId?: string }) {
      if (key === undefined) throw rejection('INVALID_REQUEST', 'sessions.abort needs a key here')
      const { sessionKey } = resolveKey(key)
      const live = runs.activeRun(sessionKey)
      const aborted = runId !== undefined && live?.runId !== runId ? null : runs.abort(sessionKey)
      return { ok: true, abortedRunId: aborted, status: aborted === null ? 'no-active-run' : 'aborted' }
    },
    'config.get'() {
      const shown = withoutSecrets(config())
      return { exists: true, valid: true, hash: hashOf(config()), config: shown, parsed: shown }
    },
    'config.patch'({ raw, baseHash }: { raw: string; baseHash?: string }) {
      if (baseHash !== hashOf(config())) {
        throw rejection('INVALID_REQUEST', 'config changed since last load; re-run config.get and retry')
      }
      const before = entries()
      const next = mergePatch(config(), JSON.parse(raw)) as Json
      const after = ((next.agents as Json | undefined)?.entries ?? {}) as Json
      const dropped = Object.keys(before).filter((id) => !Object.hasOwn(after, id))
      if (dropped.length > 0) {
        throw rejection(
          'INVALID_REQUEST',
          `Config write would drop agent roster entries without an explicit deletion: ${dropped.join(', ')}`,
        )
      }
      const isChange = hashOf(next) !== hashOf(config())
      writeConfig(next)
      const revives = Object.keys(after).some((id) => !Object.hasOwn(before, id) && transcript.deleted.has(id))
      if (revives) Object.assign(broken, { agents: true, patches: true })
      else if (isChange) broken.agents = false
      if (broken.patches) {
        throw rejection(
          'UNAVAILABLE',
          'config.patch persisted and updated the active Gateway, but a recovery restart is required; wait for the Gateway to restart, then run config.get to confirm the active revision',
        )
      }
      return { ok: true, hash: hashOf(next) }
    },
    'agents.list'() {
      const agents = Object.entries(entries()).map(([id, entry]) => ({ id, ...pick(entry as Json, ['name', 'workspace']) }))
      return { defaultId: systemAgent(), ownership: 'explicit', mainKey: 'main', scope: 'per-sender', agents }
    },
    'agents.create'({ name, workspace, model }: { name: string; workspace?: string; model?: string }) {
      const agentId = name.toLowerCase().replace(/[^a-z0-9]+/g, '-')
      closing.delete(agentId)
      if (transcript.deleted.has(agentId)) transcript.change(['claim', agentId])
      if (Object.hasOwn(entries(), agentId)) throw rejection('INVALID_REQUEST', `agent "${agentId}" already exists`)
      putAgent(agentId, { name, ...(workspace === undefined ? {} : { workspace }), ...(model === undefined ? {} : { model }) })
      return { ok: true, agentId, name, workspace: workspace ?? '' }
    },
    'agents.update'({ agentId, ...change }: { agentId: string } & Json) {
      const known = entries()[agentId] as Json | undefined
      if (known === undefined) throw rejection('INVALID_REQUEST', `agent "${agentId}" not found`)
      putAgent(agentId, { ...known, ...change })
      return { ok: true, agentId }
    },
    'agents.delete'({ agentId }: { agentId: string }) {
      if (!Object.hasOwn(entries(), agentId)) throw rejection('INVALID_REQUEST', `agent "${agentId}" not found`)
      for (const key of transcript.sessions.keys()) if (key.startsWith(`agent:${agentId}:`)) runs.abort(key)
      closing.add(agentId)
      broken.agents = false
      const { [agentId]: _gone, ...rest } = entries()
      writeConfig({ ...config(), agents: { ...(config().agents as Json), entries: rest } })
      transcript.change(['wipe', agentId])
      return { ok: true, agentId, removedBindings: 0 }
    },
  }

  function putAgent(id: string, entry: Json): void {
    writeConfig({ ...config(), agents: { ...(config().agents as Json | undefined), entries: { ...entries(), [id]: entry } } })
  }

  function sessionInfo(key: string, session: Session): Json {
    const live = runs.activeRun(key)
    return {
      key,
      agentId: key.split(':')[1],
      hasActiveRun: live !== null,
      activeRunIds: live === null ? [] : [live.runId],
      abortedLastRun: session.meta?.abortedLastRun ?? false,
      ...(session.meta === null ? {} : { status: session.meta.status, lastRunId: session.meta.lastRunId }),
    }
  }

  return (method, params, gone) => methods[method](params as never, gone)
}

interface AgentParams {
  readonly sessionKey?: string
  readonly agentId?: string
  readonly idempotencyKey: string
  readonly message: string
  readonly extraSystemPrompt?: string
  readonly timeout?: number
}

interface HistoryParams {
  readonly sessionKey: string
  readonly limit?: number
  readonly inputRunIds?: readonly string[]
}

const EMPTY: Session = { rows: [], pending: new Map(), meta: null }

function waitAnswer(runId: string, end: RunEnd | null): Json {
  if (end === null) return { runId, status: 'timeout' }
  const { text, ...rest } = end
  const terminalReply = text === undefined || text === '' ? { disposition: 'empty' } : { disposition: 'visible', text }
  return { runId, ...rest, ...(end.status === 'ok' ? { terminalReply } : {}) }
}

function wireRow(row: Row): Json {
  const own = { id: row.id, recordTimestampMs: row.at, ...pick(row as unknown as Json, ['runId']) }
  if (row.role === 'user') return { role: 'user', content: row.text, timestamp: row.at, idempotencyKey: row.key, __openclaw: own }
  const usage = row.usage && { ...row.usage, cacheRead: 0, cacheWrite: 0, cost: { total: 0 } }
  return {
    role: 'assistant',
    content: [{ type: 'text', text: row.text }],
    provider: 'fake',
    model: 'scripted',
    stopReason: row.stopReason,
    timestamp: row.at,
    ...(row.key === undefined ? {} : { idempotencyKey: row.key }),
    ...(usage === undefined ? {} : { usage }),
    __openclaw: own,
  }
}

/** The real gateway blanks the headers of MCP servers, among much else that the fake has not got. */
function withoutSecrets(config: Json): Json {
  const mcp = config.mcp as { servers?: Record<string, Json> } | undefined
  if (mcp?.servers === undefined) return config
  const servers = Object.entries(mcp.servers).map(([name, server]) => {
    const headers = Object.keys((server.headers ?? {}) as Json).map((header) => [header, '__OPENCLAW_REDACTED__'])
    return [name, { ...server, headers: Object.fromEntries(headers) as Json }] as const
  })
  return { ...config, mcp: { ...mcp, servers: Object.fromEntries(servers) } }
}

function hashOf(value: unknown): string {
  return `sha256:${createHash('sha256').update(JSON.stringify(value)).digest('base64url')}`
}

/** RFC 7396. */
function mergePatch(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch
  const result: Json = typeof target === 'object' && target !== null && !Array.isArray(target) ? { ...target } : {}
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key]
    else result[key] = mergePatch(result[key], value)
  }
  return result
}

function pick(from: Json, names: readonly string[]): Json {
  return Object.fromEntries(names.flatMap((name) => (from[name] === undefined ? [] : [[name, from[name]]])))
}
