/**
 * The runs of one gateway life: acceptance, one run per session at a time in the order received, ends, aborts, and the recovery of
 * turns that an earlier life left unfinished. Behaves as measured on the real gateway, quirks included.
 */
import { randomUUID } from 'node:crypto'
import type { Clock } from '@mission-control/shared/clock'
import { rejection } from './rejection.ts'
import type { Tools, TurnTools } from './tools.ts'
import type { PendingState, Row, SessionMeta, Transcript } from './transcript.ts'

/** The real gateway forgets finished runs after this long. */
const DEDUPE_MS = 300_000

const RECOVERY_TEXT =
  "[System] Your previous turn was interrupted by a gateway restart while OpenClaw was waiting on tool/model work. The restart did not cancel the user's task. Continue from the existing transcript and finish the task."
const MERGE_NOTE =
  '[Queued user message from a previous active turn; preserved as context only. Continue with the active prompt below.]'
const TIMEOUT_TEXT = 'Request timed out before a response was generated.'

/** One model call of a turn, as the scripted model sees it. */
export interface FakeTurn {
  readonly agentId: string
  readonly sessionKey: string
  readonly runId: string
  /** What the model reads as the newest user message. */
  readonly prompt: string
  readonly extraSystemPrompt: string | null
  /** The gateway continues a turn of an earlier life by itself, under a run id of its own. */
  readonly recovered: boolean
  readonly tools: TurnTools
  readonly signal: AbortSignal
}

/** Answers a turn; a thrown error is the model's failure. */
export type Respond = (turn: FakeTurn) => string | Promise<string>

export interface RunEnd {
  readonly status: 'ok' | 'error' | 'timeout'
  readonly startedAt?: number
  readonly endedAt: number
  readonly stopReason?: string
  readonly error?: string
  readonly text?: string
}

export interface Run {
  readonly runId: string
  readonly sessionKey: string
  readonly agentId: string
  readonly message: string
  readonly extraSystemPrompt: string | null
  readonly timeoutMs: number | null
  /** `fresh` writes its user row, `continue` found it there, `recovery` writes a row of the gateway. */
  readonly kind: 'fresh' | 'continue' | 'recovery'
  readonly cancel: AbortController
  readonly ended: PromiseWithResolvers<RunEnd>
  end: RunEnd | null
}

export interface RunsOptions {
  readonly clock: Clock
  readonly transcript: Transcript
  readonly respond: Respond
  readonly tools: Tools
  /** How long the first run of a session takes before its user row is written. Milliseconds. */
  readonly coldStartMs: number
  /** Ids of rows, inputs and recovering runs. Default: random ones. */
  readonly newId?: () => string
}

export interface Accept {
  readonly sessionKey: string
  readonly agentId: string
  readonly runId: string
  readonly message: string
  readonly extraSystemPrompt: string | null
  readonly timeoutMs: number | null
}

export type Runs = ReturnType<typeof createRuns>

