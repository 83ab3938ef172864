/** What an agent does in a turn: each call is checked against the claim it belongs to and against what its agent may do. */
import type { ToolArgs, ToolName } from '@mission-control/shared/tools'
import { checkToolArgs, isToolName, TOOL_NAMES } from '@mission-control/shared/tools'
import { serviceMutation, serviceQuery } from '../lib/functions.js'
import { refuse } from '../lib/errors.js'
import { checkText } from '../lib/text.js'
import { isRead, readTool } from '../model/toolReads.js'
import { isWrite, writeTool } from '../model/toolWrites.js'
import { openTurn } from '../model/turnScope.js'
import { vToolCall, vToolRead, vToolResult } from './contract.js'

/** Longest `pass` and `callId`. */
const KEY_CHARS = 200

/** Tools that change something. Repeating a call is safe: the same `callId` gets the same answer. */
export const call = serviceMutation({
  args: vToolCall,
  returns: vToolResult,
  handler: async (ctx, { id, fence, pass, callId, tool, args }) => {
    checkText('pass', pass, KEY_CHARS, { required: true })
    checkText('callId', callId, KEY_CHARS, { required: true })
    const turn = await openTurn(ctx, ctx.accountId, id, fence)
    const name = toolNamed(tool)
    if (!isWrite(name)) return refuse('INVALID', `${name} changes nothing: it is a call of service/tools:read.`)
    // A new claim is a new run of the model, whatever the gateway's boot id says.
    return await writeTool(ctx, turn, { tool: name, args: parsed(name, args), pass: `${fence}.${pass}`, callId })
  },
})

/** Tools that change nothing. */
export const read = serviceQuery({
  args: vToolRead,
  returns: vToolResult.pick('result'),
  handler: async (ctx, { id, fence, tool, args }) => {
    const turn = await openTurn(ctx, ctx.accountId, id, fence)
    const name = toolNamed(tool)
    if (!isRead(name)) return refuse('INVALID', `${name} changes something: it is a call of service/tools:call.`)
    return { result: JSON.stringify(await readTool(ctx, turn, name, parsed(name, args))) }
  },
})

/** @throws INVALID */
function toolNamed(name: string): ToolName {
  if (isToolName(name)) return name
  return refuse('INVALID', `There is no tool "${name.slice(0, 50)}"; there are ${TOOL_NAMES.join(', ')}.`)
}

/** @throws INVALID */
function parsed<T extends ToolName>(name: T, json: string): ToolArgs<T> {
  const checked = checkToolArgs(name, parseJson(name, json))
  return checked.ok ? checked.args : refuse('INVALID', checked.refusal)
}

function parseJson(name: ToolName, json: string): unknown {
  try {
    return JSON.parse(json) as unknown
  } catch (error) {
    if (error instanceof SyntaxError) return refuse('INVALID', `The arguments of ${name} are no JSON.`)
    throw error
  }
}
