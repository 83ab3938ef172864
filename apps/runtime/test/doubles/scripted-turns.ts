/**
 * Turns that end when the test says so. Strict: it knows each key's whole life and throws when a key that has an answer, or one
 * whose turn is still running, is sent again without looking.
 */
import { GatewayError } from '@mission-control/openclaw/errors'
import { stopMode } from '@mission-control/openclaw/turn/types'
import type { GatewayState, TurnReply, TurnRequest, Turns } from '../../src/turns.ts'

export interface RunningTurn {
  readonly request: TurnRequest
  reply(text: string): void
  fail(error: unknown): void
}

export interface ScriptedTurns extends Turns {
  readonly running: Map<string, RunningTurn>
  /** All keys that were sent, in order; a key twice is a second run. */
  readonly sent: string[]
  /** How many turns were in flight at most. */
  readonly peak: () => number
  setState(state: Partial<GatewayState>): void
  /** Answers by itself when set. */
  auto: ((request: TurnRequest) => string) | null
  /** Thrown before the gateway takes a turn, while set. */
  refusal: (() => Error) | null
}

export function createScriptedTurns(): ScriptedTurns {
  const running = new Map<string, RunningTurn>()
  const answers = new Map<string, string>()
  const sent: string[] = []
  const listeners = new Set<(state: GatewayState) => void>()
  let state: GatewayState = { up: true, reason: null, version: '1' }
  let peak = 0

  const turns: ScriptedTurns = {
    running,
    sent,
    auto: null,
    refusal: null,
    peak: () => peak,
    async run(request, signal): Promise<TurnReply> {
      const { turnKey, reconcile } = request
      if (signal.aborted) throw new GatewayError('TURN_ABORTED', 'aborted', { ended: !reconcile })
      const known = answers.get(turnKey)
      if (known !== undefined) {
        if (!reconcile) throw new Error(`${turnKey} has an answer and was sent again without looking`)
        return { text: known, usage: null }
      }
      if (running.has(turnKey)) throw new Error(`${turnKey} is running already`)
      request.onSent()
      if (turns.refusal) throw turns.refusal()
      sent.push(turnKey)
      await Promise.resolve()
      request.onAccepted()
      const ended = Promise.withResolvers<TurnReply>()
      const reply = (text: string) => {
        answers.set(turnKey, text)
        ended.resolve({ text, usage: null })
      }
      running.set(turnKey, { request, reply, fail: (error) => ended.reject(error) })
      peak = Math.max(peak, running.size)
      const onAbort = () =>
        ended.reject(new GatewayError('TURN_ABORTED', 'aborted', { ended: stopMode(signal.reason) !== 'detach' }))
      signal.addEventListener('abort', onAbort, { once: true })
      if (turns.auto) reply(turns.auto(request))
      try {
        return await ended.promise
      } finally {
        running.delete(turnKey)
      }
    },
    state: () => state,
    onChange(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    setState(patch) {
      state = { ...state, ...patch }
      listeners.forEach((listener) => listener(state))
    },
  }
  return turns
}
