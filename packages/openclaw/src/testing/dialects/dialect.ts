/**
 * What a provider's protocol has to say for itself so that the scripted server can speak it: how a request reads, and how an answer
 * is written. Encoders are pure: the same request and answer give the same bytes. Nothing here knows about sockets or scripts.
 */
import type { IncomingHttpHeaders } from 'node:http'
import type { ModelMessage } from '../model-prompt.ts'
import { textOf } from '../model-prompt.ts'
import type { ScriptedReply } from '../script.ts'

export type DialectName = 'chat' | 'responses' | 'messages'

/** A request, whatever protocol it came in: roles are `system`, `user`, `assistant` and `tool`. */
export interface Asked {
  /** 1 for the first request of the server; ids in the answer are made from it. */
  readonly id: number
  readonly model: string
  readonly stream: boolean
  readonly messages: readonly ModelMessage[]
  readonly tools: readonly string[]
}

export type Answer = Exclude<ScriptedReply, { kind: 'fail' }>

export interface Refusal {
  readonly status: number
  readonly message: string
}

export interface Dialect {
  readonly name: DialectName
  readonly path: string
  /** What the real provider would refuse before it looks at the body (no key); null when it would not. */
  refusal(headers: IncomingHttpHeaders): Refusal | null
  /** Throws on a body that is not of this protocol. */
  read(body: unknown): Omit<Asked, 'id'>
  /** The whole answer as one JSON body. */
  whole(asked: Asked, answer: Answer): object
  /** The same answer as server-sent events, complete with their line ends. */
  events(asked: Asked, answer: Answer): string[]
  /** Body of a failed request; the status goes into the response. */
  failure(status: number, message: string): object
}

/** A rough count so that usage figures are not zero: four characters to a token. It is an estimate and only ever a test's. */
const CHARACTERS_PER_TOKEN = 4

export function usageOf(asked: Asked, answer: Answer): { readonly input: number; readonly output: number } {
  const tokens = (text: string) => Math.ceil(text.length / CHARACTERS_PER_TOKEN)
  return {
    input: asked.messages.reduce((sum, message) => sum + tokens(textOf(message.content)), 0),
    output: tokens(answer.kind === 'text' ? answer.text : argumentsOf(answer)),
  }
}

/** A tool's arguments the way all three protocols carry them in a stream: JSON in a string. */
export const argumentsOf = (answer: Extract<Answer, { kind: 'tool' }>): string => JSON.stringify(answer.args)

/** Short enough that every sentence is several deltas: a reader that keeps only the first or the last one is found out. */
const PIECE_CHARACTERS = 16

/** A text in pieces for deltas; none for the empty text. A character is never cut in two. */
export function piecesOf(text: string): string[] {
  const characters = [...text]
  return Array.from({ length: Math.ceil(characters.length / PIECE_CHARACTERS) }, (_, index) =>
    characters.slice(index * PIECE_CHARACTERS, (index + 1) * PIECE_CHARACTERS).join(''),
  )
}

/** `Authorization: Bearer <key>`, as OpenAI wants it. The key may be any: this server has no accounts. */
export function bearerRefusal(headers: IncomingHttpHeaders): Refusal | null {
  if (/^Bearer \S+$/.test(headers.authorization ?? '')) return null
  return { status: 401, message: 'no API key: expected the header "Authorization: Bearer <key>"' }
}
