/** The two shapes of an OpenAI chat completion: one JSON body, or server-sent events. */
import type { ServerResponse } from 'node:http'
import type { ModelMessage } from './model-prompt.ts'
import { textOf } from './model-prompt.ts'
import type { ScriptedReply } from './script.ts'

interface Asked {
  readonly id: number
  readonly model: string
  readonly messages: readonly ModelMessage[]
}
type Answer = Exclude<ScriptedReply, { kind: 'fail' }>

/** A rough count so that usage figures are not zero: four characters to a token. It is an estimate and only ever a test's. */
const CHARACTERS_PER_TOKEN = 4

/** Constant, so that two runs of a script give the same bytes. */
const CREATED_S = 1_700_000_000

export function wholeReply(asked: Asked, answer: Answer): object {
  return {
    ...head(asked, 'chat.completion'),
    choices: [{ index: 0, message: { role: 'assistant', ...content(asked, answer) }, finish_reason: finishReason(answer) }],
    usage: usageOf(asked, answer),
  }
}

export function streamReply(response: ServerResponse, asked: Asked, answer: Answer): void {
  const chunk = (delta: object, finish: string | null, extra: object = {}) =>
    `data: ${JSON.stringify({ ...head(asked, 'chat.completion.chunk'), choices: [{ index: 0, delta, finish_reason: finish }], ...extra })}\n\n`
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
  const { tool_calls, ...rest } = content(asked, answer)
  const delta = tool_calls === undefined ? rest : { tool_calls: tool_calls.map((call, index) => ({ index, ...call })) }
  response.write(chunk({ role: 'assistant', ...delta }, null))
  response.write(chunk({}, finishReason(answer)))
  response.write(
    `data: ${JSON.stringify({ ...head(asked, 'chat.completion.chunk'), choices: [], usage: usageOf(asked, answer) })}\n\n`,
  )
  response.end('data: [DONE]\n\n')
}

const head = (asked: Asked, object: string) => ({ id: `chatcmpl-${asked.id}`, object, created: CREATED_S, model: asked.model })
const finishReason = (answer: Answer) => (answer.kind === 'tool' ? 'tool_calls' : 'stop')

interface ToolCall {
  readonly id: string
  readonly type: 'function'
  readonly function: { readonly name: string; readonly arguments: string }
}

function content(asked: Asked, answer: Answer): { content: string | null; tool_calls?: ToolCall[] } {
  if (answer.kind === 'text') return { content: answer.text }
  const call: ToolCall = {
    id: `call_${asked.id}`,
    type: 'function',
    function: { name: answer.name, arguments: JSON.stringify(answer.args) },
  }
  return { content: null, tool_calls: [call] }
}

function usageOf(asked: Asked, answer: Answer): object {
  const tokens = (text: string) => Math.ceil(text.length / CHARACTERS_PER_TOKEN)
  const prompt = asked.messages.reduce((sum, message) => sum + tokens(textOf(message.content)), 0)
  const completion = tokens(answer.kind === 'text' ? answer.text : JSON.stringify(answer.args))
  return { prompt_tokens: prompt, completion_tokens: completion, total_tokens: prompt + completion }
}
