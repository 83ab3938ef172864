/**
 * The gateway as a part: the strict stand-in of packages/openclaw (runs, transcript, methods as measured on the real one) under a clock
 * of its own, without its socket. A crash loses runs and dedupe and keeps the transcript; the next life resumes interrupted turns.
 */
import { createMethods } from '@mission-control/openclaw/testing/fake/methods'
import type { CheckParams, Method } from '@mission-control/openclaw/testing/fake/params'
import type { FakeTurn, Runs } from '@mission-control/openclaw/testing/fake/runs'
import { createRuns } from '@mission-control/openclaw/testing/fake/runs'
import type { Row, Transcript } from '@mission-control/openclaw/testing/fake/transcript'
import { openTranscript } from '@mission-control/openclaw/testing/fake/transcript'
import { INTERNAL_AGENT } from '@mission-control/openclaw/config/initial'
import type { Seeded } from './seeded.ts'
import type { Part, PartClock, Time } from './time.ts'
import { createPartClock } from './time.ts'
import type { Trace } from './trace.ts'

export interface GatewayLife {
  readonly part: Part
  readonly clock: PartClock
  readonly bootId: string
  readonly runs: Runs
  /** The instruction a session is at work on: of a recovered turn the one it recovers. */
  instruction(sessionKey: string): { readonly runId: string; readonly text: string } | null
  call(method: Method, params: Record<string, unknown>, gone: AbortSignal): unknown
}

export interface GatewayPart {
  readonly name: string
  readonly transcript: Transcript
  life(): GatewayLife | null
  /** A new process over what the last one left. */
  start(): void
  /** Like kill -9. */
  crash(): void
  /** Calls back when a life has begun or ended. */
  onChange(listener: () => void): () => void
}

export interface GatewayDeps {
  readonly name: string
  readonly time: Time
  readonly trace: Trace
  readonly random: Seeded
  readonly check: CheckParams
  /** The model behind it. */
  respond(turn: FakeTurn, life: GatewayLife): Promise<string>
  /** A turn was accepted. */
  onTaken(part: Part): void
  /**
   * A turn was accepted although its key had an answer that this life did not know, and whoever sent it had not looked in this life, or
   * had been shown the answer. (A look and a send are two requests: an answer of a recovery that comes between them nobody can see.)
   */
  onSpoiled(runId: string): void
}

export function createGatewayPart(deps: GatewayDeps): GatewayPart {
  const { name, time, trace, random, check } = deps
  const transcript = openTranscript()
  transcript.change(['config', { agents: { ownership: 'explicit', entries: { [INTERNAL_AGENT]: { name: INTERNAL_AGENT } } } }])
  const listeners = new Set<() => void>()
  const rate = 1 + (random.next() - 0.5) * 4e-4
  let boots = 0
  let ids = 0
  let life: GatewayLife | null = null
  const changed = () => {
    for (const listener of [...listeners]) listener()
  }
  const noTools = { of: () => ({ list: async () => [], call: async () => 'there are no tools' }), close: async () => undefined }

  function begin(): GatewayLife {
    boots += 1
    const part: Part = { name, paused: false, dead: false }
    const clock = createPartClock(time, part, { start: 1_900_000_000_000, rate })
    const runs = createRuns({
      ...{ clock, transcript, tools: noTools, coldStartMs: random.chance(0.5) ? 0 : random.spread(100, 10_000) },
      newId: () => `${name}-${(ids += 1)}`,
      respond: (turn) => deps.respond(turn, fresh),
    })
    /** Rows of a session at the last look that no send has followed yet. */
    const shown = new Map<string, number>()
    const perform = createMethods({ runs, transcript, onConfigChanged: () => undefined })
    const fresh: GatewayLife = {
      ...{ part, clock, runs },
      bootId: `${name}-boot${boots}`,
      instruction(sessionKey) {
        const row = transcript.sessions.get(sessionKey)?.rows.findLast(({ role, text }) => role === 'user' && !isOfGateway(text))
        return row?.key === undefined ? null : { runId: row.key.replace(/:user$/, ''), text: row.text }
      },
      call(method, params, gone) {
        check(method, params)
        const { sessionKey, idempotencyKey } = params as { sessionKey: string; idempotencyKey: string }
        const rows = transcript.sessions.get(sessionKey)?.rows ?? []
        if (method === 'chat.history') shown.set(sessionKey, rows.length)
        if (method !== 'agent') return perform(method, params, gone)
        const wasAnswered = isAnswered(rows, idempotencyKey)
        const seen = shown.get(sessionKey)
        shown.delete(sessionKey)
        const couldKnow = seen === undefined || isAnswered(rows.slice(0, seen), idempotencyKey)
        const answer = perform(method, params, gone) as { status?: string }
        if (answer.status === 'accepted') deps.onTaken(part)
        if (wasAnswered && couldKnow && answer.status === 'accepted') deps.onSpoiled(idempotencyKey)
        return answer
      },
    }
    return fresh
  }

  return {
    name,
    transcript,
    life: () => life,
    start() {
      if (life !== null) return
      life = begin()
      trace.note(name, `starts (${life.bootId})`)
      life.runs.recoverNext()
      changed()
    },
    crash() {
      if (life === null) return
      trace.note(name, 'crashes')
      life.runs.die()
      time.kill(life.part)
      life = null
      changed()
    },
    onChange(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
  }
}

/** What the gateway says to the model when it recovers a turn. */
const isOfGateway = (text: string): boolean => text.startsWith('[System]')

/** The turn has a good last word of its own run or of one that recovered it. */
export function isAnswered(rows: readonly Row[], key: string): boolean {
  const start = rows.findLastIndex((row) => row.key === `${key}:user`)
  if (start < 0) return false
  const after = rows.slice(start + 1)
  const next = after.findIndex((row) => row.role === 'user' && !isOfGateway(row.text))
  return (next < 0 ? after : after.slice(0, next)).some(
    (row) => row.role === 'assistant' && row.stopReason === 'stop' && row.text !== '',
  )
}
