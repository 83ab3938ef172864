/** The scripted server's protocols, over HTTP as a provider's client sees them. Chat completions, the third, is what most other tests speak. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Answer, Dialect } from '../src/testing/dialects/dialect.ts'
import { piecesOf } from '../src/testing/dialects/dialect.ts'
import { messagesDialect } from '../src/testing/dialects/messages.ts'
import { responsesDialect } from '../src/testing/dialects/responses.ts'
import type { ModelServer } from '../src/testing/model-server.ts'
import { startModelServer } from '../src/testing/model-server.ts'

const SAID = 'A reply of more than one piece, with \u{1f980} in it.'
const ARGS = { text: 'quotes " and \\ and \u{1f980}', list: [1, 2, 3] }
const TOOL = { kind: 'tool', name: 'post', args: ARGS } as const satisfies Answer

interface Step extends Record<string, unknown> {
  readonly type: string
  readonly delta?: unknown
}
type Told = { readonly text: string } | { readonly tool: string; readonly args: unknown }

interface Language {
  readonly dialect: Dialect
  readonly headers: Record<string, string>
  /** A system prompt, a question, and when there is one the tool call and its result. */
  request(prompt: string, result?: string): Record<string, unknown>
  /** What a client makes of the stream: the deltas put together. */
  heard(steps: readonly Step[]): Told
  /** What it makes of the whole body. */
  whole(body: never): Told
  readonly errorType: string
}

const joined = (steps: readonly Step[], type: string, pick: (delta: never) => string = String) =>
  steps.flatMap((step) => (step.type === type ? [pick(step.delta as never)] : [])).join('')
const parsed = (json: string) => JSON.parse(json) as unknown

const LANGUAGES: readonly Language[] = [
  {
    dialect: responsesDialect,
    headers: { authorization: 'Bearer k' },
    request: (prompt, result) => ({
      model: 'm',
      store: false,
      input: [
        { role: 'developer', content: 'be good' },
        { role: 'user', content: [{ type: 'input_text', text: prompt }] },
        ...(result === undefined
          ? []
          : [
              { type: 'reasoning', summary: [] },
              { type: 'function_call', call_id: 'c1', name: 'post', arguments: '{}' },
              { type: 'function_call_output', call_id: 'c1', output: [{ type: 'input_text', text: result }] },
            ]),
      ],
      tools: [{ type: 'function', name: 'post', parameters: {} }],
    }),
    heard(steps) {
      const item = steps.find(({ type }) => type === 'response.output_item.added')?.item as { type: string; name: string }
      return item.type === 'message'
        ? { text: joined(steps, 'response.output_text.delta') }
        : { tool: item.name, args: parsed(joined(steps, 'response.function_call_arguments.delta')) }
    },
    whole({ output: [item] }: { output: [{ type: string; name: string; arguments: string; content: [{ text: string }] }] }) {
      return item.type === 'message' ? { text: item.content[0].text } : { tool: item.name, args: parsed(item.arguments) }
    },
    errorType: 'scripted',
  },
  {
    dialect: messagesDialect,
    headers: { 'x-api-key': 'k', 'anthropic-version': '2023-06-01' },
    request: (prompt, result) => ({
      model: 'm',
      max_tokens: 100,
      system: [{ type: 'text', text: 'be good' }],
      messages: [
        { role: 'user', content: prompt },
        ...(result === undefined
          ? []
          : [
              { role: 'assistant', content: [{ type: 'tool_use', id: 'c1', name: 'post', input: {} }] },
              {
                role: 'user',
                content: [
                  { type: 'tool_result', tool_use_id: 'c1', content: [{ type: 'text', text: result }] },
                  { type: 'text', text: '<<<BEGIN_OPENCLAW_INTERNAL_CONTEXT>>> a note' },
                ],
              },
            ]),
      ],
      tools: [{ name: 'post', input_schema: {} }],
    }),
    heard(steps) {
      const block = steps.find(({ type }) => type === 'content_block_start')?.content_block as { type: string; name: string }
      return block.type === 'text'
        ? { text: joined(steps, 'content_block_delta', ({ text }: { text: string }) => text) }
        : {
            tool: block.name,
            args: parsed(joined(steps, 'content_block_delta', ({ partial_json: json }: { partial_json: string }) => json)),
          }
    },
    whole({ content: [block] }: { content: [{ type: string; text: string; name: string; input: unknown }] }) {
      return block.type === 'text' ? { text: block.text } : { tool: block.name, args: block.input }
    },
    errorType: 'rate_limit_error',
  },
]

