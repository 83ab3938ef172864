/**
 * One tool call: whose turn it is, whether the arguments fit, and one thin call to the backend, which decides everything else. Never
 * throws: whatever happens becomes a sentence that a model can act on. A JSON-RPC or HTTP error would count as a broken server, which
 * the gateway stops using for a minute after three of them.
 */
import type { Clock, Random } from '@mission-control/shared/clock'
import { checkToolArgs, isToolName, TOOL_NAMES, TOOLS } from '@mission-control/shared/tools'
import type { ToolName } from '@mission-control/shared/tools'
import type { ObservedBrain } from '../brain/brain.ts'
import type { BrainError } from '../brain/errors.ts'
import { toBrainError } from '../brain/errors.ts'
import type { Log } from '../log.ts'
import { service } from '../service.ts'
import { untilAnswered } from '../until-answered.ts'
import type { Attribution } from './attribution.ts'
import { attribute, codeOf, interruptedText } from './attribution.ts'
import type { McpSessions } from './sessions.ts'
import type { TurnInFlight, TurnsInFlight } from './turns-in-flight.ts'

export interface CallDeps {
  readonly brain: ObservedBrain
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly turns: TurnsInFlight
  readonly sessions: McpSessions
  /** Boot id of the gateway that is connected now; waits for one. It names the run of the model, so an old one must not be guessed. */
  bootId(signal: AbortSignal): Promise<string>
}

export interface ToolCallRequest {
  readonly agentId: string
  /** Of the MCP session, or `null` when the client keeps none. */
  readonly sessionId: string | null
  readonly tool: string
  /** As the model sent them. */
  readonly args: Readonly<Record<string, unknown>>
}

export interface ToolAnswer {
  readonly text: string
  /** The tool did nothing, or nobody knows; the text says what to do. */
  readonly isError: boolean
}

/** Below the 60 s that the gateway waits for a tool; the backend's outages of seconds are ridden out. */
export const CALL_MS = 30_000
/**
 * A well-formed code that no turn here has: the turn may be about to be claimed again (we have just started, or are taking over), and
 * its claim takes a second or two. A code that a model made up costs this long, each time.
 */
const UNKNOWN_CODE_MS = 3_000
const CALL_ID_BYTES = 16

export async function callTool(deps: CallDeps, request: ToolCallRequest, hungUp: AbortSignal): Promise<ToolAnswer> {
  const { tool, args, agentId } = request
  if (!isToolName(tool)) return refused(`There is no tool "${tool.slice(0, 50)}"; there are ${TOOL_NAMES.join(', ')}.`)
  const began = deps.clock.monotonic()
  const timeUp = deps.clock.timeout(CALL_MS)
  try {
    const found = await attributed(deps, request, AbortSignal.any([hungUp, timeUp]))
    if (found.turn === null) {
      deps.log.info({ agentId, tool }, 'a tool call belongs to no turn')
      return refused(found.refusal)
    }
    const { item, interrupt } = found.turn
    const answer = await inTurn(deps, found.turn, tool, args, { hungUp, timeUp })
    const line = { delivery: item.id, agent: item.agent.slug, tool, by: found.by, ms: Math.round(deps.clock.monotonic() - began) }
    const outcome = { ...line, ok: !answer.isError, ...(interrupt.aborted ? { interrupted: true } : {}) }
    if (TOOLS[tool].kind === 'read') deps.log.debug(outcome, 'tool call')
    else deps.log.info(outcome, 'tool call')
    return answer
  } catch (error) {
    deps.log.error({ agentId, tool, error }, 'a tool call ended in a defect')
    return refused('This tool failed on our side. It may or may not have been done: look before you call it again.')
  }
}

async function attributed(deps: CallDeps, request: ToolCallRequest, signal: AbortSignal): Promise<Attribution> {
  const { turns, sessions, clock } = deps
  const { agentId, sessionId } = request
  const code = codeOf(request.args['turn'])
  const look = () =>
    attribute({
      turns: turns.of(agentId),
      code,
      boundTo: sessionId === null ? null : sessions.boundTo(agentId, sessionId),
      hasEnded: (ended) => turns.hasEnded(agentId, ended),
    })
  let found = look()
  if (code !== null && !turns.hasEnded(agentId, code)) {
    const soon = AbortSignal.any([signal, clock.timeout(UNKNOWN_CODE_MS)])
    while (found.turn === null && !soon.aborted) {
      await turns.nextEntry(soon)
      found = look()
    }
  }
  if (found.turn !== null && found.by === 'code' && sessionId !== null) {
    sessions.bind(agentId, sessionId, found.turn.item.sessionKey)
  }
  return found
}

interface Ends {
  /** The gateway does not wait for the answer any more. */
  readonly hungUp: AbortSignal
  readonly timeUp: AbortSignal
}

async function inTurn(
  deps: CallDeps,
  { item, interrupt }: TurnInFlight,
  tool: ToolName,
  given: Readonly<Record<string, unknown>>,
  { hungUp, timeUp }: Ends,
): Promise<ToolAnswer> {
  const checked = checkToolArgs(tool, given)
  if (!checked.ok) return refused(checked.refusal)
  const signal = AbortSignal.any([interrupt, hungUp, timeUp])
  const args = { id: item.id, fence: item.fence, tool, args: JSON.stringify(checked.args) }
  try {
    return { text: await (TOOLS[tool].kind === 'read' ? read(deps, args, signal) : write(deps, args, signal)), isError: false }
  } catch (thrown) {
    if (interrupt.aborted) return refused(interruptedText(interrupt))
    const error = signal.aborted ? null : toBrainError(thrown)
    return refused(error === null || error.retryable ? unanswered(tool) : refusalText(tool, error))
  }
}

type BackendCall = { readonly id: string; readonly fence: number; readonly tool: ToolName; readonly args: string }

async function read(deps: CallDeps, args: BackendCall, signal: AbortSignal): Promise<string> {
  return (await untilAnswered(() => deps.brain.query(service.readTool, args, signal), deps, signal)).result
}

async function write(deps: CallDeps, args: BackendCall, signal: AbortSignal): Promise<string> {
  const pass = await deps.bootId(signal)
  // One for all our tries: a call whose answer was lost is not made twice.
  const callId = Buffer.from(deps.random.bytes(CALL_ID_BYTES)).toString('hex')
  const call = () => deps.brain.mutate(service.callTool, { ...args, pass, callId }, signal)
  return (await untilAnswered(call, deps, signal)).result
}

const refused = (text: string): ToolAnswer => ({ text, isError: true })

const unanswered = (tool: ToolName): string =>
  TOOLS[tool].kind === 'read'
    ? 'Mission Control does not answer right now. Try again later in this turn, or say in your reply what is missing.'
    : 'Mission Control did not answer in time: this may or may not have been done. Look first, and call again only if it was not.'

/** The backend's refusals are written for agents. What the platform says of malformed requests may print arguments. */
function refusalText(tool: ToolName, error: BrainError): string {
  return error.kind === 'refused'
    ? error.message
    : `The arguments of ${tool} were not taken: send less text, or other characters.`
}
