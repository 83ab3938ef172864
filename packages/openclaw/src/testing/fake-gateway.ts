/**
 * A strict stand-in for the OpenClaw gateway, in process, over a real WebSocket, with the official protocol. It answers in well
 * under a millisecond, keeps a durable transcript across `crash` and `restart`, and has the real one's habits that decide whether a
 * delivery is lost or doubled: it forgets its dedupe, resumes interrupted turns under ids of its own one at a time, burns the keys
 * of interrupted input, and spoils answered keys that are sent again. A contract test runs the same cases against the real one.
 */
import { randomUUID } from 'node:crypto'
import { systemClock } from '@mission-control/host/clock'
import type { Clock } from '@mission-control/shared/clock'
import { createMethods } from './fake/methods.ts'
import { createParamsCheck } from './fake/params.ts'
import type { FakeTurn, Respond, Runs } from './fake/runs.ts'
import { createRuns } from './fake/runs.ts'
import { createTools } from './fake/tools.ts'
import type { Tools } from './fake/tools.ts'
import type { Server } from './fake/server.ts'
import { listen, TICK_MS } from './fake/server.ts'
import type { Transcript } from './fake/transcript.ts'
import { openTranscript } from './fake/transcript.ts'
import type { Gate } from './gates.ts'
import { converse } from './converse.ts'
import { createGates } from './gates.ts'

export type { FakeTurn, Respond } from './fake/runs.ts'
export type { Transcript } from './fake/transcript.ts'

export interface FakeGatewayOptions {
  /** 0 picks a free port; a restart keeps it. */
  readonly port?: number
  readonly token?: string
  /** Agents known from the start, when the transcript holds no configuration yet. */
  readonly agents?: readonly string[]
  /** A full configuration instead of `agents`. */
  readonly config?: Readonly<Record<string, unknown>>
  /** File that survives the process; in memory when absent. */
  readonly transcriptFile?: string
  /** The model. Default: the scripted one, with directives and gates. */
  readonly respond?: Respond
  /** Delay between acceptance and user row of a session's first turn; the real gateway takes seconds. Default 0. */
  readonly coldStartMs?: number
  /** Milliseconds between signs of life; the real gateway's 30 s by default. */
  readonly tickMs?: number
  /** It says none of them, as one whose timers starve. Default false. */
  readonly noTicks?: boolean
  /** Interrupted turns wait for `recoverNext` instead of being resumed at a start. Default false. */
  readonly holdRecovery?: boolean
  readonly clock?: Clock
  /** Called with the name of each method that a client asks for. */
  readonly onCall?: (method: string) => void
}

export interface FakeGateway extends AsyncDisposable {
  readonly url: string
  readonly port: number
  readonly token: string
  readonly bootId: string
  readonly transcript: Transcript
  /** Every model call so far: what the agents were really asked, recoveries included. */
  readonly turns: readonly FakeTurn[]
  gate(name: string): Gate
  /** Resolves with the first model call, past or future, that matches. */
  waitForTurn(matches: (turn: FakeTurn) => boolean): Promise<FakeTurn>
  /** Like kill -9: sockets break, model calls are lost, only the transcript stays. */
  crash(): Promise<void>
  /** A new gateway process on the same port, token and transcript. */
  restart(): Promise<void>
  /** Like SIGTERM: takes no new work, lets running turns end, then closes. */
  drain(): Promise<void>
  /** With `holdRecovery`: resumes the next interrupted turn; false when there is none. */
  recoverNext(): boolean
  /** Breaks every connection and keeps running. */
  dropConnections(): Promise<void>
  stop(): Promise<void>
}

interface Life {
  readonly bootId: string
  readonly runs: Runs
  readonly tools: Tools
  server: Server
  readonly relisten: () => Promise<Server>
}

export async function startFakeGateway(options: FakeGatewayOptions = {}): Promise<FakeGateway> {
  const clock = options.clock ?? systemClock
  const token = options.token ?? 'fake-gateway-token'
  const tickMs = options.tickMs ?? TICK_MS
  const transcript = openTranscript(options.transcriptFile)
  if (transcript.config === null) transcript.change(['config', options.config ?? configFor(options.agents ?? ['writer'])])
  const check = createParamsCheck()
  const gates = createGates()
  const turns: FakeTurn[] = []
  const watchers = new Set<(turn: FakeTurn) => void>()
  let port = options.port ?? 0
  let life: Life | null = await begin()

  function respond(turn: FakeTurn): string | Promise<string> {
    turns.push(turn)
    for (const watch of watchers) watch(turn)
    return options.respond === undefined ? scripted(turn) : options.respond(turn)
  }

  const scripted = (turn: FakeTurn) => converse(turn, lastParagraphOfMerged(turn.prompt), gates)

  async function begin(): Promise<Life> {
    const bootId = randomUUID()
    const tools = createTools(() => transcript.config ?? {})
    const runs = createRuns({ clock, transcript, respond, tools, coldStartMs: options.coldStartMs ?? 0 })
    const perform = createMethods({ runs, transcript, onConfigChanged: () => fresh.server.broadcast('config.changed', {}) })
    const call: typeof perform = (method, params, gone) => {
      options.onCall?.(method)
      return perform(method, params, gone)
    }
    const relisten = async () => {
      const ready = () => !runs.isDraining()
      const noTicks = options.noTicks ?? false
      const server = await listen({ port, token, bootId, check, call, ready, clock, tickMs, noTicks })
      port = server.port
      return server
    }
    const fresh: Life = { bootId, runs, tools, server: await relisten(), relisten }
    if (options.holdRecovery !== true) runs.recoverNext()
    return fresh
  }

  function alive(): Life {
    if (life === null) throw new Error('the fake gateway is down')
    return life
  }

  async function end(how: 'killed' | 'restart'): Promise<void> {
    const old = life
    life = null
    old?.runs.die()
    await old?.tools.close(how === 'restart')
    await old?.server.close(how)
  }

  const stop = () => end('killed')
  return {
    get url() {
      return `ws://127.0.0.1:${port}`
    },
    get port() {
      return port
    },
    token,
    get bootId() {
      return alive().bootId
    },
    transcript,
    turns,
    gate: (name) => gates.gate(name),
    async waitForTurn(matches) {
      const seen = turns.find(matches)
      if (seen !== undefined) return seen
      const found = Promise.withResolvers<FakeTurn>()
      const watch = (turn: FakeTurn) => {
        if (matches(turn)) found.resolve(turn)
      }
      watchers.add(watch)
      return found.promise.finally(() => watchers.delete(watch))
    },
    crash: () => end('killed'),
    async restart() {
      if (life !== null) await end('killed')
      life = await begin()
    },
    async drain() {
      const { runs } = alive()
      await runs.drain()
      // Whoever waits for the last run hears of its end before the sockets close.
      await new Promise((resolve) => setImmediate(resolve))
      await end('restart')
    },
    recoverNext: () => alive().runs.recoverNext(),
    async dropConnections() {
      const current = alive()
      await current.server.close('killed')
      current.server = await current.relisten()
    },
    stop,
    [Symbol.asyncDispose]: stop,
  }
}

function configFor(agents: readonly string[]): Record<string, unknown> {
  return { agents: { ownership: 'explicit', entries: Object.fromEntries(agents.map((id) => [id, { name: id }])) } }
}

/** As in model-prompt.ts: an unanswered earlier message stands in front of the new one. */
function lastParagraphOfMerged(prompt: string): string {
  return prompt.startsWith('[Queued user message') ? (prompt.split('\n\n').at(-1) ?? '') : prompt
}
