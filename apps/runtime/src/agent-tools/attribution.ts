/**
 * Whose turn a tool call belongs to. Pure. The gateway says nothing of session or run, so this is all there is to go by, in this order:
 *
 *   1. the `turn` argument names a turn in flight of the calling agent
 *   2. the MCP session is bound to a lane, because an earlier call in it named one: the turn in flight there, or none
 *   3. no code was given, and exactly one turn of the agent is in flight
 *
 * Anything else is refused, with the codes that would do unless the call brought a code of its own: that may name a turn which ran on
 * while this runtime was started again, and is about to be claimed. Done under another turn's claim, it would be done once more when that
 * turn is run again. Another agent's code is no code: the bearer token has said who calls.
 */
import { Interrupt } from '../delivery/verdict.ts'
import type { TurnInFlight } from './turns-in-flight.ts'

export interface AttributionInput {
  /** Of the agent that calls. */
  readonly turns: readonly TurnInFlight[]
  /** As `codeOf` reads it; `null`: none was given. */
  readonly code: string | null
  /** Session key of the lane the MCP session is bound to, or `null`. */
  readonly boundTo: string | null
  readonly hasEnded: (code: string) => boolean
}

export type Attribution =
  { readonly turn: TurnInFlight; readonly by: 'code' | 'session' | 'only' } | { readonly refusal: string; readonly turn: null }

/** The alphabet and length of a turn code, as the backend draws them. */
const CODE = /^[0-9a-z]{6}$/

/** What a model gave as `turn`, in lower case, or `null` when that cannot be a code. Models quote, pad and capitalize. */
export function codeOf(given: unknown): string | null {
  if (typeof given !== 'string' && typeof given !== 'number') return null
  const text = String(given)
    .replace(/["'`\s]/g, '')
    .toLowerCase()
  return CODE.test(text) ? text : null
}

export function attribute({ turns, code, boundTo, hasEnded }: AttributionInput): Attribution {
  const named = turns.find(({ item }) => item.turnCode.toLowerCase() === code)
  if (named) return unlessInterrupted(named, 'code')
  if (boundTo !== null) {
    const bound = turns.find(({ item }) => item.sessionKey === boundTo)
    if (bound) return unlessInterrupted(bound, 'session')
    return refused('The turn of this conversation has ended. Do nothing more in it.')
  }
  const open = turns.filter(({ interrupt }) => !interrupt.aborted)
  const [only, ...others] = open
  if (only === undefined) return refused('No turn of yours is under way, so nothing can be done now. End here.')
  if (code !== null && hasEnded(code)) {
    return refused(`The turn ${code} has ended: do nothing more in it. Your turns under way: ${listed(open)}.`)
  }
  if (code !== null) {
    return refused(
      `No turn of yours under way has the code ${code}. Pass the code at the top of your message, exactly. If this is it, call again in a few seconds: the turn is being taken up again.`,
    )
  }
  if (others.length === 0) return { turn: only, by: 'only' }
  return refused(
    `Say which turn this is for: pass as \`turn\` the code at the top of your message. It is one of: ${listed(open)}.`,
  )
}

const refused = (refusal: string): Attribution => ({ refusal, turn: null })

function unlessInterrupted(turn: TurnInFlight, by: 'code' | 'session'): Attribution {
  return turn.interrupt.aborted ? refused(interruptedText(turn.interrupt)) : { turn, by }
}

/** What a model is told whose turn is being ended. */
export function interruptedText({ reason }: AbortSignal): string {
  const stopped = reason instanceof Interrupt && reason.why === 'stopped'
  return stopped ? 'This turn was stopped. Do nothing more in it.' : 'This turn is being ended. Do nothing more in it.'
}

const listed = (turns: readonly TurnInFlight[]): string =>
  turns
    .map(({ item }) => `${item.turnCode} (${item.type}${item.context.task === null ? '' : `, task ${item.context.task.id}`})`)
    .join(', ')
