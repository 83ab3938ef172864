/**
 * Turns that end when the test says so. Strict: it knows each key's whole life and throws when a key that has an answer, or one
 * whose turn is still running, is sent again without looking.
 */
import { GatewayError } from '@mission-control/openclaw/errors'
import { stopMode } from '@mission-control/openclaw/turn/types'
import type { GatewayState, TurnReply, TurnRequest, Turns } from '../../src/turns.ts'

export interface RunningTurn {
  readonly request: TurnRequest
  reply(text: string, usage?: TurnReply['usage']): void
  fail(error: unknown): void
}

/** Goes on in the gateway when nobody waits for it any more. */
interface Living extends RunningTurn {
  readonly ended: Promise<TurnReply>
}

export interface ScriptedTurns extends Turns {
  readonly running: Map<string, RunningTurn>
  gatewayIsOurs: boolean
  /** All keys that were sent, in order; a key twice is a second run. */
  readonly sent: string[]
  /** How many turns were in flight at most. */
  readonly peak: () => number
  setState(state: Partial<GatewayState>): void
  /** Answers by itself when set. */
  auto: ((request: TurnRequest) => string) | null
  /** Thrown before the gateway takes a turn, while set. */
  refusal: (() => Error | null) | null
}

export function createScriptedTurns(): ScriptedTurns {
  const running = new Map<string, Living>()
  const answers = new Map<string, string>()
  const sent: string[] = []
  const listeners = new Set<(state: GatewayState) => void>()
  let state: GatewayState = { up: true, reason: null, version: '1' }
  let peak = 0

  function begin(request: TurnRequest): Living {
    const { turnKey } = request
    const { promise, resolve, reject } = Promise.withResolvers<TurnReply>()
    promise.catch(() => undefined) // nobody may be waiting
    const turn = {
      request,
      ended: promise,
      reply(text: string, usage: TurnReply['usage'] = null) {
        answers.set(turnKey, text)
        running.delete(turnKey)
        resolve({ text, usage })
      },
      fail(error: unknown) {
        running.delete(turnKey)
        reject(error)
      },
    }
    running.set(turnKey, turn)
    peak = Math.max(peak, running.size)
    return turn
  }

  const turns: ScriptedTurns = {
    running,
    sent,
    gatewayIsOurs: true,
    auto: null,
    refusal: null,
    peak: () => peak,
    async run(request, signal): Promise<TurnReply> {
      const { turnKey, reconcile } = request
      const detaches = () => stopMode(signal.reason) === 'detach'
      const onAborted = () => {
        if (!detaches()) running.delete(turnKey)
        return new GatewayError('TURN_ABORTED', 'aborted', { ended: !detaches() })
      }
      if (signal.aborted) throw reconcile ? onAborted() : new GatewayError('TURN_ABORTED', 'aborted', { ended: true })
      const known = answers.get(turnKey)
      if (known !== undefined) {
        if (!reconcile) throw new Error(`${turnKey} has an answer and was sent again without looking`)
        return { text: known, usage: null }
      }
      let turn = running.get(turnKey)
      if (turn === undefined) {
        request.onSent()
        const refused = turns.refusal?.() ?? null
        if (refused) throw refused
        sent.push(turnKey)
        await Promise.resolve()
        turn = begin(request)
      } else if (!reconcile) throw new Error(`${turnKey} is running already`)
      request.onAccepted()
      const aborted = Promise.withResolvers<never>()
      const onAbort = () => aborted.reject(onAborted())
      signal.addEventListener('abort', onAbort, { once: true })
      if (turns.auto) turn.reply(turns.auto(request))
      return Promise.race([turn.ended, aborted.promise])
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
