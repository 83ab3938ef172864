/**
 * Reads what OpenClaw sends to a model. OpenClaw decorates the user's text (a time stamp in front, a runtime note behind the
 * first message of a session, a hidden context message after it, unanswered earlier text in front): a scripted model that
 * looked at the raw last message would obey the wrong text.
 */
export interface ModelMessage {
  readonly role: string
  readonly content?: unknown
  readonly tool_calls?: unknown
  readonly name?: string
}

/** User messages written by OpenClaw itself. */
const NOT_SPOKEN = ['<<<BEGIN_OPENCLAW_INTERNAL_CONTEXT>>>', '<turn_aborted>'] as const
const TIME_STAMP = /^\[[A-Z][a-z]{2} \d{4}-\d{2}-\d{2} \d{2}:\d{2}[^\]]*\] /
const RUNTIME_NOTE = /\n\nRuntime: agent=[^\n]*$/
const MERGED =
  '[Queued user message from a previous active turn; preserved as context only. Continue with the active prompt below.]'

/** The text of a message whose content is a string or a list of parts. */
export function textOf(content: unknown): string {
  if (typeof content === 'string') return content
  if (!Array.isArray(content)) return ''
  return content
    .map((part: unknown) =>
      typeof part === 'object' && part !== null && 'text' in part && typeof part.text === 'string' ? part.text : '',
    )
    .join('')
}

export interface PromptView {
  /** The newest thing a user really said, without OpenClaw's decoration. */
  readonly prompt: string
  readonly system: string
  /** Tools called since that message: a scripted tool call is made once, not on every step of the loop. */
  readonly toolResults: readonly string[]
}

export function viewPrompt(messages: readonly ModelMessage[]): PromptView {
  const last = messages.findLastIndex((message) => message.role === 'user' && isSpoken(textOf(message.content)))
  return {
    prompt: undecorated(last < 0 ? '' : textOf(messages[last]?.content)),
    system: messages
      .filter((message) => message.role === 'system' || message.role === 'developer')
      .map((message) => textOf(message.content))
      .join('\n'),
    toolResults: messages.slice(last + 1).flatMap((message) => (message.role === 'tool' ? [textOf(message.content)] : [])),
  }
}

function isSpoken(text: string): boolean {
  const bare = text.replace(TIME_STAMP, '')
  return !NOT_SPOKEN.some((prefix) => bare.startsWith(prefix))
}

/**
 * An earlier message that never got an answer is put in front of the new one with only a blank line between. Where the new one
 * begins cannot be told in general; here its last paragraph counts, which is exact for the one-line messages of tests.
 */
function undecorated(text: string): string {
  const bare = text.replace(TIME_STAMP, '').replace(RUNTIME_NOTE, '').trim()
  return bare.includes(MERGED) ? (bare.split('\n\n').at(-1) ?? '') : bare
}
