/** OpenAI Responses, `POST /v1/responses`: what OpenClaw speaks to OpenAI itself. Only what is streamed to it without a store. */
import { z } from 'zod'
import type { ModelMessage } from '../model-prompt.ts'
import type { Answer, Asked, Dialect } from './dialect.ts'
import { argumentsOf, bearerRefusal, piecesOf, usageOf } from './dialect.ts'

/** Constant, so that two runs of a script give the same bytes. */
const CREATED_S = 1_700_000_000

const Item = z.looseObject({ type: z.string().default('message') })
const Request = z.object({
  model: z.string(),
  stream: z.boolean().default(false),
  instructions: z.string().nullish(),
  input: z.union([z.string(), z.array(Item)]),
  tools: z.array(z.looseObject({ type: z.string(), name: z.string().optional() })).default([]),
  previous_response_id: z.null().optional(),
})

export const responsesDialect: Dialect = {
  name: 'responses',
  path: '/v1/responses',
  refusal: bearerRefusal,
  read(body) {
    const { model, stream, instructions, input, tools } = Request.parse(body)
    const messages = typeof input === 'string' ? [{ role: 'user', content: input }] : input.flatMap(messageOf)
    return {
      model,
      stream,
      messages: [...(instructions ? [{ role: 'system', content: instructions }] : []), ...messages],
      tools: tools.map((tool) => tool.name ?? tool.type),
    }
  },
  whole: (asked, answer) => response(asked, 'completed', [itemOf(asked, answer)], usage(asked, answer)),
  events(asked, answer) {
    const item = itemOf(asked, answer)
    const place = { output_index: 0, item_id: item.id }
    const steps: ({ type: string } & Record<string, unknown>)[] = [
      { type: 'response.created', response: response(asked, 'in_progress', []) },
      { type: 'response.in_progress', response: response(asked, 'in_progress', []) },
      { type: 'response.output_item.added', output_index: 0, item: begunOf(item) },
      ...(answer.kind === 'tool' ? argumentSteps(place, answer) : textSteps(place, answer.text)),
      { type: 'response.output_item.done', output_index: 0, item },
      { type: 'response.completed', response: response(asked, 'completed', [item], usage(asked, answer)) },
    ]
    return steps.map((step, index) => `event: ${step.type}\ndata: ${JSON.stringify({ ...step, sequence_number: index })}\n\n`)
  },
  failure: (_status, message) => ({ error: { message, type: 'scripted', param: null, code: null } }),
}

/** Items the script has no use for (reasoning, references) are left out; so are their places in the order. */
function messageOf(item: z.infer<typeof Item>): ModelMessage[] {
  switch (item.type) {
    case 'message':
      return [{ role: z.string().parse(item.role), content: item.content }]
    case 'function_call':
      return [{ role: 'assistant', tool_calls: [item] }]
    case 'function_call_output':
      return [{ role: 'tool', content: item.output }]
    default:
      return []
  }
}

interface Place {
  readonly output_index: number
  readonly item_id: string
}

function textSteps(place: Place, text: string) {
  const part = { ...place, content_index: 0 }
  return [
    { ...part, type: 'response.content_part.added', part: textPart('') },
    ...piecesOf(text).map((delta) => ({ ...part, type: 'response.output_text.delta', delta, logprobs: [] })),
    { ...part, type: 'response.output_text.done', text, logprobs: [] },
    { ...part, type: 'response.content_part.done', part: textPart(text) },
  ]
}

function argumentSteps(place: Place, answer: Extract<Answer, { kind: 'tool' }>) {
  const whole = argumentsOf(answer)
  return [
    ...piecesOf(whole).map((delta) => ({ ...place, type: 'response.function_call_arguments.delta', delta })),
    { ...place, type: 'response.function_call_arguments.done', name: answer.name, arguments: whole },
  ]
}

const textPart = (text: string) => ({ type: 'output_text', text, annotations: [], logprobs: [] })

type OutputItem = ReturnType<typeof itemOf>

function itemOf(asked: Asked, answer: Answer) {
  if (answer.kind === 'text')
    return {
      id: `msg_${asked.id}`,
      type: 'message' as const,
      role: 'assistant',
      status: 'completed',
      content: [textPart(answer.text)],
    }
  return {
    id: `fc_${asked.id}`,
    type: 'function_call' as const,
    call_id: `call_${asked.id}`,
    name: answer.name,
    arguments: argumentsOf(answer),
    status: 'completed',
  }
}

/** The item as it is announced: its kind and name are known, what it says is not. */
const begunOf = (item: OutputItem) => ({
  ...item,
  status: 'in_progress',
  ...(item.type === 'message' ? { content: [] } : { arguments: '' }),
})

function response(asked: Asked, status: string, output: readonly OutputItem[], used: object | null = null): object {
  return {
    id: `resp_${asked.id}`,
    object: 'response',
    created_at: CREATED_S,
    status,
    error: null,
    incomplete_details: null,
    instructions: null,
    metadata: {},
    model: asked.model,
    output,
    parallel_tool_calls: true,
    temperature: 1,
    tool_choice: 'auto',
    tools: [],
    top_p: 1,
    usage: used,
  }
}

function usage(asked: Asked, answer: Answer): object {
  const { input, output } = usageOf(asked, answer)
  return {
    input_tokens: input,
    input_tokens_details: { cached_tokens: 0 },
    output_tokens: output,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: input + output,
  }
}
