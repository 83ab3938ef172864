/** Anthropic Messages, `POST /v1/messages`. */
import { z } from 'zod'
import type { ModelMessage } from '../model-prompt.ts'
import type { Answer, Asked, Dialect } from './dialect.ts'
import { argumentsOf, piecesOf, usageOf } from './dialect.ts'

const Block = z.looseObject({ type: z.string() })
const Content = z.union([z.string(), z.array(Block)])
const Request = z.object({
  model: z.string(),
  max_tokens: z.number().int().positive(),
  stream: z.boolean().default(false),
  system: Content.optional(),
  messages: z.array(z.object({ role: z.enum(['user', 'assistant']), content: Content })).min(1),
  tools: z.array(z.looseObject({ name: z.string() })).default([]),
})

export const messagesDialect: Dialect = {
  name: 'messages',
  path: '/v1/messages',
  refusal(headers) {
    if (!headers['x-api-key']) return { status: 401, message: 'x-api-key header is required' }
    if (!headers['anthropic-version']) return { status: 400, message: 'anthropic-version: header is required' }
    return null
  },
  read(body) {
    const { model, stream, system, messages, tools } = Request.parse(body)
    return {
      model,
      stream,
      messages: [...(system === undefined ? [] : [{ role: 'system', content: system }]), ...messages.flatMap(messagesOf)],
      tools: tools.map((tool) => tool.name),
    }
  },
  whole: (asked, answer) => ({
    ...head(asked),
    content: [blockOf(asked, answer)],
    stop_reason: stopReason(answer),
    stop_sequence: null,
    usage: usage(asked, answer),
  }),
  events(asked, answer) {
    const used = usage(asked, answer)
    const steps: ({ type: string } & Record<string, unknown>)[] = [
      // A real one counts its first token here; the final figure comes with message_delta.
      {
        type: 'message_start',
        message: { ...head(asked), content: [], stop_reason: null, stop_sequence: null, usage: { ...used, output_tokens: 1 } },
      },
      { type: 'content_block_start', index: 0, content_block: begunOf(blockOf(asked, answer)) },
      { type: 'ping' },
      ...deltasOf(answer).map((delta) => ({ type: 'content_block_delta', index: 0, delta })),
      { type: 'content_block_stop', index: 0 },
      {
        type: 'message_delta',
        delta: { stop_reason: stopReason(answer), stop_sequence: null },
        usage: { output_tokens: used.output_tokens },
      },
      { type: 'message_stop' },
    ]
    return steps.map((step) => `event: ${step.type}\ndata: ${JSON.stringify(step)}\n\n`)
  },
  failure: (status, message) => ({ type: 'error', error: { type: ERROR_TYPES[status] ?? 'api_error', message } }),
}

/** Anthropic's names for its statuses; anything else is `api_error`, as there. */
const ERROR_TYPES: Readonly<Record<number, string>> = {
  400: 'invalid_request_error',
  401: 'authentication_error',
  403: 'permission_error',
  404: 'not_found_error',
  413: 'request_too_large',
  429: 'rate_limit_error',
  529: 'overloaded_error',
}

/**
 * One message here may hold several of the others' kind: results of tools, and what the user said in blocks of its own. Each block
 * becomes a message, so that a note OpenClaw puts behind the user's words stays apart from them.
 */
function messagesOf(message: { role: string; content: z.infer<typeof Content> }): ModelMessage[] {
  if (typeof message.content === 'string') return [message]
  return message.content.map((block) => {
    if (block.type === 'tool_result') return { role: 'tool', content: block.content }
    if (block.type === 'tool_use') return { role: message.role, tool_calls: [block] }
    return { role: message.role, content: [block] }
  })
}

const head = (asked: Asked) => ({ id: `msg_${asked.id}`, type: 'message', role: 'assistant', model: asked.model })
const stopReason = (answer: Answer) => (answer.kind === 'tool' ? 'tool_use' : 'end_turn')

type OutputBlock = ReturnType<typeof blockOf>

function blockOf(asked: Asked, answer: Answer) {
  if (answer.kind === 'text') return { type: 'text' as const, text: answer.text }
  return { type: 'tool_use' as const, id: `toolu_${asked.id}`, name: answer.name, input: answer.args }
}

const begunOf = (block: OutputBlock) => (block.type === 'text' ? { ...block, text: '' } : { ...block, input: {} })

function deltasOf(answer: Answer): object[] {
  if (answer.kind === 'text') return piecesOf(answer.text).map((text) => ({ type: 'text_delta', text }))
  return piecesOf(argumentsOf(answer)).map((partial_json) => ({ type: 'input_json_delta', partial_json }))
}

function usage(asked: Asked, answer: Answer) {
  const { input, output } = usageOf(asked, answer)
  return { input_tokens: input, output_tokens: output, cache_creation_input_tokens: 0, cache_read_input_tokens: 0 }
}