export function createRuns({ clock, transcript, respond, tools, coldStartMs, newId = randomUUID }: RunsOptions) {
  const runs = new Map<string, Run>()
  const queues = new Map<string, Run[]>()
  const active = new Map<string, Run>()
  /** Sessions whose turn an earlier life left unfinished, in the order they will be recovered. */
  const interrupted: string[] = []
  let dead = false
  let draining = false

  for (const [key, session] of transcript.sessions) {
    for (const item of session.pending.values()) {
      if (item.state === 'queued') transcript.change(['pend', key, { ...item, state: 'interrupted' }])
    }
    if (session.meta?.status === 'running') {
      transcript.change(['meta', key, { ...session.meta, abortedLastRun: true }])
      interrupted.push(key)
    }
  }
  interrupted.sort()

  function accept(input: Accept): Record<string, unknown> {
    const { sessionKey, runId, agentId } = input
    const known = runs.get(runId)
    if (known !== undefined && (known.end === null || clock.now() - known.end.endedAt < DEDUPE_MS)) return replay(known)
    if (draining) throw rejection('UNAVAILABLE', 'Gateway is draining; new tasks are not accepted', { retryable: true })
    const session = transcript.session(sessionKey)
    const pending = session.pending.get(runId)
    if (pending !== undefined && pending.state !== 'queued') {
      throw rejection('UNAVAILABLE', 'Pending input ownership ended; submit a new turn to continue')
    }
    const at = session.rows.findLastIndex((row) => row.key === `${runId}:user`)
    if (at < 0) {
      enqueue(newRun(input, 'fresh'))
      transcript.change([
        'pend',
        sessionKey,
        { id: newId(), runId, message: input.message, acceptedAt: clock.now(), state: 'queued' },
      ])
    } else {
      resend(newRun(input, 'continue'), session.rows.slice(at + 1))
    }
    pump(sessionKey)
    return { runId, sessionKey, agentId, status: 'accepted', acceptedAt: clock.now() }
  }

  function replay({ runId, sessionKey, agentId, end }: Run): Record<string, unknown> {
    if (end?.status === 'error' && end.stopReason === 'rpc')
      return { status: 'timeout', runId, agentId, stopReason: 'rpc', endedAt: end.endedAt }
    if (end?.status === 'error') return { runId, status: 'error', summary: 'failed' }
    return { runId, sessionKey, agentId, status: 'in_flight' }
  }

  /** The key has a user row already, and this life does not know the run. */
  function resend(run: Run, after: readonly Row[]): void {
    const { sessionKey } = run
    if (active.get(sessionKey)?.kind === 'recovery') {
      return finish(run, {
        status: 'error',
        endedAt: clock.now(),
        error: `Session "${sessionKey}" changed while starting work. Retry. | SESSION_WORK_START_CHANGED`,
      })
    }
    const wasInterrupted = interrupted.indexOf(sessionKey)
    if (wasInterrupted >= 0) interrupted.splice(wasInterrupted, 1)
    if (after.length === 0) return enqueue(run)
    for (const row of after)
      if (row.role === 'user' && row.text === RECOVERY_TEXT && row.id === after.at(-1)?.id)
        transcript.change(['drop', sessionKey, row.id])
    addRow(run, {
      role: 'assistant',
      text: 'The agent run failed before producing a reply.',
      key: `${run.runId}:terminal-error`,
      runId: run.runId,
      stopReason: 'error',
    })
    setMeta(run, 'failed')
    finish(run, { status: 'error', endedAt: clock.now(), error: 'Agent run failed', stopReason: 'error' })
  }

  function newRun(input: Accept, kind: Run['kind']): Run {
    const run: Run = { ...input, kind, cancel: new AbortController(), ended: Promise.withResolvers(), end: null }
    runs.set(run.runId, run)
    return run
  }

  function enqueue(run: Run): void {
    const queue = queues.get(run.sessionKey)
    if (queue === undefined) queues.set(run.sessionKey, [run])
    else queue.push(run)
  }

  function pump(sessionKey: string): void {
    if (dead || active.has(sessionKey)) return
    const run = queues.get(sessionKey)?.shift()
    if (run === undefined) return
    active.set(sessionKey, run)
    void execute(run)
  }

  async function execute(run: Run): Promise<void> {
    const { sessionKey, cancel } = run
    const session = transcript.session(sessionKey)
    if (coldStartMs > 0 && session.rows.length === 0) await clock.sleep(coldStartMs, cancel.signal).catch(() => undefined)
    if (dead || run.end !== null) return
    const startedAt = clock.now()
    const prompt = begin(run)
    const limit = run.timeoutMs === null ? null : clock.timeout(run.timeoutMs)
    const signal = limit === null ? cancel.signal : AbortSignal.any([cancel.signal, limit])
    let end: RunEnd
    try {
      const { runId, agentId, extraSystemPrompt } = run
      const text = await respond({
        runId,
        agentId,
        sessionKey,
        prompt,
        extraSystemPrompt,
        recovered: run.kind === 'recovery',
        tools: tools.of(sessionKey, agentId, signal),
        signal,
      })
      if (dead || run.end !== null) return
      signal.throwIfAborted()
      addRow(run, { role: 'assistant', text, runId, stopReason: 'stop', usage: { input: tokens(prompt), output: tokens(text) } })
      setMeta(run, 'done')
      end = { status: 'ok', startedAt, endedAt: clock.now(), stopReason: 'stop', text }
    } catch (error) {
      if (dead || run.end !== null) return
      const timedOut = limit?.aborted === true
      setMeta(run, timedOut ? 'timeout' : 'failed')
      const message = timedOut ? TIMEOUT_TEXT : error instanceof Error ? error.message : String(error)
      end = { status: timedOut ? 'timeout' : 'error', startedAt, endedAt: clock.now(), error: message }
    }
    finish(run, end)
  }

  /** Writes the user row and says what the model gets to read. */
  function begin(run: Run): string {
    const { sessionKey, runId, kind, message } = run
    const session = transcript.session(sessionKey)
    let prompt = message
    const newest = session.rows.at(-1)
    if (kind === 'fresh') {
      if (newest?.role === 'user') {
        // An instruction nobody answered is shown once more, and its row goes.
        prompt = `${MERGE_NOTE}\n${newest.text}\n\n${message}`
        transcript.change(['drop', sessionKey, newest.id])
      }
      const wasInterrupted = interrupted.indexOf(sessionKey)
      if (wasInterrupted >= 0) interrupted.splice(wasInterrupted, 1)
    }
    if (kind !== 'continue') addRow(run, { role: 'user', text: message, key: `${runId}:user` })
    transcript.change(['unpend', sessionKey, runId])
    setMeta(run, 'running')
    return prompt
  }

  function finish(run: Run, end: RunEnd): void {
    if (run.end !== null) return
    run.end = end
    if (active.get(run.sessionKey) === run) active.delete(run.sessionKey)
    run.ended.resolve(end)
    pump(run.sessionKey)
    if (run.kind === 'recovery') recoverNext()
  }

  function addRow(run: Run, row: Omit<Row, 'id' | 'at'>): void {
    transcript.change(['row', run.sessionKey, { id: newId(), at: clock.now(), ...row }])
  }

  function setMeta(run: Run, status: SessionMeta['status']): void {
    transcript.change(['meta', run.sessionKey, { status, abortedLastRun: status === 'killed', lastRunId: run.runId }])
  }

  function setPending(run: Run, state: PendingState): void {
    const item = transcript.session(run.sessionKey).pending.get(run.runId)
    if (item !== undefined) transcript.change(['pend', run.sessionKey, { ...item, state }])
  }

  /** Ends the run in flight and all that wait behind it. A recovery that has not begun is none of these. */
  function abort(sessionKey: string): string | null {
    const current = active.get(sessionKey) ?? null
    const waiting = queues.get(sessionKey)?.splice(0) ?? []
    const killed = { status: 'error', endedAt: clock.now(), stopReason: 'rpc' } as const
    for (const run of waiting) {
      setPending(run, 'cancelled')
      finish(run, killed)
    }
    if (current === null) return null
    setPending(current, 'cancelled')
    setMeta(current, 'killed')
    current.cancel.abort(new Error('aborted'))
    finish(current, killed)
    return current.runId
  }

  /** Starts the next interrupted turn; one at a time. */
  function recoverNext(): boolean {
    const sessionKey = interrupted.shift()
    if (sessionKey === undefined || dead) return false
    const agentId = sessionKey.split(':')[1] ?? ''
    const input = { sessionKey, agentId, runId: newId(), message: RECOVERY_TEXT, extraSystemPrompt: null, timeoutMs: null }
    enqueue(newRun(input, 'recovery'))
    pump(sessionKey)
    return true
  }

  /** The end of a run within `timeoutMs`, or null. An unknown run is waited for just as long. */
  async function wait(runId: string, timeoutMs: number, gone: AbortSignal): Promise<RunEnd | null> {
    const known = runs.get(runId)
    if (known?.end) return known.end
    const timer = new AbortController()
    const expired = clock.sleep(timeoutMs, AbortSignal.any([gone, timer.signal])).then(
      () => null,
      () => null,
    )
    try {
      return await (known === undefined ? expired : Promise.race([known.ended.promise, expired]))
    } finally {
      timer.abort()
    }
  }

  return {
    accept,
    abort,
    wait,
    recoverNext,
    activeRun: (sessionKey: string): Run | null => active.get(sessionKey) ?? null,
    isDraining: () => draining,
    /** Turns in flight end; what waits behind them is given up and stays behind as accepted input. */
    async drain(): Promise<void> {
      draining = true
      for (const queue of queues.values()) {
        for (const run of queue.splice(0)) {
          finish(run, { status: 'error', endedAt: clock.now(), error: 'Gateway is draining; new tasks are not accepted' })
        }
      }
      await Promise.all([...active.values()].map((run) => run.ended.promise))
    },
    /** Everything in flight stops where it is, as if the process were killed. */
    die() {
      dead = true
      for (const run of active.values()) run.cancel.abort(new Error('the gateway was killed'))
    },
  }
}

function tokens(text: string): number {
  return Math.ceil(text.length / 4)
}
