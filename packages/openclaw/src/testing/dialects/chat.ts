/** OpenAI chat completions, `POST /v1/chat/completions`: what every compatible server speaks. */
import { z } from 'zod'
import type { Answer, Asked, Dialect } from './dialect.ts'
import { argumentsOf, usageOf } from './dialect.ts'

/** Constant, so that two runs of a script give the same bytes. */
const CREATED_S = 1_700_000_000

const Request = z.object({
  model: z.string().default(''),
  stream: z.boolean().default(false),
  messages: z.array(z.looseObject({ role: z.string() })),
  tools: z.array(z.object({ function: z.object({ name: z.string() }) })).default([]),
})

export const chatDialect: Dialect = {
  name: 'chat',
  path: '/v1/chat/completions',
  // Local servers ask for no key.
  refusal: () => null,
  read(body) {
    const { model, stream, messages, tools } = Request.parse(body)
    return { model, stream, messages, tools: tools.map((tool) => tool.function.name) }
  },
  whole: (asked, answer) => ({
    ...head(asked, 'chat.completion'),
    choices: [{ index: 0, message: { role: 'assistant', ...content(asked, answer) }, finish_reason: finishReason(answer) }],
    usage: usage(asked, answer),
  }),
  events(asked, answer) {
    const chunk = (body: object) => `data: ${JSON.stringify({ ...head(asked, 'chat.completion.chunk'), ...body })}\n\n`
    const choice = (delta: object, finish: string | null) => chunk({ choices: [{ index: 0, delta, finish_reason: finish }] })
    const { tool_calls, ...rest } = content(asked, answer)
    const delta = tool_calls === undefined ? rest : { tool_calls: tool_calls.map((call, index) => ({ index, ...call })) }
    return [
      choice({ role: 'assistant', ...delta }, null),
      choice({}, finishReason(answer)),
      chunk({ choices: [], usage: usage(asked, answer) }),
      'data: [DONE]\n\n',
    ]
  },
  failure: (_status, message) => ({ error: { message, type: 'scripted' } }),
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
    function: { name: answer.name, arguments: argumentsOf(answer) },
  }
  return { content: null, tool_calls: [call] }
}

function usage(asked: Asked, answer: Answer): object {
  const { input, output } = usageOf(asked, answer)
  return { prompt_tokens: input, completion_tokens: output, total_tokens: input + output }
}