describe.each(LANGUAGES)('$dialect.name', ({ dialect, headers, request, heard, whole, errorType }) => {
  let server: ModelServer
  beforeAll(async () => {
    server = await startModelServer()
  })
  afterAll(async () => server.stop())

  const post = (body: object, sent: Record<string, string> = headers) =>
    fetch(`${server.origin}${dialect.path}`, { method: 'POST', headers: sent, body: JSON.stringify(body) })
  const stream = async (prompt: string, result?: string) => {
    const response = await post({ ...request(prompt, result), stream: true })
    expect(response.headers.get('content-type')).toBe('text/event-stream')
    return stepsOf(await response.text())
  }

  it('streams a text in pieces and says when it is complete', async () => {
    const steps = await stream(`[[say:${SAID}]]`)
    expect(heard(steps)).toEqual({ text: SAID })
    expect(steps.filter(({ type }) => /_?delta$/.test(type) && type !== 'message_delta').length).toBeGreaterThan(2)
    expect(['response.completed', 'message_stop']).toContain(steps.at(-1)?.type)
  })

  it('streams a tool call, and reads its result in the next step', async () => {
    const prompt = `[[tool:post ${JSON.stringify(ARGS)}]] [[say:done]]`
    expect(heard(await stream(prompt))).toEqual({ tool: 'post', args: ARGS })
    expect(heard(await stream(prompt, 'posted as 7'))).toEqual({ text: 'done' })
    expect(server.requests.at(-1)).toMatchObject({
      dialect: dialect.name,
      model: 'm',
      stream: true,
      prompt,
      system: 'be good',
      tools: ['post'],
      toolResults: ['posted as 7'],
      headers,
    })
  })

  it('answers in one body when no stream is asked for', async () => {
    const ask = async (prompt: string) => whole((await (await post(request(prompt))).json()) as never)
    expect(await ask(`[[say:${SAID}]]`)).toEqual({ text: SAID })
    expect(await ask(`[[tool:post ${JSON.stringify(ARGS)}]]`)).toEqual({ tool: 'post', args: ARGS })
  })

  it('waits at a gate and fails as told, in the words of its provider', async () => {
    const gate = server.gate(dialect.name)
    const answer = stream(`[[gate:${dialect.name}]] [[say:through]]`)
    await gate.entered
    gate.release()
    expect(heard(await answer)).toEqual({ text: 'through' })

    const refused = await post({ ...request('[[fail:429]]'), stream: true })
    expect(refused.status).toBe(429)
    expect(await refused.json()).toMatchObject({ error: { type: errorType, message: 'scripted failure 429' } })
  })

  it('wants a key, and a body of its own kind; neither refusal reaches the script', async () => {
    const seen = server.requests.length
    expect((await post(request('hello'), {})).status).toBe(401)
    expect((await post({ model: 'm', messages: 'hello' })).status).toBe(400)
    expect(server.requests).toHaveLength(seen)
  })
})

describe('events', () => {
  const asked = { id: 7, model: 'm', stream: true, messages: [{ role: 'user', content: '12345678' }], tools: [] }
  const typesOf = (dialect: Dialect, answer: Answer) => stepsOf(dialect.events(asked, answer).join('')).map(({ type }) => type)

  it('come in the order of the Responses protocol, numbered', () => {
    expect(typesOf(responsesDialect, { kind: 'text', text: 'hi' })).toEqual([
      'response.created',
      'response.in_progress',
      'response.output_item.added',
      'response.content_part.added',
      'response.output_text.delta',
      'response.output_text.done',
      'response.content_part.done',
      'response.output_item.done',
      'response.completed',
    ])
    const steps = stepsOf(responsesDialect.events(asked, TOOL).join(''))
    expect(steps.map((step) => step.sequence_number)).toEqual(steps.map((_, index) => index))
    expect(steps.at(-1)).toMatchObject({
      response: { status: 'completed', usage: { input_tokens: 2 }, output: [{ type: 'function_call', call_id: 'call_7' }] },
    })
  })

  it('come in the order of the Messages protocol, with the reason for the end', () => {
    expect(typesOf(messagesDialect, { kind: 'text', text: 'hi' })).toEqual([
      'message_start',
      'content_block_start',
      'ping',
      'content_block_delta',
      'content_block_stop',
      'message_delta',
      'message_stop',
    ])
    const reason = (answer: Answer) =>
      stepsOf(messagesDialect.events(asked, answer).join('')).find(({ type }) => type === 'message_delta')?.delta
    expect(reason(TOOL)).toMatchObject({ stop_reason: 'tool_use' })
    expect(reason({ kind: 'text', text: '' })).toMatchObject({ stop_reason: 'end_turn' })
  })

  it('hold no half of a character', () => {
    const text = `x${'\u{1f980}'.repeat(40)}`
    expect(piecesOf(text).join('')).toBe(text)
    for (const piece of piecesOf(text)) expect(piece.isWellFormed()).toBe(true)
    expect(piecesOf('')).toEqual([])
  })
})

/** Server-sent events, strictly: a name, one line of data of the same type, an empty line. */
function stepsOf(stream: string): Step[] {
  expect(stream.endsWith('\n\n')).toBe(true)
  return stream
    .slice(0, -2)
    .split('\n\n')
    .map((event) => {
      const [, name, data] = /^event: (\S+)\ndata: (.+)$/.exec(event) ?? []
      const step = JSON.parse(data ?? 'null') as Step
      expect(step.type).toBe(name)
      return step
    })
}
